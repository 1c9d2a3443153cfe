"""Portfolio margin and risk-based haircuts by OCC's TIMS: customers, broker-dealers, market makers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.doors import one_of
from shockgrid.market import HELD_OUTRIGHT, Market
from shockgrid.regimes.currencies import currency_ranges, currency_rows
from shockgrid.regimes.parameter_files import TimsParameters, load, strangers
from shockgrid.requirement.regime import Context, Regime
from shockgrid.requirement.remarks import Measured, rule
from shockgrid.requirement.tree import Tree, offset_gains
from shockgrid.scenarios import ScenarioSet, Shocks
from shockgrid.shocks import digest

Account = Literal["customer", "broker_dealer", "market_maker"]
PARAMETERS: Mapping[Account, str] = {
    "customer": "tims-2026-06-04.toml",
    "broker_dealer": "rbh-bd-2026-11-20.toml",
    "market_maker": "rbh-mm-2026-11-20.toml",
}
NOTE = (
    "{} is an estimate, not the regulator's number: only OCC's own model qualifies under the rule; group "
    "offsets are 0 unless the offsets table says otherwise"
)
CROSS_MARGIN = "futures net with securities of their class group: this needs a cross-margin agreement"
FUTURES = ("future", "perpetual")


def tims(parameters: str | Path | None = None, *, account: Account = "customer") -> Regime:
    """The exchange regime of US portfolio margin, or the haircuts of a broker-dealer, as a value.

    Ten valuation points over a range by portfolio type, each series' implied vol held, no time decay. A
    class group nets in full; within a product group and a portfolio group gains count at the group's offset
    share (``offsets`` table, default 0); the greatest loss over the points is compared with the sum of the
    per-contract minimums, portfolio group by portfolio group. A leveraged or inverse ETF moves by its
    leverage times the tracked index's range (FINRA RN 09-53). Class groups are merged by the ``groups``
    table: SPX and SPY, and an index's futures and their options (an underlying for each month); a rule of
    ``explain`` then says that a cross-margin agreement is needed. Options on a volatility index are priced
    on the forward to their own expiry (``forwards`` table, or an underlying for each expiry) and moved over
    ``own_ranges`` of the parameter file, by underlying or class group. With ``fx`` in the file (it is for
    the two dealers' tables) foreign cash and positions are class groups of their own.

    Not covered: unlisted derivatives, minimums of security futures and warrants, qualified stock baskets, the
    security haircut of plain stock, and the range of volatility indexes, for which no source was found.

    Parameters
    ----------
    parameters : path of a TOML file like the one that ships (tims-2026-06-04.toml) to replace its numbers.
    account : whose table: FINRA 4210(g) customers; broker-dealers' or market makers' positions (SEC Rule
        15c3-1a), which differ in ranges, minimum and currencies.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.

    Source: FINRA Rule 4210(g), Cboe Rule 10.4, OCC Risk Based Haircuts; each number's in the file.
    """
    one_of(account, tuple(PARAMETERS), "account")
    numbers = load(TimsParameters, parameters, PARAMETERS[account])
    return Regime(
        name=numbers.name,
        scenarios=tims_scenarios(numbers),
        tree=Tree(
            reduce_at="portfolio_group",
            transforms={"class_group": offset_gains, "product_group": offset_gains},
            minimum_per_unit=numbers.minimum_per_unit.value,
        ),
        add_ons=() if numbers.fx is None else (currency_ranges(numbers.fx),),
        side="exchange",
        parameters=numbers.model_dump(mode="json"),
        notes=(NOTE.format(numbers.name),),
        plan_notes=lambda plan: strangers(
            "own range of",
            numbers.own_ranges,
            plan.market.underlyings.names,
            plan.market.underlyings.class_groups,
        ),
        scan_words="the greatest loss over the ten valuation points, not below the minimum per contract",
        remarks=(
            rule("cross_margin_agreement", _cross_margin, CROSS_MARGIN),
            *([] if numbers.fx is None else [currency_rows(numbers.fx)]),
        ),
    )


def tims_scenarios(numbers: TimsParameters) -> ScenarioSet:
    """The valuation points over each name's range."""

    def points(down: float, up: float) -> list[float]:
        return [point * (down if point < 0 else up) for point in numbers.points.values]

    plain = ScenarioSet.by_portfolio_type({kind: points(span.down, span.up) for kind, span in numbers.ranges})
    if not numbers.own_ranges:
        return plain
    own = {name: np.array(points(span.down, span.up)) for name, span in numbers.own_ranges.items()}
    parts = [part for name, row in own.items() for part in (name, row)]
    return replace(plain, spot=OwnRanges(plain.spot, own), digest=digest(plain.digest, *parts))


@dataclass(frozen=True)
class OwnRanges:
    """Spot shocks by portfolio type but for the names, or class groups, that have their own."""

    usual: Shocks
    own: Mapping[str, Floats]  #: name -> [S]

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market, [U, S]."""
        shocks, names = self.usual(market).copy(), market.underlyings
        for name, row in self.own.items():
            shocks[names.class_groups == name] = row
        for name, row in self.own.items():
            shocks[names.names == name] = row
        return shocks


def _cross_margin(context: Context) -> Measured:
    """In how many class groups a margin group holds futures beside securities."""
    plan = context.plan
    table, names, held = plan.market.instruments, plan.market.underlyings, plan.positions
    futures = np.isin(table.types.astype(str), FUTURES)
    listed = np.bincount(table.underlyings[futures], minlength=len(names.names)) > 0
    month = listed & (names.names != names.class_groups)  # options on it are options on a future
    outright = np.isin(table.types.astype(str), HELD_OUTRIGHT)
    of_future = futures | (month[table.underlyings] & ~outright if len(month) else futures)
    mine = of_future[held.instruments] & (held.quantities != 0.0)
    security = ~of_future[held.instruments] & (held.quantities != 0.0)
    leaves, size = context.position_leaves(), len(context.leaves.margin_groups)
    both = (np.bincount(leaves[mine], minlength=size) > 0) & (
        np.bincount(leaves[security], minlength=size) > 0
    )
    counts = context.by_margin_group(both.astype(np.float64))
    return Measured(counts, np.zeros(len(counts)), np.where(counts > 0.0, -counts, np.nan))
