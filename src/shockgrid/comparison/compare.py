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

from shockgrid.arrays import Floats, Mask
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.comparison.coverage import COLUMNS, covered_part, uncovered_note
from shockgrid.comparison.sides import RELIABILITIES, Result, Side, fitting, short_value, sides_of
from shockgrid.doors import number, require_kind
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.reg_t import RegtRules
from shockgrid.reg_t.margin import SECONDS, planned_regt
from shockgrid.requirement import MarginResult
from shockgrid.requirement.assemble import group_currencies, group_rates
from shockgrid.requirement.equity import equity
from shockgrid.requirement.margin import Clock, Laid, laid_out, margined
from shockgrid.requirement.minor_amounts import digits_of, shortfalls

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
        of the side's name (NaN where the side does not cover all that is held), and the worst reliability.
    gross : the same with ``short_value`` added to every requirement.
    firm : one row per side, in the base currency: margin_groups (how many have a figure), and of those the
        requirement, requirement_gross, initial_requirement (NaN where the rule knows one requirement only),
        deficits (how many), sum_deficit (each as a call asks for it, in whole minor units); seconds.
    freed_firm : one row per two sides, in the base currency: one, other, margin_groups (that have a figure
        under both), freed_capital, freed_share.
    uncovered : side, margin_group, underlying, positions: what each side does not cover.
    results : what each side came to, as ``margin`` and ``regt`` return it, over what the side covers.
    """

    accounts: pd.DataFrame
    gross: pd.DataFrame
    firm: pd.DataFrame
    freed_firm: pd.DataFrame
    uncovered: pd.DataFrame
    results: Mapping[str, Result]
    backend: str
    notes: tuple[str, ...]

    def freed(self, one: str, other: str) -> pd.DataFrame:
        """What going from ``one`` to ``other`` frees, by margin group, in its currency.

        For two sides of this comparison, whichever they are; ``freed_capital`` takes two results that were
        computed apart, one of them strategy-based, and shows both conventions of premium.

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
    grids that a backend has computed for one serve the next. A side may cover a part of the book, as a coin
    venue does of one that holds stocks too: see ``Comparison.uncovered``.

    Parameters
    ----------
    book, market : who holds what, and what it costs.
    regimes : regimes, policies, strategy-based rules (``shockgrid.reg_t.regt_rules()``) or names: "tims",
        "house", "regt", ..., "path/to/file.py:name". A mapping gives each side a name of one's own.
    backend : as in ``margin``.     seconds : as in ``regt``.

    Raises
    ------
    InputError : no such regime, one that does not fit the market, or that covers nothing of the book; names
        the side.
    BackendUnavailable : a backend asked for by name cannot run here.
    """
    sides, engine = sides_of(regimes), get_backend(backend)
    _require(book, market, seconds)
    laid = laid_out(book, market, engine, Clock())
    results, left_out, spent = dict[str, Result](), dict[str, pd.DataFrame](), dict[str, float]()
    for name, side in sides.items():
        started = perf_counter()
        try:
            part, left_out[name] = covered_part(laid, side)
            results[name] = _computed(part, side, engine, seconds)
        except InputError as error:
            raise fitting(name, error) from error
        spent[name] = perf_counter() - started
    return _compared(laid, results, left_out, spent, engine.name)


def _require(book: object, market: object, seconds: object) -> None:
    require_kind(book, Book, "book")
    require_kind(market, Market, "market")
    number(seconds, "seconds", "a time of at least 0", lambda length: length >= 0.0)


def _computed(laid: Laid, side: Side, engine: Backend, seconds: float) -> Result:
    if isinstance(side, RegtRules):
        return planned_regt(laid.plan, laid.values, side, seconds=seconds, backend=engine.name)
    return margined(laid, side, engine, Clock())


def _compared(
    laid: Laid,
    results: dict[str, Result],
    left_out: dict[str, pd.DataFrame],
    spent: dict[str, float],
    backend: str,
) -> Comparison:
    plan = laid.plan
    rates = group_rates(plan)
    shorted = short_value(plan, laid.values) / rates
    frames = {name: result.accounts for name, result in results.items()}
    ranks = np.max([frame["reliability"].map(RELIABILITIES.index) for frame in frames.values()], axis=0)
    fixed: dict[str, Any] = {
        "margin_group": plan.margin_groups,
        "currency": group_currencies(plan),
        "equity_at_marks": equity(plan, laid.values).at_marks / rates,
        "short_value": shorted,
    }
    whole = {name: ~np.isin(plan.margin_groups, rows["margin_group"]) for name, rows in left_out.items()}
    net = {name: frame["requirement"].where(whole[name]).to_numpy() for name, frame in frames.items()}
    worst = {"reliability": np.array(RELIABILITIES, object)[np.asarray(ranks, np.intp)]}
    digits = digits_of(pd.Series(fixed["currency"]))
    missing = {
        name: shortfalls(amount, fixed["equity_at_marks"], digits) / 10.0**digits
        for name, amount in net.items()
    }
    firm = [
        _total(name, results[name], whole[name], rates, shorted, missing[name], spent[name])
        for name in results
    ]
    noted = [uncovered_note(name, rows) for name, rows in left_out.items() if len(rows)]
    notes = dict.fromkeys(note for result in results.values() for note in result.notes)
    return Comparison(
        accounts=pd.DataFrame({**fixed, **net, **worst}),
        gross=pd.DataFrame({**fixed, **{name: amount + shorted for name, amount in net.items()}, **worst}),
        firm=pd.DataFrame(firm),
        freed_firm=_freed_firm(net, rates),
        uncovered=pd.concat([rows.assign(side=name) for name, rows in left_out.items()], ignore_index=True)[
            ["side", *COLUMNS]
        ],
        results=results,
        backend=backend,
        notes=(NOTE, *noted, *notes),
    )


def _freed_firm(net: Mapping[str, Floats], rates: Floats) -> pd.DataFrame:
    rows = []
    for one, other in combinations(net, 2):
        both = ~np.isnan(net[one] + net[other])
        base, rest = (float((net[name] * rates)[both].sum()) for name in (one, other))
        share = (base - rest) / base if base > 0.0 else np.nan
        rows.append((one, other, int(both.sum()), base - rest, share))
    return pd.DataFrame(rows, columns=["one", "other", "margin_groups", "freed_capital", "freed_share"])


def _total(
    name: str,
    result: Result,
    whole: Mask,
    rates: Floats,
    shorted: Floats,
    missing: Floats,
    seconds: float,
) -> dict[str, Any]:
    """A side's row of ``firm``, over the margin groups of which it covers everything."""
    accounts, short = result.accounts, missing > 0.0  # NaN, which is not covered, is not
    initial = accounts.get("initial_requirement")
    return {
        "side": name,
        "margin_groups": int(whole.sum()),
        "requirement": float((accounts["requirement"] * rates)[whole].sum()),
        "requirement_gross": float(((accounts["requirement"] + shorted) * rates)[whole].sum()),
        "initial_requirement": np.nan if initial is None else float((initial * rates)[whole].sum()),
        "deficits": int(short.sum()),
        "sum_deficit": float((missing * rates)[short].sum()),
        "seconds": seconds,
    }
