"""Portfolio margin by full revaluation over a grid of price and volatility shocks.

The names here are what a desk, a researcher and a test need day by day. Venue regimes stand in
``shockgrid.regimes``, its vocabulary in ``shockgrid.requirement``, errors in ``shockgrid.errors``.
Names are loaded on first use, so that ``import shockgrid`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shockgrid import errors as errors
    from shockgrid import reg_t as reg_t
    from shockgrid import regimes as regimes
    from shockgrid import requirement as requirement
    from shockgrid.backends import get_backend as get_backend
    from shockgrid.book import Book as Book
    from shockgrid.comparison import compare as compare
    from shockgrid.comparison import impact as impact
    from shockgrid.desk import Desk as Desk
    from shockgrid.desk.calls import margin_calls as margin_calls
    from shockgrid.desk.cures import cures as cures
    from shockgrid.desk.expiry import after_expiry as after_expiry
    from shockgrid.desk.liquidation import liquidation_plan as liquidation_plan
    from shockgrid.errors import InputError as InputError
    from shockgrid.errors import ShockgridError as ShockgridError
    from shockgrid.io.synthetic import synthetic_firm as synthetic_firm
    from shockgrid.io.tables import read_book as read_book
    from shockgrid.io.tables import read_market as read_market
    from shockgrid.market import Market as Market
    from shockgrid.reg_t import regt as regt
    from shockgrid.regimes import Policy as Policy
    from shockgrid.regimes import house as house
    from shockgrid.regimes import tims as tims
    from shockgrid.requirement import MarginResult as MarginResult
    from shockgrid.requirement import Program as Program
    from shockgrid.requirement import Regime as Regime
    from shockgrid.requirement import margin as margin
    from shockgrid.research.backtest import backtest as backtest
    from shockgrid.research.surface import pnl_surface as pnl_surface
    from shockgrid.research.worst import worst_exact as worst_exact
    from shockgrid.scenarios import ScenarioSet as ScenarioSet
    from shockgrid.valuation import implied_vol as implied_vol
    from shockgrid.valuation import price_american as price_american
    from shockgrid.valuation import price_european as price_european

_HOMES = {
    "backends": ("get_backend",),
    "book": ("Book",),
    "comparison": ("compare", "impact"),
    "desk": ("Desk",),
    "desk.calls": ("margin_calls",),
    "desk.cures": ("cures",),
    "desk.expiry": ("after_expiry",),
    "desk.liquidation": ("liquidation_plan",),
    "errors": ("InputError", "ShockgridError"),
    "io.synthetic": ("synthetic_firm",),
    "io.tables": ("read_book", "read_market"),
    "market": ("Market",),
    "reg_t": ("regt",),
    "regimes": ("Policy", "house", "tims"),
    "requirement": ("MarginResult", "Program", "Regime", "margin"),
    "research.backtest": ("backtest",),
    "research.surface": ("pnl_surface",),
    "research.worst": ("worst_exact",),
    "scenarios": ("ScenarioSet",),
    "valuation": ("implied_vol", "price_american", "price_european"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_FOLDERS = ("errors", "reg_t", "regimes", "requirement")  #: at hand as ``sg.regimes.span`` and the like

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _FOLDERS:
        return import_module(f"shockgrid.{name}")
    if name not in _HOME:
        problem = f"module 'shockgrid' has no attribute {name!r}"
        raise AttributeError(problem)
    value = getattr(import_module(f"shockgrid.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*_HOME, *_FOLDERS])
