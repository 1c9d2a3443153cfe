"""The US Treasury's daily par yield curve: one row a day, one column a tenor, per cent."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.cells import numbers
from shockgrid.io.csv_files import read_csv
from shockgrid.io.refusal import refusal
from shockgrid.par_yields import LARGEST_PAR_YIELD, zero_rates

_TENOR = re.compile(r"([0-9]+(?:\.[0-9]+)?) (Mo|Month|Yr|Year)s?", re.IGNORECASE)
_DATES = ("%m/%d/%y", "%m/%d/%Y", "%Y-%m-%d")


def treasury_curve(path: Path, day: date) -> pd.DataFrame:
    """The canonical curve table (currency, days, zero_rate_dec) of one day of a file, plain or gzip.

    Columns are Date (12/29/23, 12/29/2023 or 2023-12-29) and tenors such as ``6 Mo`` and ``10 Yr``; a blank
    tenor was not issued. Yields are per cent, bond-equivalent, with semi-annual compounding.

    Raises
    ------
    InputError : no such file, a column that is neither, a day that is not there or is there twice, a yield
        that is no number or above 50 %.
    """
    if not path.is_file():
        raise refusal(str(path), "there is no such file")
    frame = read_csv(path)
    tenors = _tenors(path, frame)
    row = frame[_dates(path, frame) == np.datetime64(day)]
    if len(row) != 1:
        raise refusal(path.name, f"expected one row of this day, found {len(row)}", value=day.isoformat())
    years, yields = _yields(path, row, tenors)
    rates = zero_rates(years, yields)
    return pd.DataFrame({"currency": "USD", "days": years * 365.0, "zero_rate_dec": rates})


def _tenors(path: Path, frame: pd.DataFrame) -> dict[str, float]:
    """Years of each tenor column, ascending."""
    if "Date" not in frame.columns:
        raise refusal(path.name, "required column is missing", column="Date")
    found = {}
    for name in frame.columns.drop(["Date", "_line"]):
        tenor = _TENOR.fullmatch(str(name).strip())
        if tenor is None:
            raise refusal(path.name, "expected a tenor such as 6 Mo or 10 Yr", column=str(name))
        months = float(tenor[1]) * (1.0 if tenor[2].lower().startswith("mo") else 12.0)
        found[str(name)] = months / 12.0
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _dates(path: Path, frame: pd.DataFrame) -> pd.Series:
    stamps = pd.Series(pd.NaT, index=frame.index, dtype="datetime64[ns]")
    for form in _DATES:
        stamps = stamps.fillna(pd.to_datetime(frame["Date"].str.strip(), format=form, errors="coerce"))
    if stamps.isna().any():
        row = frame[stamps.isna()].iloc[0]
        problem = "expected a date such as 12/29/23"
        raise refusal(path.name, problem, line=int(row["_line"]), column="Date", value=row["Date"])
    return stamps


def _yields(path: Path, row: pd.DataFrame, tenors: dict[str, float]) -> tuple[Floats, Floats]:
    """Tenors in years and yields as decimals, where the row has one."""
    line, cells = int(row["_line"].iloc[0]), row[list(tenors)].iloc[0]
    values, blank, garbled = numbers(cells)
    wrong = garbled | ~blank & ~(np.abs(values) <= 100.0 * LARGEST_PAR_YIELD)
    if wrong.any():
        name = str(cells.index[wrong][0])
        raise refusal(path.name, "expected a yield in per cent", line=line, column=name, value=cells[name])
    if blank.all():
        raise refusal(path.name, "the row has no yields", line=line)
    return np.array(list(tenors.values()))[~blank], values[~blank] / 100.0
