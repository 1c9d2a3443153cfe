"""From the canonical market tables to a Market: every row checked, bad ones turned away by name."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.carry import LARGEST_PLAUSIBLE_RATE, LARGEST_RATE, Curve, Dividends, years_between
from shockgrid.columns import LARGEST_PRICE, Door, joined_rejects
from shockgrid.doors import require_kind
from shockgrid.errors import InputError
from shockgrid.instrument_table import read_instruments
from shockgrid.market import PORTFOLIO_TYPES, Instruments, Market, Underlyings
from shockgrid.quote_table import LARGEST_PLAUSIBLE_VOL, canonical_symbols, flag_age, read_quotes

LARGEST_LEVERAGE, LARGEST_ATM_VOL, LARGEST_DISCOUNT_FACTOR = 10.0, 100.0, 10.0
LARGEST_PLAUSIBLE_CARRY = 1.0  #: a column of yields with a median above 100 % is a column of per cents
SMALLEST_FX_RATE = 1e-12


def build(
    instruments: Any,
    underlyings: Any,
    quotes: Any,
    curve: Any,
    *,
    dividends: Any,
    forwards: Any,
    fx: Any,
    groups: Any,
    offsets: Any,
    as_of: datetime,
    base_currency: str,
    max_age: timedelta | None,
) -> Market:
    """See ``Market.from_frames``."""
    stamp = np.datetime64(as_of.replace(tzinfo=None), "ns")
    rates, fx_rejects = _read_fx(fx, base_currency)
    names, unread, name_rejects = _read_underlyings(underlyings, groups, rates, base_currency, stamp, max_age)
    zero_curve, curve_rejects = Curve.read(curve)
    cash, cash_rejects = Dividends.read(dividends, names.names, stamp)
    priced, quote_door = read_quotes(quotes, stamp, max_age)
    given, forward_door = _read_forwards(forwards, names, stamp)
    table = read_instruments(instruments, names, priced, given, zero_curve, cash, rates, stamp)
    shares, offset_rejects = _read_offsets(offsets, names)
    _flag_unused(forward_door, given, table.instruments)
    stray = ~canonical_symbols(quote_door).isin(table.symbols).to_numpy(bool)
    quote_door.reject(stray, "symbol", "E_INSTRUMENT", "expected a symbol of the instruments table")
    found = [table.rejects, *name_rejects, quote_door.rejects(), curve_rejects, cash_rejects]
    return Market(
        as_of=as_of,
        base_currency=base_currency,
        max_age=max_age,
        underlyings=names,
        instruments=table.instruments,
        dividends=cash,
        fx=rates,
        offsets=shares,
        unpriced=table.unpriced,
        unread_underlyings=unread,
        rejects=joined_rejects([*found, forward_door.rejects(), fx_rejects, offset_rejects]),
    )


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})


def _read_fx(source: Any, base_currency: str) -> tuple[dict[str, float], pd.DataFrame]:
    require_kind(base_currency, str, "base_currency")
    columns = ("currency", "rate")
    door = Door("fx", _empty(columns) if source is None else source, required=columns, key="currency")
    currencies, values = (
        door.text("currency"),
        door.number("rate", low=SMALLEST_FX_RATE, high=1.0 / SMALLEST_FX_RATE),
    )
    door.unique(currencies, "currency")
    rates = dict(zip(currencies[~door.bad], values[~door.bad].tolist(), strict=True))
    if rates.get(base_currency, 1.0) != 1.0:
        problem = f"the base currency {base_currency} is worth 1 by definition"
        raise InputError(problem, table="fx", column="rate", value=rates[base_currency])
    return {**rates, base_currency: 1.0}, door.rejects()


def _read_underlyings(
    source: Any,
    groups: Any,
    rates: dict[str, float],
    base_currency: str,
    stamp: np.datetime64,
    max_age: timedelta | None,
) -> tuple[Underlyings, pd.DataFrame, list[pd.DataFrame]]:
    text = ("currency", "portfolio_type", "sector")
    numbers = ("beta", "yield_dec", "borrow_dec", "market_cap", "adv", "high_52w", "haircut_dec")
    optional = (*text, *numbers, "leverage", "atm_vol_dec", "spot_utc")
    door = Door("underlyings", source, required=("underlying", "spot"), optional=optional, key="underlying")
    frame = _underlying_columns(door, base_currency)
    door.refuse_per_cent("atm_vol_dec", frame["atm_vol"].to_numpy(np.float64), LARGEST_PLAUSIBLE_VOL)
    still = (frame["leverage"] == 0.0).to_numpy(bool)
    door.reject(still, "leverage", "E_RANGE", "expected a multiple other than 0")
    frame["leverage"] = frame["leverage"].where(~still, 1.0)
    flag_age(door, "spot_utc", frame["spot_time"].to_numpy("datetime64[ns]"), stamp, max_age)
    foreign = ~frame["currency"].isin(list(rates)).to_numpy(bool)
    door.reject(foreign, "currency", "E_FX", "expected the base currency or a currency of the fx table")
    door.unique(frame["name"].to_numpy(object), "underlying")
    good = frame[~door.bad].sort_values("name", ignore_index=True)
    seen = door.bad & ~foreign & frame["spot"].notna().to_numpy(bool) & (frame["name"] != "").to_numpy(bool)
    unread = frame[seen & ~frame["name"].isin(good["name"]).to_numpy(bool)].drop_duplicates("name")
    grouped, group_rejects = _read_groups(groups, good["name"].to_numpy(object))
    columns = [good[name].to_numpy(_UNDERLYING_TYPES.get(name, float)) for name in good.columns]
    return Underlyings(*columns, *grouped), unread[list(UNREAD_COLUMNS)], [door.rejects(), group_rejects]


def _underlying_columns(door: Door, base_currency: str) -> pd.DataFrame:
    """The columns of ``Underlyings`` but the groups, in their order."""
    return pd.DataFrame(
        {
            "name": door.text("underlying"),
            "spot": door.number("spot", above=0.0, high=LARGEST_PRICE),
            "currency": door.text("currency", base_currency),
            "portfolio_type": door.choice("portfolio_type", PORTFOLIO_TYPES, "equity"),
            "leverage": door.number("leverage", default=1.0, low=-LARGEST_LEVERAGE, high=LARGEST_LEVERAGE),
            "atm_vol": door.number("atm_vol_dec", above=0.0, high=LARGEST_ATM_VOL),
            "carry": _carries(door),
            "spot_time": door.instant("spot_utc"),
            "sector": door.text("sector"),
            "beta": door.number("beta"),
            "borrow": door.number("borrow_dec"),
            "market_cap": door.number("market_cap", above=0.0),
            "volume": door.number("adv", low=0.0),
            "high": door.number("high_52w", above=0.0),
            "haircut": door.number("haircut_dec", low=0.0, high=1.0),
        }
    )


def _carries(door: Door) -> Any:
    """Dividend yield plus borrow rate."""
    total = np.zeros(len(door))
    for column in ("yield_dec", "borrow_dec"):
        values = door.number(column, default=0.0)
        door.refuse_per_cent(column, values[values != 0.0], LARGEST_PLAUSIBLE_CARRY)
        extreme = np.abs(values) > LARGEST_RATE
        door.reject(extreme, column, "E_RANGE", f"expected a number within +-{LARGEST_RATE:g}")
        values = np.where(extreme, 0.0, values)
        message = "above 100 %, used as it is"
        door.flag(np.abs(values) > LARGEST_PLAUSIBLE_RATE, column, "W_RATE", message)
        total += values
    return total


_UNDERLYING_TYPES: dict[Any, Any] = {
    **dict.fromkeys(("name", "currency", "portfolio_type", "sector"), object),
    "spot_time": "datetime64[ns]",
}
UNREAD_COLUMNS = ("name", "spot", "currency", "portfolio_type", "leverage")


def _read_groups(source: Any, names: Any) -> tuple[list[Any], pd.DataFrame]:
    columns = ("underlying", "class_group", "product_group", "portfolio_group")
    frame = _empty(columns) if source is None else source
    door = Door("groups", frame, required=columns[:1], optional=columns[1:], key="underlying")
    listed = pd.DataFrame({column: door.text(column) for column in columns})
    door.unique(listed["underlying"].to_numpy(object), "underlying")
    strangers = ~listed["underlying"].isin(names).to_numpy(bool)
    _flag_first(door, strangers, "underlying", "name no underlying of the market")
    parent = "underlying"
    for column in columns[1:]:
        listed[column] = listed[column].where(listed[column] != "", listed[parent])
        parent = column
    for lower, upper in (("class_group", "product_group"), ("product_group", "portfolio_group")):
        first = listed[~door.bad].groupby(lower)[upper].first()
        split = (listed[lower].map(first) != listed[upper]).to_numpy(bool)
        message = f"this {lower} already belongs to another {upper}"
        door.reject(split & ~door.bad, upper, "E_GROUP", message)
    good = listed[~door.bad]
    if good.empty:
        return [names.astype(object)] * 3, door.rejects()
    table = good.set_index("underlying").reindex(names)
    # a name not listed is its own group at every level, within what is known of a group so called
    groups = [table["class_group"].fillna(pd.Series(names, index=names))]
    for lower, upper in (("class_group", "product_group"), ("product_group", "portfolio_group")):
        known = groups[-1].map(good.groupby(lower)[upper].first())
        groups.append(table[upper].fillna(known).fillna(groups[-1]))
    return [column.to_numpy(object) for column in groups], door.rejects()


def _read_offsets(source: Any, names: Underlyings) -> tuple[dict[tuple[str, str], float], pd.DataFrame]:
    columns = ("level", "group", "offset_dec")
    door = Door("offsets", _empty(columns) if source is None else source, required=columns, key="group")
    levels, groups = door.choice("level", ("product", "portfolio")), door.text("group")
    shares = door.number("offset_dec", low=0.0, high=1.0)
    keys = (pd.Series(levels).astype(str) + " " + pd.Series(groups).astype(str)).to_numpy(object)
    door.unique(keys, "group")
    known = {"product": set(names.product_groups), "portfolio": set(names.portfolio_groups)}
    pairs = zip(levels, groups, strict=True)
    strangers = [level in known and group not in known[level] for level, group in pairs]
    _flag_first(door, np.array(strangers, bool), "group", "name no group of their level")
    rows = np.flatnonzero(~door.bad)
    return {(str(levels[row]), str(groups[row])): float(shares[row]) for row in rows}, door.rejects()


def _flag_first(door: Door, strangers: Any, column: str, what: str) -> None:
    """Flag the first of the rows that meet nothing: a reference table may know far more than this market."""
    rows = np.flatnonzero(strangers & ~door.bad)
    first = np.zeros(len(door), bool)
    first[rows[:1]] = True
    door.flag(first, column, "W_UNUSED", f"{len(rows)} rows {what}, this is the first")


def _flag_unused(door: Door, given: pd.DataFrame, instruments: Instruments) -> None:
    """Flag forwards that no instrument uses: a wrong time of day would otherwise go unseen."""
    series = pd.DataFrame({"underlying": instruments.underlyings, "years": instruments.years})
    pairs = given[["underlying", "years"]].reset_index(names="row")
    used = pairs.merge(series.drop_duplicates(), on=["underlying", "years"])["row"]
    unused = np.ones(len(door), bool)
    unused[used.to_numpy(np.intp)] = False
    door.flag(unused, "expiry_utc", "W_UNUSED", "no instrument of this underlying expires at this instant")


def _read_forwards(source: Any, names: Underlyings, stamp: np.datetime64) -> tuple[pd.DataFrame, Door]:
    columns = ("underlying", "expiry_utc", "forward")
    frame = _empty(columns) if source is None else source
    door = Door("forwards", frame, required=columns, optional=("discount_factor",), key="underlying")
    codes = names.codes(door.text("underlying"))
    door.reject(codes < 0, "underlying", "E_UNDERLYING", "expected an underlying of the market")
    years = years_between(stamp, door.instant("expiry_utc"))
    forwards = door.number("forward", above=0.0, high=LARGEST_PRICE)
    factors = door.number("discount_factor", above=0.0, high=LARGEST_DISCOUNT_FACTOR)
    keys = (pd.Series(codes).astype(str) + " " + pd.Series(years).astype(str)).to_numpy(object)
    door.unique(keys, "expiry_utc")
    table = {"underlying": codes, "years": years, "forward": forwards, "discount_factor": factors}
    return pd.DataFrame(table)[~door.bad], door
