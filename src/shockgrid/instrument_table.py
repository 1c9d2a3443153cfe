"""The instruments table: checked, joined with its quotes, and carried to a forward per instrument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Texts
from shockgrid.carry import Curve, Dividends, add_forwards, years_between
from shockgrid.cells import without_time
from shockgrid.columns import LARGEST_PRICE, Door
from shockgrid.market import INSTRUMENT_TYPES, Instruments, Underlyings
from shockgrid.symbols import canonical, parsed

OPTION_MULTIPLIER = 100.0  #: listed US equity and index options; anything else says its own
DAYS_APART = np.timedelta64(3, "D")  #: symbols before 2015 name the Saturday after the last trading day
UNPRICED_COLUMNS = (
    "symbol",
    "underlying",
    "type",
    "right",
    "strike",
    "multiplier",
    "units_per_contract",
    "mark",
    "inverse",
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
    contrary = add_forwards(rows, names, forwards, curve, dividends)
    unrated = ~curve.knows(rows["own_currency"].to_numpy(object)) & (rows["years"] > 0).to_numpy(bool)
    unrated &= ~(rows["inverse"] & rows["has_forward"]).to_numpy(bool)
    door.reject(unrated, "currency", "E_NO_RATE", "expected a currency of the curve table")
    finite = np.isfinite(rows[["slope", "intercept"]].to_numpy(np.float64)).all(axis=1)
    discounted = rows["discount_factor"].between(0.0, np.inf, inclusive="neither").to_numpy(bool)
    door.reject(~(finite & discounted), "expiry_utc", "E_RANGE", "rates and yields give no finite forward")
    _check_coin(door, rows)
    message = "cash dividends are worth the spot or more; the given forward is scaled as a whole"
    door.flag(contrary, "underlying", "W_DIVIDENDS", message)
    unpriced = _unpriced(door, rows)
    good = rows[~door.bad].sort_values(["underlying", "years", "symbol"], kind="stable", ignore_index=True)
    symbols = rows["symbol"].to_numpy(object)
    return InstrumentTable(_laid_out(good, fx), unpriced, door.rejects(), symbols)


def _read_columns(door: Door, names: Underlyings, fx: dict[str, float], stamp: np.datetime64) -> pd.DataFrame:
    owners, kinds = door.text("underlying"), door.choice("type", INSTRUMENT_TYPES)
    codes = names.codes(owners)
    own = np.where(codes >= 0, names.currencies[codes], "") if len(names.names) else np.full(len(codes), "")
    haircuts = names.haircuts[codes] if len(names.names) else np.full(len(codes), np.nan)
    currencies, expiries = door.text("currency"), door.instant("expiry_utc")
    rights = pd.Series(door.choice("right", ("c", "p", "call", "put")), dtype=object).astype(str)
    door.choice("settlement_time", ("am", "pm"), "am")
    settlements = door.choice("settlement_kind", ("cash", "physical"), "cash")
    rows = pd.DataFrame(
        {
            "symbol": canonical(door.text("symbol")),
            "underlying": codes,
            "owner": owners,
            "own_currency": own,
            "type": kinds,
            "right": np.where(door.text("right") == "", "", rights.str[:1].str.upper()),
            "strike": door.number("strike", above=0.0, high=LARGEST_PRICE),
            "american": door.choice("style", ("american", "european"), "european") == "american",
            "expiry": expiries,
            "years": years_between(stamp, expiries),
            "multiplier": door.number("multiplier", above=0.0, high=1e9),
            "units_per_contract": door.number("units_per_contract", above=0.0, high=1e9),
            "cash_per_contract": door.number(
                "cash_per_contract", default=0.0, low=-LARGEST_PRICE, high=LARGEST_PRICE
            ),
            "currency": np.where(currencies == "", own, currencies),
            "inverse": door.boolean("inverse"),
            "flat_rate": (codes >= 0) & ~np.isnan(haircuts),
            "physical": settlements == "physical",
        }
    )
    _check_terms(door, rows, fx)
    _check_symbols(door, rows)
    door.unique(rows["symbol"].to_numpy(object), "symbol")
    return _filled(rows)


def _check_terms(door: Door, rows: pd.DataFrame, fx: dict[str, float]) -> None:
    def reject(mask: pd.Series, column: str, code: str, message: str) -> None:
        door.reject(mask.to_numpy(bool), column, code, message)

    kinds, option = rows["type"], rows["type"] == "option"
    expires, future = kinds.isin(["option", "future"]), kinds.isin(["future", "perpetual"])
    message = "expected an underlying of the market with a spot"
    reject(rows["underlying"] < 0, "underlying", "E_UNDERLYING", message)
    flat, known = kinds == "flat", rows["underlying"] >= 0
    reject(flat & known & ~rows["flat_rate"], "type", "E_UNSUPPORTED", "its underlying needs a haircut_dec")
    message = "its underlying has a haircut_dec: only flat-rate instruments move by it"
    reject(~flat & (kinds != "") & rows["flat_rate"], "type", "E_MISMATCH", message)
    for column, blank in (("right", rows["right"] == ""), ("strike", rows["strike"].isna())):
        reject(option & blank, column, "E_MISSING", "an option needs it")
    reject(expires & rows["years"].isna(), "expiry_utc", "E_MISSING", "an option or future needs it")
    message = "expected an expiry at or after as_of"
    reject(expires & (rows["years"] < 0.0), "expiry_utc", "E_EXPIRED", message)
    reject(future & rows["multiplier"].isna(), "multiplier", "E_MISSING", "a future needs it")
    message = "expected the base currency or a currency of the fx table"
    reject(~rows["currency"].isin(list(fx)), "currency", "E_FX", message)
    message = "its underlying is in another currency; only inverse contracts are priced so"
    foreign = (rows["underlying"] >= 0) & (rows["currency"] != rows["own_currency"])
    reject(foreign & ~rows["inverse"], "currency", "E_MISMATCH", message)
    message = "an inverse contract is settled in its coin: expected another currency than its underlying's"
    reject(rows["inverse"] & ~foreign, "currency", "E_MISMATCH", message)
    kinds_in_coin = kinds.isin(["option", "future", "perpetual"]) & ~rows["american"]
    message = "of inverse contracts only European options, futures and perpetuals are priced"
    reject(rows["inverse"] & ~kinds_in_coin, "inverse", "E_UNSUPPORTED", message)
    message = "an inverse future delivers multiplier / spot; expected nothing"
    stated = rows["inverse"] & future & rows["units_per_contract"].notna()
    reject(stated, "units_per_contract", "E_UNSUPPORTED", message)


def _check_coin(door: Door, rows: pd.DataFrame) -> None:
    """What ``Series`` asks of inverse contracts beyond their terms."""
    inverse, future = rows["inverse"].to_numpy(bool), (rows["type"] != "option").to_numpy(bool)
    fixed = (rows["intercept"] != 0.0).to_numpy(bool)
    message = "cash beside the coin (dividends, cash_per_contract) is not priced in an inverse contract"
    door.reject(inverse & fixed, "inverse", "E_UNSUPPORTED", message)
    worthless = inverse & future & (rows["mark"] == 0.0).to_numpy(bool)
    door.reject(worthless, "symbol", "E_RANGE", "the mark of an inverse future must be > 0")


def _filled(rows: pd.DataFrame) -> pd.DataFrame:
    """The defaults of what was left blank, and nothing where a column has no meaning."""
    option, expires = rows["type"] == "option", rows["type"].isin(["option", "future"])
    usual = np.where(option, OPTION_MULTIPLIER, np.where(rows["type"] == "", np.nan, 1.0))
    multipliers = rows["multiplier"].fillna(pd.Series(usual))
    return rows.assign(
        right=rows["right"].where(option, ""),
        strike=rows["strike"].where(option, 1.0),
        american=option & rows["american"],
        years=rows["years"].where(expires, 0.0),
        multiplier=multipliers,
        units_per_contract=rows["units_per_contract"].fillna(multipliers),
    )


def _check_symbols(door: Door, rows: pd.DataFrame) -> None:
    symbols, expiries = rows["symbol"].to_numpy(object), rows["expiry"].to_numpy("datetime64[ns]")
    option, calls = (rows["type"] == "option").to_numpy(bool), (rows["right"] == "C").to_numpy(bool)
    strikes, units = (rows[name].to_numpy(np.float64) for name in ("strike", "units_per_contract"))
    osi = parsed(symbols)
    impossible = option & osi["impossible"].to_numpy(bool)
    door.reject(impossible, "symbol", "E_SYMBOL", "the symbol's date does not exist")
    listed = option & (osi["root"] != "").to_numpy(bool)
    adjusted = listed & osi["root"].str.contains("[0-9]$").to_numpy(bool) & np.isnan(units)
    message = "a root that ends in a digit is an adjusted contract: it needs units_per_contract"
    door.reject(adjusted, "units_per_contract", "E_DELIVERABLE", message)
    wrong_strike = listed & ~np.isclose(osi["strike"].to_numpy(float), strikes, rtol=1e-9, equal_nan=True)
    door.reject(wrong_strike, "strike", "E_MISMATCH", "the symbol says another strike")
    wrong_right = listed & ((osi["right"] == "C").to_numpy(bool) != calls)
    door.reject(wrong_right, "right", "E_MISMATCH", "the symbol says the other right")
    apart = np.abs(expiries - osi["expiry"].to_numpy("datetime64[ns]"))
    door.reject(listed & (apart > DAYS_APART), "expiry_utc", "E_MISMATCH", "the symbol says another expiry")
    if door.has("expiry_utc"):
        message = "a date without a time of day, taken as 00:00 UTC"
        door.flag(option & without_time(door.frame["expiry_utc"]), "expiry_utc", "W_TIME", message)


def _check_quotes(door: Door, rows: pd.DataFrame) -> None:
    unknown = ((rows["type"] == "option") & rows["vol"].isna() & rows["mark"].isna()).to_numpy(bool)
    over = (rows["years"] == 0.0).to_numpy(bool)
    message = "no vol and no price in the quotes table; margin() takes the vol of the nearest series"
    door.flag(unknown & ~over, "symbol", "W_NO_VOL", message)
    rows.loc[unknown & over, "vol"] = 0.0  # nothing is left to move


def _unpriced(door: Door, rows: pd.DataFrame) -> pd.DataFrame:
    kept = door.bad & (door.codes != "E_DUPLICATE")
    described = rows.assign(code=door.codes, underlying=rows["owner"])[kept]
    shown: pd.DataFrame = described[list(UNPRICED_COLUMNS)].reset_index(drop=True)
    return shown


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
        cash_per_contract=number("cash_per_contract"),
        currencies=rows["currency"].to_numpy(object),
        fx_rates=np.array([fx[name] for name in rows["currency"]], np.float64),
        slopes=number("slope"),
        intercepts=number("intercept"),
        discount_factors=number("discount_factor"),
        vols=np.where(option, number("vol"), 0.0),
        marks=number("mark"),
        dividends=number("dividends"),
        quote_lines=rows["quote_line"].fillna(0).to_numpy(np.int64),
        inverse=rows["inverse"].to_numpy(bool),
        is_physical=(rows["physical"] & rows["type"].isin(["option", "future"])).to_numpy(bool),
        quote_times=rows["quote_time"].to_numpy("datetime64[ns]"),
        price_faults=rows["price_fault"].fillna("no_quote").to_numpy(object),
    )
