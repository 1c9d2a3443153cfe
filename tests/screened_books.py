"""Options and leaves that are hard on a screen in float32: wide regimes, near ties, odd sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from every_backend import option_rows

from shockgrid.backends import Series
from shockgrid.backends.batch import Batch
from shockgrid.states import States

MINUTE = 1 / (365 * 24 * 60)


class Regime(NamedTuple):
    """Ranges that options are drawn from, evenly in the log."""

    years: tuple[float, float]
    vols: tuple[float, float]
    moneyness: float  #: the largest |log(strike / spot)|


REGIMES = {
    "usual": Regime((1 / 365, 3.0), (0.05, 1.0), 0.5),
    "minutes": Regime((MINUTE, 1 / 365), (0.01, 4.0), 0.2),
    "lifetimes": Regime((3.0, 167.0), (0.01, 1.0), 2.0),
    "wings": Regime((1 / 365, 3.0), (0.05, 1.0), 8.0),
    "anything": Regime((MINUTE, 167.0), (1e-9, 4.0), 4.0),
}


def drawn(regime: Regime, count: int, seed: int) -> Series:
    """European options, a third of them within three deviations of the money; spots of 0.01 to 100,000."""
    rng = np.random.default_rng(seed)
    years, vols = (np.exp(rng.uniform(*np.log(ends), count)) for ends in (regime.years, regime.vols))
    spots = np.exp(rng.uniform(np.log(0.01), np.log(1e5), count))
    near = rng.uniform(-3.0, 3.0, count) * np.minimum(vols * np.sqrt(years), 2.0)
    wide = rng.uniform(-regime.moneyness, regime.moneyness, count)
    life = np.minimum(years, 10.0)
    return option_rows(
        count,
        spots=spots,
        slopes=np.exp(rng.uniform(-0.1, 0.1, count) * life),
        intercepts=np.where(rng.random(count) < 0.1, -0.3 * spots, 0.0),
        strikes=spots * np.exp(np.where(rng.random(count) < 1 / 3, near, wide)),
        years=years,
        vols=vols,
        discount_factors=np.exp(-rng.uniform(0.0, 0.1, count) * life),
    )


def odd(series: Series, seed: int) -> Series:
    """The same with a few options each of no time, no vol, no strike, a strike below zero, or a huge size."""
    kind = np.random.default_rng(seed).integers(0, 20, len(series))
    sizes = np.choose(np.minimum(kind, 3), [1.0, 1e-33, 1e33, 1.0])
    return replace(
        series,
        spots=series.spots * sizes,
        intercepts=series.intercepts * sizes,
        strikes=np.select([kind == 4, kind == 5], [0.0, -series.strikes], series.strikes * sizes),
        years=np.where(kind == 6, 0.0, series.years),
        vols=np.where(kind == 7, 0.0, series.vols),
    )


def close_states(count: int, gap: float, seed: int) -> States:
    """Scenarios of which many lie as close as ``gap`` to each other, and some twice."""
    rng = np.random.default_rng(seed)
    factors = rng.choice([0.85, 1.0, 1.15], count) + gap * rng.integers(-9, 10, count)
    return States(
        spot_factors=factors,
        vol_shocks=gap * np.arange(3.0),
        relative=np.ones(3, np.bool_),
        term_powers=np.array([0.0, 0.5, 0.0]),
        vol_floors=np.zeros(3),
        vol_caps=np.full(3, np.inf),
        index=np.column_stack([rng.integers(0, count, count), rng.integers(0, 3, count)]),
    )


def batch_of(series: Series, states: States, groups: int, leaves: int, seed: int) -> Batch:
    """Class groups of one name each; leaves of up to 40 positions, some of which nearly offset each other."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(0, len(series), groups + 1).astype(np.intp)
    sizes = rng.integers(0, 41, groups * leaves)
    owners = np.repeat(np.arange(groups * leaves), sizes)
    columns = (rng.random(len(owners)) * np.diff(edges)[owners // leaves]).astype(np.int32)
    columns = columns[np.lexsort((columns, owners))]
    weights = np.rint(rng.normal(0, 10, len(owners))) * 10.0 ** rng.integers(-6, 9)
    same = (columns[1:] == columns[:-1]) & (owners[1:] == owners[:-1])
    weights[1:][same] = -weights[:-1][same]
    return Batch(
        series=series,
        section_starts=edges,
        states=(states,),
        section_states=np.zeros(groups, np.intp),
        group_sections=np.arange(groups + 1),
        group_leaves=np.arange(groups + 1) * leaves,
        leaf_positions=np.concatenate([[0], np.cumsum(sizes)]),
        columns=columns,
        weights=weights,
    )
