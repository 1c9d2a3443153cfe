"""Some margin groups of a plan, and where their rows stand among all rows of a regime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.desk.joint import JointIndex
from shockgrid.desk.joint_rows import JointLeaves
from shockgrid.desk.side import Side
from shockgrid.desk.spans import book_of, run_of
from shockgrid.desk.worth import Holdings
from shockgrid.engine import Plan, Positions
from shockgrid.market import Market
from shockgrid.requirement.assemble import Figures
from shockgrid.requirement.collect import Collected, NodeColumns
from shockgrid.requirement.frames import account_figures
from shockgrid.requirement.grouped import Grouped
from shockgrid.requirement.regime import Context, Leaves, OfPlan, TaggedExpiries
from shockgrid.requirement.totals import holdings_of, joint_node, required, scanned, totals_of


def restricted(plan: Plan, codes: Codes, starts: Codes, owned: Grouped) -> Plan:
    """The plan of these margin groups (ascending) alone, counted from 0; without its class groups.

    ``starts`` are the ``account_starts`` of its book, ``owned`` its positions by margin group.
    """
    place = _places(codes, len(plan.margin_groups))
    held, rows = plan.positions, owned.rows(codes)
    owners = np.flatnonzero(place[plan.account_groups] >= 0)
    accounts = _places(owners, len(plan.account_groups))
    columns = {column.name: getattr(held, column.name)[rows] for column in fields(held)}
    columns["accounts"] = accounts[columns["accounts"]]
    columns["margin_groups"] = place[columns["margin_groups"]]
    book = book_of(plan.book, owners, starts)
    unpriced = plan.unpriced
    if len(unpriced):
        unpriced = unpriced[unpriced["account"].isin(set(book.accounts["account"]))].reset_index(drop=True)
    return replace(
        plan,
        book=book,
        margin_groups=plan.margin_groups[codes],
        account_groups=place[plan.account_groups[owners]],
        positions=Positions(**columns),
        portfolios=(),
        unpriced=unpriced,
    )


@dataclass(frozen=True)
class Part:
    """Margin groups of one side: what does not change while only the market moves."""

    side: Side
    codes: Codes  #: in the side's plan, ascending
    places: Codes  #: among the margin groups that were asked for
    plan: Plan
    leaves: Codes  #: rows of the side's leaves, in canonical order
    nodes: Codes
    unoffset: Codes
    expiries: Codes
    by_leaf: Grouped  #: leaves, nodes and unoffset nodes by margin group
    by_node: Grouped
    by_unoffset: Grouped
    template: Leaves  #: its columns that only who holds what decides
    holdings: Mapping[OfPlan, Any]
    joint: JointIndex | JointLeaves | None

    @classmethod
    def of(cls, side: Side, wanted: Codes, whole: Plan) -> Part:
        """Those of the margin groups ``wanted`` (codes of the whole book, ascending) that the side has.

        ``whole`` is the plan of all that are wanted, which serves a side that has every one of them.
        """
        places = np.flatnonzero(np.isin(wanted, side.members))
        codes = np.searchsorted(side.members, wanted[places])
        recode, found = _places(codes, len(side.members)), side.found
        plan = whole
        if len(codes) < len(wanted):
            plan = restricted(side.plan, codes, side.starts, side.owned)
        leaves, nodes, unoffset = (
            side.grouped(part, columns.margin_groups).rows(codes)
            for part, columns in (
                ("leaves", found.leaves),
                ("nodes", found.nodes),
                ("unoffset", found.unoffset),
            )
        )
        by_leaf, by_node, by_unoffset = (
            Grouped(recode[groups[own]], len(codes))
            for groups, own in (
                (found.leaves.margin_groups, leaves),
                (found.nodes.margin_groups, nodes),
                (found.unoffset.margin_groups, unoffset),
            )
        )
        template = replace(
            found.leaves,
            **{
                name: getattr(found.leaves, name)[leaves]
                for name in ("class_groups", "product_groups", "portfolio_groups", "underlyings")
            },
            margin_groups=by_leaf.codes,
        )
        return cls(
            side,
            codes,
            places,
            plan,
            leaves,
            nodes,
            unoffset,
            np.zeros(0, np.intp)
            if found.expiries is None
            else np.flatnonzero(recode[found.expiries.margin_groups] >= 0),
            by_leaf,
            by_node,
            by_unoffset,
            template,
            holdings_of(side.regime, plan),
            side.joint_index(codes),
        )

    def figures(self, market: Market, rates: Floats) -> Figures:
        """The columns of ``account_figures`` of these margin groups in the side's present state.

        ``rates`` are the values of their currencies in the base currency.
        """
        self.side.settle()
        found = self._found()
        context, joint = self._context(found, market, rates), self.side.joint_worst(self.joint)
        nodes, laid = found.nodes, (self.by_node, self.by_unoffset)
        if joint is not None:
            nodes = NodeColumns.of([joint_node(found, joint, self.by_leaf)])
            laid = Grouped(nodes.margin_groups, len(self.codes)), self.by_unoffset
        totals = totals_of(self.side.regime, context, found, nodes, laid)
        return Figures(account_figures(totals, self.side.evaluator.standard_states, rates), self.places)

    def brief_figures(self, market: Market, rates: Floats) -> Figures:
        """Of the same columns the requirement alone."""
        found, joint = self._found(), self.side.joint_worst(self.joint)
        losses, charges, rows = found.nodes.losses, found.nodes.charges, self.by_node
        if joint is not None:
            every = np.arange(len(self.codes))
            losses, charges, rows = joint.losses, self.by_leaf.sums(found.charges), Grouped(every, len(every))
        scan, top_up = scanned(rows, losses, charges)
        needed = required(self.side.regime, self._context(found, market, rates), scan + top_up)[0]
        return Figures({"requirement": needed / rates}, self.places)

    def _context(self, found: Collected, market: Market, rates: Floats) -> Context:
        plan, values = replace(self.plan, market=market), self.side.evaluator.values
        return Context(plan, found.leaves, values, rates, found.expiries, self.holdings, self.by_leaf)

    def _found(self) -> Collected:
        found, rows = self.side.found, run_of(self.leaves)
        leaves = replace(
            self.template,
            losses=found.leaves.losses[rows],
            scenarios=found.leaves.scenarios[rows],
            price_shocks=found.leaves.price_shocks[rows],
            vol_shocks=found.leaves.vol_shocks[rows],
            tagged={tag: pnl[rows] for tag, pnl in found.leaves.tagged.items()},
            pnl=None if found.leaves.pnl is None else found.leaves.pnl[rows],
        )
        nodes = replace(found.nodes.take(run_of(self.nodes)), margin_groups=self.by_node.codes)
        unoffset = nodes
        if found.unoffset is not found.nodes:
            unoffset = found.unoffset.take(run_of(self.unoffset))
            unoffset = replace(unoffset, margin_groups=self.by_unoffset.codes)
        return Collected(
            leaves,
            found.stand_alone[rows],
            found.charges[rows],
            nodes,
            unoffset,
            None if found.expiries is None else self._expiry_rows(found.expiries),
        )

    def _expiry_rows(self, whole: TaggedExpiries) -> TaggedExpiries:
        columns = {
            column.name: getattr(whole, column.name)[self.expiries]
            for column in fields(whole)
            if column.name != "tagged"
        }
        columns["margin_groups"] = np.searchsorted(self.codes, columns["margin_groups"])
        columns["leaves"] = np.searchsorted(self.leaves, columns["leaves"])
        tagged = {tag: pnl[self.expiries] for tag, pnl in whole.tagged.items()}
        return TaggedExpiries(**columns, tagged=tagged)


class View:
    """Margin groups that are worked out together, and what of them does not change with the market.

    ``plan`` is the plan of theirs alone.
    """

    def __init__(self, plan: Plan, sides: Iterable[Side], codes: Codes, holdings: Holdings) -> None:
        self.codes, self.holdings = codes, holdings
        self.rows = run_of(codes)
        self.plan = plan
        self.parts = [Part.of(side, codes, self.plan) for side in sides]
        self.status: Texts = np.zeros(0, object)
        self.stored: Texts | None = None  #: the ``status`` that was last stored,
        self.turns = -1  #: and how many changes of reliability there had been by then
        self.judged_by: tuple[Mask, Mask] | None = None  #: the doubts that ``status`` was found with


def _places(rows: Codes, size: int) -> Codes:
    """Place of each of ``size`` codes among ``rows``, -1 where it is not there."""
    places = np.full(size, -1, np.intp)
    places[rows] = np.arange(len(rows))
    return places
