"""Yahoo Finance option chains as collectors save them with yfinance; two layouts, told apart by their header.

**snapshot** (expirationDate, underlyingPrice): the quotes belong to the latest trade in the file.
**session** (expiry, spot, session): the file of session D is collected the next morning. ``spot`` is the
close of D; the quotes belong to ``spot_live`` of the collector's D_meta.json, at its ``utc``.

impliedVolatility is read by neither: it holds placeholders and does not reprice the quotes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.io.csv_files import read_csv
from shockgrid.io.refusal import refusal
from shockgrid.io.vendors.common import Chain, read_contracts
from shockgrid.io.vendors.listings import listing_of
from shockgrid.io.vendors.one_value import one_number, one_value, require_columns

_BOTH = {
    "contractSymbol": "symbol", "strike": "strike", "bid": "bid", "ask": "ask",
    "openInterest": "open_interest", "volume": "volume",
}  # fmt: skip
SNAPSHOT = {
    **_BOTH, "optionType": "right", "expirationDate": "expiry", "currency": "currency",
    "contractSize": "contract_size",
}  # fmt: skip
COMPANY, LEAST_COMPANY = (
    np.timedelta64(1, "D"),
    2,
)  #: other trades of the day before it that vouch for a trade
SESSION = {**_BOTH, "type": "right", "expiry": "expiry"}
DATE_FORMAT = "%Y-%m-%d"
UNUSED_VOLS = "impliedVolatility is not used: vols are implied from the mid"


def read_yahoo(path: Path, metas: dict[str, Path] | None = None) -> Chain:
    """Read one file of either layout.

    Parameters
    ----------
    metas : meta files by session date, where they do not lie beside the chain as SESSION_meta.json.

    Raises
    ------
    InputError : a column is missing, one that must be the same throughout is not, no line has a trade time,
        or the meta file of a session is missing or does not know the underlying.
    """
    frame = read_csv(path)
    columns = SNAPSHOT if "expirationDate" in frame.columns else SESSION
    own = ["underlyingPrice"] if columns is SNAPSHOT else ["spot", "session"]
    require_columns(path, frame, [*columns, "lastTradeDate", *own])
    rows = frame[[*columns, "_line"]].rename(columns=columns)
    underlying, door, contracts = read_contracts(path, rows, date_format=DATE_FORMAT)
    if columns is SNAPSHOT:
        spot, moment = one_number(path, frame, "underlyingPrice"), _latest_trade(path, frame[~door.bad])
        notes = []
    else:
        spot, moment = _live_spot(path, one_value(path, frame, "session"), underlying, metas or {})
        notes = [f"spot {one_number(path, frame, 'spot'):g} is a close of the day before, not used"]
    return Chain(
        file=path.name,
        underlying=underlying,
        listing=listing_of(underlying),
        spot=spot,
        spot_moment=moment,
        moments=[moment],
        door=door,
        contracts=contracts,
        notes=[*notes, UNUSED_VOLS],
    )


def read_metas(paths: list[Path]) -> dict[str, Path]:
    """Meta files by the session they describe."""
    return {str(_read_meta(path).get("session")): path for path in paths}


def _latest_trade(path: Path, frame: pd.DataFrame) -> pd.Timestamp:
    """The latest trade that is not alone: one odd cell must not move the moment of the whole file."""
    stamps = pd.to_datetime(frame["lastTradeDate"], utc=True, errors="coerce", format="ISO8601")
    if stamps.isna().all():
        raise refusal(path.name, "no line says when it last traded", column="lastTradeDate")
    trades = np.sort(stamps.dropna().to_numpy("datetime64[ns]"))
    within = np.arange(len(trades)) - np.searchsorted(trades, trades - COMPANY, side="left")
    company = np.flatnonzero(within >= min(LEAST_COMPANY, len(trades) - 1))
    return pd.Timestamp(trades[company[-1] if len(company) else -1], tz="UTC")


def _live_spot(
    path: Path, session: str, underlying: str, metas: dict[str, Path]
) -> tuple[float, pd.Timestamp]:
    meta = metas.get(session, path.with_name(f"{session}_meta.json"))
    if not meta.is_file():
        problem = f"its quotes are of the next morning: expected {meta.name} beside it, or among the files"
        raise refusal(path.name, problem)
    document = _read_meta(meta)
    if document.get("session") != session:
        problem = f"expected session {session}"
        raise refusal(meta.name, problem, value=document.get("session"))
    tickers = document.get("tickers")
    ticker = tickers.get(underlying) if isinstance(tickers, dict) else None
    spot = ticker.get("spot_live") if isinstance(ticker, dict) else None
    moment = pd.to_datetime(str(document.get("utc")), utc=True, errors="coerce", format="ISO8601")
    if not isinstance(spot, int | float) or not 0.0 < spot < float("inf") or pd.isna(moment):
        raise refusal(meta.name, f"expected utc and tickers.{underlying}.spot_live")
    return float(spot), pd.Timestamp(moment)


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise refusal(path.name, f"cannot be read as JSON: {error}") from error
    if not isinstance(document, dict):
        raise refusal(path.name, "expected a JSON object")
    return document
