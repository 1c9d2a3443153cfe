"""Strategy-based margin: Regulation T, FINRA 4210(c) and (f)(2), paired so that the least is due."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from shockgrid.reg_t.compare import freed_capital
from shockgrid.reg_t.margin import regt
from shockgrid.reg_t.result import RegtResult
from shockgrid.reg_t.rules import RegtRules, regt_rules

__all__ = ["RegtResult", "RegtRules", "freed_capital", "regt", "regt_rules"]


class _Callable(ModuleType):
    """``shockgrid.reg_t(book, market)`` works whether or not the package of that name was imported first."""

    def __call__(self, *arguments: Any, **options: Any) -> RegtResult:
        return regt(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
