"""What exists and what it costs: instruments, spots, curves, dividends, forwards and vols at one moment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.cells import EARLIEST, LATEST
from shockgrid.columns import frozen
from shockgrid.errors import InputError

if TYPE_CHECKING:
    from shockgrid.carry import Dividends

PORTFOLIO_TYPES = ("equity", "narrow_index", "broad_index", "broad_index_high_cap")
INSTRUMENT_TYPES = ("stock", "etf", "index", "option", "future", "perpetual", "flat")
HELD_OUTRIGHT = ("stock", "etf", "index")  #: worth their underlying's spot


class _Columns:
    """Equal-length columns, read-only from construction on."""

    def __post_init__(self) -> None:
        for column in fields(self):  # type: ignore[arg-type]
            frozen(getattr(self, column.name))

    def frame(self) -> pd.DataFrame:
        """The columns as a DataFrame."""
        return pd.DataFrame({column.name: getattr(self, column.name) for column in fields(self)})  # type: ignore[arg-type]


@dataclass(frozen=True)
class Underlyings(_Columns):
    """U underlyings, sorted by name."""

    names: Texts
    spots: Floats  #: in ``currencies``, > 0
    currencies: Texts
    portfolio_types: Texts  #: one of PORTFOLIO_TYPES
    leverages: Floats  #: multiple of the tracked index's move; -1 for an inverse ETF, 1 for all others
    atm_vols: Floats  #: decimals; NaN where not given
    carries: Floats  #: continuous dividend yield plus borrow rate, decimals
    spot_times: NDArray[np.datetime64]  #: UTC; NaT where not given
    sectors: Texts  #: "" where not given
    betas: Floats  #: NaN where not given, like all that follow
    borrows: Floats  #: stock-borrow rate, decimals per year
    market_caps: Floats  #: in ``currencies``
    volumes: Floats  #: average units a day
    highs: Floats  #: highest price of 52 weeks
    haircuts: Floats  #: of flat-rate names: share of their value that is lost in any move
    class_groups: Texts
    product_groups: Texts
    portfolio_groups: Texts

    def yields_to(self, codes: Codes, years: Floats) -> Floats:
        """exp(-(yield + borrow) x years) for each (underlying, years)."""
        return np.exp(-self.carries[codes] * years) if len(codes) else np.zeros(0)

    def codes(self, names: Any) -> Codes:
        """Row of each name, -1 where it is not an underlying of this market."""
        known, wanted = (pd.Index(texts, dtype=object) for texts in (self.names, names))
        return np.asarray(known.get_indexer(wanted), np.intp)


@dataclass(frozen=True)
class Instruments(_Columns):
    """N instruments that can be priced, sorted by underlying, expiry and symbol.

    The forward of what one unit delivers is ``slopes * spot + intercepts`` (see ``Series``). An inverse
    instrument is settled in a coin, its currency, while strike, spot and forward are in its underlying's
    currency. P&L in coin converts to the base currency at ``fx_rates``, unshocked, like any other currency.
    """

    symbols: Texts
    underlyings: Codes  #: row in Underlyings
    types: Texts  #: one of INSTRUMENT_TYPES
    is_option: Mask
    is_call: Mask
    is_american: Mask
    strikes: Floats  #: 1 for anything but options
    years: Floats  #: ACT/365F from as_of to the expiry instant; 0 for anything that does not expire
    multipliers: Floats  #: money per contract = price x multiplier; an inverse future's size in currency
    units_per_contract: Floats  #: units of the underlying one contract delivers
    cash_per_contract: Floats  #: cash one contract delivers beside them
    currencies: Texts  #: what it is settled in: its underlying's currency, or the coin of an inverse contract
    fx_rates: Floats  #: value of one unit of the instrument's currency in the base currency
    slopes: Floats
    intercepts: Floats
    discount_factors: Floats
    vols: Floats  #: decimals; NaN until implied or filled; 0 for anything but options
    marks: Floats  #: price per unit; NaN where there is none
    dividends: Floats  #: present value of cash dividends before expiry, per unit of the underlying
    quote_lines: NDArray[np.int64]  #: line of its quote, 0 where there is none
    quote_times: NDArray[np.datetime64]  #: UTC; NaT where not given
    price_faults: Texts  #: why an option has no mark: crossed, no_quote; "" where it has one
    inverse: Mask  #: settled in coin
    is_physical: Mask  #: at expiry an option or future delivers units_per_contract; False: it pays cash

    def coin_values(self, prices: Floats, rows: Any = slice(None)) -> Floats:
        """Prices as worth, and worth as prices: -1 / x for inverse futures, which are quoted in currency per
        coin and worth -1 / price coin per unit of currency; all others are worth their price.
        """
        inverse = self.inverse[rows]
        if not inverse.any():
            return np.array(prices, np.float64)
        inverted = inverse & ~self.is_option[rows]
        return np.where(inverted, -1.0 / np.where(inverted, prices, 1.0), prices)


@dataclass(frozen=True)
class Market:
    """A market snapshot, checked once.

    Attributes
    ----------
    as_of : the instant of the snapshot, UTC. Nothing in a calculation reads a clock.
    base_currency : the currency of firm-wide figures.
    max_age : how far from ``as_of`` a quote or a spot may be; None asks nothing of their times.
    underlyings, instruments : the columns above.     dividends : the cash dividends ahead.
    fx : currency -> value of one unit in the base currency; holds the base currency itself.
    offsets : (level, group) -> share of a group's gains that offsets other groups' losses, in [0, 1].
    unpriced : instruments that were turned away, with what could be read of them: symbol, underlying, type,
        right, strike, multiplier, units_per_contract, mark (NaN or "" where unknown), inverse, code.
    unread_underlyings : rows of the underlyings table that were turned away although their spot could be
        read: name, spot, currency, portfolio_type, leverage. Nothing is priced from them.
    rejects : every turned-away or flagged row with its line and reason.
    """

    as_of: datetime
    base_currency: str
    max_age: timedelta | None
    underlyings: Underlyings
    instruments: Instruments
    dividends: Dividends
    fx: dict[str, float]
    offsets: dict[tuple[str, str], float]
    unpriced: pd.DataFrame
    unread_underlyings: pd.DataFrame
    rejects: pd.DataFrame

    @classmethod
    def from_frames(
        cls,
        instruments: Any,
        underlyings: Any,
        quotes: Any,
        curve: Any,
        *,
        dividends: Any = None,
        forwards: Any = None,
        fx: Any = None,
        groups: Any = None,
        offsets: Any = None,
        as_of: datetime | str,
        base_currency: str = "USD",
        max_age: timedelta | None = None,
    ) -> Market:
        """Check the canonical tables and build the market.

        Parameters
        ----------
        instruments : symbol, underlying, type; for options right, strike, expiry_utc and optionally style
            (default european), multiplier (default 100), units_per_contract (default the multiplier),
            inverse (settled in coin: its currency, of the fx table, is not its underlying's).
        underlyings : underlying, spot and optionally portfolio_type (default equity), leverage, ...
        quotes : symbol and any of bid, ask, mark, vol (decimal); a blank vol is implied from the mark.
        curve : currency, days, zero_rate_dec (continuous).
        dividends : underlying, ex_date, amount.     forwards : underlying, expiry_utc, forward.
        fx : currency, rate.     groups : underlying, class_group, product_group, portfolio_group.
        offsets : level (product, portfolio), group, offset_dec.
        as_of : instant with a zone, as datetime or ISO 8601 text.
        max_age : a quote_utc or spot_utc further than this from ``as_of`` is flagged W_STALE, and whoever
            holds it is STALE; one after ``as_of`` but within it is flagged W_AHEAD. Rows without a time
            pass. See ``shockgrid.quote_times`` for what becomes of their vols.

        Raises
        ------
        InputError : a column is missing or unknown, looks like per cent, as_of has no zone, or max_age is
            not above 0.
        """
        from shockgrid.market_tables import build

        return build(
            instruments,
            underlyings,
            quotes,
            curve,
            dividends=dividends,
            forwards=forwards,
            fx=fx,
            groups=groups,
            offsets=offsets,
            as_of=_instant(as_of),
            base_currency=base_currency,
            max_age=_checked_age(max_age),
        )

    def spot_rates(self) -> Floats:
        """Value of one unit of each underlying's currency in the base currency, [U]."""
        return self._spot_rates

    @cached_property
    def _spot_rates(self) -> Floats:
        return frozen(np.array([self.fx[name] for name in self.underlyings.currencies], np.float64))

    def with_vols(self, vols: Floats, rejects: pd.DataFrame) -> Market:
        """The same market with these vols [N] and this reject frame; NaN makes an instrument unpriced."""
        table, priced = replace(self.instruments, vols=vols), ~np.isnan(vols)
        columns = {column.name: getattr(table, column.name) for column in fields(table)}
        kept = Instruments(**{name: values[priced] for name, values in columns.items()})
        lost = pd.DataFrame({name: values[~priced] for name, values in columns.items()})
        shown = pd.DataFrame(
            {
                "symbol": lost["symbols"],
                "underlying": self.underlyings.names[lost["underlyings"].to_numpy(np.intp)],
                "type": lost["types"],
                "right": np.where(lost["is_call"], "C", "P"),
                "strike": lost["strikes"],
                "multiplier": lost["multipliers"],
                "units_per_contract": lost["units_per_contract"],
                "mark": lost["marks"],
                "inverse": lost["inverse"],
                "code": "E_NO_VOL",
            }
        )
        unpriced = pd.concat([self.unpriced, shown], ignore_index=True) if len(shown) else self.unpriced
        return replace(self, instruments=kept, unpriced=unpriced, rejects=rejects)


def _checked_age(max_age: object) -> timedelta | None:
    if max_age is not None and not (isinstance(max_age, timedelta) and max_age > timedelta(0)):
        problem = "expected a timedelta above 0, or None"
        raise InputError(problem, column="max_age", value=str(max_age))
    return max_age


def _instant(as_of: datetime | str) -> datetime:
    problem = "expected an ISO 8601 instant between 1900 and 2199"
    try:
        stamp = pd.Timestamp(as_of)
    except (TypeError, ValueError) as error:
        raise InputError(problem, column="as_of", value=str(as_of)) from error
    if pd.isna(stamp):
        raise InputError(problem, column="as_of", value=str(as_of))
    if stamp.tzinfo is None:
        msg = "an instant needs its zone, such as 2026-11-20T16:00:00-05:00"
        raise InputError(msg, column="as_of", value=str(as_of))
    if not EARLIEST <= stamp < LATEST:
        raise InputError(problem, column="as_of", value=str(as_of))
    return stamp.tz_convert("UTC").floor("us").to_pydatetime()
