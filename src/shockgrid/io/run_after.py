"""A run of what a book has become: after a plan's orders, or after expiry. Its inputs travel with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Texts
from shockgrid.book import Book
from shockgrid.carry import years_between
from shockgrid.cells import instants, numbers
from shockgrid.columns import LINE_COLUMN
from shockgrid.errors import ShockgridError
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.run_folder import write_run
from shockgrid.io.run_request import INPUTS, Outcome, Progress, RunRequest
from shockgrid.io.schema import tables_of
from shockgrid.io.tables import MARKET_TOML, POLICY_TOML, read_tables, write_tables
from shockgrid.market import Market
from shockgrid.requirement.minor_amounts import digits_of
from shockgrid.symbols import canonical

NOT_GIVEN = "not given"  #: in place of cash: turned away, so that its account is PARTIAL


def run_after(
    request: RunRequest,
    book: Book,
    folder: Path,
    *,
    expected: pd.DataFrame,
    market: tuple[Market, Market] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Margin another book on the market of a run, under its regime or policy, and write the run folder.

    Parameters
    ----------
    request : of the run that the book comes from.
    book : what its book has become; rows that were turned away stay as they were, so that who was PARTIAL
        still is.
    expected : margin_group, requirement and equity, as they were worked out before: the run must find them
        again to the cent.
    folder : to write; book and market lie under ``inputs`` in it, as Parquet, so that ``rerun`` needs nothing
        of the first run but a policy or regime file that names other files.
    market : the market of the run and the one it has become, calibrated, where spots have moved. What is on a
        moved underlying keeps its vol, loses its quotes, and its given forwards move along.

    Raises
    ------
    ShockgridError : the folder holds something else or cannot be written, or a figure is not found again.
    """
    column_map = ColumnMap.from_toml(request.column_map) if request.column_map else None
    frames = {
        name: read_tables(getattr(request, name), tables_of(name), column_map=column_map)
        for name in ("market", "book")
    }
    with TemporaryDirectory() as scratch:
        root = Path(scratch) / INPUTS
        moved = frames["market"] if market is None else moved_tables(frames["market"], *market)
        write_tables(moved, root / "market")
        settings = (request.market / MARKET_TOML).read_bytes()
        (root / "market" / MARKET_TOML).write_bytes(settings)
        write_tables(book_tables(frames["book"], book), root / "book")
        after = RunRequest(
            root / "market", root / "book", regime=request.regime, policy=_policy(request, root / "book"),
            backend=request.backend, embedded=True,
        )  # fmt: skip
        outcome = after.compute(progress)
        _require_found(outcome, expected)
        write_run(outcome, folder)
    return outcome


def _require_found(outcome: Outcome, expected: pd.DataFrame) -> None:
    """Raise ShockgridError where a figure is a minor unit or more off: two ways differ in the last bits."""
    accounts, groups = outcome.result.accounts.set_index("margin_group"), expected["margin_group"]
    lost = groups[~groups.isin(accounts.index)]
    if len(lost):
        problem = f"{lost.iloc[0]} is no margin group of the run after it"
        raise ShockgridError(problem)
    rows = accounts.loc[groups]
    digits = digits_of(rows["currency"])
    for name, column in (("requirement", "requirement"), ("equity", "equity_at_marks")):
        known, found = expected[name].to_numpy(np.float64), rows[column].to_numpy(np.float64)
        apart = np.flatnonzero(~(np.abs(known - found) < 10.0**-digits) & ~np.isnan(known))
        if len(apart):
            place = int(apart[0])
            was, wanted = (f"{column[place]:,.{digits[place]}f}" for column in (found, known))
            problem = f"{name} of {groups.iloc[place]} comes out as {was}, expected {wanted}"
            raise ShockgridError(problem)


def _policy(request: RunRequest, book: Path) -> Path | None:
    """A policy that names no other file goes along; any other stays where it is."""
    if request.policy is None or len(request.settings()) > 1 + (request.column_map is not None):
        return request.policy
    (book / POLICY_TOML).write_bytes(request.policy.read_bytes())
    return book / POLICY_TOML


def book_tables(frames: Mapping[str, pd.DataFrame], book: Book) -> dict[str, pd.DataFrame]:
    """The canonical tables of a book that has changed, from those it was read from."""
    rows, lines = _text(frames["positions"]), _lines(frames["positions"])
    bad = rows[np.isin(lines, book.unread["line"].to_numpy(np.int64))]
    held = _text(book.positions[["account", "symbol", "quantity", "price_paid"]])
    pairs, kept = (
        pd.MultiIndex.from_arrays([frame["account"], canonical(frame["symbol"].to_numpy(object))])
        for frame in (bad, held)
    )
    closed = bad[~pairs.isin(kept) & (bad["account"] != "") & (bad["symbol"] != "")]
    flat = closed[["account", "symbol"]].assign(quantity="0").drop_duplicates(["account", "symbol"])
    parts = [part.reindex(columns=list(held.columns), fill_value="") for part in (held, flat, bad)]
    positions = pd.concat(parts, ignore_index=True)
    return {"positions": positions, "accounts": _account_rows(frames["accounts"], book)}


def _account_rows(frame: pd.DataFrame, book: Book) -> pd.DataFrame:
    """The accounts table with the book's cash.

    A row that was turned away stays beside a row with the cash that its account has now. An account that only
    positions name gets a row once it has cash, and ``NOT_GIVEN`` as another: both are PARTIAL as before.
    """
    rows, lines = _text(frame), _lines(frame)
    faults = book.rejects[(book.rejects["table"] == "accounts") & book.rejects["code"].str.startswith("E_")]
    bad = np.isin(book.account_lines, faults["line"].to_numpy(np.int64))
    cash = dict(zip(book.account_lines[~bad].tolist(), book.accounts["cash"][~bad].map(repr), strict=True))
    told = [cash.get(line, shown) for line, shown in zip(lines.tolist(), rows["cash"], strict=True)]
    unlisted = (book.account_lines == 0) & (book.accounts["cash"] != 0.0).to_numpy(bool)
    fresh = _text(book.accounts[bad | unlisted])
    doubts = _text(book.accounts.loc[unlisted, ["account"]]).assign(cash=NOT_GIVEN)
    parts = [part for part in (rows.assign(cash=told), fresh, doubts) if len(part)]
    return pd.concat(parts, ignore_index=True).fillna("") if parts else rows


def moved_tables(
    frames: Mapping[str, pd.DataFrame], before: Market, after: Market
) -> dict[str, pd.DataFrame]:
    """The canonical tables of a market whose spots have moved, from those it was read from."""
    names, told = after.underlyings, dict(frames)
    moved = names.names[names.spots != before.underlyings.spots]
    if len(moved) == 0:
        return told
    rows = _text(frames["underlyings"])
    spots = rows["underlying"].map(dict(zip(names.names, map(repr, names.spots.tolist()), strict=True)))
    told["underlyings"] = rows.assign(spot=rows["spot"].mask(rows["underlying"].isin(moved), spots))
    told["quotes"] = _moved_quotes(_text(frames["quotes"]), before, after, moved)
    if "forwards" in frames:
        told["forwards"] = _moved_forwards(_text(frames["forwards"]), before, after, moved)
    return told


def _moved_quotes(quotes: pd.DataFrame, before: Market, after: Market, moved: Texts) -> pd.DataFrame:
    """Vols in place of prices; a vol that was lent by another series is left to be lent again."""
    table = after.instruments
    own = np.isin(after.underlyings.names[table.underlyings], moved)
    lent = before.rejects.loc[before.rejects["code"] == "W_FILLED", "key"]
    kept = own & table.is_option & ~np.isin(table.symbols, lent)
    vols = dict(zip(table.symbols[kept], map(repr, table.vols[kept].tolist()), strict=True))
    symbols = pd.Series(canonical(quotes["symbol"].to_numpy(object)), dtype=object)
    mine = symbols.isin(table.symbols[own])
    own_vols = symbols.map(lambda symbol: vols.get(symbol, ""))
    for name in ("bid", "ask", "mark", "vol"):
        old = quotes[name] if name in quotes.columns else pd.Series("", quotes.index, dtype=object)
        quotes = quotes.assign(**{name: old.mask(mine, own_vols if name == "vol" else "")})
    return quotes


def _moved_forwards(forwards: pd.DataFrame, before: Market, after: Market, moved: Texts) -> pd.DataFrame:
    """Given forwards scaled net of cash dividends D, (S' - D) / (S - D); by S' / S where D is S or more."""
    names, table = before.underlyings, before.instruments
    codes = names.codes(forwards["underlying"])
    start = np.datetime64(before.as_of.replace(tzinfo=None), "ns")
    years = years_between(start, instants(forwards["expiry_utc"])[0])
    known = pd.Series(table.dividends, pd.MultiIndex.from_arrays([table.underlyings, table.years]))
    known = known[~known.index.duplicated()]
    paid = known.reindex(pd.MultiIndex.from_arrays([codes, years])).fillna(0.0).to_numpy(np.float64)
    old, new = names.spots[codes], after.underlyings.spots[codes]
    net = np.where(paid < old, paid, 0.0)
    scaled = numbers(forwards["forward"])[0] * (new - net) / (old - net)
    mine = forwards["underlying"].isin(moved) & ~np.isnan(scaled)
    told = pd.Series(scaled, forwards.index).map(lambda value: repr(float(value)))
    return forwards.assign(forward=forwards["forward"].mask(mine, told))


def _lines(frame: pd.DataFrame) -> NDArray[np.int64]:
    """The line of each row in the file it came from, as ``Book`` counts them."""
    own = LINE_COLUMN in frame.columns
    return frame[LINE_COLUMN].to_numpy(np.int64) if own else np.arange(len(frame)) + 2


def _text(frame: pd.DataFrame) -> pd.DataFrame:
    """Every cell as text that reads as the same value; blank where there is none."""
    shown = frame.drop(columns=LINE_COLUMN, errors="ignore").reset_index(drop=True)
    return pd.DataFrame({name: shown[name].map(_cell).astype(object) for name in shown.columns})


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    return value.isoformat() if isinstance(value, date) else repr(float(value))
