"""Discounting, cash dividends and forwards: how a price today leads to a price at expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.columns import LARGEST_PRICE, Door
from shockgrid.errors import InputError
from shockgrid.market import HELD_OUTRIGHT, Underlyings

NANOSECONDS_PER_YEAR = 365 * 86_400 * 10**9  #: ACT/365F
LARGEST_RATE, LARGEST_PLAUSIBLE_RATE = 10.0, 1.0  #: decimals; between the two a rate is flagged


def years_between(as_of: np.datetime64, instants: NDArray[np.datetime64]) -> Floats:
    """ACT/365F years from ``as_of`` to each instant; NaN for NaT."""
    elapsed = (instants - as_of).astype("timedelta64[ns]")
    years = elapsed.astype(np.int64) / NANOSECONDS_PER_YEAR
    return np.where(np.isnat(instants), np.nan, years)


@dataclass(frozen=True)
class Curve:
    """Zero rates of every currency: continuous, log-linear discount between points, flat outside."""

    points: dict[str, tuple[Floats, Floats]]  #: currency -> (years, rates), years ascending

    @classmethod
    def read(cls, source: Any) -> tuple[Curve, pd.DataFrame]:
        """The curve table (currency, days, zero_rate_dec) and its rejects."""
        door = Door("curve", source, required=("currency", "days", "zero_rate_dec"), key="currency")
        currencies, days = door.text("currency"), door.number("days", above=0.0)
        rates = door.number("zero_rate_dec", low=-LARGEST_RATE, high=np.inf)
        good = ~door.bad
        if good.any() and float(np.median(rates[good])) > LARGEST_PLAUSIBLE_RATE:
            msg = "looks like per cent, expected decimals"
            raise InputError(msg, table="curve", column="zero_rate_dec")
        door.reject(rates > LARGEST_RATE, "zero_rate_dec", "E_RANGE", f"expected at most {LARGEST_RATE:g}")
        door.flag(
            np.abs(rates) > LARGEST_PLAUSIBLE_RATE, "zero_rate_dec", "W_RATE", "above 100 %, used as it is"
        )
        door.unique(
            (pd.Series(currencies).astype(str) + " " + pd.Series(days).astype(str)).to_numpy(object), "days"
        )
        frame = pd.DataFrame({"currency": currencies, "years": days / 365.0, "rate": rates})[~door.bad]
        points = {
            str(currency): (part["years"].to_numpy(), part["rate"].to_numpy())
            for currency, part in frame.sort_values("years").groupby("currency")
        }
        return cls(points), door.rejects()

    def knows(self, currencies: Texts) -> Mask:
        """Which of these currencies have a curve."""
        return pd.Series(currencies, dtype=object).isin(list(self.points)).to_numpy(bool)

    def discount_factors(self, currency: str, years: Floats) -> Floats:
        """exp(-z(t) t), shape of ``years``; NaN years give NaN."""
        knots, rates = self.points[currency]
        logs = np.interp(years, knots, -rates * knots)
        logs = np.where(years < knots[0], -rates[0] * years, logs)
        logs = np.where(years > knots[-1], -rates[-1] * years, logs)
        return np.exp(logs)


@dataclass(frozen=True)
class Dividends:
    """Cash dividends per underlying code, in order of ex-date; those of one ex-date are summed."""

    underlyings: Codes
    years: Floats  #: from as_of to 00:00 New York of the ex-date, > 0
    amounts: Floats  #: cash per unit of the underlying, >= 0

    @classmethod
    def read(cls, source: Any, names: Texts, as_of: np.datetime64) -> tuple[Dividends, pd.DataFrame]:
        """The dividends table (underlying, ex_date, amount) and its rejects; past ex-dates are left out."""
        columns = ("underlying", "ex_date", "amount")
        frame = (
            pd.DataFrame({name: pd.Series(dtype=object) for name in columns}) if source is None else source
        )
        door = Door("dividends", frame, required=columns, key="underlying")
        owners, amounts = (
            door.text("underlying"),
            door.number("amount", low=0.0, high=LARGEST_PRICE, default=0.0),
        )
        stamps = door.instant("ex_date")
        codes = pd.Index(names).get_indexer(pd.Index(owners))
        door.reject(codes < 0, "underlying", "E_UNDERLYING", "expected an underlying of the market")
        drops = pd.DatetimeIndex(stamps).normalize().tz_localize("America/New_York").tz_convert(None)
        years = years_between(as_of, drops.to_numpy("datetime64[ns]"))
        repeated = pd.DataFrame({"owner": owners, "years": years, "amount": amounts}).duplicated()
        message = "the same dividend again; both are counted"
        door.flag(repeated.to_numpy(bool), "ex_date", "W_DUPLICATE", message)
        ahead = ~door.bad & (years > 0)
        paid = pd.DataFrame({"code": codes, "years": years, "amount": amounts})[ahead]
        dates = (
            paid.sort_values("amount").groupby(["code", "years"], as_index=False, sort=True)["amount"].sum()
        )
        table = (dates["code"].to_numpy(np.intp), dates["years"].to_numpy(), dates["amount"].to_numpy())
        return cls(*table), door.rejects()

    def present_values(self, owners: Codes, years: Floats, currencies: Texts, curve: Curve) -> Floats:
        """Present value of what each owner's underlying pays from now to ``years``, ex-dates on it included.

        ``owners`` are underlying codes, ``currencies`` those of the underlyings by code.
        """
        values = np.zeros(len(owners))
        for code in np.unique(self.underlyings):
            rows = owners == code
            if not rows.any() or currencies[code] not in curve.points:
                continue
            own = self.underlyings == code
            paid = self.amounts[own] * curve.discount_factors(currencies[code], self.years[own])
            running = np.concatenate([[0.0], np.cumsum(paid)])
            values[rows] = running[np.searchsorted(self.years[own], years[rows], side="right")]
        return values


def add_forwards(
    rows: pd.DataFrame, names: Underlyings, forwards: pd.DataFrame, curve: Curve, dividends: Dividends
) -> Mask:
    """Add discount_factor, slope, intercept and dividends to instrument rows (see ``Series``).

    Discounting is that of the underlying's currency. An inverse option with a given forward F and no discount
    factor of its own has S / F: then holding the coin earns nothing, and its value in coin is Black / F
    (Deribit's convention). An inverse future of size M delivers M / S units. ``has_forward`` is added too.

    A given forward F scales net of the present value D of cash dividends, (F / (S - D)) x (spot - D). Where
    D is the spot S or more, the two contradict each other and F / S x spot is used; the mask returned tells
    where. A row that is bad already may get NaN.
    """
    codes, years = rows["underlying"].to_numpy(np.intp), rows["years"].to_numpy(np.float64)
    factors, currencies = np.ones(len(rows)), rows["own_currency"]
    for currency in set(currencies) & set(curve.points):
        own = (currencies == currency).to_numpy(bool) & (years > 0)
        factors[own] = curve.discount_factors(currency, years[own])
    cash = dividends.present_values(codes, years, names.currencies, curve)
    listed = len(names.names) > 0
    spots = names.spots[codes] if listed else np.full(len(rows), np.nan)
    stated = rows[["underlying", "years"]].merge(forwards, on=["underlying", "years"], how="left")
    given, stated_factors = (stated[name].to_numpy(np.float64) for name in ("forward", "discount_factor"))
    outright = rows["type"].isin([*HELD_OUTRIGHT, "perpetual"]).to_numpy(bool)
    option, inverse = (rows["type"] == "option").to_numpy(bool), rows["inverse"].to_numpy(bool)
    coin_future = inverse & ~option
    contrary: Mask = ~np.isnan(given) & (cash >= spots) & ~outright
    net = np.where(contrary, 0.0, cash)
    with np.errstate(all="ignore"):  # whoever calls turns away what is not finite
        growth = (names.yields_to(codes, years) if listed else 1.0) / factors
        growth = np.where(np.isnan(given), growth, given / (spots - net))
        rows["units_per_contract"] = rows["units_per_contract"].where(
            ~coin_future, rows["multiplier"] / spots
        )
        units = np.where(coin_future, 1.0, rows["units_per_contract"] / rows["multiplier"])
        fixed = (rows["cash_per_contract"] / rows["multiplier"]).to_numpy(np.float64) - units * growth * net
    factors = np.where(inverse & ~np.isnan(given), spots / given, factors)
    rows["discount_factor"] = np.where(
        option, np.where(np.isnan(stated_factors), factors, stated_factors), 1.0
    )
    rows["has_forward"] = ~np.isnan(given)
    rows["slope"] = np.where(outright, 1.0, units * growth)
    rows["intercept"] = np.where(outright, 0.0, fixed) + 0.0
    rows["dividends"] = np.where(outright, 0.0, net)
    rows["mark"] = np.where(outright & rows["mark"].isna(), spots, rows["mark"])
    return contrary
