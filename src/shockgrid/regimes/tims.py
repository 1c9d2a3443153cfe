"""Customer portfolio margin: FINRA Rule 4210(g), Cboe Rule 10.4, OCC's TIMS-CPM method."""

from __future__ import annotations

from pathlib import Path

from shockgrid.regimes.parameter_files import TimsParameters, load
from shockgrid.requirement.regime import Regime
from shockgrid.requirement.tree import Tree, offset_gains
from shockgrid.scenarios import ScenarioSet

PARAMETERS = "tims-2026-06-04.toml"
NOTE = (
    "tims is an estimate, not the regulator's number: only OCC's own model qualifies under the rule; group "
    "offsets are 0 unless the offsets table says otherwise"
)


def tims(parameters: str | Path | None = None) -> Regime:
    """The exchange regime of US customer portfolio margin, as a value.

    Ten valuation points over a range by portfolio type, each series' implied vol held, no time decay. A
    class group nets in full; within a product group and a portfolio group gains count at the group's offset
    share (``offsets`` table, default 0); the greatest loss over the points is compared with the sum of the
    per-contract minimums, portfolio group by portfolio group. A leveraged or inverse ETF moves by its
    leverage times the tracked index's range (FINRA RN 09-53). Class groups are merged by the ``groups``
    table (SPX and SPY). Not covered: unlisted derivatives, money-market and bond positions.

    Parameters
    ----------
    parameters : path of a TOML file like the one that ships (tims-2026-06-04.toml) to replace its numbers.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.
    """
    numbers = load(TimsParameters, parameters, PARAMETERS)
    shocks = {
        kind: [point * (span.down if point < 0 else span.up) for point in numbers.points.values]
        for kind, span in numbers.ranges
    }
    return Regime(
        name="tims",
        scenarios=ScenarioSet.by_portfolio_type(shocks),
        tree=Tree(
            reduce_at="portfolio_group",
            transforms={"class_group": offset_gains, "product_group": offset_gains},
            minimum_per_unit=numbers.minimum_per_unit.value,
        ),
        side="exchange",
        parameters=numbers.model_dump(mode="json"),
        notes=(NOTE,),
    )
