"""impact(): what replacing one regime by another does to every account of a book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.comparison.compare import Comparison, compare
from shockgrid.comparison.sides import Side
from shockgrid.market import Market
from shockgrid.minor_units import minor_digits
from shockgrid.requirement.minor_amounts import digits_of, shortfalls

LEAST = 0.5  #: of a minor unit; smaller changes are none


@dataclass(frozen=True, repr=False)
class Impact:
    """Who pays more and who falls short.

    Attributes
    ----------
    accounts : one row per margin group, in its ``currency``: equity_at_marks, requirement_before,
        requirement_after, change (> 0: pays more), change_share (of the one before; NaN where that is 0),
        deficit_before and deficit_after (what equity lacks, >= 0, as a call asks for it), verdict (new
        deficit, larger deficit, smaller deficit, deficit cured, pays more, pays less, unchanged; not covered
        where a side has no figure), reliability. Those that pay most more, in the base currency, come first.
    totals : in the base currency and in numbers of margin groups, by name; over those with both figures.
    comparison : both sides in full.
    """

    accounts: pd.DataFrame
    totals: dict[str, float | int]
    comparison: Comparison

    def __repr__(self) -> str:
        lines = [f"  {name.replace('_', ' ')}: {value:,}" for name, value in self.totals.items()]
        return "\n".join(["Impact", *lines])


def impact(
    book: Book, market: Market, old: Side | str, new: Side | str, *, backend: str | Backend = "auto"
) -> Impact:
    """What a book pays under ``new`` instead of ``old``, in one pass over one plan.

    Parameters
    ----------
    book, market : who holds what, and what it costs.
    old, new : as in ``compare``: regimes with other parameters, with overrides, or policies.
    backend : as in ``margin``.

    Raises
    ------
    InputError : as in ``compare``; the sides are called old and new.
    """
    both = compare(book, market, {"old": old, "new": new}, backend=backend)
    sides = both.accounts
    change = sides["new"] - sides["old"]
    digits = digits_of(sides["currency"])
    deficits = {
        name: shortfalls(sides[name], sides["equity_at_marks"], digits) / 10.0**digits
        for name in ("old", "new")
    }
    least = np.asarray(LEAST / 10.0**digits, np.float64)
    frame = pd.DataFrame(
        {
            "margin_group": sides["margin_group"],
            "currency": sides["currency"],
            "equity_at_marks": sides["equity_at_marks"],
            "requirement_before": sides["old"],
            "requirement_after": sides["new"],
            "change": change,
            "change_share": (change / sides["old"]).where(sides["old"] > 0.0),
            "deficit_before": deficits["old"],
            "deficit_after": deficits["new"],
            "verdict": _verdicts(change, deficits["old"], deficits["new"], least),
            "reliability": sides["reliability"],
        }
    )
    rates = frame["currency"].map(market.fx).astype(np.float64)
    order = np.lexsort((frame["margin_group"].astype(str), -(change * rates)))  # NaN last
    ordered = frame.iloc[order].reset_index(drop=True)
    known = change.notna()
    base = minor_digits(market.base_currency)
    totals = _totals(frame[known], rates[known], least[known.to_numpy(bool)], base)
    return Impact(ordered, {**totals, "not_covered": int((~known).sum())}, both)


def _verdicts(change: pd.Series, before: Floats, after: Floats, least: Floats) -> pd.Series:
    cases = [
        (change.isna(), "not covered"),
        ((before == 0.0) & (after > 0.0), "new deficit"),
        ((before > 0.0) & (after == 0.0), "deficit cured"),
        ((after > 0.0) & (after - before >= least), "larger deficit"),
        ((after > 0.0) & (before - after >= least), "smaller deficit"),
        (change >= least, "pays more"),
        (change <= -least, "pays less"),
    ]
    verdicts = np.select([mask for mask, _ in cases], [name for _, name in cases], "unchanged")
    return pd.Series(verdicts, dtype=object)


def _totals(frame: pd.DataFrame, rates: pd.Series, least: Floats, digits: int) -> dict[str, float | int]:
    names = ["requirement_before", "requirement_after", "change", "deficit_before", "deficit_after"]
    money, change = frame[names].mul(rates, axis=0), frame["change"]
    return {
        **{f"sum_{name}": round(float(total), digits) for name, total in money.sum().items()},
        "pay_more": int((change >= least).sum()),
        "pay_less": int((change <= -least).sum()),
        "unchanged": int((change.abs() < least).sum()),
        "new_deficits": int((frame["verdict"] == "new deficit").sum()),
        "deficits_cured": int((frame["verdict"] == "deficit cured").sum()),
        "most_more": round(float((change * rates).max()), digits) if len(frame) else 0.0,
    }
