"""``shockgrid convert``: vendors' chain files to a folder of canonical market tables."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from shockgrid.cli_views import console
from shockgrid.errors import InputError
from shockgrid.io.atomic import staged_folder
from shockgrid.io.csv_files import write_csv
from shockgrid.io.refusal import refusal
from shockgrid.io.schema import tables_of
from shockgrid.io.tables import MARKET_TOML, write_market_toml, write_tables
from shockgrid.io.vendors import Converted, convert

REPORT = "report"  #: folder beside the tables: files.csv, rejects.csv, parity.csv
REPORTED = ("files", "rejects", "parity")
ROUTINE = ("E_EXPIRED", "E_DELIVERABLE")  #: rows a whole chain holds, and no fault of its file


def convert_files(
    vendor: str,
    files: list[Path],
    out: Path,
    *,
    curve: Path | None,
    rate: float | None,
    dividends: Path | None,
    as_of: str,
    max_age_minutes: float,
) -> int:
    """Convert, write the folder, print what became of every row, and give the exit code.

    Returns
    -------
    0, or 3 where rows other than expired and adjusted contracts were turned away.

    Raises
    ------
    InputError : see ``shockgrid.io.vendors.convert``; also an ``out`` that holds something else.
    """
    converted = convert(
        vendor,
        files,
        curve=curve,
        rate=rate,
        dividends=dividends,
        as_of=_instant(as_of),
        max_age=timedelta(minutes=max_age_minutes),
    )
    write_converted(converted, out, vendor)
    _print(converted, out)
    codes = [code for code in converted.counts() if code.startswith("E_") and code not in ROUTINE]
    return 3 if codes else 0


def write_converted(converted: Converted, out: Path, vendor: str) -> None:
    """Write market.toml, the tables as Parquet and ``report/`` as CSV; all of it or nothing."""
    names = ", ".join(converted.files["file"])
    origin = f"{vendor}: {names}".replace("\\", "/").replace('"', "'")
    with staged_folder(out, _may_replace) as stage:
        write_tables(converted.tables, stage)
        minutes = converted.max_age / timedelta(minutes=1)
        write_market_toml(stage / MARKET_TOML, converted.as_of.isoformat(), "USD", origin, minutes)
        (stage / REPORT).mkdir()
        for name in REPORTED:
            frame: pd.DataFrame = getattr(converted, name)
            times = frame.select_dtypes(["datetime", "datetimetz"]).columns
            write_csv(
                frame.assign(**{time: frame[time].astype(str) for time in times}),
                stage / REPORT / f"{name}.csv",
            )


def _may_replace(out: Path) -> None:
    ours = {MARKET_TOML, REPORT, *(f"{name}.parquet" for name in tables_of("market"))}
    report = {f"{name}.csv" for name in REPORTED}
    converted = (out / MARKET_TOML).is_file() and (out / REPORT).is_dir()
    if converted:
        foreign = {path.name for path in out.iterdir()} - ours
        foreign |= {path.name for path in (out / REPORT).iterdir()} - report
        converted = not foreign
    if not converted:
        problem = "is there already and is no converted market, or holds more; expected a new folder"
        raise refusal(str(out), problem)


def _instant(text: str) -> pd.Timestamp | None:
    if not text:
        return None
    stamp = pd.to_datetime(text, errors="coerce")
    if pd.isna(stamp) or stamp.tzinfo is None:
        msg = "expected an ISO instant with its zone, such as 2023-09-14T16:00:00-04:00"
        raise InputError(msg, column="as-of", value=text)
    return pd.Timestamp(stamp)


def _print(converted: Converted, out: Path) -> None:
    shown = console()
    table = Table(box=SIMPLE_HEAD, padding=(0, 0, 0, 1), show_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("underlying", no_wrap=True)
    for name in ("rows", "accepted", "rejected", "spot", "quotes of"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in converted.files.to_dict("records"):
        counts = (f"{row[name]:,}" for name in ("rows", "accepted", "rejected"))
        spot, moment = f"{row['spot']:,.2f}", converted.local(row["moment"])
        table.add_row(escape(row["file"]), row["underlying"], *counts, spot, moment)
    shown.print(table)
    for row in converted.files[converted.files["count"] > 0].to_dict("records"):
        share = f"{row['share']:.1%} of {row['count']:,} vols reprice"
        text = f"{share} as of {converted.local(row['moment'])}"
        if not pd.isna(row["other"]):
            text += f", {row['other_share']:.1%} as of {converted.local(row['other'])}"
        shown.print(escape(f"{row['underlying']}: {text}"), soft_wrap=True)
    for code, found in converted.rejects.groupby("code", sort=True):
        verdict = "rejected" if str(code).startswith("E_") else "flagged"
        message = escape(str(found["message"].iloc[0]))
        shown.print(f"{code!s:<14} {len(found):>8,} {verdict}: {message}", soft_wrap=True)
    for note in converted.notes:
        shown.print(escape(f"note: {note}"), soft_wrap=True)
    if len(converted.parity):
        fitted = int((converted.parity["reason"] == "").sum())
        shown.print(f"parity: {fitted} of {len(converted.parity)} expiries have a forward")
    shown.print(f"as_of: {converted.as_of.isoformat()}")
    shown.print(escape(f"market folder: {out}"), soft_wrap=True)
