"""Who holds what: positions and accounts, checked once and sorted once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Texts
from shockgrid.columns import LARGEST_CASH, LARGEST_PRICE, Door, frozen, joined_rejects
from shockgrid.doors import require_kind
from shockgrid.symbols import canonical

LARGEST_QUANTITY = 1e9  #: shares or contracts of one row; beyond it a row is a typing error, not a position


@dataclass(frozen=True)
class Book:
    """Positions and accounts of a firm.

    Attributes
    ----------
    accounts : one row per account, sorted: account, cash, currency, margin_group, client, legal_entity,
        program, equity_override (NaN where absent). An account that only positions name has no cash
        and the program of most accounts.
        ``cash`` is in ``currency`` ("" = base currency).
    account_lines : [accounts] line of each account's row; 0 where only positions name it.
    positions : one row per (account, symbol), sorted so: account, symbol, quantity (short < 0),
        price_paid (NaN where absent), line.
    unread : position rows that were turned away, with what could be read of them.
    partial : accounts whose own row or one of whose position rows was turned away.
    rejects : every turned-away or flagged row with its line and reason.
    """

    accounts: pd.DataFrame
    account_lines: NDArray[np.int64]
    positions: pd.DataFrame
    unread: pd.DataFrame
    partial: frozenset[str]
    rejects: pd.DataFrame

    @classmethod
    def from_frames(cls, positions: Any, accounts: Any, *, lots: bool = False) -> Book:
        """Check two tables and build the book.

        Parameters
        ----------
        positions : frame with account, symbol, quantity and optionally price_paid (per unit).
        accounts : frame with account, cash and optionally currency, margin_group (default: the account),
            client, legal_entity, program, equity_override.
        lots : sum rows that repeat an (account, symbol) instead of rejecting the later ones; price_paid
            becomes the quantity-weighted mean.

        Raises
        ------
        InputError : a required column is missing, a column is unknown or ids are numbers.
        """
        require_kind(lots, bool, "lots")
        account_rows, account_door = _read_accounts(accounts)
        rows, unread, position_door = _read_positions(positions, lots)
        known = account_rows["account"]
        turned_away = account_door.text("account")[account_door.bad]
        strangers = _first_lines([rows, unread], known)
        names = strangers["account"].to_numpy(object)
        missing = pd.DataFrame({"account": names, "margin_group": names, "cash": 0.0, "line": 0})
        missing["program"] = account_rows["program"].mode().get(0, "")
        kept = pd.concat([account_rows, missing], ignore_index=True) if len(names) else account_rows
        text = ["currency", "client", "legal_entity", "program"]
        kept[text] = kept[text].fillna("")
        rejects = [account_door.rejects(), position_door.rejects(), _stranger_rejects(strangers)]
        kept = kept.sort_values("account", kind="stable", ignore_index=True)
        return cls(
            accounts=kept.drop(columns="line"),
            account_lines=frozen(kept["line"].to_numpy(np.int64)),
            positions=rows,
            unread=unread,
            partial=frozenset({*turned_away, *unread["account"], *names} - {""}),
            rejects=joined_rejects(rejects),
        )

    def select(self, margin_groups: Any) -> Book:
        """The part of the book that belongs to these margin groups, in the same order."""
        chosen = self.accounts["margin_group"].isin(margin_groups).to_numpy(bool)
        accounts = self.accounts[chosen]
        names = set(accounts["account"])
        return replace(
            self,
            accounts=accounts.reset_index(drop=True),
            account_lines=self.account_lines[chosen],
            positions=self.positions[self.positions["account"].isin(names)].reset_index(drop=True),
            unread=self.unread[self.unread["account"].isin(names)].reset_index(drop=True),
            partial=frozenset(self.partial & names),
        )


def _read_accounts(source: Any) -> tuple[pd.DataFrame, Door]:
    optional = ("currency", "margin_group", "client", "legal_entity", "program", "equity_override")
    door = Door("accounts", source, required=("account", "cash"), optional=optional, key="account")
    columns: dict[str, Any] = {"account": door.text("account")}
    columns["cash"] = door.number("cash", default=0.0, low=-LARGEST_CASH, high=LARGEST_CASH)
    columns |= {name: door.text(name) for name in ("currency", "margin_group", "client", "legal_entity")}
    columns["program"] = door.text("program")
    columns["equity_override"] = door.number("equity_override", low=-LARGEST_CASH, high=LARGEST_CASH)
    door.unique(columns["account"], "account")
    frame = pd.DataFrame({**columns, "line": door.lines})
    frame["margin_group"] = frame["margin_group"].where(frame["margin_group"] != "", frame["account"])
    # a bad row still names its account, but it must not stand in for a good one
    best = frame.iloc[np.argsort(door.bad, kind="stable")].drop_duplicates("account").sort_index()
    return best[best["account"] != ""].reset_index(drop=True), door


def _read_positions(source: Any, lots: bool) -> tuple[pd.DataFrame, pd.DataFrame, Door]:
    required, optional = ("account", "symbol", "quantity"), ("price_paid",)
    door = Door("positions", source, required=required, optional=optional, key="account")
    accounts, symbols = door.text("account"), canonical(door.text("symbol"))
    quantities = door.number("quantity", low=-LARGEST_QUANTITY, high=LARGEST_QUANTITY)
    paid = door.number("price_paid", low=0.0, high=LARGEST_PRICE)
    account_ranks, symbol_ranks = _ranks(accounts), _ranks(symbols)
    pairs = account_ranks * (int(symbol_ranks.max(initial=0)) + 1) + symbol_ranks
    if not lots:
        door.unique(pairs, "symbol")
    order = np.argsort(pairs, kind="stable")
    frame = pd.DataFrame(
        {
            "account": pd.Series(accounts, dtype=object),
            "symbol": pd.Series(symbols, dtype=object),
            "quantity": quantities,
            "price_paid": paid,
            "line": door.lines,
        }
    )
    good = frame.iloc[order[~door.bad[order]]].reset_index(drop=True)
    if lots:
        good = _summed(good, pairs[order[~door.bad[order]]])
    return good, frame[door.bad].reset_index(drop=True), door


def _summed(rows: pd.DataFrame, pairs: NDArray[np.int64]) -> pd.DataFrame:
    # one lot without a price takes the pair's price away: a mean over some of the lots would be wrong
    starts = np.flatnonzero(np.diff(pairs, prepend=-1))
    if len(starts) == 0:
        return rows
    quantities = rows["quantity"].to_numpy(np.float64)
    totals = np.add.reduceat(quantities, starts)
    paid = np.add.reduceat(quantities * rows["price_paid"].to_numpy(np.float64), starts)
    return (
        rows.iloc[starts]
        .reset_index(drop=True)
        .assign(
            quantity=totals,
            price_paid=np.divide(paid, totals, out=np.full(len(starts), np.nan), where=totals != 0.0),
            line=np.minimum.reduceat(rows["line"].to_numpy(np.int64), starts),
        )
    )


def _ranks(texts: Texts) -> NDArray[np.int64]:
    """Place of each text among the distinct ones in order."""
    codes, names = pd.factorize(texts)
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(np.asarray(names, object), kind="stable")] = np.arange(len(names))
    return ranks[codes]


def _first_lines(frames: list[pd.DataFrame], known: pd.Series) -> pd.DataFrame:
    """The first position line of every account that the accounts table does not have."""
    strange = [frame.loc[~frame["account"].isin(known), ["account", "line"]] for frame in frames]
    rows = pd.concat(strange, ignore_index=True)
    rows = rows[rows["account"] != ""].sort_values(["account", "line"], kind="stable")
    return rows.drop_duplicates("account", ignore_index=True)


def _stranger_rejects(strangers: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "table": "positions",
        "line": strangers["line"].to_numpy(np.int64),
        "key": strangers["account"].to_numpy(object),
        "column": "account",
        "value": strangers["account"].to_numpy(object),
        "code": "E_ACCOUNT",
        "message": "the accounts table does not have this account; its cash is taken as 0",
    }
    return pd.DataFrame(columns)
