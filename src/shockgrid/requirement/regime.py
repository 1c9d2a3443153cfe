"""A regime: scenarios, a tree, add-ons and a formula, as one value."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.doors import number, refused, require_kind
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.requirement.by_expiry import Expiries
from shockgrid.requirement.equity import Equity, equity
from shockgrid.requirement.grouped import Grouped
from shockgrid.requirement.leafwise import Apart, Leafwise
from shockgrid.requirement.remarks import Remark
from shockgrid.requirement.reserved import RESERVED
from shockgrid.requirement.tree import Tree
from shockgrid.scenarios import ScenarioSet

Figures: TypeAlias = Mapping[str, Floats]
OfPlan: TypeAlias = Callable[[Plan], Any]
Formula: TypeAlias = Callable[[Figures], Floats]


@dataclass(frozen=True)
class Leaves:
    """Every leaf (margin group x class group) of a run, in canonical order."""

    margin_groups: Codes  #: [G] margin-group code
    class_groups: Texts  #: [G]
    product_groups: Texts  #: [G]
    portfolio_groups: Texts  #: [G]
    underlyings: Codes  #: [G] the least levered underlying the leaf holds, whose shocks are shown
    losses: Floats  #: [G] the class group's own reduced loss
    scenarios: Codes  #: [G] its scenario
    price_shocks: Floats  #: [G] spot shock of that underlying in it
    vol_shocks: Floats  #: [G]
    tagged: Mapping[str, Floats]  #: tag -> P&L [G, scenarios with that tag], for every tag but "standard"
    pnl: Floats | None = None  #: [G, S] in the standard scenarios, where the tree cuts leaves by expiry


@dataclass(frozen=True)
class TaggedExpiries(Expiries):
    """The expiry rows of every class group, where the tree cuts leaves by expiry."""

    leaves: Codes  #: [E] row of Leaves
    tagged: Mapping[str, Floats]  #: tag -> P&L [E, scenarios with that tag], for every tag but "standard"


@dataclass(frozen=True)
class Context:
    """What an add-on sees: the plan and every leaf, after pricing."""

    plan: Plan
    leaves: Leaves
    values: Floats  #: [N] model value per unit of every held instrument
    rates: Floats  #: [M] value of one unit of each margin group's currency in the base currency
    by_expiry: TaggedExpiries | None = None
    holdings: Mapping[OfPlan, Any] = field(default_factory=dict)  #: what each add-on's ``of_plan`` gave
    laid: Grouped | None = None  #: the leaves by margin group, where they are at hand

    def known(self, of_plan: OfPlan) -> Any:
        """What a function of the plan gives, from ``holdings`` where it is there."""
        return self.holdings[of_plan] if of_plan in self.holdings else of_plan(self.plan)

    @cached_property
    def equity(self) -> Equity:
        """What each margin group is worth, base currency."""
        return equity(self.plan, self.values)

    @property
    def expiries(self) -> TaggedExpiries:
        """The expiry rows; InputError where the tree does not cut leaves by expiry."""
        if self.by_expiry is None:
            problem = "this add-on needs leaves by expiry: Tree(by_expiry=True)"
            raise InputError(problem, column="by_expiry")
        return self.by_expiry

    @cached_property
    def grouped(self) -> Grouped:
        """The leaves by margin group."""
        return self.laid or Grouped(self.leaves.margin_groups, len(self.plan.margin_groups))

    def by_margin_group(self, values: Floats) -> Floats:
        """Sum one number per leaf for each margin group, [M]."""
        return self.grouped.sums(values)

    def by_leaf(self, values: Floats) -> Floats:
        """Sum one number per expiry row for each leaf, [G]."""
        rows = self.expiries.leaves
        return np.bincount(rows, values, len(self.leaves.margin_groups)).astype(np.float64)

    def position_leaves(self) -> Codes:
        """Row of Leaves of every position, [P]."""
        held, market = self.plan.positions, self.plan.market
        codes, families = pd.factorize(market.underlyings.class_groups)
        width, own = len(families), pd.Index(families).get_indexer(pd.Index(self.leaves.class_groups))
        leaves = self.leaves.margin_groups * width + own
        order = np.argsort(leaves)
        owners = codes[market.instruments.underlyings[held.instruments]]
        place = np.searchsorted(leaves[order], held.margin_groups * width + owners)
        return np.asarray(order[place], np.intp)

    def by_position(self, values: Floats) -> Floats:
        """Sum one number per position for each margin group, [M]."""
        return self.plan.by_margin_group(values)

    def notionals(self) -> Floats:
        """Signed quantity x units per contract x spot of every position, base currency, [P]."""
        held, market = self.plan.positions, self.plan.market
        table = market.instruments
        worth = market.underlyings.spots * market.spot_rates()
        per_contract = worth[table.underlyings] * table.units_per_contract
        notionals: Floats = held.quantities * per_contract[held.instruments]
        return notionals


@dataclass(frozen=True)
class AddOn:
    """A charge beside the scan.

    Attributes
    ----------
    name : its line in the result.
    figure : context -> amount [M] in the base currency, >= 0; of a "factor", the factor.
    mode : "added" on top; "floor": the requirement so far is raised to the amount; "factor": it is
        multiplied by it; "credit": the amount is taken off.
    words : the rule's own sentence, shown beside the line by ``explain``.
    of_plan : the part of the work that who holds what decides alone, without spots, vols or rates; done once
        for many states of a market; ``figure`` asks for it by ``Context.known``.
    leafwise : the same figure from numbers of each leaf, for figures after many small changes.

    The figure of a margin group may depend on what it holds and on the market of the portfolio groups it
    holds something in, and on no other margin group or name.
    """

    name: str
    figure: Callable[[Context], Floats]
    mode: str = "added"
    words: str = ""
    of_plan: OfPlan | None = None
    leafwise: Leafwise | Apart | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.mode, str) or self.mode not in ("added", "floor", "factor", "credit"):
            expected = "added, floor, factor or credit"
            raise refused(expected, "mode", self.mode)


def every_instrument(market: Market) -> Mask:
    """All of them, [N]."""
    return np.ones(len(market.instruments.symbols), np.bool_)


@dataclass(frozen=True)
class Regime:
    """A margin rule as a value.

    Attributes
    ----------
    name : as shown in results.
    scenarios : the set; those tagged "standard" go through the tree, other tags are for add-ons.
    tree : offsets, reducer and minimum.
    add_ons : applied in this order; the default formula is the scan with its minimum top-ups, then each
        add-on by its mode.
    initial : add-ons of the initial requirement over the same scan, in place of ``add_ons``; None where the
        rule knows one requirement only. ``requirement`` is then the maintenance requirement.
    memos : figures that ``explain`` shows beside the lines and that are no part of the sum; any sign.
    remarks : rows that ``explain`` shows beside the lines: rules passed or failed (``rule``), overrides.
    scan_words : the rule's own words for the scan, shown by ``explain``.
    formula : figures ("scan", then each add-on by name) -> requirement [M]; replaces the default.
    side : "exchange" or "house", where its requirement is shown.
    parameters : every number with its source, for the record and for ``fingerprint``.
    notes : what a reader of the result must know.     plan_notes : the same, once the plan is known.
    covers : market -> which of its instruments [N] the rule speaks of; ``margin`` refuses a book that holds
        another, ``compare`` leaves it out and says so.
    """

    name: str
    scenarios: ScenarioSet
    tree: Tree = field(default_factory=Tree)
    add_ons: tuple[AddOn, ...] = ()
    initial: tuple[AddOn, ...] | None = None
    memos: tuple[AddOn, ...] = ()
    formula: Formula | None = None
    side: str = "house"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    scan_words: str = ""
    remarks: tuple[Remark, ...] = ()
    plan_notes: Callable[[Plan], tuple[str, ...]] = lambda plan: ()
    covers: Callable[[Market], Mask] = every_instrument

    def __post_init__(self) -> None:
        if "standard" not in self.scenarios.tags:
            msg = f"regime {self.name} has no scenario tagged standard"
            raise InputError(msg, column="scenarios")
        lists = [[add_on.name for add_on in add_ons] for add_ons in (self.add_ons, self.initial or ())]
        taken = [name for names in lists for name in names if names.count(name) > 1 or name in RESERVED]
        if taken:
            msg = f"regime {self.name}: the name of an add-on is taken, every line needs its own"
            raise InputError(msg, column="add_ons", value=taken[0])
        if self.side not in ("exchange", "house"):
            msg = "expected exchange or house"
            raise InputError(msg, column="side", value=self.side)

    def fingerprint(self) -> str:
        """SHA-256 of the name, the parameters and the scenarios."""
        parts = [self.name, dict(self.parameters), self.scenarios.digest]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Program:
    """What applies to a group of accounts: two regimes, the smallest equity allowed, how calls are made.

    ``minimum_equity`` is in the market's base currency.
    """

    exchange: Regime | None
    house: Regime | None
    minimum_equity: float = 0.0
    call_profile: str = "eod_batch"

    def __post_init__(self) -> None:
        for side in ("exchange", "house"):
            regime = getattr(self, side)
            if regime is not None:
                require_kind(regime, Regime, side, "a Regime, or None")
            if regime is not None and regime.side != side:
                msg = f"regime {regime.name} is of the {regime.side} side"
                raise InputError(msg, column=side, value=regime.name)
        require_kind(self.call_profile, str, "call_profile")
        least = "a finite amount of at least 0"
        number(self.minimum_equity, "minimum_equity", least, lambda amount: 0.0 <= amount < np.inf)
        if self.exchange is None and self.house is None:
            msg = "a program needs an exchange or a house regime"
            raise InputError(msg)


class HasPrograms(Protocol):
    """Programs by name; "default" serves accounts whose program is blank."""

    @property
    def programs(self) -> Mapping[str, Program]:
        """The programs."""
