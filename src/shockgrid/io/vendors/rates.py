"""The curve of a converted market: given, or what put-call parity says; never invented."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from shockgrid.carry import LARGEST_PLAUSIBLE_RATE, Curve, years_between
from shockgrid.errors import InputError
from shockgrid.io.refusal import refusal
from shockgrid.io.tables import read_file
from shockgrid.io.vendors.common import naive
from shockgrid.io.vendors.moment import Parity

LARGEST_ERROR = 0.0005  #: standard error of a zero rate, decimal, up to which an expiry is a point
SHORTEST_YEARS = 7.0 / 365.0  #: before it an hour's difference between quotes is a per cent of rate


def given_curve(curve: Path | None, rate: float | None) -> pd.DataFrame | None:
    """The canonical curve table of a file or of one continuous rate (decimal); None where neither is given.

    Raises
    ------
    InputError : both are given, or a row of the file cannot be used, or the rate looks like per cent.
    """
    if curve is not None and rate is not None:
        msg = "--curve and --rate are given; expected one of them"
        raise InputError(msg)
    if rate is not None:
        if not abs(rate) <= LARGEST_PLAUSIBLE_RATE:
            msg = "looks like per cent, expected a decimal such as 0.053"
            raise InputError(msg, column="rate", value=rate)
        return pd.DataFrame({"currency": ["USD"], "days": [365.0], "zero_rate_dec": [rate]})
    if curve is None:
        return None
    frame = read_file(curve)
    checked, rejects = Curve.read(frame)
    require_clean(curve, rejects)
    if "USD" not in checked.points:
        raise refusal(curve.name, "expected rates of USD", column="currency")
    return frame


def parity_curve(fitted: Sequence[tuple[Parity, pd.Timestamp]]) -> pd.DataFrame | None:
    """Zero rates of USD at the expiries whose discount factor parity pins down; None where there is none.

    ``fitted`` are fits with the moment of their quotes, from which the days of their points count. An expiry
    is a point where it is at least ``SHORTEST_YEARS`` away and the standard error of its rate is at most
    ``LARGEST_ERROR``; where two underlyings share an instant the surer one counts.
    """
    found = []
    for parity, moment in fitted:
        years = years_between(naive(moment), parity.expiries)
        ahead = years >= SHORTEST_YEARS
        with np.errstate(divide="ignore", invalid="ignore"):
            rates = np.where(ahead, -np.log(parity.fits.discount_factors) / years, np.nan)
            errors = np.where(ahead, parity.fits.errors / years, np.nan)
        points = {"days": years * 365.0, "zero_rate_dec": rates, "error": errors}
        found.append(pd.DataFrame(points)[errors <= LARGEST_ERROR])
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    if table.empty:
        return None
    surest = table.sort_values(["days", "error"]).drop_duplicates("days")
    return surest[["days", "zero_rate_dec"]].assign(currency="USD").reset_index(drop=True)


def require_clean(path: Path, rejects: pd.DataFrame) -> None:
    """Refuse a file of which a row was turned away; names the first."""
    bad = rejects[rejects["code"].astype(str).str.startswith("E_")]
    if len(bad):
        row = bad.iloc[0]
        raise refusal(
            path.name, str(row["message"]), line=int(row["line"]), column=row["column"], value=row["value"]
        )
