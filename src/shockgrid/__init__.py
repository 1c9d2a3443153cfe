"""Portfolio margin by full revaluation over a grid of price and volatility shocks.

Names are loaded on first use, so that ``import shockgrid`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shockgrid.backends import get_backend as get_backend
    from shockgrid.book import Book as Book
    from shockgrid.comparison import compare as compare
    from shockgrid.comparison import impact as impact
    from shockgrid.desk import Desk as Desk
    from shockgrid.desk.calls import margin_calls as margin_calls
    from shockgrid.desk.cures import cures as cures
    from shockgrid.desk.expiry import after_expiry as after_expiry
    from shockgrid.desk.liquidation import liquidation_plan as liquidation_plan
    from shockgrid.errors import BackendUnavailable as BackendUnavailable
    from shockgrid.errors import InputError as InputError
    from shockgrid.errors import ParameterError as ParameterError
    from shockgrid.errors import ShockgridError as ShockgridError
    from shockgrid.io.synthetic import synthetic_firm as synthetic_firm
    from shockgrid.io.tables import read_book as read_book
    from shockgrid.io.tables import read_market as read_market
    from shockgrid.market import Market as Market
    from shockgrid.reg_t import freed_capital as freed_capital
    from shockgrid.reg_t import regt as regt
    from shockgrid.regimes import Policy as Policy
    from shockgrid.regimes import deribit as deribit
    from shockgrid.regimes import derive as derive
    from shockgrid.regimes import historical as historical
    from shockgrid.regimes import house as house
    from shockgrid.regimes import imported as imported
    from shockgrid.regimes import span as span
    from shockgrid.regimes import tims as tims
    from shockgrid.requirement import AddOn as AddOn
    from shockgrid.requirement import MarginResult as MarginResult
    from shockgrid.requirement import Program as Program
    from shockgrid.requirement import Reduced as Reduced
    from shockgrid.requirement import Regime as Regime
    from shockgrid.requirement import Tree as Tree
    from shockgrid.requirement import concentration as concentration
    from shockgrid.requirement import contingency as contingency
    from shockgrid.requirement import expected_shortfall as expected_shortfall
    from shockgrid.requirement import margin as margin
    from shockgrid.requirement import offset_gains as offset_gains
    from shockgrid.requirement import worst as worst
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
    "desk.calls": ("margin_calls",),
    "desk.expiry": ("after_expiry",),
    "desk": ("Desk",),
    "desk.cures": ("cures",),
    "desk.liquidation": ("liquidation_plan",),
    "errors": ("BackendUnavailable", "InputError", "ParameterError", "ShockgridError"),
    "io.synthetic": ("synthetic_firm",),
    "io.tables": ("read_book", "read_market"),
    "market": ("Market",),
    "regimes": ("Policy", "deribit", "derive", "historical", "house", "imported", "span", "tims"),
    "reg_t": ("freed_capital", "regt"),
    "requirement": (
        "AddOn",
        "MarginResult",
        "Program",
        "Reduced",
        "Regime",
        "Tree",
        "concentration",
        "contingency",
        "expected_shortfall",
        "margin",
        "offset_gains",
        "worst",
    ),
    "research.backtest": ("backtest",),
    "research.surface": ("pnl_surface",),
    "research.worst": ("worst_exact",),
    "scenarios": ("ScenarioSet",),
    "valuation": ("implied_vol", "price_american", "price_european"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        problem = f"module 'shockgrid' has no attribute {name!r}"
        raise AttributeError(problem)
    value = getattr(import_module(f"shockgrid.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
