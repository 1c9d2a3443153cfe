"""What happens to the market: sets of price and vol shocks, laid over a market."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.doors import text
from shockgrid.errors import InputError
from shockgrid.market import Market
from shockgrid.scenario_rules import KnownPnl, Rule, Terms, checked_weights, paired, shock_list
from shockgrid.shocks import (
    Chosen,
    CommonShocks,
    GroupShocks,
    ListOfShocks,
    Stacked,
    TypeShocks,
    digest,
    historical_shocks,
    joint_shocks,
)
from shockgrid.vol_rules import VolRule

Shocks: TypeAlias = Callable[[Market], Floats]

_PER_SCENARIO = (
    "relative",
    "term_powers",
    "vol_floors",
    "vol_caps",
    "weights",
    "leveraged",
    "vol_rules",
    "roll_days",
    "averaging_minutes",
    "known_pnl",
)


@dataclass(frozen=True)
class ScenarioSet:
    """S scenarios, the k-th of which is the k-th point of every underlying's own range.

    Attributes
    ----------
    names : label of each scenario, length S.
    tags : what each one is for, length S ("standard" unless said); reducers and add-ons select by tag.
    spot : market -> spot shocks [U, S] as fractions (-0.15 is 15 % down), before leverage.
    vol : market -> vol shocks [U, S] as decimals, in the mode of ``relative``.
    relative, term_powers, vol_floors, vol_caps : the vol rule of each scenario, see ``States``; length S.
    weights : factor on the P&L of each scenario, length S.
    weight : market -> further factors [U, S] on the P&L of each underlying, the same within a class group.
    leveraged : whether an underlying's leverage multiplies its spot shock, length S.
    vol_rules : a rule of ``shockgrid.vol_rules`` that applies the vol shock in place of the four columns
        above, or None; length S.
    roll_days : days that pass in the scenario (a look-ahead), >= 0; length S. Options age, prices stay.
    averaging_minutes : settlement is on the average over so many last minutes, >= 0; length S. Within them
        the part of a forward that has been averaged no longer moves.
    known_pnl : P&L known from elsewhere in place of a model's (``KnownPnl``), or None; length S.
    digest : SHA-256 of the shocks and rules, for the record; a ``spot_scale`` function is not in it.
    """

    names: tuple[str, ...]
    tags: tuple[str, ...]
    spot: Shocks = field(repr=False)
    vol: Shocks = field(repr=False)
    weight: Shocks = field(repr=False)
    relative: Mask = field(repr=False)
    term_powers: Floats = field(repr=False)
    vol_floors: Floats = field(repr=False)
    vol_caps: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    leveraged: Mask = field(repr=False)
    vol_rules: Texts = field(repr=False)
    roll_days: Floats = field(repr=False)
    averaging_minutes: Floats = field(repr=False)
    known_pnl: Texts = field(repr=False)
    digest: str = field(repr=False)

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def grid(
        cls,
        spot: ArrayLike,
        vol: ArrayLike = (0.0,),
        vol_mode: str = "relative",
        *,
        spot_scale: Callable[[Market], Floats] | None = None,
        **rules: Any,
    ) -> ScenarioSet:
        """Every spot shock with every vol shock; scenario = spot index x len(vol) + vol index.

        Parameters
        ----------
        spot : spot shocks, fractions in [-1, inf); vol : vol shocks, decimals.
        vol_mode : "relative" (vol x (1 + y)) or "absolute" (vol + y).
        spot_scale : market -> factor [U] on the spot shocks of each underlying (k x sigma ranges).
        rules : everything else that ``points`` takes.
        """
        spots, vols = shock_list(spot, "spot"), shock_list(vol, "vol")
        grid = np.repeat(spots, len(vols))
        return cls.points(grid, np.tile(vols, len(spots)), vol_mode, spot_scale=spot_scale, **rules)

    @classmethod
    def points(
        cls,
        spot: ArrayLike,
        vol: ArrayLike = 0.0,
        vol_mode: str = "relative",
        *,
        tag: str = "standard",
        names: Sequence[str] | None = None,
        term_power: float = 0.0,
        vol_floor: float = 0.0,
        vol_cap: float = np.inf,
        weight: ArrayLike = 1.0,
        leveraged: bool = True,
        spot_scale: Callable[[Market], Floats] | None = None,
        vol_scale: Callable[[Market], Floats] | None = None,
        vol_rule: VolRule | Sequence[VolRule | None] | None = None,
        roll_days: float = 0.0,
        averaging_minutes: float = 0.0,
        known_pnl: Sequence[KnownPnl] | None = None,
    ) -> ScenarioSet:
        """The same list of (spot, vol) shocks for every underlying, paired by broadcasting.

        ``vol_rule``, one for all or a list, applies the vol shocks in place of mode, power, floor and cap;
        ``spot_scale`` and ``vol_scale`` give a factor [U] on the shocks of each underlying; others as above.

        Raises InputError for a shock, weight or power that is not finite, a spot shock below -1, an unknown
        mode or a floor above its cap. A shock in ranges (``spot_scale``) may be below -1: no spot falls
        below 0.
        """
        labels, spots, vols = paired(names, spot, vol, spot_scale=spot_scale, vol_scale=vol_scale)
        rule = Rule(vol_mode, term_power, vol_floor, vol_cap, weight, leveraged)
        spot_list, vol_list = CommonShocks(spots, spot_scale), CommonShocks(vols, vol_scale)
        terms = Terms(vol_rule, roll_days, averaging_minutes, known_pnl)
        return _built(labels, tag, spot_list, vol_list, rule, terms)

    @classmethod
    def by_portfolio_type(
        cls, points: Mapping[str, Sequence[float]], *, tag: str = "standard", weight: ArrayLike = 1.0
    ) -> ScenarioSet:
        """A row of spot shocks for each portfolio type, vols held; all rows of one length."""
        lengths = {len(row) for row in points.values()}
        if len(lengths) != 1:
            problem = "every portfolio type needs the same number of points"
            raise InputError(problem, value=sorted(lengths))
        (count,) = lengths
        spot = TypeShocks(tuple(points), np.array(list(points.values()), float))
        labels = [f"point {j + 1}" for j in range(count)]
        return _built(labels, tag, spot, CommonShocks(np.zeros(count)), Rule(weight=weight))

    @classmethod
    def by_class_group(
        cls,
        spot: Mapping[str, Sequence[float]],
        vol: Mapping[str, Sequence[float]],
        weight: Mapping[str, Sequence[float]],
        *,
        names: Sequence[str],
        tag: str = "standard",
        vol_rule: VolRule | Sequence[VolRule | None] | None = None,
        averaging_minutes: float = 0.0,
    ) -> ScenarioSet:
        """Rows of spot shocks, relative vol shocks and weights for each class group, all of one length.

        A held underlying of a class group without a row is an error at ``margin()``.
        """
        spots, vols, weights = (GroupShocks.of(rows, len(names)) for rows in (spot, vol, weight))
        terms = Terms(vol_rule, averaging_minutes=averaging_minutes)
        return _built(names, tag, spots, vols, Rule(leveraged=False), terms, weights)

    @classmethod
    def joint(cls, frame: Any, vol_mode: str = "relative", *, tag: str = "standard") -> ScenarioSet:
        """A list of joint scenarios: one row per (scenario, underlying), columns scenario, underlying,
        spot_shock and optionally vol_shock; an underlying a scenario does not name does not move in it.

        One the market does not know is an InputError at ``margin()``.
        """
        names, spot, vol = joint_shocks(frame)
        return _built(names, tag, spot, vol, Rule(vol_mode, leveraged=False))

    @classmethod
    def history(cls, frame: Any, *, tag: str = "standard") -> ScenarioSet:
        """Historical vectors: one row per date, one column per underlying, simple returns as fractions.

        Vols are held. A held underlying without a column is an error at ``margin()``: a missing history must
        not read as "does not move".
        """
        names, spot, vol = historical_shocks(frame)
        return _built(names, tag, spot, vol, Rule(leveraged=False))

    def __add__(self, other: ScenarioSet) -> ScenarioSet:
        """Both sets, one after the other."""
        joined = {name: np.concatenate([getattr(self, name), getattr(other, name)]) for name in _PER_SCENARIO}
        return ScenarioSet(
            self.names + other.names,
            self.tags + other.tags,
            Stacked((self.spot, other.spot)),
            Stacked((self.vol, other.vol)),
            Stacked((self.weight, other.weight)),
            **joined,
            digest=digest(self.digest, other.digest),
        )

    def only(self, tag: str) -> ScenarioSet:
        """The scenarios that carry this tag, as a set of their own."""
        rows = self.tagged(tag)
        return ScenarioSet(
            tuple(self.names[row] for row in rows),
            (tag,) * len(rows),
            Chosen(self.spot, rows),
            Chosen(self.vol, rows),
            Chosen(self.weight, rows),
            **{name: getattr(self, name)[rows] for name in _PER_SCENARIO},
            digest=digest(self.digest, tag),
        )

    def tagged(self, tag: str) -> Codes:
        """Positions of the scenarios that carry this tag."""
        return np.flatnonzero(np.asarray(self.tags, object) == tag)


def _built(
    names: Sequence[str],
    tag: str,
    spot: ListOfShocks,
    vol: ListOfShocks,
    rule: Rule,
    terms: Terms | None = None,
    weight: ListOfShocks | None = None,
) -> ScenarioSet:
    count = len(names)
    weights = checked_weights(names, spot, vol, weight, rule)
    written = rule._replace(weight=weights.tolist())
    extra, own = terms or Terms(), () if weight is None else (weight.digest(),)
    return ScenarioSet(
        names=tuple(names),
        tags=(text(tag, "tag"),) * count,
        spot=spot,
        vol=vol,
        weight=weight or CommonShocks(np.ones(count)),
        relative=np.full(count, rule.vol_mode == "relative"),
        term_powers=np.full(count, rule.term_power),
        vol_floors=np.full(count, rule.vol_floor),
        vol_caps=np.full(count, rule.vol_cap),
        weights=weights,
        leveraged=np.full(count, rule.leveraged),
        **extra.columns(count),
        digest=digest(*names, tag, spot.digest(), vol.digest(), written, *extra.record(), *own),
    )
