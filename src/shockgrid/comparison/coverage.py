"""What a side of a comparison covers of the book, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from shockgrid.arrays import Mask, Texts
from shockgrid.comparison.sides import Side
from shockgrid.engine import Plan, plan
from shockgrid.errors import InputError
from shockgrid.reg_t import RegtRules
from shockgrid.requirement.coverage import covered_by
from shockgrid.requirement.margin import Laid, assignments, programs_by_name
from shockgrid.requirement.programs import programs_of
from shockgrid.requirement.regime import HasPrograms, Regime

COLUMNS = ("margin_group", "underlying", "positions")
SHOWN = 5  #: names in a note
WHY = "no rule, no history or no atm_vol_dec for it"


def covered_part(laid: Laid, side: Side) -> tuple[Laid, pd.DataFrame]:
    """The book without what a side does not cover, and what that is: ``COLUMNS``, one row per holding name.

    Strategy-based rules take everything and say themselves what they cannot margin.

    Raises InputError where a side covers nothing of what is held.
    """
    whole, values = laid
    missing = [] if isinstance(side, RegtRules) else _missing(whole, side)
    if not missing:
        return laid, pd.DataFrame(columns=list(COLUMNS))
    symbols = pd.Index(whole.market.instruments.symbols)
    rows = np.asarray(symbols.get_indexer(pd.Index(whole.book.positions["symbol"])), np.intp)
    holders, lost = _holders(whole), np.zeros(len(rows), np.bool_)
    for instruments, names in missing:
        strange = np.append(instruments, False)[rows]  # -1 is an unknown symbol
        lost |= strange if names is None else strange & np.isin(holders.astype(str), names.astype(str))
    if not lost.any():
        return laid, pd.DataFrame(columns=list(COLUMNS))
    owners = whole.market.underlyings.names[whole.market.instruments.underlyings[rows[lost]]]
    if lost.all():
        problem = f"it covers nothing of this book: {WHY}"
        raise InputError(problem, table="positions", column="underlying", value=owners[0])
    kept = replace(whole.book, positions=whole.book.positions[~lost].reset_index(drop=True))
    found = pd.DataFrame({"margin_group": _holders(whole)[lost], "underlying": owners})
    counts = found.groupby(["margin_group", "underlying"], sort=True).size()
    return Laid(plan(kept, whole.market), values), counts.rename("positions").reset_index()


def _missing(whole: Plan, side: Regime | HasPrograms) -> list[tuple[Mask, Texts | None]]:
    """The instruments [N] that are held and that a regime does not cover, with its margin groups."""
    programs = programs_by_name(side)
    sides, _ = programs_of(whole, programs)
    pairs = assignments(whole, sides or list(programs.values()))
    found = [(~covered_by(regime, whole.market), names) for regime, names in pairs]
    return [pair for pair in found if pair[0][whole.layout.instruments].any()]


def _holders(whole: Plan) -> Texts:
    """The margin group of each position of the book, [P]."""
    accounts = pd.Index(whole.book.accounts["account"])
    rows = accounts.get_indexer(pd.Index(whole.book.positions["account"]))
    holders: Texts = whole.margin_groups[whole.account_groups[rows]]
    return holders


def uncovered_note(name: str, left_out: pd.DataFrame) -> str:
    """What a reader must know of a side that does not cover the whole book."""
    names = left_out["underlying"].unique()
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    groups = left_out["margin_group"].nunique()
    return (
        f"{name} does not cover {', '.join(names[:SHOWN])}{more} ({WHY}): {groups:,} margin groups that hold "
        "any have no figure under it; what the rest of their book comes to is in its result"
    )
