"""What early exercise needs beside the columns: the premium tables of options, and values of the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._cupy_sections import Part
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends._numpy_block import shocked_vols
from shockgrid.backends._numpy_store import Kept, PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import RANGES
from shockgrid.backends.ways import GIVEN, WantedTables, Ways
from shockgrid.pricing.american import american
from shockgrid.states import UNMOVED, States


@dataclass(frozen=True)
class Given:
    """Values in place of those that kernels compute: G rows of them, S scenarios."""

    values: Floats  #: [G, S]
    bases: Floats  #: [G]
    flags: Mask  #: [G, S] which values count
    base_flags: Mask  #: [G] which bases count
    rows: Codes  #: [rows of all sections] which of the G rows is theirs, or -1


def parts_of(sections: Sequence[tuple[Series, States]], store: PremiumStore) -> tuple[list[Part], Kept]:
    """How each instrument of the sections is priced, with the premium tables that this reads."""
    ways = [Ways.of(series, states) for series, states in sections]
    none, names = np.empty(0, np.intp), ("lengths", "first", "last")
    lengths, first, last = (np.concatenate([none, *(getattr(own, name) for own in ways)]) for name in names)
    wanted = WantedTables(np.concatenate([np.empty((3, 0)), *(own.terms for own in ways)], axis=1), lengths)
    wanted.add_between(first, last)
    found, kept = wanted.find(store)
    parts, start = [], 0
    for (series, states), own in zip(sections, ways, strict=True):
        tables = np.full((len(series), RANGES), -1, np.int32)
        tables[own.rows] = found[start : start + len(own.rows)]
        start += len(own.rows)
        parts.append(Part(series, states, own, tables))
    return parts, kept


def given_of(parts: Sequence[Part], host: NumpyBackend) -> Given | None:
    """Values that the host finds: of instruments with grids or settled in coin, and off the tables.

    None where there are none.
    """
    tops = np.cumsum([0, *(len(part.series) for part in parts)])
    blocks, rows = [], np.full(int(tops[-1]), -1, np.intp)
    count = 0
    for part, top in zip(parts, tops, strict=False):
        if not len(part.ways.given):
            continue
        for own, block in (_whole(part, host), _off_tables(part)):
            if len(own):
                rows[top + own] = count + np.arange(len(own))
                count += len(own)
                blocks.append(block)
    if not blocks:
        return None
    values, bases, flags, base_flags = (np.concatenate(column) for column in zip(*blocks, strict=True))
    return Given(values, bases, flags, base_flags, rows)


Block = tuple[Floats, Floats, Mask, Mask]


def _whole(part: Part, host: NumpyBackend) -> tuple[Codes, Block]:
    """Instruments of which every value is given."""
    own = np.flatnonzero(part.ways.routes == GIVEN)
    taken = part.series.take(own)
    values = np.ascontiguousarray(host.price(taken, part.states).T)
    return own, (values, host.base(taken), np.ones(values.shape, np.bool_), np.ones(len(own), np.bool_))


def _off_tables(part: Part) -> tuple[Codes, Block]:
    """Options of which some states are not tabulated; those are priced by the slow and exact way."""
    ways, index = part.ways, part.states.index
    some = ways.routes[ways.given] != GIVEN
    rows, beyond = ways.given[some], ways.flags[:, some]
    own, base_flags = part.series.take(rows), beyond[-1]
    vols = shocked_vols(own, part.states)
    flags = np.ascontiguousarray(beyond[index[:, 1]].T)
    values, bases = np.zeros(flags.shape), np.zeros(len(rows))
    lines, scenarios = np.nonzero(flags)
    factors = part.states.spot_factors[index[scenarios, 0]]
    values[flags] = _exact(own.take(lines), factors, vols[index[scenarios, 1], lines])
    bases[base_flags] = _exact(own.take(base_flags), UNMOVED.spot_factors, own.vols[base_flags])
    return rows, (values, bases, flags, base_flags)


def _exact(own: Series, factors: Floats, vols: Floats) -> Floats:
    spots = own.units * own.spots * factors
    return np.asarray(american(spots, own.strikes, own.years, vols, own.rates, own.yields, own.is_call))
