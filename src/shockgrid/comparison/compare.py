"""compare(): one book under several regimes, side by side, net and gross of option value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.comparison.sides import RELIABILITIES, Result, Side, fitting, short_value, sides_of
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.reg_t import RegtRules
from shockgrid.reg_t.margin import SECONDS, planned_regt
from shockgrid.requirement import MarginResult
from shockgrid.requirement.assemble import group_currencies, group_rates
from shockgrid.requirement.margin import Clock, Laid, laid_out, margined

NOTE = (
    "net requirements stand against equity_at_marks, in which options and shares are marked; the gross "
    "ones have the value of short options and short shares in them, as the Cboe Margin Manual prints them"
)


@dataclass(frozen=True, repr=False)
class Comparison:
    """Requirements of one book under several regimes.

    Attributes
    ----------
    accounts : one row per margin group, in its ``currency``: equity_at_marks, short_value (>= 0, market value
        of options and shares held short), the requirement net of option value under each side, in a column
        of the side's name, and the worst reliability of the sides.
    gross : the same with ``short_value`` added to every requirement.
    firm : one row per side, in the base currency: requirement, requirement_gross, initial_requirement (NaN
        where the rule knows one requirement only), deficits (how many margin groups), sum_deficit, seconds.
    results : what each side came to, as ``margin`` and ``regt`` return it.
    """

    accounts: pd.DataFrame
    gross: pd.DataFrame
    firm: pd.DataFrame
    results: Mapping[str, Result]
    backend: str
    notes: tuple[str, ...]

    def freed(self, one: str, other: str) -> pd.DataFrame:
        """What going from ``one`` to ``other`` frees, by margin group, in its currency.

        Columns: margin_group, currency, equity_at_marks, one and other (requirements), freed_capital (> 0:
        ``other`` needs less; the same net and gross), freed_share (of ``one``; NaN where that is 0).

        Raises InputError for a name that is no side.
        """
        for name in (one, other):
            if name not in self.results:
                problem = f"expected one of {', '.join(self.results)}"
                raise InputError(problem, column="side", value=name)
        freed = self.accounts[one] - self.accounts[other]
        share = (freed / self.accounts[one]).where(self.accounts[one] > 0.0)
        fixed = self.accounts[["margin_group", "currency", "equity_at_marks"]]
        amounts = {"one": self.accounts[one], "other": self.accounts[other]}
        return fixed.assign(**amounts, freed_capital=freed, freed_share=share)

    @cached_property
    def freed_firm(self) -> pd.DataFrame:
        """One row per two sides, in the base currency: one, other, freed_capital, freed_share."""
        totals = self.firm.set_index("side")["requirement"]
        rows = [
            {"one": one, "other": other, "freed_capital": totals[one] - totals[other]}
            for one, other in combinations(totals.index, 2)
        ]
        frame = pd.DataFrame(rows, columns=["one", "other", "freed_capital"])
        base = frame["one"].map(totals).astype(np.float64)
        return frame.assign(freed_share=(frame["freed_capital"] / base).where(base > 0.0))

    @cached_property
    def positions(self) -> pd.DataFrame:
        """``MarginResult.positions`` of every side that revalues, one after the other, with its ``side``.

        ``leave_one_out`` is exact and not additive; ``euler`` adds up to the scan and holds while the worst
        scenario stays the same. Strategy-based rules have neither: a pairing has no share of a position.
        """
        frames = [
            result.positions.assign(side=name)
            for name, result in self.results.items()
            if isinstance(result, MarginResult)
        ]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    def __repr__(self) -> str:
        shown = self.firm[["side", "requirement", "requirement_gross", "deficits"]]
        table = shown.to_string(index=False, float_format="{:,.2f}".format)
        return f"Comparison of {len(self.accounts):,} margin groups\n{table}"


def compare(
    book: Book,
    market: Market,
    regimes: Mapping[str, Side | str] | Iterable[Side | str],
    *,
    backend: str | Backend = "auto",
    seconds: float = SECONDS,
) -> Comparison:
    """The requirement of every margin group under each of several regimes.

    Vols are calibrated, positions laid out and instruments priced once for all sides; premium tables and
    grids that a backend has computed for one serve the next.

    Parameters
    ----------
    book, market : who holds what, and what it costs.
    regimes : regimes, policies, strategy-based rules (``shockgrid.reg_t.regt_rules()``) or names: "tims",
        "house", "regt", ..., "path/to/file.py:name". A mapping gives each side a name of one's own.
    backend : as in ``margin``.     seconds : as in ``regt``.

    Raises
    ------
    InputError : no such regime, or one that does not fit the market; names the side.
    BackendUnavailable : a backend asked for by name cannot run here.
    """
    sides, engine = sides_of(regimes), get_backend(backend)
    _require(book, market)
    laid = laid_out(book, market, engine, Clock())
    results, spent = dict[str, Result](), dict[str, float]()
    for name, side in sides.items():
        started = perf_counter()
        try:
            results[name] = _computed(laid, side, engine, seconds)
        except InputError as error:
            raise fitting(name, error) from error
        spent[name] = perf_counter() - started
    return _compared(laid, results, spent, engine.name)


def _require(book: object, market: object) -> None:
    for value, kind in ((book, Book), (market, Market)):
        if not isinstance(value, kind):
            problem = f"expected a {kind.__name__}"
            raise InputError(problem, value=type(value).__name__)


def _computed(laid: Laid, side: Side, engine: Backend, seconds: float) -> Result:
    if isinstance(side, RegtRules):
        return planned_regt(laid.plan, laid.values, side, seconds=seconds, backend=engine.name)
    return margined(laid, side, engine, Clock())


def _compared(laid: Laid, results: dict[str, Result], spent: dict[str, float], backend: str) -> Comparison:
    plan = laid.plan
    rates = group_rates(plan)
    shorted = short_value(plan, laid.values) / rates
    frames = {name: result.accounts for name, result in results.items()}
    ranks = np.max([frame["reliability"].map(RELIABILITIES.index) for frame in frames.values()], axis=0)
    fixed: dict[str, Any] = {
        "margin_group": plan.margin_groups,
        "currency": group_currencies(plan),
        "equity_at_marks": next(iter(frames.values()))["equity_at_marks"].to_numpy(np.float64),
        "short_value": shorted,
    }
    net = {name: frame["requirement"].to_numpy(np.float64) for name, frame in frames.items()}
    worst = {"reliability": np.array(RELIABILITIES, object)[np.asarray(ranks, np.intp)]}
    firm = [_total(name, result, rates, shorted, spent[name]) for name, result in results.items()]
    notes = dict.fromkeys(note for result in results.values() for note in result.notes)
    return Comparison(
        accounts=pd.DataFrame({**fixed, **net, **worst}),
        gross=pd.DataFrame({**fixed, **{name: amount + shorted for name, amount in net.items()}, **worst}),
        firm=pd.DataFrame(firm),
        results=results,
        backend=backend,
        notes=(NOTE, *notes),
    )


def _total(name: str, result: Result, rates: Any, shorted: Any, seconds: float) -> dict[str, Any]:
    accounts = result.accounts
    short = result.short()
    initial = accounts.get("initial_requirement")
    return {
        "side": name,
        "requirement": float((accounts["requirement"] * rates).sum()),
        "requirement_gross": float(((accounts["requirement"] + shorted) * rates).sum()),
        "initial_requirement": np.nan if initial is None else float((initial * rates).sum()),
        "deficits": int(short.sum()),
        "sum_deficit": float((-accounts["excess"] * rates)[short].sum()),
        "seconds": seconds,
    }
