"""Random firms of any size as plain arrays, which every pipeline can read, and as the batch of a backend."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from shockgrid.backends.batch import Batch, Worst
from shockgrid.backends.contract import Backend, Series
from shockgrid.states import States
from shockgrid.whole_firm import SHARES

Array = NDArray[Any]
SPOTS, VOLS = np.linspace(-0.15, 0.15, 31), np.linspace(-0.3, 0.3, 7)
RATE = 0.04
CONTRACT = 100.0


class Size(NamedTuple):
    """Every account holds so many positions in each of its names."""

    names: int
    series: int  #: of each name
    accounts: int
    held: int  #: names held by an account
    positions: int  #: of an account in a name it holds


#: A push tries everything on small firms (``.ci/run``); the figures of README are of the whole ones.
SMALL = "SHOCKGRID_SMALL_BENCHMARKS" in os.environ
DESK = Size(names=154, series=130, accounts=2_000, held=20, positions=5)
FIRM = Size(names=3_000, series=100, accounts=5_000, held=20, positions=10)
if SMALL:
    FIRM = FIRM._replace(names=60, accounts=100)


@dataclass(frozen=True)
class Firm:
    """The series of all names one after another, and positions by name, account and series."""

    size: Size
    spots: Array  #: [names x series] of its name
    strikes: Array
    years: Array
    yields: Array
    vols: Array
    is_call: Array
    names: Array  #: [P] of each position
    accounts: Array  #: [P]
    series: Array  #: [P] row of the series above
    quantities: Array  #: [P] contracts, short < 0

    @property
    def leaf_starts(self) -> Array:
        """First position of each (name, account), and P."""
        change = np.diff(self.names, prepend=-1) != 0
        change |= np.diff(self.accounts, prepend=-1) != 0
        return np.append(np.flatnonzero(change), len(self.names))

    def batch(self, states: States, *, american: bool = False) -> Batch:
        """The same for ``Backend.worst``: a class group is a name."""
        size, starts = self.size, self.leaf_starts
        firsts = np.arange(size.names + 1)
        return Batch(
            series=self.columns(american=american),
            section_starts=firsts * size.series,
            states=(states,),
            section_states=np.zeros(size.names, np.intp),
            group_sections=firsts,
            group_leaves=np.searchsorted(self.names[starts[:-1]], firsts),
            leaf_positions=starts,
            columns=(self.series - self.names * size.series).astype(np.int32),
            weights=self.quantities * CONTRACT,
        )

    def columns(self, *, american: bool = False) -> Series:
        count = len(self.spots)
        return Series(
            spots=self.spots,
            slopes=np.exp((RATE - self.yields) * self.years),
            intercepts=np.zeros(count),
            strikes=self.strikes,
            years=self.years,
            vols=self.vols,
            discount_factors=np.exp(-RATE * self.years),
            is_option=np.ones(count, np.bool_),
            is_call=self.is_call,
            is_american=np.full(count, american),
            units=np.ones(count),
            rates=np.full(count, RATE),
            yields=self.yields,
            ex_years=np.empty((count, 0)),
            ex_cash=np.empty((count, 0)),
            inverse=np.zeros(count, np.bool_),
        )


def drawn(size: Size, *, expiries: int = 5, seed: int = 7, tile: int = 0) -> Firm:
    """Calls and puts of a few expiries a name, strikes within 25 % of the spot; popular names first.

    Another ``tile`` is other accounts that hold the same series.
    """
    rng = np.random.default_rng(seed)
    count = size.names * size.series
    name = np.repeat(np.arange(size.names), size.series)
    spots = rng.uniform(20, 500, size.names)[name]
    terms = (
        7 + 40 * np.arange(expiries) ** 2 * (4 / expiries) ** 2 + 5 * rng.random((size.names, expiries))
    ) / 365
    place = np.tile(np.arange(size.series) * expiries // size.series, size.names)
    strikes, vols = spots * np.exp(rng.uniform(-0.25, 0.25, count)), rng.uniform(0.15, 0.55, count)
    yields, is_call = rng.uniform(0.0, 0.03, size.names)[name], rng.random(count) < 0.5
    rng = np.random.default_rng([seed, tile])
    held = (size.names * rng.random((size.accounts, size.held)) ** 1.5).astype(np.intp)
    names = np.repeat(held.ravel(), size.positions)
    accounts = np.repeat(np.arange(size.accounts), size.held * size.positions)
    series = names * size.series + rng.integers(0, size.series, len(names))
    order = np.lexsort((series, accounts, names))
    return Firm(
        size=size,
        spots=spots,
        strikes=strikes,
        years=terms[name, place],
        yields=yields,
        vols=vols,
        is_call=is_call,
        names=names[order],
        accounts=accounts[order],
        series=series[order],
        quantities=(rng.integers(1, 21, len(names)) * rng.choice([-1.0, 1.0], len(names)))[order],
    )


def grid(spots: Array = SPOTS, vols: Array = VOLS) -> States:
    """Every price with every relative vol shock."""
    pairs = np.stack(np.meshgrid(np.arange(len(spots)), np.arange(len(vols)), indexing="ij"), axis=-1)
    return States(
        spot_factors=1.0 + spots,
        vol_shocks=vols,
        relative=np.ones(len(vols), np.bool_),
        term_powers=np.zeros(len(vols)),
        vol_floors=np.zeros(len(vols)),
        vol_caps=np.full(len(vols), np.inf),
        index=pairs.reshape(-1, 2),
    )


def walked(backend: Backend, batch: Batch, threads: int) -> Worst:
    """The worst loss of every leaf, by threads that take a share of the names in turn."""
    if threads == 1:
        return backend.worst(batch, batch.scenarios)
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda part: backend.worst(part, part.scenarios), batch.cut(SHARES)))
    return Worst(*(np.concatenate(column) for column in zip(*parts, strict=True)))
