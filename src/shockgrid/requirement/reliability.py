"""How far each margin group's figures can be trusted, and the rejects that only holding brings up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Mask, Texts
from shockgrid.columns import REJECT_COLUMNS, joined_rejects
from shockgrid.engine import Plan
from shockgrid.market import Market
from shockgrid.symbols import canonical, parsed

#: codes of quotes and spots that stay in use, though what they say of as_of is a guess
GUESSED = ("W_CLAMPED", "W_FILLED", "W_NO_BID", "W_NOT_SIMULTANEOUS", "W_STALE")


def reliability(whole: Plan, without_spot: Codes, doubted: pd.Series) -> tuple[Texts, pd.DataFrame]:
    """OK, STALE, PARTIAL or UNRELIABLE per margin group [M], and the rejects found while joining.

    STALE : a held instrument is priced with a vol that is filled, or with a quote or spot that is old
        (W_STALE) or of different moments, or beside a bad row of the curve, fx, dividends, forwards or groups
        table that may have been its own.
    PARTIAL : a row of the book was turned away, or one that describes a held instrument or underlying.
    UNRELIABLE : a held row without a spot. ``without_spot`` are the margin groups of such rows.

    ``doubted`` are accounts that are PARTIAL for a reason of the caller's.
    """
    status = statuses(whole, doubtful(whole.market), without_spot, doubted)
    accounts = whole.book.accounts
    foreign = _foreign(whole)
    message = "no rate in the fx table; cash is taken as 0, figures are in the base currency"
    rejects = [
        _rejected(
            accounts.assign(line=whole.book.account_lines)[foreign], "accounts", "currency", "E_FX", message
        ),
        _unheld(whole),
        _bought_for_nothing(whole),
    ]
    return status, joined_rejects(rejects)


def statuses(whole: Plan, doubts: tuple[Mask, Mask], without_spot: Codes, doubted: pd.Series) -> Texts:
    """The reliability of every margin group [M]; see ``reliability``. ``doubts`` are ``doubtful(market)``."""
    accounts, held = whole.book.accounts, whole.positions
    status = np.full(len(whole.margin_groups), "OK", object)
    moved = held.quantities != 0.0
    stale, partial = doubts
    status[held.margin_groups[stale[held.instruments] & moved]] = "STALE"
    status[held.margin_groups[partial[held.instruments] & moved]] = "PARTIAL"
    lost = whole.unpriced[whole.unpriced["quantity"].to_numpy(np.float64) != 0.0]
    named = [*whole.book.partial, *lost["account"], *doubted]
    bad = accounts["account"].isin(named).to_numpy(bool) | _foreign(whole)
    status[whole.account_groups[bad]] = "PARTIAL"
    status[without_spot] = "UNRELIABLE"
    return status


def _foreign(whole: Plan) -> Mask:
    """Accounts of the book in a currency without a rate."""
    codes, found = pd.factorize(whole.book.accounts["currency"].to_numpy(object))
    return np.array([*(name not in ("", *whole.market.fx) for name in found), True], np.bool_)[codes]


def doubtful(market: Market) -> tuple[Mask, Mask]:
    """Which instruments [N] are priced from a fill or an old quote, and which have a bad row of their own."""
    rejects, table, names = market.rejects, market.instruments, market.underlyings
    bad = rejects[rejects["code"].str.startswith("E_").to_numpy(bool)]

    def keys(*tables: str) -> Texts:
        return bad.loc[bad["table"].isin(tables), "key"].str.strip().to_numpy(object)

    def instruments_of(underlyings: pd.Series) -> Mask:
        mask = underlyings.to_numpy(bool)
        return mask[table.underlyings] if len(mask) else np.zeros(len(table.symbols), bool)

    symbols, owners = pd.Series(table.symbols, dtype=object), pd.Series(names.names, dtype=object)
    partial = symbols.isin(canonical(keys("instruments", "quotes"))).to_numpy(bool)
    partial = partial | instruments_of(owners.isin(keys("underlyings")))
    guessed = rejects[rejects["code"].isin(GUESSED)]
    old_spots = guessed.loc[guessed["table"] == "underlyings", "key"].str.strip()
    own = guessed.loc[guessed["table"] == "quotes", "key"].str.strip()
    stale = symbols.isin(canonical(own.to_numpy(object))).to_numpy(bool)
    stale = stale | instruments_of(owners.isin(old_spots))
    currencies = pd.Series(names.currencies, dtype=object)
    filled = owners.isin(keys("dividends", "forwards", "groups")) | currencies.isin(keys("curve", "fx"))
    coins = pd.Series(table.currencies, dtype=object).isin(keys("fx")).to_numpy(bool)
    stale = stale | (table.inverse & coins)
    return stale | instruments_of(filled), partial


def _unheld(whole: Plan) -> pd.DataFrame:
    """Rejects for positions whose instrument is unknown or was turned away."""
    rows = whole.unpriced[whole.unpriced["code"] == "E_INSTRUMENT"].reset_index(drop=True)
    reasons = whole.market.unpriced.drop_duplicates("symbol").set_index("symbol")["code"]
    turned_away = rows["symbol"].map(reasons)
    osi = parsed(rows["symbol"].to_numpy(object))
    adjusted = turned_away.isna() & osi["root"].str.contains("[0-9]$")
    impossible = turned_away.isna() & osi["impossible"]
    messages = turned_away.map("its instrument was turned away: {}".format, na_action="ignore").astype(object)
    messages = messages.fillna("no instrument has this symbol")
    messages = messages.mask(
        adjusted, "an adjusted contract without an instrument that says what it delivers"
    )
    messages = messages.mask(impossible, "no instrument has this symbol, and its date does not exist")
    codes = pd.Series("E_INSTRUMENT", index=rows.index, dtype=object).mask(adjusted, "E_DELIVERABLE")
    nothing = rows["quantity"] == 0.0
    codes = codes.mask(nothing, "W_INSTRUMENT")
    return _rejected(rows, "positions", "symbol", codes.to_numpy(object), messages.to_numpy(object))


def _bought_for_nothing(whole: Plan) -> pd.DataFrame:
    rows = whole.unpriced[whole.unpriced["code"] == "E_RANGE"].assign(price_paid=0.0)
    message = "the price paid for an inverse future must be > 0"
    return _rejected(rows, "positions", "price_paid", "E_RANGE", message)


def _rejected(
    rows: pd.DataFrame,
    table: str,
    column: str,
    code: str | Texts,
    message: str | Texts,
) -> pd.DataFrame:
    columns = {
        "table": table,
        "line": rows["line"].to_numpy(np.int64),
        "key": rows["account"].to_numpy(object),
        "column": column,
        "value": rows[column].to_numpy(object),
        "code": code,
        "message": message,
    }
    return pd.DataFrame(columns, columns=list(REJECT_COLUMNS))
