"""What early exercise needs beside the columns: the premium tables of options, and values of the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._cupy_sections import GIVEN, TABLE, TABLE_RANGES, Part, routes_of
from shockgrid.backends._numpy import NumpyBackend
from shockgrid.backends._numpy_block import shocked_vols
from shockgrid.backends._numpy_routes import off_tables, put_rates
from shockgrid.backends._numpy_store import Kept, PremiumStore
from shockgrid.backends.contract import Series
from shockgrid.backends.vol_ranges import LARGEST_VOL, LOWEST, SMALLEST_VOL, range_of
from shockgrid.pricing.american import american
from shockgrid.states import UNMOVED, States

#: The device rounds a shocked vol by itself: at the edge of a range both tables are at hand.
EDGE = 1e-9


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
    ways = [routes_of(series) for series, _ in sections]
    rows = [np.flatnonzero(way == TABLE) for way in ways]
    terms, ranges = [np.empty((0, 3))], [np.empty((0, TABLE_RANGES), np.bool_)]
    for (series, states), own in zip(sections, rows, strict=True):
        if len(own):
            terms.append(_terms(series.take(own)))
            ranges.append(_ranges(series.take(own), states))
    distinct, kinds = np.unique(np.concatenate(terms), axis=0, return_inverse=True)
    kinds = kinds.reshape(-1)
    wanted = np.zeros((len(distinct), TABLE_RANGES), np.bool_)
    for place, needed in enumerate(np.concatenate(ranges).T):
        wanted[kinds[needed], place] = True
    which, places = np.nonzero(wanted)
    found, kept = store.find(np.column_stack([distinct[which], places + LOWEST]))
    stored = np.full(wanted.shape, -1, np.intp)
    stored[which, places] = found
    parts, start = [], 0
    for (series, states), way, own in zip(sections, ways, rows, strict=True):
        tables = np.full((len(series), TABLE_RANGES), -1, np.intp)
        tables[own] = stored[kinds[start : start + len(own)]]
        start += len(own)
        parts.append(Part(series, states, way, tables))
    return parts, kept


def _terms(own: Series) -> Floats:
    """What premium tables of these options depend on beside the range of vols, [n, 3]."""
    return np.column_stack([own.years, *put_rates(own)])


def _ranges(own: Series, states: States) -> Mask:
    """Which ranges each option needs, [n, TABLE_RANGES]: of its shocked vols and its own."""
    vols = np.concatenate([shocked_vols(own, states), own.vols[None]])
    vols = np.clip(vols, SMALLEST_VOL, np.nextafter(LARGEST_VOL, 0.0))
    wanted = np.zeros((len(own), TABLE_RANGES), np.bool_)
    for edge in (1.0 - EDGE, 1.0 + EDGE):
        ranges = range_of(vols * edge) - LOWEST
        wanted[np.broadcast_to(np.arange(len(own)), ranges.shape), ranges] = True
    return wanted


def given_of(parts: Sequence[Part], host: NumpyBackend) -> Given | None:
    """Values that the host finds: of instruments with grids or settled in coin, and off the tables.

    None where there are none.
    """
    tops = np.cumsum([0, *(len(part.series) for part in parts)])
    blocks, rows = [], np.full(int(tops[-1]), -1, np.intp)
    count = 0
    for part, top in zip(parts, tops, strict=False):
        if (part.routes < TABLE).all():
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
    own = np.flatnonzero(part.routes == GIVEN)
    taken = part.series.take(own)
    values = np.ascontiguousarray(host.price(taken, part.states).T)
    return own, (values, host.base(taken), np.ones(values.shape, np.bool_), np.ones(len(own), np.bool_))


def _off_tables(part: Part) -> tuple[Codes, Block]:
    """Options of which some states are not tabulated; those are priced by the slow and exact way."""
    rows = np.flatnonzero(part.routes == TABLE)
    series, index = part.series.take(rows), part.states.index
    vols = shocked_vols(series, part.states)
    beyond, base_beyond = off_tables(series, vols), off_tables(series, series.vols)
    chosen = np.flatnonzero(beyond.any(axis=0) | base_beyond)
    own, vols, base_flags = series.take(chosen), vols[:, chosen], base_beyond[chosen]
    flags = np.ascontiguousarray(beyond[:, chosen][index[:, 1]].T)
    values, bases = np.zeros(flags.shape), np.zeros(len(chosen))
    lines, scenarios = np.nonzero(flags)
    factors = part.states.spot_factors[index[scenarios, 0]]
    values[flags] = _exact(own.take(lines), factors, vols[index[scenarios, 1], lines])
    bases[base_flags] = _exact(own.take(base_flags), UNMOVED.spot_factors, own.vols[base_flags])
    return rows[chosen], (values, bases, flags, base_flags)


def _exact(own: Series, factors: Floats, vols: Floats) -> Floats:
    spots = own.units * own.spots * factors
    return np.asarray(american(spots, own.strikes, own.years, vols, own.rates, own.yields, own.is_call))
