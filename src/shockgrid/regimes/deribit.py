"""Deribit's portfolio margin: the current model (v3), the one before it (v2), and standard margin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from shockgrid.errors import InputError
from shockgrid.regimes.deribit_charges import V3Charges, order_margin
from shockgrid.regimes.deribit_file import V3Parameters
from shockgrid.regimes.deribit_matrix import dampened, risk_matrix
from shockgrid.regimes.deribit_older import standard, v2
from shockgrid.regimes.parameter_files import load
from shockgrid.requirement.leafwise import Apart
from shockgrid.requirement.regime import AddOn, Regime
from shockgrid.requirement.tree import Tree

PARAMETERS = {
    "v3": "deribit-v3-2026-02-01.toml",
    "v2": "deribit-v2-2023-08-01.toml",
    "standard": "deribit-standard-2026-02-01.toml",
}
NOTE = (
    "deribit is an estimate: the venue's own simulation is the authority; not public or not found: the price "
    "at which option P&L converts to coin, the floor of days to expiry, the form of the delta shock, the "
    "correlation contingency of cross margin"
)


def deribit(
    version: str = "v3",
    parameters: str | Path | None = None,
    *,
    order_margins: Mapping[str, float] | None = None,
) -> Regime:
    """Deribit's margin of coin-settled (inverse) contracts, one matrix per currency, as a value.

    A currency is a class group (BTC, ETH). P&L is in coin, converted at today's index; an account kept in
    coin shows coin. The base currency of the market must be USD, in which the dampener and the limits are.

    ``v3`` (2024 on): nine price buckets by three vol states, and eight extended moves whose P&L is scaled
    by range / |move| and reconverted at the end of the range. Per currency the extended rows are dampened
    and gains count at ``pnl_offset``; then the worst, a roll shock on each expiry's net delta and a delta
    shock above a threshold. Maintenance is ``mm_factor`` of that sum. ``v2`` (until 2024): a price x vol
    grid, a charge on net short options per strike and one on offsetting futures. ``standard``: short options
    position by position.

    Not covered: correlation contingency and collateral haircuts of cross margin (both were 0 or off in the
    responses seen), spot margin, USDC-settled contracts, v2's vega contingency. In the last half hour the
    delta of options and dated futures decays as their delivery price is averaged.

    Parameters
    ----------
    version : "v3", "v2" or "standard".
    parameters : path of a TOML file like the one that ships for the version.
    order_margins : margin group -> margin of open orders and of market maker protection, in the margin
        group's currency; part of initial margin.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.
    InputError : an unknown version, a negative order margin, or (at ``margin()``) a base currency other than
        USD, a held currency without parameters, or an instrument that is not settled in coin.

    Source: docs.deribit.com (private/pme/simulate), support.deribit.com (portfolio margin), the older page
    /pages/docs/portfoliomargin; the dampener and the delta shock from third-party code.
    """
    makers = {"v3": _v3, "v2": v2, "standard": standard}
    if version not in makers:
        problem = f"expected one of {', '.join(makers)}"
        raise InputError(problem, column="version", value=version)
    given = dict(order_margins or {})
    regime = makers[version](parameters, PARAMETERS[version], order_margin(given), NOTE)
    return replace(
        regime,
        parameters={"numbers": regime.parameters, "order_margins": given},
        covers=lambda market: market.instruments.inverse,
    )


def _v3(parameters: str | Path | None, default: str, orders: AddOn, note: str) -> Regime:
    numbers = load(V3Parameters, parameters, default)
    charges = V3Charges(numbers)
    core = (
        AddOn(
            "roll_shock",
            charges.roll,
            words="each expiry's |net delta| x the move its basis may make",
            leafwise=Apart(),
        ),
        AddOn(
            "delta_shock",
            charges.delta_shock,
            words="delta above the liquidation threshold",
            leafwise=Apart(),
        ),
    )
    factor = AddOn(
        "mm_factor",
        lambda context: np.full(len(context.plan.margin_groups), numbers.mm_factor.value),
        "factor",
        "maintenance is a share of the risk matrix margin",
        leafwise=Apart(same=True),
    )
    return Regime(
        name="deribit v3",
        scenarios=risk_matrix(numbers),
        tree=Tree("product_group", {"class_group": dampened(numbers)}, by_expiry=True, sides=True),
        add_ons=(*core, factor),
        initial=(*core, orders),
        side="exchange",
        parameters=numbers.model_dump(mode="json"),
        notes=(note,),
        scan_words="worst case of the risk matrix, standard and extended",
    )
