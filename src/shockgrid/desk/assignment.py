"""Tonight's early assignments: short American options that their holders should exercise."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend, Series
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.carry import NANOSECONDS_PER_YEAR
from shockgrid.desk.calls_calendar import SessionCalendar, checked_calendar
from shockgrid.doors import require_kind
from shockgrid.engine import Positions, model_values, plan
from shockgrid.market import Market
from shockgrid.market_series import as_quoted, series
from shockgrid.states import UNMOVED

NODES = 15  #: of the Gauss-Hermite rule over one night's move
#: of the spot: errors of American values without and with cash dividends; a smaller gain is no reason
PLAIN_ERROR, DIVIDEND_ERROR = 5e-6, 5e-5
LEAST_SPOT = 1e-9  #: of the spot: what is left of one that a dividend takes whole
COLUMNS = (
    "account",
    "margin_group",
    "symbol",
    "underlying",
    "quantity",
    "spot",
    "exercise_value",
    "held_value",
    "gain",
    "ex_dividend",
    "dividend_owed",
    "shares",
    "cash",
    "currency",
)


def early_assignments(
    book: Book,
    market: Market,
    *,
    calendar: SessionCalendar | None = None,
    backend: str | Backend = "auto",
) -> pd.DataFrame:
    """Short positions that may be assigned tonight because exercise is worth more than another night.

    The holder can exercise tonight or at the next session's open at the soonest. An option is listed when
    exercise at the present spot gives more than the option is worth at that open, over the night's lognormal
    moves (Gauss-Hermite, 15 nodes), discounted, and ex of whatever dividend falls between: the early exercise
    boundary of a holder who cannot act at night.

    Parameters
    ----------
    book, market : of the close. calendar : default ``SessionCalendar.new_york()``, for the next open.

    Raises InputError where one of them is something else, or the calendar ends before the next open.

    Returns
    -------
    One row per short position, sorted by account and symbol: account, margin_group, symbol, underlying,
    quantity (< 0), spot, exercise_value and held_value (per unit), gain (their difference, > 0), ex_dividend
    (cash per share that goes ex before the next open), dividend_owed (by the writer of calls: assigned
    tonight he owes it on the shares he delivers; 0 for puts), shares and cash that assignment would deliver,
    and currency (of the prices and the cash).
    Options that expire before the next open are ``after_expiry``'s.

    Source: R. Merton, "Theory of rational option pricing" (1973), section 3: a call is exercised early only
    just before an ex-date; values are those of the backend, as in ``margin``.
    """
    require_kind(book, Book, "book")
    require_kind(market, Market, "market")
    engine = get_backend(backend)
    priced = calibrated(market, engine)
    whole = plan(book, priced)
    night = _night(priced.as_of, checked_calendar(calendar))
    table, held = priced.instruments, whole.positions
    short = held.quantities < 0.0
    wanted = np.unique(held.instruments[short & table.is_american[held.instruments]])
    wanted = wanted[(table.years[wanted] > night) & ~table.inverse[wanted]]
    columns = series(priced, wanted)
    gains = _exercise(columns)
    likely = _likely(columns, gains, model_values(whole, engine)[wanted], night)
    wanted, columns, gains = wanted[likely], columns.take(likely), gains[likely]
    kept_values = _held_values(columns, night, engine)
    errors = np.where((columns.ex_cash > 0.0).any(axis=1), DIVIDEND_ERROR, PLAIN_ERROR)
    early = gains - kept_values > errors * columns.spots
    dividends = np.where(columns.ex_years <= night, columns.ex_cash, 0.0).sum(axis=1)
    facts = pd.DataFrame(
        {
            "instrument": wanted,
            "exercise_value": gains,
            "held_value": kept_values,
            "gain": gains - kept_values,
            "ex_dividend": dividends,
        }
    )[early]
    return _listed(book, priced, facts, held.instruments[short], np.flatnonzero(short), whole.positions)


def _night(as_of: datetime, calendar: SessionCalendar) -> float:
    """Years to the next open."""
    elapsed = calendar.next_open(as_of).as_unit("ns") - pd.Timestamp(as_of).as_unit("ns")
    return float(elapsed.value / NANOSECONDS_PER_YEAR)


def _exercise(columns: Series) -> Floats:
    gains = columns.units * columns.spots - columns.strikes
    return np.where(columns.is_call, gains, -gains)


def _likely(columns: Series, gains: Floats, values: Floats, night: float) -> Codes:
    """Rows whose value is no more above exercise than one night can be worth; no other is exercised.

    A night adds at most the option to turn round (0.4 vol sqrt(t) spot, an option at the money), interest on
    the strike, the yield of the spot, and the error of the values.
    """
    spots = columns.units * columns.spots
    night_worth = 0.4 * columns.vols * np.sqrt(night) * spots
    night_worth += (np.abs(columns.rates) * columns.strikes + np.abs(columns.yields) * spots) * night
    return np.flatnonzero((gains > 0.0) & (values - gains <= night_worth + DIVIDEND_ERROR * spots))


def _held_values(columns: Series, night: float, backend: Backend) -> Floats:
    """Value today of holding until the next open, [n]."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    drift = (columns.rates - columns.yields - 0.5 * columns.vols**2) * night
    moves = np.exp(drift[:, None] + columns.vols[:, None] * np.sqrt(night) * nodes)
    paid = np.where(columns.ex_years <= night, columns.ex_cash, 0.0).sum(axis=1)
    spots = columns.spots[:, None] * moves - paid[:, None]
    spots = np.maximum(spots, LEAST_SPOT * columns.spots[:, None])
    at_open = _at_open(columns, night).take(np.repeat(np.arange(len(columns)), NODES))
    at_open = replace(at_open, spots=spots.reshape(-1))
    backend.prepare([(at_open, UNMOVED)])
    values = backend.get(backend.price(at_open, UNMOVED))[0].reshape(len(columns), NODES)
    return np.asarray(np.exp(-columns.rates * night) * (values * weights).sum(axis=1))


def _at_open(columns: Series, night: float) -> Series:
    """The same instruments a night later; what went ex is paid, and out of the forward."""
    tonight: Mask = columns.ex_years <= night
    gone = np.where(tonight, columns.ex_cash, 0.0)
    present = gone * np.exp(-columns.rates[:, None] * np.where(tonight, columns.ex_years, 0.0))
    dates = np.where(tonight, np.inf, columns.ex_years)
    order = np.argsort(dates, axis=1, kind="stable")
    left = replace(
        columns,
        intercepts=columns.intercepts + columns.slopes * present.sum(axis=1),
        ex_years=np.take_along_axis(dates, order, axis=1),
        ex_cash=np.take_along_axis(columns.ex_cash - gone, order, axis=1),
    )
    return as_quoted(left, np.full(len(columns), -night))


def _listed(
    book: Book, market: Market, facts: pd.DataFrame, instruments: Codes, places: Codes, positions: Positions
) -> pd.DataFrame:
    table, names = market.instruments, market.underlyings
    rows = pd.DataFrame({"instrument": instruments, "place": places}).merge(facts, on="instrument")
    held, place = rows["instrument"].to_numpy(np.intp), rows["place"].to_numpy(np.intp)
    accounts = book.accounts.iloc[positions.accounts[place]]
    quantities = positions.quantities[place]
    calls = table.is_call[held]
    shares = np.where(calls, 1.0, -1.0) * quantities * table.units_per_contract[held]
    per_contract = table.cash_per_contract[held] - table.strikes[held] * table.multipliers[held]
    frame = rows.assign(
        account=accounts["account"].to_numpy(object),
        margin_group=accounts["margin_group"].to_numpy(object),
        symbol=table.symbols[held],
        underlying=names.names[table.underlyings[held]],
        currency=table.currencies[held],
        quantity=quantities,
        spot=names.spots[table.underlyings[held]],
        shares=np.where(table.is_physical[held], shares, 0.0),
        cash=np.where(
            table.is_physical[held],
            np.where(calls, 1.0, -1.0) * quantities * per_contract,
            quantities * rows["exercise_value"] * table.multipliers[held],
        ),
        dividend_owed=np.where(
            calls & table.is_physical[held],
            -quantities * table.units_per_contract[held] * rows["ex_dividend"],
            0.0,
        ),
    )
    ordered: pd.DataFrame = frame.sort_values(["account", "symbol"], kind="stable", ignore_index=True)
    return ordered[list(COLUMNS)]
