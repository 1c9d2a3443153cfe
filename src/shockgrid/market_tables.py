"""From the canonical market tables to a Market: every row checked, bad ones turned away by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.carry import Curve, Dividends, years_between
from shockgrid.columns import Door, joined_rejects
from shockgrid.errors import InputError
from shockgrid.instrument_table import read_instruments
from shockgrid.market import PORTFOLIO_TYPES, Market, Underlyings

LARGEST_PLAUSIBLE_VOL = 5.0  #: a column of vols with a median above 500 % is a column of per cents
PLAUSIBLE_VOLS = (0.01, 5.0)  #: a single vol outside is flagged, never turned away


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
) -> Market:
    """See ``Market.from_frames``."""
    stamp = np.datetime64(as_of.replace(tzinfo=None), "ns")
    rates, fx_rejects = _read_fx(fx, base_currency)
    names, name_rejects = _read_underlyings(underlyings, groups, rates, base_currency)
    zero_curve, curve_rejects = Curve.read(curve)
    cash, cash_rejects = Dividends.read(dividends, names.names, stamp)
    priced = _read_quotes(quotes)
    given = _read_forwards(forwards, names, stamp)
    table = read_instruments(instruments, names, priced.frame, given.frame, zero_curve, cash, rates, stamp)
    shares, offset_rejects = _read_offsets(offsets)
    strangers = priced.unknown(table.symbols)
    return Market(
        as_of=as_of,
        base_currency=base_currency,
        underlyings=names,
        instruments=table.instruments,
        fx=rates,
        offsets=shares,
        unpriced=table.unpriced,
        rejects=joined_rejects(
            [
                table.rejects,
                *name_rejects,
                priced.rejects,
                strangers,
                curve_rejects,
                cash_rejects,
                given.rejects,
                fx_rejects,
                offset_rejects,
            ]
        ),
    )


class _Read:
    """A checked table: its good rows and what was turned away."""

    def __init__(self, frame: pd.DataFrame, door: Door) -> None:
        self.frame = frame[~door.bad].reset_index(drop=True)
        self.rejects = door.rejects()
        self._door = door

    def unknown(self, symbols: Any) -> pd.DataFrame:
        """Rejects for quotes of symbols that are no instrument."""
        door = Door("quotes", self._door.frame, required=("symbol",), optional=_QUOTE_COLUMNS, key="symbol")
        door.bad = self._door.bad.copy()
        stray = ~pd.Series(door.text("symbol")).isin(list(symbols)).to_numpy()
        door.reject(stray, "symbol", "E_INSTRUMENT", "expected a symbol of the instruments table")
        return door.rejects()


_QUOTE_COLUMNS = ("bid", "ask", "mark", "vol", "quote_utc", "open_interest", "volume")


def _empty(columns: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({column: pd.Series(dtype=object) for column in columns})


def _read_fx(source: Any, base_currency: str) -> tuple[dict[str, float], pd.DataFrame]:
    columns = ("currency", "rate")
    door = Door("fx", _empty(columns) if source is None else source, required=columns, key="currency")
    currencies, values = door.text("currency"), door.number("rate", above=0.0)
    door.unique(currencies, "currency")
    rates = dict(zip(currencies[~door.bad], values[~door.bad].tolist(), strict=True))
    if rates.get(base_currency, 1.0) != 1.0:
        problem = f"the base currency {base_currency} is worth 1 by definition"
        raise InputError(problem, table="fx", column="rate", value=rates[base_currency])
    return {**rates, base_currency: 1.0}, door.rejects()


def _read_underlyings(
    source: Any, groups: Any, rates: dict[str, float], base_currency: str
) -> tuple[Underlyings, list[pd.DataFrame]]:
    text = ("currency", "portfolio_type", "sector")
    numbers = ("beta", "yield_dec", "borrow_dec", "market_cap", "adv", "high_52w")
    optional = (*text, *numbers, "leverage", "atm_vol_dec", "spot_utc")
    door = Door("underlyings", source, required=("underlying", "spot"), optional=optional, key="underlying")
    names, spots = door.text("underlying"), door.number("spot", above=0.0, default=1.0)
    kinds = door.choice("portfolio_type", PORTFOLIO_TYPES, "equity")
    currencies = door.text("currency", base_currency)
    leverages = door.number("leverage", default=1.0, low=-10.0, high=10.0)
    door.reject(leverages == 0.0, "leverage", "E_RANGE", "expected a multiple other than 0")
    atm_vols = door.number("atm_vol_dec", above=0.0)
    carries = door.number("yield_dec", default=0.0) + door.number("borrow_dec", default=0.0)
    for column in ("beta", "market_cap", "adv", "high_52w"):
        door.number(column)
    unknown = ~np.isin(currencies.astype(str), list(rates))
    door.reject(unknown, "currency", "E_FX", "expected the base currency or a currency of the fx table")
    door.unique(names, "underlying")
    frame = pd.DataFrame(
        {
            "name": names,
            "spot": spots,
            "currency": currencies,
            "kind": kinds,
            "leverage": leverages,
            "atm_vol": atm_vols,
            "carry": carries,
        }
    )[~door.bad]
    frame = frame.sort_values("name", ignore_index=True)
    grouped, group_rejects = _read_groups(groups, frame["name"].to_numpy(object))
    columns = [
        frame[name].to_numpy(object if kind is str else float) for name, kind in _UNDERLYING_KINDS.items()
    ]
    return Underlyings(*columns, *grouped), [door.rejects(), group_rejects]


_UNDERLYING_KINDS = {
    "name": str,
    "spot": float,
    "currency": str,
    "kind": str,
    "leverage": float,
    "atm_vol": float,
    "carry": float,
}


def _read_groups(source: Any, names: Any) -> tuple[list[Any], pd.DataFrame]:
    columns = ("underlying", "class_group", "product_group", "portfolio_group")
    frame = _empty(columns) if source is None else source
    door = Door("groups", frame, required=columns[:1], optional=columns[1:], key="underlying")
    listed = pd.DataFrame({column: door.text(column) for column in columns})
    door.unique(listed["underlying"].to_numpy(object), "underlying")
    parent = "underlying"
    for column in columns[1:]:
        listed[column] = listed[column].where(listed[column] != "", listed[parent])
        parent = column
    for lower, upper in (("class_group", "product_group"), ("product_group", "portfolio_group")):
        first = listed[~door.bad].groupby(lower)[upper].first()
        split = (listed[lower].map(first) != listed[upper]).to_numpy(bool)
        message = f"this {lower} already belongs to another {upper}"
        door.reject(split & ~door.bad, upper, "E_GROUP", message)
    table = listed[~door.bad].set_index("underlying").reindex(names)
    own = pd.Series(names, index=names)
    return [table[column].fillna(own).to_numpy(object) for column in columns[1:]], door.rejects()


def _read_offsets(source: Any) -> tuple[dict[tuple[str, str], float], pd.DataFrame]:
    columns = ("level", "group", "offset_dec")
    door = Door("offsets", _empty(columns) if source is None else source, required=columns, key="group")
    levels, groups = door.choice("level", ("product", "portfolio")), door.text("group")
    shares = door.number("offset_dec", low=0.0, high=1.0)
    keys = (pd.Series(levels).astype(str) + " " + pd.Series(groups).astype(str)).to_numpy(object)
    door.unique(keys, "group")
    rows = np.flatnonzero(~door.bad)
    return {(str(levels[row]), str(groups[row])): float(shares[row]) for row in rows}, door.rejects()


def _read_quotes(source: Any) -> _Read:
    door = Door("quotes", source, required=("symbol",), optional=_QUOTE_COLUMNS, key="symbol")
    from shockgrid.symbols import canonical

    symbols = canonical(door.text("symbol"))
    bids, asks = door.number("bid", low=0.0), door.number("ask", low=0.0)
    marks, vols = door.number("mark", low=0.0), door.number("vol", low=0.0)
    for column in ("open_interest", "volume"):
        door.number(column, low=0.0)
    given = vols[np.isfinite(vols) & ~door.bad]
    if len(given) and float(np.median(given)) > LARGEST_PLAUSIBLE_VOL:
        problem = "looks like per cent, expected decimals (0.25 is 25 %)"
        raise InputError(problem, table="quotes", column="vol", value=f"median {np.median(given):g}")
    odd = np.isfinite(vols) & ((vols < PLAUSIBLE_VOLS[0]) | (vols > PLAUSIBLE_VOLS[1]))
    door.flag(odd, "vol", "W_VOL", "outside 1 % .. 500 %, used as it is")
    crossed = bids > asks
    door.flag(crossed, "bid", "W_CROSSED", "bid above ask, the mid is not used")
    door.unique(symbols, "symbol")
    two_sided = (bids > 0.0) & (asks >= bids)
    marks = np.where(np.isnan(marks) & two_sided, 0.5 * (bids + asks), marks)
    return _Read(pd.DataFrame({"symbol": symbols, "mark": marks, "vol": vols}), door)


def _read_forwards(source: Any, names: Underlyings, stamp: np.datetime64) -> _Read:
    columns = ("underlying", "expiry_utc", "forward")
    frame = _empty(columns) if source is None else source
    door = Door("forwards", frame, required=columns, optional=("discount_factor",), key="underlying")
    codes = names.codes(door.text("underlying"))
    door.reject(codes < 0, "underlying", "E_UNDERLYING", "expected an underlying of the market")
    years = years_between(stamp, door.instant("expiry_utc"))
    forwards = door.number("forward", above=0.0)
    factors = door.number("discount_factor", above=0.0)
    keys = (pd.Series(codes).astype(str) + " " + pd.Series(years).astype(str)).to_numpy(object)
    door.unique(keys, "expiry_utc")
    table = {"underlying": codes, "years": years, "forward": forwards, "discount_factor": factors}
    return _Read(pd.DataFrame(table), door)
