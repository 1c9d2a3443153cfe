"""impact(): what replacing one regime by another does to every account of a book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.comparison.compare import Comparison, compare
from shockgrid.comparison.sides import Side
from shockgrid.market import Market

CENT = 0.005  #: smaller changes than half a cent are none


@dataclass(frozen=True, repr=False)
class Impact:
    """Who pays more and who gets a call.

    Attributes
    ----------
    accounts : one row per margin group, in its ``currency``: equity_at_marks, old_requirement,
        new_requirement, change (> 0: pays more), change_share (of the old; NaN where that is 0), old_call and
        new_call (what equity lacks, >= 0), verdict (new call, larger call, smaller call, call cured, pays
        more, pays less, unchanged), reliability. Those that pay most more, in the base currency, come first.
    totals : in the base currency and in numbers of margin groups, by name.
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
    lacks = {name: sides[name] - sides["equity_at_marks"] for name in ("old", "new")}
    calls = {name: lack.where(lack >= CENT, 0.0) for name, lack in lacks.items()}
    frame = pd.DataFrame(
        {
            "margin_group": sides["margin_group"],
            "currency": sides["currency"],
            "equity_at_marks": sides["equity_at_marks"],
            "old_requirement": sides["old"],
            "new_requirement": sides["new"],
            "change": change,
            "change_share": (change / sides["old"]).where(sides["old"] > 0.0),
            "old_call": calls["old"],
            "new_call": calls["new"],
            "verdict": _verdicts(change, calls["old"], calls["new"]),
            "reliability": sides["reliability"],
        }
    )
    rates = frame["currency"].map(market.fx).astype(np.float64)
    order = np.lexsort((frame["margin_group"].astype(str), -(change * rates)))
    ordered = frame.iloc[order].reset_index(drop=True)
    return Impact(ordered, _totals(frame, rates), both)


def _verdicts(change: pd.Series, old: pd.Series, new: pd.Series) -> pd.Series:
    cases = [
        ((old == 0.0) & (new > 0.0), "new call"),
        ((old > 0.0) & (new == 0.0), "call cured"),
        ((new > 0.0) & (new - old >= CENT), "larger call"),
        ((new > 0.0) & (old - new >= CENT), "smaller call"),
        (change >= CENT, "pays more"),
        (change <= -CENT, "pays less"),
    ]
    verdicts = np.select([mask for mask, _ in cases], [name for _, name in cases], "unchanged")
    return pd.Series(verdicts, dtype=object)


def _totals(frame: pd.DataFrame, rates: pd.Series) -> dict[str, float | int]:
    money = frame[["old_requirement", "new_requirement", "change", "old_call", "new_call"]].mul(rates, axis=0)
    change = frame["change"]
    return {
        **{f"sum_{name}": round(float(total), 2) for name, total in money.sum().items()},
        "pay_more": int((change >= CENT).sum()),
        "pay_less": int((change <= -CENT).sum()),
        "unchanged": int((change.abs() < CENT).sum()),
        "new_calls": int((frame["verdict"] == "new call").sum()),
        "calls_cured": int((frame["verdict"] == "call cured").sum()),
        "most_more": round(float((change * rates).max()), 2) if len(frame) else 0.0,
    }
