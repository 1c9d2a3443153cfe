"""Held rows that cannot be priced: a long counts nothing, a short is charged by the strategy rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.engine import Plan
from shockgrid.market import Market
from shockgrid.symbols import parsed

Floats: TypeAlias = NDArray[np.float64]

# Short option: premium + max(b L U - OTM, 10 % L U for a call, 10 % L K for a put); Cboe Margin Manual,
# edition of 2021-11-30. b is 15 % on broad-based indexes and 20 % on everything else.
NAKED_RATE, NAKED_RATE_BROAD, NAKED_FLOOR = 0.20, 0.15, 0.10
# Short stock: market value + the greater of $5 a share and 30 % (FINRA 4210(c)(3)).
SHORT_STOCK_RATE, SHORT_STOCK_FLOOR = 0.30, 5.0


@dataclass(frozen=True)
class Unpriced:
    """Charges for the held rows that cannot be priced, row for row of ``Plan.unpriced``."""

    margin_groups: NDArray[np.intp]
    charges: Floats  #: base currency, >= 0
    without_spot: NDArray[np.bool_]  #: not even the strategy rule applies


def unpriced_charges(plan: Plan) -> Unpriced:
    """Charge every unpriced held row; see the rules above."""
    rows = plan.unpriced
    accounts = pd.Index(plan.book.accounts["account"]).get_indexer(pd.Index(rows["account"]))
    owned = accounts >= 0
    rows = rows[owned].reset_index(drop=True)
    groups = plan.account_groups[accounts[owned]]
    known = _described(rows, plan.market)
    owner = known["underlying"].to_numpy(np.intp)
    listed = owner >= 0
    names = plan.market.underlyings
    spots = np.where(listed, names.spots[owner], np.nan) if len(names.names) else np.full(len(rows), np.nan)
    charge = _charge(known, plan.market, owner, spots)
    short = np.maximum(-rows["quantity"].to_numpy(np.float64), 0.0)
    charges = np.where(listed & (short > 0), short * charge, 0.0)
    return Unpriced(groups, charges + 0.0, ~listed)


def _described(rows: pd.DataFrame, market: Market) -> pd.DataFrame:
    table = market.instruments
    priced = pd.DataFrame(
        {
            "symbol": table.symbols,
            "underlying": table.underlyings,
            "type": table.types,
            "right": np.where(table.is_option, np.where(table.is_call, "C", "P"), ""),
            "strike": table.strikes,
            "multiplier": table.multipliers,
            "units_per_contract": table.units_per_contract,
            "mark": table.marks,
        }
    )
    listed = pd.concat([priced, market.unpriced], ignore_index=True).drop_duplicates("symbol")
    known = rows[["symbol"]].merge(listed, on="symbol", how="left")
    osi = parsed(known["symbol"].to_numpy(object))
    stray = known["type"].isna() & (osi["root"] != "")
    roots = market.underlyings.codes(osi["root"])
    known["underlying"] = known["underlying"].where(~stray, roots).fillna(-1).astype(np.intp)
    known["type"] = known["type"].where(~stray, "option").fillna("")
    known["right"] = known["right"].where(~stray, osi["right"]).fillna("")
    known["strike"] = known["strike"].astype(float).where(~stray, osi["strike"])
    option = known["type"] == "option"
    usual = pd.Series(np.where(option, 100.0, 1.0))
    known["multiplier"] = known["multiplier"].astype(float).fillna(usual)
    known["units_per_contract"] = known["units_per_contract"].astype(float).fillna(known["multiplier"])
    known["mark"] = known["mark"].astype(float).fillna(0.0)
    return known


def _charge(known: pd.DataFrame, market: Market, owner: NDArray[np.intp], spots: Floats) -> Floats:
    names = market.underlyings
    if len(names.names) == 0 or len(known) == 0:
        return np.zeros(len(known))
    leverage = np.abs(names.leverages[owner])
    broad = np.char.startswith(names.portfolio_types[owner].astype(str), "broad")
    rate = np.where(broad, NAKED_RATE_BROAD, NAKED_RATE) * leverage
    fx = np.array([market.fx[name] for name in names.currencies[owner]])
    strike, mark = known["strike"].to_numpy(float), known["mark"].to_numpy(float)
    call = (known["right"] == "C").to_numpy()
    out_of_money = np.maximum(np.where(call, strike - spots, spots - strike), 0.0)
    floor = NAKED_FLOOR * leverage * np.where(call, spots, strike)
    naked = (mark + np.maximum(rate * spots - out_of_money, floor)) * known["multiplier"].to_numpy(float)
    outright = spots + np.maximum(SHORT_STOCK_FLOOR, SHORT_STOCK_RATE * leverage * spots)
    outright = outright * known["units_per_contract"].to_numpy(float)
    option = (known["type"] == "option").to_numpy()
    unreadable = option & ((known["right"] == "").to_numpy() | np.isnan(strike))
    whole = spots * known["units_per_contract"].to_numpy(float)
    charges: Floats = np.where(unreadable, whole, np.where(option, naked, outright)) * fx
    return charges
