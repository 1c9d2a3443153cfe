"""Who holds what: positions and accounts, checked once and sorted once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.columns import Door, Texts, joined_rejects
from shockgrid.symbols import canonical

LARGEST_QUANTITY = 1e9  #: shares or contracts of one row; beyond it a row is a typing error, not a position


@dataclass(frozen=True)
class Book:
    """Positions and accounts of a firm.

    Attributes
    ----------
    accounts : one row per account, sorted: account, cash, currency, margin_group, client, legal_entity,
        program, equity_override (NaN where absent). ``cash`` is in ``currency`` ("" = base currency).
    positions : one row per (account, symbol), sorted so: account, symbol, quantity (short < 0),
        price_paid (NaN where absent), line.
    unread : position rows that were turned away, with what could be read of them.
    partial : accounts whose own row or one of whose position rows was turned away.
    rejects : every turned-away or flagged row with its line and reason.
    """

    accounts: pd.DataFrame
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
        account_rows, account_door = _read_accounts(accounts)
        rows, unread, position_door = _read_positions(positions, lots)
        partial = {str(name) for name in account_door.frame["account"][account_door.bad] if str(name).strip()}
        partial |= {name for name in unread["account"] if name}
        absent = sorted((set(rows["account"]) | set(unread["account"])) - set(account_rows["account"]) - {""})
        missing = pd.DataFrame({"account": absent, "margin_group": absent, "cash": 0.0})
        kept = pd.concat([account_rows, missing], ignore_index=True) if absent else account_rows
        text = ["currency", "client", "legal_entity", "program"]
        kept[text] = kept[text].fillna("")
        rejects = [account_door.rejects(), position_door.rejects()]
        rejects.append(_absent_rejects(absent))
        return cls(
            accounts=kept.sort_values("account", kind="stable", ignore_index=True),
            positions=rows,
            unread=unread,
            partial=frozenset(partial | set(absent)),
            rejects=joined_rejects(rejects),
        )

    def select(self, margin_groups: Any) -> Book:
        """The part of the book that belongs to these margin groups, in the same order."""
        accounts = self.accounts[self.accounts["margin_group"].isin(margin_groups)]
        names = set(accounts["account"])
        return replace(
            self,
            accounts=accounts.reset_index(drop=True),
            positions=self.positions[self.positions["account"].isin(names)].reset_index(drop=True),
            unread=self.unread[self.unread["account"].isin(names)].reset_index(drop=True),
            partial=frozenset(self.partial & names),
        )


def _read_accounts(source: Any) -> tuple[pd.DataFrame, Door]:
    optional = ("currency", "margin_group", "client", "legal_entity", "program", "equity_override")
    door = Door("accounts", source, required=("account", "cash"), optional=optional, key="account")
    columns: dict[str, Any] = {"account": door.text("account")}
    columns["cash"] = door.number("cash", default=0.0)
    columns |= {name: door.text(name) for name in ("currency", "margin_group", "client", "legal_entity")}
    columns["program"] = door.text("program")
    columns["equity_override"] = door.number("equity_override")
    door.unique(columns["account"], "account")
    frame = pd.DataFrame(columns)
    frame["margin_group"] = frame["margin_group"].where(frame["margin_group"] != "", frame["account"])
    usable = ~frame["account"].duplicated() & (frame["account"] != "")
    return frame[usable].reset_index(drop=True), door


def _read_positions(source: Any, lots: bool) -> tuple[pd.DataFrame, pd.DataFrame, Door]:
    required, optional = ("account", "symbol", "quantity"), ("price_paid",)
    door = Door("positions", source, required=required, optional=optional, key="account")
    accounts, symbols = door.text("account"), canonical(door.text("symbol"))
    quantities = door.number("quantity", low=-LARGEST_QUANTITY, high=LARGEST_QUANTITY)
    paid = door.number("price_paid", low=0.0)
    if not lots:
        door.unique(_pairs(accounts, symbols), "symbol")
    frame = pd.DataFrame(
        {
            "account": accounts,
            "symbol": symbols,
            "quantity": quantities,
            "price_paid": paid,
            "line": door.lines,
        }
    )
    good, unread = frame[~door.bad], frame[door.bad]
    if lots:
        good = _summed(good)
    order = np.lexsort((_ranks(good["symbol"]), _ranks(good["account"])))
    return good.iloc[order].reset_index(drop=True), unread.reset_index(drop=True), door


def _summed(rows: pd.DataFrame) -> pd.DataFrame:
    # one lot without a price takes the pair's price away: a mean over some of the lots would be wrong
    unpriced = rows["price_paid"].isna()
    paid = (rows["price_paid"] * rows["quantity"]).fillna(0.0)
    by_pair = rows.assign(paid=paid, unpriced=unpriced).groupby(["account", "symbol"], sort=False)
    total = by_pair.agg({"quantity": "sum", "paid": "sum", "unpriced": "any", "line": "min"}).reset_index()
    priced = ~total["unpriced"] & (total["quantity"] != 0)
    total["price_paid"] = (total["paid"] / total["quantity"].where(priced)).abs()
    return total[["account", "symbol", "quantity", "price_paid", "line"]]


def _pairs(accounts: Texts, symbols: Texts) -> Texts:
    account_codes, _ = pd.factorize(accounts)
    symbol_codes, names = pd.factorize(symbols)
    return (account_codes.astype(np.int64) * (len(names) + 1) + symbol_codes).astype(object)


def _ranks(texts: pd.Series) -> Any:
    codes, names = pd.factorize(texts.to_numpy(object))
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(names.astype(str), kind="stable")] = np.arange(len(names))
    return ranks[codes]


def _absent_rejects(names: list[str]) -> pd.DataFrame:
    message = "positions name this account, the accounts table does not; cash taken as 0"
    return pd.DataFrame(
        {
            "table": "accounts",
            "line": np.zeros(len(names), np.int64),
            "key": names,
            "column": "account",
            "value": names,
            "code": "E_ACCOUNT",
            "message": message,
        }
    )
