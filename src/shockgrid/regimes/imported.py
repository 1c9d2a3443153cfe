"""Portfolio margin from somebody else's risk arrays: unit P&L at the valuation points, not a model's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.columns import Door
from shockgrid.errors import InputError
from shockgrid.regimes.parameter_files import TimsParameters, load
from shockgrid.regimes.span_arrays import KnownLoss
from shockgrid.regimes.tims import PARAMETERS, tims
from shockgrid.requirement.regime import Context, Regime
from shockgrid.requirement.remarks import Measured, rule
from shockgrid.shocks import digest

TABLE = "unit_pnl"
NOTE = (
    "imported: {count:,} symbols have the P&L of the imported table, point by point; whatever else is held "
    "is repriced by shockgrid's model over the ranges of the parameter file"
)


def imported(table: Any, *, parameters: str | Path | None = None) -> Regime:
    """The tree, offsets and minimum of ``tims`` over imported unit P&L, such as OCC's ten points.

    Parameters
    ----------
    table : frame of symbol and pnl_1 .. pnl_K, the P&L (gain > 0) of one contract or share held long at each
        valuation point, in the instrument's currency; point k is the k-th of the parameter file's
        ``points`` (down before up). Files of other layouts: ``shockgrid.io.unit_pnl.read_unit_pnl`` with
        a column map.
    parameters : path of a TOML file like tims-2026-06-04.toml.

    With OCC's file this is the exchange's figure as far as groups and offsets are: the per-contract minimum
    is the parameter file's. A rule of ``explain`` counts the held series that are not in the table. Equity
    and base values stay the market's own.

    Raises
    ------
    InputError : a bad row, or a number of columns that is not that of the points.
    ParameterError : the file does not hold what it should.
    """
    numbers = load(TimsParameters, parameters, PARAMETERS["customer"])
    points = len(numbers.points.values)
    known = _read(table, points)
    base = tims(parameters)
    arrays = np.empty(points, object)
    arrays[:] = [KnownLoss(-known.iloc[:, place], 1.0) for place in range(points)]
    own = digest(base.scenarios.digest, *(array.digest() for array in arrays))
    symbols = set(known.index)

    def strangers(context: Context) -> Measured:
        held, names = context.plan.positions, context.plan.market.instruments.symbols
        outside = ~np.isin(names[held.instruments].astype(str), list(symbols)) & (held.quantities != 0.0)
        counts = context.by_position(outside.astype(np.float64))
        return Measured(counts, np.zeros(len(counts)), -counts)

    words = "positions that the imported table does not have, repriced by a model"
    return replace(
        base,
        name="imported",
        scenarios=replace(base.scenarios, known_pnl=arrays, digest=own),
        parameters={**base.parameters, "symbols": len(known)},
        notes=(NOTE.format(count=len(known)),),
        remarks=(*base.remarks, rule("not_imported", strangers, words)),
    )


def _read(source: Any, points: int) -> pd.DataFrame:
    names = [f"pnl_{place}" for place in range(1, points + 1)]
    door = Door(TABLE, source, required=("symbol", *names), key="symbol")
    symbols = door.text("symbol")
    columns = {name: door.number(name) for name in names}
    door.unique(symbols, "symbol")
    if door.bad.any():
        first = door.rejects().iloc[0]
        problem, line = str(first["message"]), int(first["line"])
        raise InputError(problem, table=TABLE, line=line, column=first["column"], value=first["value"])
    return pd.DataFrame(columns, index=pd.Index(symbols, name="symbol"))
