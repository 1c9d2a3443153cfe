"""Cboe's delayed quote table (cboe.com/delayed_quotes/SYMBOL/quote_table), the CSV download.

Line 1 is blank, line 2 holds the name and the last price, line 3 the stamp in the language of whoever
downloaded it, line 4 the header. Then one row a strike: ten columns of the call and ten of the put, **under
the same names**. The vols are decimals. The file says neither the ticker nor the multiplier.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from shockgrid.errors import InputError
from shockgrid.expiries import last_close
from shockgrid.io.csv_files import read_csv, read_head
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.common import Chain, read_contracts
from shockgrid.io.vendors.listings import listing_of

PREAMBLE = 3  #: lines before the header
SIDE = ("Last Sale", "Net", "Bid", "Ask", "Volume", "IV", "Delta", "Gamma", "Open Interest")
HEADER = ["Expiration Date", "Calls", *SIDE, "Strike", "Puts", *SIDE]
_NAMES = {
    "Bid": "bid", "Ask": "ask", "Volume": "volume", "IV": "vol", "Open Interest": "open_interest",
}  # fmt: skip
_LAST = re.compile(r"Last: *([0-9]+(?:\.[0-9]+)?) *(?:\"?, *[A-Za-z]|\"?$)")  # a comma inside is no decimal
_ENGLISH = re.compile(
    r"Date: (?P<month>\w+) (?P<day>\d{1,2}), (?P<year>\d{4}) at (?P<hour>\d{1,2}):(?P<minute>\d{2}) "
    r"(?P<half>AM|PM) (?P<zone>[A-Z]{3,4}(?:[+-]\d{1,2})?)(?![-+:0-9])"
)
_SPANISH = re.compile(
    r"Date: (?P<day>\d{1,2}) de (?P<month>\w+) de (?P<year>\d{4}), (?P<hour>\d{1,2}):(?P<minute>\d{2}) "
    r"(?P<zone>[A-Z]{3,4}(?:[+-]\d{1,2})?)(?![-+:0-9])"
)
_ENGLISH_MONTHS = "january february march april may june july august september october november december"
_SPANISH_MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
_MONTHS = {
    name: place for names in (_ENGLISH_MONTHS, _SPANISH_MONTHS) for place, name in enumerate(names.split(), 1)
}
_ZONES = {"EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "UTC": 0, "GMT": 0}


def read_cboe(path: Path) -> Chain:
    """Read one file; its moments are the printed stamp and the last close at or before it.

    Raises
    ------
    InputError : the preamble, the stamp or the header is not Cboe's; names the line.
    """
    head = read_head(path, PREAMBLE)
    if len(head) < PREAMBLE:
        raise refusal(path.name, "expected Cboe's three lines before the header")
    last = _LAST.search(head[1])
    if last is None or float(last.group(1)) <= 0.0:
        problem = "expected the name and `Last: price`, a plain decimal above 0"
        raise refusal(path.name, problem, line=2, value=head[1][:80])
    stamp = read_stamp(head[2], path.name)
    wide = read_csv(path, preamble=PREAMBLE, rename=lambda names: _distinct(path, names))
    wide["expiry"] = _without_weekday(wide["expiry"])
    rows = pd.concat([_side(wide, "Calls", "C"), _side(wide, "Puts", "P")], ignore_index=True)
    rows = rows.sort_values("_line", kind="stable", ignore_index=True)
    underlying, door, contracts = read_contracts(path, rows, date_format="%b %d %Y")
    closed = last_close(stamp)
    return Chain(
        file=path.name,
        underlying=underlying,
        listing=listing_of(underlying, head[1]),
        spot=float(last.group(1)),
        spot_moment=None,
        moments=[stamp] if closed is None or closed == stamp else [stamp, closed],
        door=door,
        contracts=contracts,
    )


def read_stamp(line: str, file: str = "") -> pd.Timestamp:
    """The stamp of line 3 in UTC, in English or in Spanish.

    >>> read_stamp('"Date: August 20, 2023 at 10:42 PM EDT",Bid: 4355.9').isoformat()
    '2023-08-21T02:42:00+00:00'
    >>> read_stamp('"Date: 23 de marzo de 2022, 10:11 GMT-4",Bid: 4477.1').isoformat()
    '2022-03-23T14:11:00+00:00'

    Raises
    ------
    InputError : another language or zone.
    """
    found = _ENGLISH.search(line) or _SPANISH.search(line)
    zone = _hours_from_utc(found["zone"]) if found else None
    local = _local(found) if found else None
    if zone is None or local is None:
        problem = "expected a stamp such as `Date: September 14, 2023 at 4:31 PM EDT`, English or Spanish"
        raise InputError(problem, table=file, line=PREAMBLE, value=line[:80])
    return (local - pd.Timedelta(hours=zone)).tz_localize("UTC")


def _local(found: re.Match[str]) -> pd.Timestamp | None:
    """Date and time of day as they stand there; None where no calendar or clock shows them."""
    month, hour, half = _MONTHS.get(found["month"].lower()), int(found["hour"]), found.groupdict().get("half")
    if month is None or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "PM" else 0)
    try:
        return pd.Timestamp(int(found["year"]), month, int(found["day"]), hour, int(found["minute"]))
    except ValueError:
        return None


def _hours_from_utc(zone: str) -> int | None:
    shift = re.fullmatch(r"(?:GMT|UTC)([+-]\d{1,2})", zone)
    hours = int(shift.group(1)) if shift else _ZONES.get(zone)
    return hours if hours is not None and abs(hours) <= 14 else None


def _distinct(path: Path, names: list[str]) -> list[str]:
    if names != HEADER:
        raise refusal(path.name, f"expected the header {', '.join(HEADER)}", line=PREAMBLE + 1)
    puts = HEADER.index("Strike")
    sides = [f"{'Puts' if place > puts else 'Calls'} {name}" for place, name in enumerate(names)]
    own = {0: "expiry", 1: "Calls", puts: "strike", puts + 1: "Puts"}
    return [own.get(place, name) for place, name in enumerate(sides)]


def _side(wide: pd.DataFrame, side: str, right: str) -> pd.DataFrame:
    columns = {f"{side} {theirs}": ours for theirs, ours in _NAMES.items()}
    taken = wide[["_line", "expiry", "strike", side, *columns]]
    return taken.rename(columns={side: "symbol", **columns}).assign(right=right)


def _without_weekday(dates: pd.Series) -> pd.Series:
    codes, words = pd.factorize(dates)
    short = [word.split(" ", maxsplit=1)[-1] for word in words]
    return pd.Series(pd.array(short, dtype=object)).iloc[codes].reset_index(drop=True)
