"""``shockgrid curve``: par yields of one day to a canonical curve table."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rich.markup import escape

from shockgrid.cli_views import console
from shockgrid.errors import InputError
from shockgrid.io.csv_files import write_csv
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.treasury import treasury_curve


def write_curve(par_yields: Path, day: str, out: Path) -> None:
    """Write the zero rates of a day as CSV and print them.

    Raises
    ------
    InputError : see ``treasury_curve``; also a day that is no ISO date, or an ``out`` that exists
        or is no .csv.
    """
    if out.suffix != ".csv":
        raise refusal(str(out), "expected a name that ends in .csv")
    try:
        wanted = date.fromisoformat(day)
    except ValueError as error:
        msg = "expected an ISO date such as 2023-09-14"
        raise InputError(msg, column="date", value=day) from error
    if out.exists():
        raise refusal(str(out), "is there already; expected a new file")
    table = treasury_curve(par_yields, wanted)
    write_csv(table, out)
    shown = console()
    for days, rate in zip(table["days"], table["zero_rate_dec"], strict=True):
        shown.print(f"{days:>10,.2f} days {rate:>9.4%} continuous")
    shown.print(escape(f"curve: {out}"), soft_wrap=True)
