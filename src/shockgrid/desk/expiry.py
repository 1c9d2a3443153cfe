"""after_expiry(): what expiring options and futures turn into, and what accounts need the next morning."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Texts
from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.desk.expiry_futures import with_futures
from shockgrid.desk.expiry_settle import CHOICES, Expiring, cash_by_account, settled_positions
from shockgrid.desk.expiry_terms import expiring
from shockgrid.doors import require_kind
from shockgrid.engine import Plan, plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement import Regime, margin
from shockgrid.requirement.assemble import group_currencies, group_rates
from shockgrid.requirement.equity import account_rates
from shockgrid.requirement.regime import HasPrograms

THRESHOLD = 0.01  #: per unit in the money from which exercise needs no instruction
NAMED = 10  #: series that a note names
PIN_BAND = 0.005  #: of the strike: a settlement so near it leaves open what holders do


@dataclass(frozen=True)
class AfterExpiry:
    """A firm after its expiring options and futures are gone.

    Attributes
    ----------
    book : the new book: what expired is out, delivered shares and futures and cash are in.
    market : the market at the settlement prices, with its vols; ``as_of`` has not moved.
    events : one row per expiring position: account, margin_group, symbol, underlying, right, strike,
        quantity, spot (what it settled on), in_the_money (per unit, < 0 out of the money), settlement
        (physical, cash), outcome (exercised, assigned, lapsed; of futures settled, delivered), pinned, shares
        (delivered to the account, signed; contracts where the underlying is a future), cash (paid to it,
        signed, in ``currency``). Futures have no right, strike and in_the_money; one that an exercised option
        delivered and that expires as well has a row of its own.
    accounts : one row per margin group with an expiring position: currency (of the amounts), cash_before,
        cash_after and, where a regime was given, equity and requirement before and after, and
        requirement_after_pins: the greatest of the expected outcome and of four more, in which none, all, the
        calls or the puts of the pinned shorts are assigned.
    notes : what a reader must know, such as options that settle in cash though their underlying is a stock.
    """

    book: Book
    market: Market
    events: pd.DataFrame
    accounts: pd.DataFrame
    notes: tuple[str, ...] = ()


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
    """Settle the options and futures that expire, and margin what is left.

    Parameters
    ----------
    book, market : before expiry.
    spots : settlement prices by underlying, or by symbol where an option or a future settles on a price of
        its own (AM settlement); an underlying that is not named settles at its spot.
    regime : a regime or policy; requirements before and after are then worked out.
    until : what expires at or before this instant settles; default the end of ``as_of``'s day in New
        York.
    pin_band : of the strike. A physically settled short whose settlement is so near it is pinned: its holder
        may exercise or not.

    An option is exercised where it is in the money by 0.01 per unit or more: longs by exception, shorts by
    assignment, one leg of a spread without the other. Physical settlement delivers ``units_per_contract`` of
    the underlying and ``cash_per_contract`` against strike x multiplier; cash settlement pays the difference,
    coin-settled options theirs in coin. Delivered shares have no ``price_paid``. Without an instrument of the
    underlying's own name in the market the shares cannot be priced and the account is PARTIAL. Options that
    remain keep their vols at the settlement prices; ``as_of`` stays, and so does an ``equity_override``.
    An account in a currency without a rate is PARTIAL as before and is paid nothing.

    A future is paid multiplier x quantity x (settlement price - ``price_paid``), nothing where that is blank
    (as in equity), and is gone; a physical one then delivers its units against settlement price x multiplier.
    An inverse future at a ``price_paid`` of 0 settles at no amount: it stays, and its account PARTIAL.
    A physical option whose underlying has a future of its own name delivers that future at the strike.

    A blank ``settlement_kind`` means cash. Where an option on a stock or fund settles so, ``notes`` names it:
    listed equity options deliver shares.

    Raises
    ------
    InputError : an argument is of another kind, a spot is no positive number or names nothing of the market,
        or the band is out of range.

    Source: OCC Rule 805(d) and its interpretation .02 (exercise by exception, 0.01 per unit since June 2008).
    """
    _require(book, market, regime, spots, pin_band)
    engine = get_backend(backend)
    prices = _checked_spots(market, spots or {})
    moved = at_spots(calibrated(market, engine), prices)
    find = partial(
        expiring, market=market, prices=prices, until=until, threshold=THRESHOLD, pin_band=pin_band
    )
    rows = find(book, kind="option")
    after, futures = _settled(book, market, rows, "exception", find)
    choices = CHOICES if regime is not None and rows.frame["pinned"].any() else ()
    others = [_settled(book, market, rows, choice, find)[0] for choice in choices]
    told = [found.events() for found in (rows, futures) if len(found.frame)]
    events = pd.concat(told, ignore_index=True) if told else rows.events()
    groups = pd.concat([rows.frame["margin_group"], futures.frame["margin_group"]])
    touched = np.unique(groups.to_numpy(object).astype(str)).astype(object)
    figures = _accounts(
        touched, (book, market), [(final, moved) for final in (after, *others)], regime, engine
    )
    return AfterExpiry(after, moved, events, figures, _notes(market, rows))


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


def _settled(
    book: Book, market: Market, rows: Expiring, choice: str, find: Callable[..., Expiring]
) -> tuple[Book, Expiring]:
    """The book after one choice of what holders of pinned shorts do, and the futures that settled in it."""
    after = with_futures(_without(book, market, rows, choice), market, rows, choice)
    futures = find(after, kind="future")
    return _without(after, market, futures, choice), futures


def _without(book: Book, market: Market, rows: Expiring, choice: str) -> Book:
    accounts = book.accounts.copy()
    accounts["cash"] = accounts["cash"] + cash_by_account(book, market, rows, choice)
    return replace(book, accounts=accounts, positions=settled_positions(book, market, rows, choice))


def _accounts(
    touched: Texts,
    before: tuple[Book, Market],
    after: Sequence[tuple[Book, Market]],
    regime: Regime | HasPrograms | None,
    engine: Backend,
) -> pd.DataFrame:
    """Cash, equity and requirement before and after; beside the expected outcome stand the other ones."""
    whole = [plan(held.select(touched), market) for held, market in (before, after[0])]
    frame = pd.DataFrame({"margin_group": touched, "currency": group_currencies(whole[0])})
    frame = frame.assign(cash_before=_cash(whole[0]), cash_after=_cash(whole[1]))
    if regime is None or len(touched) == 0:
        return frame
    found = [_figures(held.select(touched), market, regime, engine) for held, market in (before, *after)]
    for name, figures in (("before", found[0]), ("after", found[1])):
        frame[f"equity_{name}"] = figures["equity_at_marks"].reindex(touched).to_numpy(np.float64)
        frame[f"requirement_{name}"] = figures["requirement"].reindex(touched).to_numpy(np.float64)
    needed = [figures["requirement"].reindex(touched).to_numpy(np.float64) for figures in found[1:]]
    return frame.assign(requirement_after_pins=np.maximum.reduce(needed))


def _cash(whole: Plan) -> Floats:
    """Cash of each margin group [M] in its currency; what is in a currency without a rate counts nothing."""
    rates = account_rates(whole) / group_rates(whole)[whole.account_groups]
    cash = whole.book.accounts["cash"].to_numpy(np.float64) * rates
    return whole.by_margin_group(np.where(np.isfinite(rates), cash, 0.0), whole.account_groups)


def _notes(market: Market, rows: Expiring) -> tuple[str, ...]:
    """Which expiring series settle in cash although their underlying is something that can be delivered."""
    table, frame = market.instruments, rows.frame
    deliverable = table.symbols[np.isin(table.types.astype(str), ("stock", "etf"))]
    odd = frame["underlying"].isin(deliverable) & ~frame["is_physical"] & ~frame["inverse"]
    series = frame.loc[odd, "symbol"].drop_duplicates().sort_values().tolist()
    if not series:
        return ()
    more = f" and {len(series) - NAMED} more" if len(series) > NAMED else ""
    one = len(series) == 1
    return (
        f"{', '.join(series[:NAMED])}{more}: {'settles' if one else 'settle'} in cash although "
        f"{'its' if one else 'their'} underlying is a stock or fund; a blank settlement_kind means cash, and "
        "listed equity options are physical",
    )


def _figures(book: Book, market: Market, regime: Regime | HasPrograms, engine: Backend) -> pd.DataFrame:
    accounts: pd.DataFrame = margin(book, market, regime, backend=engine).accounts.set_index("margin_group")
    return accounts


def _require(book: object, market: object, regime: object, spots: object, pin_band: object) -> None:
    require_kind(book, Book, "book")
    require_kind(market, Market, "market")
    if not (regime is None or isinstance(regime, Regime) or hasattr(regime, "programs")):
        problem = "expected a Regime or a Policy, such as shockgrid.tims()"
        raise InputError(problem, column="regime", value=type(regime).__name__)
    if spots is not None and not isinstance(spots, Mapping):
        problem = "expected settlement prices by name: a mapping"
        raise InputError(problem, column="spots", value=type(spots).__name__)
    if not (isinstance(pin_band, (int, float, np.floating)) and 0.0 <= pin_band < 1.0):
        problem = "expected a share of the strike in [0, 1)"
        raise InputError(problem, column="pin_band", value=pin_band)


def _checked_spots(market: Market, spots: Mapping[str, float]) -> dict[str, float]:
    known = {*market.underlyings.names, *market.instruments.symbols}
    for name, spot in spots.items():
        if name not in known:
            problem = "expected an underlying, an option or a future of the market"
            raise InputError(problem, table="spots", column="underlying", value=name)
        number = isinstance(spot, (int, float, np.floating, np.integer)) and not isinstance(spot, bool)
        if not (number and 0.0 < spot < np.inf):
            problem = f"the settlement price of {name} must be a number > 0"
            raise InputError(problem, table="spots", column="spot", value=spot)
    return {name: float(spot) for name, spot in spots.items()}
