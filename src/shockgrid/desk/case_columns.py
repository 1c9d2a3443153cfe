"""What cases come to: both sides' requirements, equity, excess; the figures that a what-if tells."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend
from shockgrid.desk.case_alone import case_alone
from shockgrid.desk.case_side import direct, requirement
from shockgrid.desk.cases import Cases, Orders, cases_of, only
from shockgrid.desk.live import Live
from shockgrid.desk.plain_ticks import Directory
from shockgrid.desk.standing import Standing
from shockgrid.desk.unit_rows import UnitRows
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.requirement.equity import worth_of
from shockgrid.states import UNMOVED

FIGURES = ("exchange_requirement", "house_requirement", "requirement", "equity_at_marks", "excess")


class CaseDesk:
    """Cases over a live desk: what they come to, without a book or a plan of their own.

    Only what an order touches is priced and summed; all else is read from the desk's own figures. One serves
    a desk until its plan is laid out anew (``serves``).
    """

    def __init__(self, live: Live, backend: Backend, directory: Directory) -> None:
        self.live, self.backend, self.directory = live, backend, directory
        self.standing = Standing(live)
        self._units = [UnitRows() for _ in live.sides]
        self._market: Market | None = None
        self._values: Floats = live.values

    @property
    def serves(self) -> bool:
        """Whether the desk's plan is still the one this was found for."""
        return self.live.sides is self.standing.sides

    def direct(self) -> bool:
        """Whether every regime is one that ``columns`` can be asked about."""
        return all(direct(side, self.standing) for side in self.live.sides)

    def columns(self, groups: Codes, orders: Orders) -> dict[str, Floats]:
        """``FIGURES`` and premium of margin groups [Q] with the orders of each case booked, in the currency
        of each; to the last byte those of ``margin()``.

        ``orders`` are in order of their booking; the accounts of a case belong to its margin group.
        """
        live, standing = self.live, self.standing
        cases = self._cases(groups, orders)
        values = self.values(cases.positions.instruments)
        terms, every = live.terms, np.arange(len(groups))
        rates = terms.rates[groups]
        amounts = np.full((len(live.sides) + 1, len(groups)), np.nan)  # the last, -1, is that of no regime
        for at, (side, places) in enumerate(zip(live.sides, standing.places, strict=True)):
            own = places.member[groups]
            if own.all():
                amounts[at] = requirement(side, places, self._units[at], standing, live, cases, values)
            elif own.any():
                part = only(cases, own)
                amounts[at, own] = requirement(side, places, self._units[at], standing, live, part, values)
        amounts /= rates
        exchange, house = (
            amounts[terms.exchange_runs[groups], every],
            amounts[terms.house_runs[groups], every],
        )
        house_binds = np.isnan(exchange) | (house > exchange)
        charges = live.columns["unpriced"][groups]
        needed = np.where(house_binds, house, exchange) + charges
        at_marks = self._equity(cases, values) / rates
        paid = cases.paid * standing.pay_rates[cases.accounts]
        figures = (exchange + charges, house + charges, needed, at_marks, at_marks - needed)
        premium = np.bincount(cases.account_cases, paid, len(groups)) / rates
        return {**dict(zip(FIGURES, figures, strict=True)), "premium": premium}

    def _cases(self, groups: Codes, orders: Orders) -> Cases:
        if len(groups) == 1 and self.standing.holds(groups[0]):
            return case_alone(self.live, self.standing, groups[0], orders)
        return cases_of(self.live, self.standing, groups, orders)

    def before(self, groups: Codes) -> Mapping[str, Floats]:
        """``FIGURES`` of margin groups as they are."""
        return {name: self.live.columns[name][groups] for name in FIGURES}

    def values(self, instruments: Codes) -> Floats:
        """Model values [N], those of these instruments among them."""
        live = self.live
        if self._market is not live.market:
            self._market, self._values = live.market, live.values
        missing = np.isnan(self._values[instruments])
        if missing.any():
            fresh = np.unique(instruments[missing])
            self._values = self._values.copy()
            priced = self.backend.price(series(live.market, fresh), UNMOVED)
            self._values[fresh] = self.backend.get(priced)[0]
        return self._values

    def _equity(self, cases: Cases, values: Floats) -> Floats:
        """``requirement.equity.equity`` at marks [Q], base currency, added up in its order."""
        standing, held, table = self.standing, cases.positions, self.live.market.instruments
        rows, owners = held.instruments, cases.accounts
        marks = table.marks[rows]
        prices = np.where(np.isnan(marks), values[rows], table.coin_values(marks, rows))
        overrides = standing.overrides[owners]
        counts = np.isnan(overrides)
        future = standing.is_future[rows]
        paid = np.zeros(len(rows))
        if future.any():
            paid = np.where(future, table.coin_values(held.prices_paid, rows), 0.0)
        worth = worth_of(held.weights, prices, np.where(counts[held.accounts], paid, np.nan))
        rates = standing.rates[owners]
        cash = np.where(np.isfinite(rates), cases.cash * rates, 0.0)
        money = np.where(counts, cash, overrides)
        leaves = np.bincount(cases.leaf_of, worth, len(cases.leaf_cases))
        sums = np.bincount(cases.leaf_cases, leaves, len(cases.groups))
        return np.asarray(sums + np.bincount(cases.account_cases, money, len(cases.groups)), np.float64)
