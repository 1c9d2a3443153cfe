"""One regime over its margin groups, kept portfolio group by portfolio group so that some can be redone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.backends.contract import Backend
from shockgrid.desk.resized import resized, rows_of
from shockgrid.desk.spans import account_starts
from shockgrid.engine import Plan
from shockgrid.requirement.collect import Collected, NodeColumns, collected
from shockgrid.requirement.evaluate import Evaluator
from shockgrid.requirement.fold import MARGIN, Rows, portfolio_counts
from shockgrid.requirement.priced import PortfolioResult
from shockgrid.requirement.regime import Leaves, Regime, TaggedExpiries

_LEAF_COLUMNS = ("losses", "scenarios", "price_shocks", "vol_shocks")


class Place(NamedTuple):
    """Where the rows of one portfolio group stand among all rows."""

    leaves: slice
    nodes: slice
    unoffset: slice
    expiries: slice


class Side:
    """The live figures of one regime.

    ``members`` are the margin groups it applies to, as codes of the whole book; its own plan counts them
    from 0. ``found`` holds the columns of all its portfolio groups in canonical order.
    """

    def __init__(self, plan: Plan, members: Codes, regime: Regime, backend: Backend, values: Floats) -> None:
        self.regime, self.members = regime, members
        self.evaluator = Evaluator(plan, regime, backend, values)
        self.results: dict[str, PortfolioResult] = {}
        self.joint: dict[str, list[Rows]] = {}
        self.found: Collected
        self.places: dict[str, Place] = {}
        self.starts = account_starts(plan.book)
        self._counts = portfolio_counts(plan)
        self._order = {groups[0].portfolio_group: place for place, groups in enumerate(plan.portfolios)}

    @property
    def plan(self) -> Plan:
        """The plan of its own margin groups."""
        return self.evaluator.plan

    def build(self, kept: Side | None, redone: Collection[str]) -> None:
        """Work out every portfolio group, but take over from ``kept`` those that are not to be ``redone``."""
        for groups in self.plan.portfolios:
            name = groups[0].portfolio_group
            if kept is not None and name in kept.results and name not in redone:
                self.results[name], self.joint[name] = kept.results[name], kept.joint[name]
            else:
                self._work_out(name)
        self._collect()

    def move(self, plan: Plan, values: Floats) -> Mask:
        """Another state of the market; which underlyings [U] its scenarios now treat in another way."""
        before = self.evaluator.states
        self.evaluator = self.evaluator.moved(plan, values)
        after = self.evaluator.states
        return np.zeros(len(after.names), np.bool_) if after is before else after.differs(before)

    def resize(self, whole: Plan, accounts: Texts, symbols: Texts) -> None:
        """Take over other quantities of these accounts in these symbols, of those of them it has."""
        if len(self.members) == len(whole.margin_groups):
            self._hold(whole)
            return
        rows = rows_of(self.plan, accounts, symbols)
        if (rows >= 0).any():
            book = whole.book.select(self.plan.margin_groups)
            self._hold(resized(self.plan, book, rows[rows >= 0], self.starts))

    def pay(self, whole: Plan) -> None:
        """Take over other cash of the whole book's accounts."""
        same = len(self.members) == len(whole.margin_groups)
        book = whole.book if same else whole.book.select(self.plan.margin_groups)
        self._hold(replace(self.plan, book=book))

    def _hold(self, plan: Plan) -> None:
        self.evaluator = self.evaluator.moved(plan, self.evaluator.values)

    def redo(self, names: Collection[str]) -> None:
        """Work out these portfolio groups again, those of them it has."""
        for name in names:
            if name in self.results:
                self._work_out(name)
                part = collected(self.evaluator, [self.results[name]], self.found.leaves)
                _write(self.found, part, self.places[name])

    def redo_resized(self, names: Collection[str]) -> bool:
        """``redo`` after ``resize``; whether rows have moved, because an expiry turned from long to short."""
        if not self.regime.tree.by_expiry:
            self.redo(names)
            return False
        for name in names:
            if name in self.results:
                self._work_out(name)
        self._collect()
        return True

    def joint_rows(self, codes: Codes) -> Floats | None:
        """P&L [n, S] of these margin groups (ascending, of its own plan) under one joint worst."""
        if self.regime.tree.height != MARGIN:
            return None
        total = np.zeros((len(codes), len(self.evaluator.standard)))
        for parts in self.joint.values():
            for part in parts:
                place = np.searchsorted(part.margin_groups, codes)
                place[place == len(part.margin_groups)] = 0
                held = part.margin_groups[place] == codes
                total[held] += part.pnl[place[held]]
        return total

    def _work_out(self, name: str) -> None:
        result = self.evaluator.portfolio_at(self._order[name])
        self.joint[name] = self.evaluator.joint_parts(result, self._counts)
        self.results[name] = result._replace(top=[])

    def _collect(self) -> None:
        self.found = collected(self.evaluator, list(self.results.values()))
        ends = [0, 0, 0, 0]
        for name, result in self.results.items():
            sizes = (
                sum(len(leaf.group.leaves) for leaf in result.leaves),
                sum(len(node.margin_groups) for node in result.nodes),
                sum(len(node.margin_groups) for node in result.unoffset),
                sum(len(part.leaves) for part in result.expiries),
            )
            starts, ends = ends, [end + size for end, size in zip(ends, sizes, strict=True)]
            self.places[name] = Place(*(slice(*pair) for pair in zip(starts, ends, strict=True)))


def _write(whole: Collected, part: Collected, place: Place) -> None:
    """Put the columns of one portfolio group where they belong."""
    _write_leaves(whole.leaves, part.leaves, place.leaves)
    whole.stand_alone[place.leaves] = part.stand_alone
    whole.charges[place.leaves] = part.charges
    _write_nodes(whole.nodes, part.nodes, place.nodes)
    _write_nodes(whole.unoffset, part.unoffset, place.unoffset)
    if whole.expiries is not None and part.expiries is not None:
        _write_expiries(whole.expiries, part.expiries, place)


def _write_leaves(whole: Leaves, part: Leaves, rows: slice) -> None:
    for name in _LEAF_COLUMNS:
        getattr(whole, name)[rows] = getattr(part, name)
    for tag, pnl in part.tagged.items():
        whole.tagged[tag][rows] = pnl
    if whole.pnl is not None:
        whole.pnl[rows] = part.pnl


def _write_nodes(whole: NodeColumns, part: NodeColumns, rows: slice) -> None:
    for column in fields(NodeColumns):
        getattr(whole, column.name)[rows] = getattr(part, column.name)


def _write_expiries(whole: TaggedExpiries, part: TaggedExpiries, place: Place) -> None:
    for column in fields(TaggedExpiries):
        if column.name not in ("tagged", "leaves"):
            getattr(whole, column.name)[place.expiries] = getattr(part, column.name)
    for tag, pnl in part.tagged.items():
        whole.tagged[tag][place.expiries] = pnl
