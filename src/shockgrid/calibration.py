"""From quotes to vols: a blank vol is implied from the mark."""

from __future__ import annotations

import numpy as np
import pandas as pd

from shockgrid.backends.contract import Backend
from shockgrid.columns import REJECT_COLUMNS, joined_rejects
from shockgrid.market import Market

VOL_BAND = (0.01, 5.0)  #: where a price has no vol (below intrinsic, above its cap), the nearer end is used


def with_implied_vols(market: Market, backend: Backend) -> Market:
    """The market with every blank vol implied from its mark.

    A mark outside the no-arbitrage bounds has no vol: the end of ``VOL_BAND`` it points to is used and a
    W_CLAMPED flag says so (OCC caps the vols of deep options in its closing prices the same way). American
    options are inverted with the European formula they are priced with.
    """
    table = market.instruments
    blank = np.flatnonzero(np.isnan(table.vols))
    if len(blank) == 0:
        return market
    spots = market.underlyings.spots[table.underlyings[blank]]
    forwards = table.slopes[blank] * spots + table.intercepts[blank]
    live = forwards > 0.0
    vols, reasons = np.zeros(len(blank)), np.full(len(blank), "below_intrinsic", object)
    solved = backend.implied_vol(
        table.marks[blank][live],
        forwards[live],
        table.strikes[blank][live],
        table.years[blank][live],
        table.discount_factors[blank][live],
        table.is_call[blank][live],
    )
    vols[live], reasons[live] = backend.get(solved[0]), backend.get(solved[1])
    vols = np.where(reasons == "above_max", VOL_BAND[1], np.where(reasons == "", vols, VOL_BAND[0]))
    filled = table.vols.copy()
    filled[blank] = vols
    clamped = (reasons != "") & (table.years[blank] > 0.0)
    flags = pd.DataFrame(
        {
            "table": "quotes",
            "line": table.quote_lines[blank][clamped],
            "key": table.symbols[blank][clamped],
            "column": "mark",
            "value": [f"{mark:.17g}" for mark in table.marks[blank][clamped]],
            "code": "W_CLAMPED",
            "message": [
                f"{reason}: vol taken as {vol:g}"
                for reason, vol in zip(reasons[clamped], vols[clamped], strict=True)
            ],
        },
        columns=list(REJECT_COLUMNS),
    )
    return market.with_vols(filled, joined_rejects([market.rejects, flags]))
