"""Whole SPX chains by session, scraped from Cboe's delayed quotes (lambdaclass/options_backtester).

Columns underlying, underlying_last, exchange, optionroot (the whole contract symbol), type, expiration and
quotedate (MM/DD/YYYY), strike, last, net, bid, ask, volume, openinterest, impliedvol (decimal), delta, gamma.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from shockgrid.expiries import is_session, new_york
from shockgrid.io.csv_files import read_csv
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.common import Chain, read_contracts
from shockgrid.io.vendors.listings import listing_of
from shockgrid.io.vendors.one_value import one_number, one_value, require_columns

COLUMNS = {
    "optionroot": "symbol", "type": "right", "strike": "strike", "expiration": "expiry", "bid": "bid",
    "ask": "ask", "impliedvol": "vol", "openinterest": "open_interest", "volume": "volume",
}  # fmt: skip
DATE_FORMAT = "%m/%d/%Y"


def read_spx_eod(path: Path) -> Chain:
    """Read one session; its moment is 16:00 New York of ``quotedate``, holiday or not.

    Raises
    ------
    InputError : a column is missing, or the file holds more than one underlying, price or date.
    """
    frame = read_csv(path)
    require_columns(path, frame, [*COLUMNS, "underlying", "underlying_last", "quotedate"])
    underlying = one_value(path, frame, "underlying")
    day = pd.to_datetime(one_value(path, frame, "quotedate"), format=DATE_FORMAT, errors="coerce")
    if pd.isna(day):
        raise refusal(path.name, f"expected a date like {DATE_FORMAT}", column="quotedate")
    moment = new_york(day)
    rows = frame[[*COLUMNS, "_line"]].rename(columns=COLUMNS)
    found, door, contracts = read_contracts(path, rows, date_format=DATE_FORMAT)
    if found != underlying:
        raise refusal(path.name, f"the options are on {found}", column="underlying", value=underlying)
    closed = not is_session([day])[0]
    return Chain(
        file=path.name,
        underlying=underlying,
        listing=listing_of(underlying),
        spot=one_number(path, frame, "underlying_last"),
        spot_moment=moment,
        moments=[moment],
        door=door,
        contracts=contracts,
        notes=[f"{day:%Y-%m-%d} is no session: its prices are of another day"] if closed else [],
    )
