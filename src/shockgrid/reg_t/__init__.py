"""Strategy-based margin: Regulation T, FINRA 4210(c) and (f)(2), paired so that the least is due."""

from __future__ import annotations

from shockgrid.reg_t.compare import freed_capital
from shockgrid.reg_t.margin import regt
from shockgrid.reg_t.result import RegtResult
from shockgrid.reg_t.rules import RegtRules, regt_rules

__all__ = ["RegtResult", "RegtRules", "freed_capital", "regt", "regt_rules"]
