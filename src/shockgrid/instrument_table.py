"""The instruments table: checked, joined with its quotes, and carried to a forward per instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.carry import Curve, Dividends, years_between
from shockgrid.columns import Door, Texts
from shockgrid.market import HELD_OUTRIGHT, INSTRUMENT_TYPES, Instruments, Underlyings
from shockgrid.symbols import canonical, parsed

OPTION_MULTIPLIER = 100.0  #: listed US equity and index options; anything else says its own
UNPRICED_COLUMNS = (
    "symbol",
    "underlying",
    "type",
    "right",
    "strike",
    "multiplier",
    "units_per_contract",
    "mark",
    "code",
)
_OPTIONAL = (
    "right",
    "strike",
    "expiry_utc",
    "style",
    "multiplier",
    "currency",
    "settlement_time",
    "settlement_kind",
    "units_per_contract",
    "cash_per_contract",
    "inverse",
)


@dataclass(frozen=True)
class InstrumentTable:
    """What came of the instruments table; ``symbols`` are all that stood in it, good or bad."""

    instruments: Instruments
    unpriced: pd.DataFrame
    rejects: pd.DataFrame
    symbols: Texts


def read_instruments(
    source: Any,
    names: Underlyings,
    quotes: pd.DataFrame,
    forwards: pd.DataFrame,
    curve: Curve,
    dividends: Dividends,
    fx: dict[str, float],
    stamp: np.datetime64,
) -> InstrumentTable:
    """Check every row and lay out the columns the engine needs; see ``Market.from_frames``."""
    door = Door(
        "instruments", source, required=("symbol", "underlying", "type"), optional=_OPTIONAL, key="symbol"
    )
    rows = _read_columns(door, names, fx, stamp)
    rows = rows.merge(quotes, on="symbol", how="left")
    _check_quotes(door, rows)
    door.reject(
        ~curve.knows(rows["currency"].to_numpy(object)) & (rows["years"] > 0).to_numpy(),
        "currency",
        "E_NO_RATE",
        "expected a currency of the curve table",
    )
    unpriced = _unpriced(door, rows)
    good = rows[~door.bad].sort_values(["underlying", "years", "symbol"], kind="stable", ignore_index=True)
    _carry(good, names, forwards, curve, dividends)
    symbols = rows["symbol"].to_numpy(object)
    return InstrumentTable(_laid_out(good, fx), unpriced, door.rejects(), symbols)


def _read_columns(door: Door, names: Underlyings, fx: dict[str, float], stamp: np.datetime64) -> pd.DataFrame:
    symbols = canonical(door.text("symbol"))
    kinds = door.choice("type", INSTRUMENT_TYPES)
    codes = names.codes(door.text("underlying"))
    option, expires = kinds == "option", np.isin(kinds.astype(str), ("option", "future"))
    rights = door.choice("right", ("c", "p", "call", "put"))
    strikes = door.number("strike", above=0.0)
    styles = door.choice("style", ("american", "european"), "european")
    years = years_between(stamp, door.instant("expiry_utc"))
    multipliers = door.number("multiplier", above=0.0, high=1e9)
    units = door.number("units_per_contract", above=0.0, high=1e9)
    extra = door.number("cash_per_contract", default=0.0)
    own = np.where(codes >= 0, names.currencies[codes], "") if len(names.names) else np.full(len(codes), "")
    currencies = door.text("currency")
    currencies = np.where(currencies == "", own, currencies)
    door.choice("settlement_time", ("am", "pm"), "pm")
    door.choice("settlement_kind", ("cash", "physical"), "cash")
    inverse = door.boolean("inverse")

    door.reject(codes < 0, "underlying", "E_UNDERLYING", "expected an underlying of the market with a spot")
    door.reject(
        kinds == "flat", "type", "E_UNSUPPORTED", "flat-rate types need a haircut table, not read yet"
    )
    door.reject(inverse, "inverse", "E_UNSUPPORTED", "coin-settled (inverse) contracts are not priced yet")
    given = door.text("right") != ""
    for column, blank in (("right", ~given), ("strike", np.isnan(strikes))):
        door.reject(option & blank, column, "E_MISSING", "an option needs it")
    door.reject(expires & np.isnan(years), "expiry_utc", "E_MISSING", "an option or future needs it")
    door.reject(expires & (years < 0), "expiry_utc", "E_EXPIRED", "expected an expiry at or after as_of")
    door.reject(
        np.isin(kinds.astype(str), ("future", "perpetual")) & np.isnan(multipliers),
        "multiplier",
        "E_MISSING",
        "a future needs it",
    )
    unknown = ~np.isin(currencies.astype(str), list(fx))
    door.reject(unknown, "currency", "E_FX", "expected the base currency or a currency of the fx table")
    calls = pd.Series(rights, dtype=object).astype(str).str.startswith("c").to_numpy(bool)
    _check_symbols(door, symbols, option, calls, strikes, units)
    door.unique(symbols, "symbol")
    multipliers = np.where(np.isnan(multipliers), np.where(option, OPTION_MULTIPLIER, 1.0), multipliers)
    return pd.DataFrame(
        {
            "symbol": symbols,
            "underlying": codes,
            "type": kinds,
            "right": np.where(option & given, np.where(calls, "C", "P"), ""),
            "strike": np.where(option, strikes, 1.0),
            "american": option & (styles == "american"),
            "years": np.where(expires, years, 0.0),
            "multiplier": multipliers,
            "units_per_contract": np.where(np.isnan(units), multipliers, units),
            "cash_per_contract": extra,
            "currency": currencies,
        }
    )


def _check_symbols(door: Door, symbols: Texts, option: Any, calls: Any, strikes: Any, units: Any) -> None:
    osi = parsed(symbols)
    listed = option & (osi["root"] != "").to_numpy()
    adjusted = listed & osi["root"].astype(str).str.contains(r"\d$").to_numpy() & np.isnan(units)
    message = "a root that ends in a digit is an adjusted contract: it needs units_per_contract"
    door.reject(adjusted, "units_per_contract", "E_DELIVERABLE", message)
    wrong_strike = listed & ~np.isclose(osi["strike"].to_numpy(float), strikes, rtol=1e-9, equal_nan=True)
    door.reject(wrong_strike, "strike", "E_MISMATCH", "the symbol says another strike")
    wrong_right = listed & ((osi["right"] == "C").to_numpy() != calls)
    door.reject(wrong_right, "right", "E_MISMATCH", "the symbol says the other right")


def _check_quotes(door: Door, rows: pd.DataFrame) -> None:
    option = (rows["type"] == "option").to_numpy()
    unknown = option & rows["vol"].isna().to_numpy() & rows["mark"].isna().to_numpy()
    door.reject(unknown, "symbol", "E_NO_VOL", "no vol and no price in the quotes table")


def _unpriced(door: Door, rows: pd.DataFrame) -> pd.DataFrame:
    reasons = door.rejects()
    code = reasons[reasons["code"].str.startswith("E_")].set_index("line")["code"]
    bad = rows[door.bad].copy()
    bad["code"] = code.reindex(door.lines[door.bad]).to_numpy(object)
    bad = bad[bad["code"] != "E_DUPLICATE"]
    return bad[list(UNPRICED_COLUMNS)].reset_index(drop=True)


def _carry(
    rows: pd.DataFrame, names: Underlyings, forwards: pd.DataFrame, curve: Curve, dividends: Dividends
) -> None:
    codes, years = rows["underlying"].to_numpy(np.intp), rows["years"].to_numpy(float)
    factors = np.ones(len(rows))
    currencies = rows["currency"].to_numpy(object)
    for currency in set(currencies) & set(curve.points):
        own = (currencies == currency) & (years > 0)
        factors[own] = curve.discount_factors(currency, years[own])
    cash = dividends.present_values(codes, years, names.currencies, curve)
    spots = names.spots[codes] if len(codes) else np.zeros(0)
    growth = names.yields_to(codes, years) / factors
    given = rows[["underlying", "years"]].merge(forwards, on=["underlying", "years"], how="left")
    known = given["forward"].notna().to_numpy()
    growth = np.where(known, given["forward"].to_numpy(float) / (spots - cash), growth)
    stated = given["discount_factor"].to_numpy(float)
    rows["discount_factor"] = np.where(
        rows["type"] == "option", np.where(np.isnan(stated), factors, stated), 1.0
    )
    outright = rows["type"].isin([*HELD_OUTRIGHT, "perpetual"]).to_numpy()
    units = np.where(outright, 1.0, (rows["units_per_contract"] / rows["multiplier"]).to_numpy())
    rows["slope"] = np.where(outright, 1.0, units * growth)
    fixed = -units * growth * cash + (rows["cash_per_contract"] / rows["multiplier"]).to_numpy()
    rows["intercept"] = np.where(outright, 0.0, fixed) + 0.0
    rows["dividends"] = np.where(outright, 0.0, cash)
    rows["mark"] = np.where(outright & rows["mark"].isna(), spots, rows["mark"])


def _laid_out(rows: pd.DataFrame, fx: dict[str, float]) -> Instruments:
    def number(column: str) -> Any:
        return rows[column].to_numpy(np.float64)

    option = (rows["type"] == "option").to_numpy(bool)
    return Instruments(
        symbols=rows["symbol"].to_numpy(object),
        underlyings=rows["underlying"].to_numpy(np.intp),
        types=rows["type"].to_numpy(object),
        is_option=option,
        is_call=(rows["right"] == "C").to_numpy(bool),
        is_american=rows["american"].to_numpy(bool),
        strikes=number("strike"),
        years=number("years"),
        multipliers=number("multiplier"),
        units_per_contract=number("units_per_contract"),
        fx_rates=np.array([fx[name] for name in rows["currency"]], np.float64),
        slopes=number("slope"),
        intercepts=number("intercept"),
        discount_factors=number("discount_factor"),
        vols=np.where(option, number("vol"), 0.0),
        marks=number("mark"),
        dividends=number("dividends"),
    )
