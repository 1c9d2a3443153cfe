"""Held rows that cannot be priced: a long counts nothing, a short is charged by the strategy rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.engine import Plan
from shockgrid.instrument_table import OPTION_MULTIPLIER
from shockgrid.market import INSTRUMENT_TYPES, Market
from shockgrid.symbols import parsed

# Short option: premium + max(b L U - OTM, 10 % L U for a call, 10 % L K for a put); Cboe Margin Manual,
# edition of 2021-11-30. b is 15 % on broad-based indexes and 20 % on everything else. U and K are the money
# of one contract: spot x units delivered, strike x multiplier.
NAKED_RATE, NAKED_RATE_BROAD, NAKED_FLOOR = 0.20, 0.15, 0.10
BROAD_TYPES = ("broad_index", "broad_index_high_cap")
# Short stock: market value + the greater of $5 a share and 30 %; below $5 a share, of $2.50 and 100 %
# (FINRA 4210(c)). The 30 % is multiplied for a leveraged ETF, up to 100 %.
SHORT_STOCK_RATE, SHORT_STOCK_FLOOR = 0.30, 5.0
CHEAP_STOCK, CHEAP_STOCK_FLOOR = 5.0, 2.5
_SPOT_COLUMNS = ("spot", "currency", "portfolio_type", "leverage")


@dataclass(frozen=True)
class Unpriced:
    """Charges for the held rows that cannot be priced, row for row of ``Plan.unpriced``."""

    margin_groups: Codes
    charges: Floats  #: base currency, >= 0
    without_spot: Mask  #: not even the strategy rule applies


def unpriced_charges(plan: Plan) -> Unpriced:
    """Charge every unpriced held row; see the rules above. A row whose quantity is unknown is charged 0."""
    rows = plan.unpriced[plan.unpriced["quantity"].to_numpy(np.float64) != 0.0]
    if len(rows) == 0:
        return Unpriced(np.zeros(0, np.intp), np.zeros(0), np.zeros(0, np.bool_))
    accounts = pd.Index(plan.book.accounts["account"]).get_indexer(pd.Index(rows["account"]))
    owned = accounts >= 0
    rows = rows[owned].reset_index(drop=True)
    known = _described(rows["symbol"].to_numpy(object), plan.market)
    short = np.maximum(-rows["quantity"].to_numpy(np.float64), 0.0)
    without_spot = known["spot"].isna().to_numpy(bool)
    charges = np.where(~without_spot & (short > 0.0), short * _charge(known, plan.market), 0.0)
    return Unpriced(plan.account_groups[accounts[owned]], charges + 0.0, without_spot)


def _described(symbols: Texts, market: Market) -> pd.DataFrame:
    """What is known of each symbol: its instrument row, what its name says, its underlying's spot row."""
    table, names = market.instruments, market.underlyings
    priced = {
        "symbol": table.symbols,
        "underlying": names.names[table.underlyings] if len(table.symbols) else table.symbols,
        "type": table.types,
        "right": np.where(table.is_option, np.where(table.is_call, "C", "P"), ""),
        "strike": table.strikes,
        "multiplier": table.multipliers,
        "units_per_contract": table.units_per_contract,
        "mark": table.marks,
        "inverse": table.inverse,
    }
    listed = pd.concat([pd.DataFrame(priced), market.unpriced], ignore_index=True)
    listed = listed[listed["symbol"] != ""].drop_duplicates("symbol").set_index("symbol")
    known = listed.reindex(symbols).reset_index(drop=True)
    known = known.astype(dict.fromkeys(("underlying", "type", "right"), object))
    spots = _spots(market)
    osi = parsed(symbols)
    option = (osi["root"] != "") & ~known["type"].isin(
        [kind for kind in INSTRUMENT_TYPES if kind != "option"]
    )
    stranger, itself = known["type"].isna(), pd.Series(symbols, dtype=object)
    roots = osi["root"].map(_roots(market)).astype(object)
    owners = roots.fillna(osi["root"]).where(option, itself)
    known["underlying"] = known["underlying"].where(~stranger, owners)
    known["type"] = known["type"].where(~option, "option").fillna("")
    for column in ("right", "strike"):
        read = known[column].notna() & (known[column] != "")
        known[column] = known[column].where(read | ~option, osi[column])
    usual = pd.Series(np.where(known["type"] == "option", OPTION_MULTIPLIER, 1.0))
    known["multiplier"] = known["multiplier"].astype(float).fillna(usual)
    known["units_per_contract"] = known["units_per_contract"].astype(float).fillna(known["multiplier"])
    known["mark"] = known["mark"].astype(float).fillna(0.0)
    known[list(_SPOT_COLUMNS)] = spots.reindex(known["underlying"].to_numpy(object)).to_numpy(object)
    return known


def _spots(market: Market) -> pd.DataFrame:
    """Spot, currency, portfolio type and leverage by underlying, those that nothing is priced from too."""
    names = market.underlyings
    good = {
        "name": names.names,
        "spot": names.spots,
        "currency": names.currencies,
        "portfolio_type": names.portfolio_types,
        "leverage": names.leverages,
    }
    return pd.concat([pd.DataFrame(good), market.unread_underlyings], ignore_index=True).set_index("name")


def _roots(market: Market) -> pd.Series:
    """The underlying of every option root whose series all share one."""
    table = market.instruments
    roots = parsed(table.symbols[table.is_option])["root"].to_numpy(object)
    owners = market.underlyings.names[table.underlyings[table.is_option]] if len(roots) else roots
    pairs = pd.DataFrame({"root": roots, "owner": owners}).drop_duplicates()
    return pairs[pairs["root"] != ""].drop_duplicates("root", keep=False).set_index("root")["owner"]


def _charge(known: pd.DataFrame, market: Market) -> Floats:
    """Charge per contract or share short, base currency; NaN without a spot."""

    def number(column: str) -> Floats:
        return known[column].to_numpy(np.float64)

    spot, strike, units = number("spot"), number("strike"), number("units_per_contract")
    leverage = np.abs(number("leverage"))
    coin = ((known["type"] == "option") & known["inverse"].eq(True)).to_numpy(bool)
    premium = number("mark") * np.where(coin, spot, 1.0) * number("multiplier")
    broad = known["portfolio_type"].isin(BROAD_TYPES).to_numpy(bool)
    rate = np.where(broad, NAKED_RATE_BROAD, NAKED_RATE) * leverage
    call = (known["right"] == "C").to_numpy(bool)
    delivered, paid = spot * units, strike * number("multiplier")
    out_of_money = np.maximum(np.where(call, paid - delivered, delivered - paid), 0.0)
    floor = NAKED_FLOOR * leverage * np.where(call, delivered, paid)
    naked = premium + np.maximum(rate * delivered - out_of_money, floor)
    usual = np.maximum(SHORT_STOCK_FLOOR, np.minimum(SHORT_STOCK_RATE * leverage, 1.0) * spot)
    cheap = np.maximum(CHEAP_STOCK_FLOOR, spot)
    outright = (spot + np.where(spot < CHEAP_STOCK, cheap, usual)) * units
    option = (known["type"] == "option").to_numpy(bool)
    unreadable = option & ((known["right"] == "").to_numpy(bool) | np.isnan(strike))
    charges = np.where(unreadable, premium + spot * units, np.where(option, naked, outright))
    return charges * known["currency"].map(market.fx).to_numpy(np.float64)
