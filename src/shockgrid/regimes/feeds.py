"""Confidence of price feeds, and what a doubted feed costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask, Texts
from shockgrid.carry import years_between
from shockgrid.columns import Door
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.requirement.regime import Context
from shockgrid.requirement.units import (
    held_outright,
    index_spots,
    position_units,
    positions_of,
    with_derivatives,
)

COLUMNS = ("underlying", "confidence")


@dataclass(frozen=True)
class Feeds:
    """Confidences by underlying, and by underlying and expiry; the least where a feed comes twice."""

    rows: pd.DataFrame  #: underlying, expiry (NaT for the price itself), confidence

    @classmethod
    def read(cls, source: Any) -> Feeds:
        """Check the frame; see ``derive``. Raises InputError naming the first bad row."""
        frame = pd.DataFrame(columns=list(COLUMNS), dtype=object) if source is None else source
        required = ("underlying", "confidence")
        door = Door("confidences", frame, required=required, optional=("expiry_utc",), key="underlying")
        columns = {
            "underlying": door.text("underlying"),
            "expiry": door.instant("expiry_utc"),
            "confidence": door.number("confidence", low=0.0, high=1.0),
        }
        if door.bad.any():
            first = door.rejects().iloc[0]
            problem, line = str(first["message"]), int(first["line"])
            raise InputError(problem, table="confidences", line=line, value=first["value"])
        return cls(pd.DataFrame(columns))

    @property
    def record(self) -> list[list[str]]:
        """The rows as text, for a regime's fingerprint."""
        return self.rows.astype(object).map(str).to_numpy().tolist()

    def charge(self, context: Context, threshold: float, margin: float) -> Floats:
        """(1 - confidence) x margin x notional wherever the confidence is below the threshold, [M].

        A perpetual's confidence is the lesser of its own feed's and its coin's spot feed's; an option's the
        least of its expiry's, its coin's spot feed and, where the margin group holds one, the perpetual's;
        a collateral's the lesser of its own and the spot feed of the coin it is held beside, where none is
        held the least of the market's coins. A coin is a class group with derivatives.
        """
        plan, held = context.plan, context.plan.positions
        names = plan.market.underlyings
        owners = plan.market.instruments.underlyings[held.instruments]
        prices = self._prices(names.names)
        index = names.codes(names.class_groups)
        coins = np.where(index >= 0, prices[index], prices)
        listed = with_derivatives(plan.market) > 0.0
        nowhere = float(coins[listed].min(initial=1.0))
        spots, live = coins[owners], listed[owners]
        perpetual, outright = positions_of(plan, ("perpetual",)), held_outright(plan)
        own = np.minimum(prices[owners], spots)
        beside = np.where(
            outright, _least(plan, spots, live, nowhere), np.minimum(spots, _least(plan, own, perpetual, 1.0))
        )
        trusted = np.minimum(beside, np.where(outright, prices[owners], self._expiries(plan)))
        confidences = np.where(perpetual, own, trusted)
        values = np.abs(held.weights * context.values[held.instruments])
        worth = np.where(outright, values, np.abs(position_units(plan)) * index_spots(plan.market)[owners])
        doubted = confidences < threshold
        return context.by_position(np.where(doubted, (1.0 - confidences) * margin * worth, 0.0))

    def _prices(self, names: Texts) -> Floats:
        """Confidence of the price of each underlying, [U]; 1 where none is given."""
        rows = self.rows[self.rows["expiry"].isna()]
        least = rows.groupby("underlying")["confidence"].min()
        return least.reindex(names).fillna(1.0).to_numpy(np.float64)

    def _expiries(self, plan: Plan) -> Floats:
        """Confidence of the feeds of each position's expiry, [P]; 1 where none is given."""
        rows = self.rows[self.rows["expiry"].notna()]
        stamp = np.datetime64(plan.market.as_of.replace(tzinfo=None), "ns")
        years = years_between(stamp, rows["expiry"].to_numpy("datetime64[ns]"))
        keys = [plan.market.underlyings.codes(rows["underlying"]), years]
        least = rows["confidence"].groupby(keys).min()
        table, held = plan.market.instruments, plan.positions.instruments
        wanted = pd.MultiIndex.from_arrays([table.underlyings[held], table.years[held]])
        return least.reindex(wanted).fillna(1.0).to_numpy(np.float64)


def _least(plan: Plan, confidences: Floats, rows: Mask, without: float) -> Floats:
    """The least confidence among the chosen positions of each position's margin group, [P]."""
    owners = plan.positions.margin_groups
    chosen = rows & (plan.positions.quantities != 0.0)
    held = np.zeros(len(plan.margin_groups), np.bool_)
    held[owners[chosen]] = True
    least = np.where(held, 1.0, without)
    np.minimum.at(least, owners[chosen], confidences[chosen])
    return least[owners]
