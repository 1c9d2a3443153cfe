"""The columns of the accounts frame behind a live desk: a few after every update, the rest once asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.desk.changes import Change, watched
from shockgrid.desk.holders import View
from shockgrid.desk.worth import Worth
from shockgrid.market import Market
from shockgrid.requirement.assemble import TERMS, Terms, account_columns, brief_columns
from shockgrid.requirement.reliability import statuses
from shockgrid.requirement.unpriced import unpriced_charges


class Now(NamedTuple):
    """What the figures of a margin group are found with, beside its view."""

    market: Market
    worth: Worth
    doubts: tuple[Mask, Mask]


class AccountColumns:
    """Every column [M], and the run that binds.

    Those of ``requirement.assemble.BRIEF`` are up to date after each ``store``. The others are worked out by
    ``settle``: the state they follow from is kept, so that they come out the same whenever they are asked
    for. ``whole`` asks for all of them at once, for a regime whose own functions may refuse.
    """

    def __init__(self, terms: Terms, strays: Any, *, whole: bool) -> None:
        self.terms, self._strays, self._whole = terms, strays, whole
        self.columns: dict[str, Any] = {}
        self.binding: Codes = np.zeros(0, np.intp)
        self._turns = 0  #: how often a reliability changed
        self._late: dict[View, None] = {}
        self._loose: Mask = np.zeros(len(terms.names), np.bool_)  #: late, and of no view that is kept

    def fill(self, view: View, now: Now) -> None:
        """All columns of all margin groups, which are the view's."""
        self.columns, self.binding = account_columns(*self._found(view, now, brief=False))

    def store(self, view: View, now: Now, *, kept: bool) -> Change:
        """Work out these margin groups; ``kept`` says that the view stays valid until it is ``dropped``."""
        before = watched(self.columns, view.rows)
        if self._whole:
            self._write(view, now)
            return Change(view.codes, before)
        columns, self.binding[view.rows] = brief_columns(*self._found(view, now, brief=True))
        reliable = self._stands(view, before["reliability"])
        for name, values in columns.items():
            if name != "reliability" or not reliable:
                self.columns[name][view.rows] = values
        if kept:
            self._late[view] = None
        else:
            self._loose[view.rows] = True
        return Change(view.codes, before, reliable)

    def _stands(self, view: View, before: Texts) -> bool:
        """Whether the view's reliability is the one that was stored with it, and none changed since."""
        if view.stored is view.status and view.turns == self._turns:
            return True
        self._turns += int((before != view.status).any())
        view.stored, view.turns = view.status, self._turns
        return False

    def dropped(self, view: View) -> None:
        """This view is kept no longer."""
        if view in self._late:
            del self._late[view]
            self._loose[view.rows] = True

    def loose(self) -> Codes:
        """The margin groups that wait for a view."""
        return np.flatnonzero(self._loose)

    def settle(self, rest: View | None, now: Now) -> None:
        """Work out what is late; ``rest`` is a view of the ``loose`` margin groups, None without any."""
        for view in (*self._late, *(() if rest is None else (rest,))):
            self._write(view, now)
        self._late.clear()
        self._loose[:] = False

    def _write(self, view: View, now: Now) -> None:
        columns, self.binding[view.rows] = account_columns(*self._found(view, now, brief=False))
        for name, values in columns.items():
            if name not in TERMS:
                self.columns[name][view.rows] = values

    def _found(self, view: View, now: Now, *, brief: bool) -> Any:
        """What ``account_columns`` is made of."""
        terms, found = self.terms.take(view.rows), []
        for part in view.parts:
            figures = part.brief_figures if brief else part.figures
            found.append(figures(now.market, terms.rates[part.places]))
        charges, status = self._reliability(view, now)
        return terms, found, now.worth.of(view.holdings), charges, status

    def _reliability(self, view: View, now: Now) -> tuple[Floats, Texts]:
        """Charges for what cannot be priced, base currency, and the reliability of a view's margin groups."""
        if len(view.plan.unpriced) == 0 and view.judged_by is now.doubts:
            return np.zeros(len(view.codes)), view.status
        part = replace(view.plan, market=now.market)
        lost = unpriced_charges(part)
        charges = part.by_margin_group(lost.charges, lost.margin_groups)
        without_spot = lost.margin_groups[lost.without_spot]
        view.status = statuses(part, now.doubts, without_spot, self._strays)
        view.judged_by = now.doubts
        return charges, view.status
