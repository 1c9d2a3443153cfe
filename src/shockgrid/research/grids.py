"""A dense grid of price and vol shocks, kept as a product and never written out as a list of scenarios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Codes, Floats
from shockgrid.errors import InputError
from shockgrid.scenario_rules import LARGEST_SHOCK
from shockgrid.scenarios import ScenarioSet
from shockgrid.states import States


@dataclass(frozen=True, eq=False)
class Grid:
    """Every price shock with every vol shock; cell = price row x len(vols) + vol column.

    Attributes
    ----------
    spots : [P] price shocks as fractions in [-1, 10], strictly ascending (-0.15 is 15 % down).
    vols : [V] vol shocks as decimals, strictly ascending.
    vol_mode : "relative" (vol x (1 + y)) or "absolute" (vol + y).
    term_power, vol_floor, vol_cap, leveraged : as in ``ScenarioSet.points``.

    Raises
    ------
    InputError : an axis is empty, not ascending, not finite or out of range; an unknown mode.
    """

    spots: Floats
    vols: Floats
    vol_mode: str = "relative"
    term_power: float = 0.0
    vol_floor: float = 0.0
    vol_cap: float = np.inf
    leveraged: bool = True

    def __post_init__(self) -> None:
        for name, lowest in (("spots", -1.0), ("vols", -LARGEST_SHOCK)):
            axis = np.atleast_1d(np.asarray(getattr(self, name), np.float64)).copy()
            axis.setflags(write=False)
            object.__setattr__(self, name, axis)
            good = axis.ndim == 1 and axis.size > 0 and bool(np.isfinite(axis).all())
            if not (good and axis[0] >= lowest and axis[-1] <= LARGEST_SHOCK and (np.diff(axis) > 0).all()):
                problem = f"expected finite shocks in [{lowest:g}, {LARGEST_SHOCK:g}], strictly ascending"
                raise InputError(problem, table="grid", column=name)
        self.scenarios_of(self.spots[:1], self.vols[:1])  # refuses an unusable rule

    @classmethod
    def of(cls, grid: GridLike) -> Grid:
        """The grid itself, or that of a pair (price shocks, vol shocks)."""
        if isinstance(grid, Grid):
            return grid
        if isinstance(grid, Sequence) and len(grid) == 2:
            return cls(np.asarray(grid[0], np.float64), np.asarray(grid[1], np.float64))
        problem = "expected a Grid or a pair (price shocks, vol shocks)"
        raise InputError(problem, table="grid", value=type(grid).__name__)

    @property
    def shape(self) -> tuple[int, int]:
        """(P, V)."""
        return len(self.spots), len(self.vols)

    @property
    def size(self) -> int:
        """Number of cells."""
        return len(self.spots) * len(self.vols)

    @property
    def rules(self) -> dict[str, Any]:
        """Everything but the axes, by name."""
        named = (column.name for column in fields(self))
        return {name: getattr(self, name) for name in named if name not in ("spots", "vols")}

    def scenarios(self) -> ScenarioSet:
        """The same cells as a scenario set, one name each: for ``margin``, and for grids of modest size."""
        return self.scenarios_of(self.spots, self.vols)

    def scenarios_of(self, spots: Floats, vols: Floats) -> ScenarioSet:
        """A scenario set of other shocks under this grid's rules."""
        return ScenarioSet.grid(spots, vols, **self.rules)

    def states(self, leverage: float, index: Codes, spots: Floats, vols: Floats) -> States:
        """Market states of an underlying: shocks of these lists, chosen and paired by ``index`` [S, 2]."""
        factor = leverage if self.leveraged else 1.0
        count = len(vols)
        return States(
            1.0 + np.maximum(spots * factor, -1.0),
            vols,
            np.full(count, self.vol_mode == "relative"),
            np.full(count, self.term_power),
            np.full(count, self.vol_floor),
            np.full(count, self.vol_cap),
            index,
        )

    def cells(self, leverage: float, cells: Codes) -> States:
        """Market states of some cells, in that order."""
        index = np.column_stack(np.divmod(cells, len(self.vols)))
        return self.states(leverage, index, self.spots, self.vols)


#: a Grid, or a pair (price shocks, vol shocks) with relative vol shocks
GridLike: TypeAlias = Grid | tuple[ArrayLike, ArrayLike] | Sequence[ArrayLike]


def product(first: int, second: int) -> Codes:
    """Index pairs [first x second, 2], the second running fastest."""
    return np.column_stack([np.repeat(np.arange(first), second), np.tile(np.arange(second), first)])
