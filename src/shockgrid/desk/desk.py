"""The desk: a firm's requirements kept up to date between full calculations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.backends import get_backend
from shockgrid.backends.contract import Backend
from shockgrid.book import Book
from shockgrid.calibration import calibrated
from shockgrid.columns import REJECT_COLUMNS, joined_rejects
from shockgrid.desk.case_columns import CaseDesk
from shockgrid.desk.changes import Change, Changes, as_they_are, changes_of
from shockgrid.desk.fills import FILL_COLUMNS, booked, deposited, read_fills
from shockgrid.desk.instants import utc
from shockgrid.desk.live import Live
from shockgrid.desk.moves import dependents, with_coin_rates
from shockgrid.desk.numbering import Numbers, sequence_number
from shockgrid.desk.order_rows import order_frame
from shockgrid.desk.requoted import Requoting
from shockgrid.desk.rolls import at_instant, rolled
from shockgrid.desk.staleness import stale_spots
from shockgrid.desk.ticks import latest, read_ticks
from shockgrid.desk.what_if import Setting, WhatIf, max_size, what_if, what_ifs, working_orders
from shockgrid.market import Market
from shockgrid.requirement.margin import programs_by_name, require_kinds
from shockgrid.requirement.regime import HasPrograms, Regime
from shockgrid.requirement.result import MarginResult


class Desk:
    """A book, a market and every requirement on them, kept up to date update by update.

    After any sequence of updates the accounts frame is that of ``margin(desk.book, desk.market, regime)`` to
    the last byte; only what an update touches is worked out again, and what its changes do not show once it
    is asked for. Nothing reads a clock: the time of the desk is the latest of the rows it was given, and
    ``as_of`` stays until ``roll``.

    Parameters
    ----------
    book, market, regime_or_policy, backend, executor : as for ``margin``; the executor stays open.

    Each update returns the margin groups whose requirement, equity or reliability changed, before and after:
    a ``shockgrid.desk.changes.Changes``, which is read like a frame. ``equity_at_model`` values options
    at the current spot and the last accepted vol, ``equity_at_marks`` at the last marks. Updates may carry
    a ``sequence`` number: one that is not above the last is dropped and counted in ``dropped``, a gap in
    ``gaps``. A bad row is turned away into ``rejects`` and touches no other name or account.

    Raises
    ------
    InputError : a regime does not fit the market, or a policy the book.
    BackendUnavailable : a backend asked for by name cannot run here.
    """

    def __init__(
        self,
        book: Book,
        market: Market,
        regime_or_policy: Regime | HasPrograms,
        *,
        backend: str | Backend = "auto",
        executor: Executor | None = None,
    ) -> None:
        require_kinds(book, market, regime_or_policy, executor)
        self.regime_or_policy = regime_or_policy
        self.backend = get_backend(backend)
        programs = programs_by_name(regime_or_policy)
        self._live = Live(book, calibrated(market, self.backend), programs, self.backend, executor)
        self._requoting = Requoting(self.market)
        self._cases: CaseDesk | None = None
        self._rejects = [joined_rejects([]).assign(sequence=np.zeros(0, np.int64))]
        self._numbers = Numbers()
        self.sequence, self.gaps = 0, 0  #: the highest number so far; those below it that have not come
        self.dropped = 0  #: updates, and rows of ticks, that came too late or twice
        self.time: datetime = market.as_of  #: the latest market time of any row

    @property
    def book(self) -> Book:
        """Who holds what by now."""
        return self._live.plan.book

    @property
    def market(self) -> Market:
        """What it costs by now, with a vol for every option."""
        return self._live.market

    @property
    def accounts(self) -> pd.DataFrame:
        """The accounts frame of ``margin()``, a copy."""
        return self._live.accounts()

    @property
    def rejects(self) -> pd.DataFrame:
        """Rows of updates turned away (E_...) or flagged (W_...), by ``sequence``; line 1 is a header."""
        return pd.concat(self._rejects, ignore_index=True)

    def result(self) -> MarginResult:
        """All that ``margin()`` returns; nothing is priced for it."""
        return self._live.result()

    def tick(self, quotes: Any, *, sequence: int | None = None, at: datetime | None = None) -> Changes:
        """Take new spots, quotes and vols; see ``shockgrid.desk.ticks.read_ticks`` for the rows.

        ``at`` is the market time of the update and of its rows without a ``quote_utc``, by default the desk's
        ``time``; an update before that is dropped, and so is a row older than the last one of its name.
        A mark without a vol gives the option the vol that it implies at the new spot; a mark that has none
        leaves the last one (W_VOL_KEPT).
        """
        with self._whole_or_not_at_all():
            if not self._is_next(sequence, at):
                return self._nothing()
            ticks = read_ticks(quotes, self.market, self.time, at, self._requoting.directory)
            self._reject(ticks.rejects)
            self.dropped += ticks.late
            before = self.market
            market, moves, flags, names, turned = self._requoting.after(before, ticks.moves, self.backend)
            self._reject(flags)
            self.time = max(self.time, latest(moves) or self.time)
            if len(turned):
                market = with_coin_rates(market, turned)
                return self._rebuilt(self.book, market, dependents(market, before, moves))
            return self._told(self._live.move(market, names, doubts=market.rejects is not before.rejects))

    def trade(self, fills: Any, *, sequence: int | None = None) -> Changes:
        """Take fills: account, symbol, quantity (bought > 0), price per unit; see ``desk.fills.booked``."""
        with self._whole_or_not_at_all():
            if not self._is_next(sequence):
                return self._nothing()
            found = read_fills(order_frame(fills, "fills", FILL_COLUMNS), self.book, self.market)
            self._reject(found.rejects)
            book = booked(self.book, self.market, found, self._live.starts)
            symbols = self.market.instruments.symbols[found.instruments]
            accounts = book.accounts["account"].to_numpy(object)[found.accounts]
            sure = book.partial == self.book.partial
            if sure and (change := self._live.resize(book, accounts, symbols)) is not None:
                return self._told(change)
            owners = self.market.instruments.underlyings[found.instruments]
            touched = set(self.market.underlyings.portfolio_groups[owners].tolist())
            doubted = np.flatnonzero(book.accounts["account"].isin(found.doubted).to_numpy(bool))
            return self._told(self._live.reopen(book, np.append(found.accounts, doubted), touched))

    def deposit(self, account: str, amount: float, *, sequence: int | None = None) -> Changes:
        """Add cash to an account, in its own currency; a withdrawal is < 0."""
        with self._whole_or_not_at_all():
            if not self._is_next(sequence):
                return self._nothing()
            book, rejects = deposited(self.book, account, amount)
            self._reject(rejects)
            if book is self.book:
                return self._nothing()
            owner = np.flatnonzero((book.accounts["account"] == account).to_numpy(bool))
            return self._told(self._live.pay(book, owner))

    def roll(self, as_of: datetime, market: Market | None = None) -> Changes:
        """Move to a later instant: on the market as it stands (``desk.moves.rolled``), or on another one.

        Raises
        ------
        InputError : ``as_of`` is no later, or not ``market``'s; an ex-date lies between and none is given.
        """
        with self._whole_or_not_at_all():
            as_of = utc(as_of, "as_of")
            market = rolled(self.market, as_of) if market is None else at_instant(market, as_of, self.market)
            self.time = max(self.time, as_of)
            return self._rebuilt(self.book, calibrated(market, self.backend), None)

    def what_if(self, account: str, orders: Any) -> WhatIf:
        """What orders (symbol, quantity, optionally price) would do to an account; changes nothing.

        Exchange, house and binding requirement, equity and excess ``before`` and ``after``, the premium, and
        all of it as a ``frame``; see ``shockgrid.desk.what_if``.
        """
        return what_if(self._setting(), account, orders)

    def what_ifs(self, orders: Any) -> pd.DataFrame:
        """The same for many cases at once: a frame with a row for each ``case`` of the orders."""
        return what_ifs(self._setting(), orders)

    def working_orders(self, account: str, orders: Any) -> pd.DataFrame:
        """The worst that can come of orders that may or may not be filled; see ``desk.what_if``."""
        return working_orders(self._setting(), account, orders)

    def max_size(self, account: str, symbol: str, side: str, *, largest: int = 1_000_000) -> int:
        """The largest order, "buy" or "sell", that leaves no deficit; see ``desk.what_if.max_size``."""
        return max_size(self._setting(), account, symbol, side, largest=largest)

    def _setting(self) -> Setting:
        if self._cases is None or not self._cases.serves:
            self._cases = CaseDesk(self._live, self.backend, self._requoting.directory)
        return Setting(self._cases, self.regime_or_policy)

    def stale(self, max_age: timedelta) -> pd.DataFrame:
        """Held underlyings whose spot is older than this at ``time``: underlying, spot_utc, age."""
        return stale_spots(self._live.plan, self.time, max_age)

    @property
    def call_profiles(self) -> dict[str, str]:
        """Margin group -> the call profile of its program."""
        return self._live.call_profiles()

    def _is_next(self, sequence: int | None, at: datetime | None = None) -> bool:
        """Whether an update is new; counts what is not, and what was left out before it."""
        at = None if at is None else utc(at, "at")
        number = sequence_number(sequence, self.sequence)
        used = number > self.sequence and (at is None or at >= self.time)
        if used or sequence is not None:  # what comes too late is dropped, and not missing
            self.sequence, self.gaps, _ = self._numbers = self._numbers.and_one(number)
        self.dropped += not used
        self.time = at if at is not None and used else self.time
        return used

    @contextmanager
    def _whole_or_not_at_all(self) -> Iterator[None]:
        """An update that is refused leaves everything as it was, its sequence number too."""
        counts = self._numbers, self.sequence, self.gaps, self.dropped, self.time
        told, plan = len(self._rejects), self._live.plan
        try:
            yield
        except BaseException:
            self._numbers, self.sequence, self.gaps, self.dropped, self.time = counts
            del self._rejects[told:]
            if self._live.plan is not plan:
                self._live.rebuild(plan.book, plan.market, None)
            raise

    def _reject(self, rejects: pd.DataFrame) -> None:
        if len(rejects):
            self._rejects.append(rejects[list(REJECT_COLUMNS)].assign(sequence=self.sequence))

    def _rebuilt(self, book: Book, market: Market, redone: set[str] | None) -> Changes:
        change = as_they_are(np.arange(len(self._live.plan.margin_groups)), self._live.columns)
        self._live.rebuild(book, market, redone)
        self._requoting = Requoting(market)
        return self._told(change)

    def _told(self, change: Change) -> Changes:
        return changes_of(self._live.plan.margin_groups, change, self._live.columns)

    def _nothing(self) -> Changes:
        return self._told(as_they_are(np.zeros(0, np.intp), self._live.columns))
