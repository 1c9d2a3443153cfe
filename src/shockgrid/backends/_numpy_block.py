"""A few scenarios of one underlying, priced together in the NumPy backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._numpy_american import Cut, Exercise
from shockgrid.backends._numpy_black import Workspace, deviations, log_ratios, values_of
from shockgrid.backends.contract import Series
from shockgrid.states import States

DAYS_PER_YEAR = 365.0


class Block:
    """A few scenarios with the market states that they use."""

    def __init__(self, states: States) -> None:
        self.height = len(states.index)
        spots, spot_rows = _used(states.index[:, 0], len(states.spot_factors))
        rules, vol_rows = _used(states.index[:, 1], len(states.vol_shocks))
        self.states = states
        self.cut = Cut(states.spot_factors[spots], spot_rows, rules, vol_rows)

    def price(self, series: Series, columns: slice, exercise: Exercise | None, work: Workspace) -> Floats:
        """Values of a few options, [height, m], in memory of ``work``.

        They are the ``columns`` of those that ``exercise`` knows, which is None where none is American.
        """
        shape = (self.height, len(series))
        vols = shocked_vols(series, self.states, self.cut.rules)
        forwards = forwards_of(series, self.cut.spot_factors)
        deviation = deviations(vols, series.years)
        scratch = iter([work.single(slot, shape) for slot in range(1, 5)])
        logs, inverses, halves, assets = (
            np.take(table, rows, axis=0, out=next(scratch), mode="clip")
            for table, rows in (
                (log_ratios(forwards, series.strikes), self.cut.spot_rows),
                (1.0 / deviation, self.cut.vol_rows),
                (0.5 * deviation, self.cut.vol_rows),
                (forwards * series.discount_factors, self.cut.spot_rows),
            )
        )
        strikes = series.discount_factors * series.strikes
        sides = np.where(series.is_call, 0.5, -0.5)
        values = values_of(logs, inverses, halves, assets, strikes, sides, work)
        if exercise is not None:
            exercise.add(values, columns, series, vols, self.cut)
        return values


def forwards_of(series: Series, spot_factors: Floats) -> Floats:
    """Forwards of what is delivered, [P, n]."""
    forwards: Floats = series.slopes * series.spots * spot_factors[:, None] + series.intercepts
    return forwards


def shocked_vols(series: Series, states: States, rules: Any = slice(None)) -> Floats:
    """The vols [R, n] under some of the vol rules; the rule is the one of ``States``."""
    shocks, relative, powers, floors, caps = (
        column[rules][:, None]
        for column in (
            states.vol_shocks,
            states.relative,
            states.term_powers,
            states.vol_floors,
            states.vol_caps,
        )
    )
    if powers.any():
        months = np.log(30.0 / np.maximum(series.years * DAYS_PER_YEAR, 1.0))
        shocks = shocks * np.exp(powers * months)
    vols: Floats = np.where(relative, series.vols * (1.0 + shocks), series.vols + shocks)
    np.maximum(vols, floors, out=vols)
    np.minimum(vols, caps, out=vols)
    return vols


def _used(index: Codes, count: int) -> tuple[Any, Codes]:
    """Which of ``count`` states a block tabulates, and the index into those."""
    if count <= len(index):
        return slice(None), index
    return np.unique(index, return_inverse=True)
