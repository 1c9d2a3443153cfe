"""SPAN 1: sixteen scenarios a combined commodity, spread charges and credits, short option minimum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from shockgrid.arrays import Floats
from shockgrid.market import Market
from shockgrid.regimes.parameter_files import load
from shockgrid.regimes.span_arrays import RiskArrays
from shockgrid.regimes.span_charges import DELTA, STENCIL, STEP, Charges
from shockgrid.regimes.span_file import Commodity, SpanParameters
from shockgrid.requirement.leafwise import Apart
from shockgrid.requirement.regime import AddOn, Regime
from shockgrid.requirement.tree import Tree
from shockgrid.scenarios import ScenarioSet

PARAMETERS = "span-2026-11-20.toml"
NOTE = (
    "span is an estimate: only the clearing house's own files and program count; commodities that the "
    "parameter file does not name are scanned over its default ranges, which are no exchange's"
)


def span(parameters: str | Path | None = None, *, arrays: Any = None) -> Regime:
    """SPAN 1 (CME's Standard Portfolio Analysis of Risk) as a value.

    A combined commodity is a class group; each contract month is an underlying of its own, or one underlying
    lists several expiries. The scan risk is the worst of sixteen scenarios one day ahead: fractions of the
    price scan range with the vols up or down, then two extreme moves that count in part. Intra-commodity
    charges and inter-commodity credits form spreads from composite deltas in the order of the file; the short
    option minimum is a floor, commodity by commodity. Requirements of commodities are summed.

    ``requirement`` is the maintenance requirement before net option value, which sits in equity:
    equity - requirement = cash - (requirement - net option value). ``initial_requirement`` is the file's
    multiple of it. ``explain`` shows the net option value as a memo.

    Not covered: delivery (spot month) charges, scan-based inter-commodity spreads (method 04), "super"
    spreads, tier by tier scan ranges, clearing house files as such (their arrays come in as ``arrays``). A
    scan risk below zero counts as zero.

    Parameters
    ----------
    parameters : path of a TOML file like span-2026-11-20.toml; it holds the sixteen points and, for each
        combined commodity, ranges, tiers, spreads and minimum.
    arrays : frame of published risk arrays (symbol, loss_1 .. loss_16 with loss > 0, composite_delta), per
        contract long; symbols in it are not priced by a model.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.
    InputError : a bad row of ``arrays``.

    Source: CME Group, SPAN methodology pages and advisory 10-409; L. McMillan, Options as a Strategic
    Investment, chapter 34; HKEX, PRiME guide (price risk of a future).
    """
    numbers = load(SpanParameters, parameters, PARAMETERS)
    published = None if arrays is None else RiskArrays.read(arrays, len(numbers.points.rows))
    charges = Charges(numbers, published)
    apart = Apart(charges.alone)
    lines = (
        AddOn(
            "intra_commodity",
            charges.intra,
            words="months of one commodity do not offset in full",
            leafwise=apart,
        ),
        AddOn(
            "inter_commodity",
            charges.inter,
            "credit",
            "offsetting deltas of related commodities",
            leafwise=apart,
        ),
        AddOn(
            "short_option_minimum",
            charges.minimum_top_up,
            words="no less than a charge per short option",
            leafwise=apart,
        ),
    )
    factor = AddOn(
        "initial_factor",
        lambda context: np.full(len(context.plan.margin_groups), numbers.initial_factor.value),
        "factor",
        "initial margin is a multiple of maintenance margin",
    )
    return Regime(
        name="span",
        scenarios=_scenarios(numbers, published),
        tree=Tree("class_group", by_expiry=True),
        add_ons=lines,
        initial=(*lines, factor),
        memos=(AddOn("net_option_value", charges.net_option_value, words="long less short option value"),),
        side="exchange",
        parameters=numbers.model_dump(mode="json"),
        notes=(NOTE,),
        scan_words="scan risk: the worst of the risk array, weights of extreme moves applied",
    )


def _scenarios(numbers: SpanParameters, published: RiskArrays | None) -> ScenarioSet:
    rows, deltas = numbers.points.rows, numbers.deltas

    def price_ranges(market: Market) -> Floats:
        return _by_commodity(numbers, market, _price_share)

    def vol_ranges(market: Market) -> Floats:
        return _by_commodity(numbers, market, lambda commodity, _: commodity.vol_range)

    shared: dict[str, Any] = {
        "leveraged": False,
        "spot_scale": price_ranges,
        "vol_scale": vol_ranges,
        "roll_days": numbers.look_ahead_days.value,
    }
    weights = [row.weight for row in rows]
    standard = ScenarioSet.points(
        [row.price for row in rows],
        [row.vol for row in rows],
        numbers.vol_mode,
        names=[f"price {row.price:+.3g} vol {row.vol:+.3g} ranges" for row in rows],
        weight=weights,
        known_pnl=None if published is None else published.scenarios(weights),
        **shared,
    )
    around = [move + step * STEP for move in deltas.moves for step in STENCIL]
    known = None if published is None else published.no_delta(len(around))
    return standard + ScenarioSet.points(around, tag=DELTA, known_pnl=known, **shared)


def _price_share(commodity: Commodity, spot: float) -> float:
    share = commodity.price_range_is == "share"
    return commodity.price_range if share else commodity.price_range / spot


def _by_commodity(numbers: SpanParameters, market: Market, figure: Any) -> Floats:
    known, names = numbers.commodities, market.underlyings
    pairs = zip(names.class_groups, names.spots, strict=True)
    return np.array([figure(known.get(str(group), known["default"]), spot) for group, spot in pairs], float)
