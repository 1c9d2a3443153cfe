"""How old the spots are that a plan's holdings are valued at."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from shockgrid.doors import require_kind
from shockgrid.engine import Plan


def stale_spots(plan: Plan, now: datetime, max_age: timedelta) -> pd.DataFrame:
    """Held underlyings whose spot is older than this: underlying, spot_utc, age; the oldest first.

    A spot without a time is one of the market's ``as_of``.
    """
    require_kind(max_age, timedelta, "max_age")
    names, market = plan.market.underlyings, plan.market
    held = np.unique(market.instruments.underlyings[plan.positions.instruments])
    as_of, at = (np.datetime64(moment.replace(tzinfo=None), "ns") for moment in (market.as_of, now))
    times = np.where(np.isnat(names.spot_times[held]), as_of, names.spot_times[held])
    old = np.flatnonzero(at - times > np.timedelta64(max_age))
    rows = {"underlying": names.names[held[old]], "spot_utc": times[old], "age": at - times[old]}
    return pd.DataFrame(rows).sort_values("age", ascending=False, ignore_index=True)
