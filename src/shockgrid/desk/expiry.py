"""after_expiry(): what expiring options turn into, and what the account needs the next morning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.desk.expiry_settle import CHOICES, Expiring, cash_by_account, expiring, settled_positions
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement import Regime, margin
from shockgrid.requirement.regime import HasPrograms

THRESHOLD = 0.01  #: per unit in the money from which exercise needs no instruction
PIN_BAND = 0.005  #: of the strike: a settlement so near it leaves open what holders do


@dataclass(frozen=True)
class AfterExpiry:
    """A firm after its expiring options are gone.

    Attributes
    ----------
    book : the new book: options out, delivered shares and cash in.
    market : the market at the settlement prices, with its vols; ``as_of`` has not moved.
    events : one row per expiring position: account, margin_group, symbol, underlying, right, strike,
        quantity, spot (what it settled on), in_the_money (per unit, < 0 out of the money), settlement
        (physical, cash), outcome (exercised, assigned, lapsed), pinned, shares (delivered to the account,
        signed), cash (paid to it, signed, in ``currency``).
    accounts : one row per margin group with an expiring position: cash_before, cash_after and, where a regime
        was given, equity and requirement before and after, and requirement_after_pins: the greatest of the
        expected outcome and of four more, in which none, all, the calls or the puts of the pinned shorts are
        assigned. Margin group's currency.
    """

    book: Book
    market: Market
    events: pd.DataFrame
    accounts: pd.DataFrame


def after_expiry(
    book: Book,
    market: Market,
    spots: Mapping[str, float] | None = None,
    *,
    regime: Regime | HasPrograms | None = None,
    until: datetime | None = None,
    pin_band: float = PIN_BAND,
    backend: str | Backend = "auto",
) -> AfterExpiry:
    """Settle the options that expire, and margin what is left.

    Parameters
    ----------
    book, market : before expiry.
    spots : settlement prices by underlying, or by option symbol where a series settles on a price of its
        own (AM settlement); an underlying that is not named settles at its spot.
    regime : a regime or policy; requirements before and after are then worked out.
    until : options that expire at or before this instant settle; default the end of ``as_of``'s day in New
        York.
    pin_band : of the strike. A physically settled short whose settlement is so near it is pinned: its holder
        may exercise or not.

    An option is exercised where it is in the money by 0.01 per unit or more: longs by exception, shorts by
    assignment, one leg of a spread without the other. Physical settlement delivers ``units_per_contract`` of
    the underlying and ``cash_per_contract`` against strike x multiplier; cash settlement pays the difference,
    coin-settled options theirs in coin. Delivered shares have no ``price_paid``. Without an instrument of the
    underlying's own name in the market the shares cannot be priced and the account is PARTIAL. Options that
    remain keep their vols at the settlement prices; ``as_of`` stays, and so does an ``equity_override``.
    Futures do not settle here. An account in a currency without a rate is PARTIAL as before and is paid
    nothing.

    Raises
    ------
    InputError : a spot is no positive number or names nothing of the market, or the band is out of range.

    Source: OCC Rule 805(d) and its interpretation .02 (exercise by exception, 0.01 per unit since June 2008).
    """
    if not 0.0 <= pin_band < 1.0:
        problem = "expected a share of the strike in [0, 1)"
        raise InputError(problem, column="pin_band", value=pin_band)
    engine = get_backend(backend)
    prices = _checked_spots(market, spots or {})
    moved = at_spots(calibrated(market, engine), prices)
    rows = expiring(book, market, prices, until=until, threshold=THRESHOLD, pin_band=pin_band)
    after = _settled(book, market, rows, "exception")
    return AfterExpiry(
        after, moved, rows.events(), _accounts(book, market, moved, rows, after, regime, engine)
    )


def at_spots(market: Market, prices: Mapping[str, float]) -> Market:
    """The market with other spots; marks of what is on a moved underlying are dropped, for they are old."""
    names = market.underlyings
    given = pd.Series(names.names, dtype=object).map(prices).to_numpy(np.float64)
    spots = np.asarray(np.where(np.isnan(given), names.spots, given), np.float64)
    stale = (spots != names.spots)[market.instruments.underlyings]
    marks = np.where(stale, np.nan, market.instruments.marks)
    return replace(
        market,
        underlyings=replace(names, spots=spots),
        instruments=replace(market.instruments, marks=marks),
    )


def _settled(book: Book, market: Market, rows: Expiring, choice: str) -> Book:
    """The book after one choice of what holders of pinned shorts do."""
    accounts = book.accounts.copy()
    accounts["cash"] = accounts["cash"] + cash_by_account(book, market, rows, choice)
    return replace(book, accounts=accounts, positions=settled_positions(book, market, rows, choice))


def _accounts(
    book: Book,
    market: Market,
    moved: Market,
    rows: Expiring,
    after: Book,
    regime: Regime | HasPrograms | None,
    engine: Backend,
) -> pd.DataFrame:
    touched = np.unique(rows.frame["margin_group"].to_numpy(object).astype(str)).astype(object)
    columns = {"margin_group": touched}
    for name, held in (("cash_before", book), ("cash_after", after)):
        sums = held.accounts.groupby("margin_group")["cash"].sum()
        columns[name] = sums.reindex(touched).to_numpy(np.float64)
    frame = pd.DataFrame(columns)
    if regime is None or len(touched) == 0:
        return frame
    before = _figures(book.select(touched), market, regime, engine)
    final = _figures(after.select(touched), moved, regime, engine)
    for name, figures in (("before", before), ("after", final)):
        frame[f"equity_{name}"] = figures["equity_at_marks"].reindex(touched).to_numpy(np.float64)
        frame[f"requirement_{name}"] = figures["requirement"].reindex(touched).to_numpy(np.float64)
    greatest: Floats = frame["requirement_after"].to_numpy(np.float64)
    if rows.frame["pinned"].any():
        for choice in CHOICES:
            other = _settled(book, market, rows, choice).select(touched)
            found = _figures(other, moved, regime, engine)["requirement"].reindex(touched)
            greatest = np.maximum(greatest, found.to_numpy(np.float64))
    return frame.assign(requirement_after_pins=greatest)


def _figures(book: Book, market: Market, regime: Regime | HasPrograms, engine: Backend) -> pd.DataFrame:
    accounts: pd.DataFrame = margin(book, market, regime, backend=engine).accounts.set_index("margin_group")
    return accounts


def _checked_spots(market: Market, spots: Mapping[str, float]) -> dict[str, float]:
    known = {*market.underlyings.names, *market.instruments.symbols}
    for name, spot in spots.items():
        if name not in known:
            problem = "expected an underlying or an option of the market"
            raise InputError(problem, table="spots", column="underlying", value=name)
        if not (isinstance(spot, (int, float, np.floating)) and 0.0 < spot < np.inf):
            problem = f"the settlement price of {name} must be a number > 0"
            raise InputError(problem, table="spots", column="spot", value=spot)
    return {name: float(spot) for name, spot in spots.items()}
