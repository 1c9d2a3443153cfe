"""Premium tables and grids computed by CUDA kernels, for the stores that keep them on the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._cupy_batches import Batches
from shockgrid.backends._cupy_device import Device
from shockgrid.backends._cupy_upload import Upload
from shockgrid.backends._native_library import NOT_A_NUMBER, NOT_FINITE, overflow
from shockgrid.backends._native_premium import ARRAYS, LIMITS, SIZES, Plan, refused
from shockgrid.backends._numpy_boundary import Effort, Puts
from shockgrid.backends._numpy_grid_frame import NODES, Contracts, crosses_soon
from shockgrid.backends._numpy_grid_kinds import HELD, ONE_SIDE, TWO_SIDES, kinds, per_octave
from shockgrid.backends._numpy_grid_solve import LATE
from shockgrid.backends._numpy_premium import Tables
from shockgrid.backends._numpy_store import Builder
from shockgrid.backends.premium_effort import EFFORTS, Shape
from shockgrid.backends.vol_lattice import node_vols

THREADS = 128  #: of a block, as ``__launch_bounds__`` of premium.cu and dividends.cu say
ENTRIES = {HELD: "grids_held", ONE_SIDE: "grids_one_side", TWO_SIDES: "grids_two_sides"}
LANES = 1 << 17  #: of grids at once, 1.2 kB each
PUTS = 1 << 17  #: of premium tables at once, 0.2 kB each
#: ``GridLanes`` of dividends.cu behind its two counts: columns of lanes, then dividends of each.
COLUMNS = (
    *("strikes", "years", "rates", "yields", "is_call", "paid", "vols"),
    *("late_cash", "soon", "left", "cash"),
)


def _blocks(threads: int) -> int:
    return -(-threads // THREADS)


class CupyBuilder:
    """Builds premium tables with CUDA kernels; see ``_numpy_store.Builder``. The bits are those of native."""

    def __init__(self, device: Device, batches: Batches, host: Builder) -> None:
        self._device, self._batches, self._host = device, batches, host

    def __call__(self, puts: Puts, efforts: NDArray[np.uint8], shape: Shape) -> Tables:
        """Tables of puts of strike 1 by their efforts; no bit depends on their order or company.

        Years and rates > 0. Raises InputError where a number is not finite, or not above 0.
        """
        above = ((puts.years, 0.0), (puts.rates, 0.0), (puts.yields, -np.inf))
        if not all((np.isfinite(column) & (column > least)).all() for column, least in above):
            raise refused(NOT_FINITE, puts, shape)
        count = len(efforts) // shape.vols
        tables = Tables(np.empty((count, shape.vols, shape.gaps)), np.empty((count, shape.vols)))

        def put(build: Builder, start: int, stop: int) -> None:
            rows = slice(start * shape.vols, stop * shape.vols)
            found = build(Puts(*(column[rows] for column in puts)), efforts[rows], shape)
            tables.coefficients[start:stop], tables.boundaries[start:stop] = (
                found.coefficients,
                found.boundaries,
            )

        def on_device(start: int, stop: int) -> None:
            put(self._built, start, stop)

        def on_host(start: int, stop: int) -> None:
            put(self._host, start, stop)

        self._batches.run(count, max(1, PUTS // shape.vols), on_device, on_host, "premium tables")
        if np.isnan(tables.coefficients).any() or np.isnan(tables.boundaries).any():
            raise refused(NOT_A_NUMBER, puts, shape)
        return tables

    def _built(self, puts: Puts, efforts: NDArray[np.uint8], shape: Shape) -> Tables:
        lanes, count = len(efforts), len(efforts) // shape.vols
        upload, device = Upload(), self._device
        plans = add_plans(upload, EFFORTS, shape)
        offsets = [upload.add(np.ascontiguousarray(column, np.float64)) for column in puts]
        order = np.argsort(efforts, kind="stable")
        offsets += [upload.add(column.astype(np.int64)) for column in (efforts, order)]
        with device.turn():
            block = device.upload(upload)
            powers = device.cupy.empty((lanes, shape.gaps + 1))
            coefficients = device.cupy.empty((count, shape.vols, shape.gaps))
            boundaries = device.cupy.empty((count, shape.vols))
            at = [upload.at(offset) for offset in (plans, *offsets)]
            device.launch("premium", "premium_powers", _blocks(lanes), THREADS, at[0], lanes, *at[1:], powers)
            cells = _blocks(powers.size)
            device.launch(
                *("premium", "premium_coefficients", cells, THREADS),
                *(at[0], count, powers, coefficients, boundaries),
            )
            del block
        return Tables(device.get(coefficients), device.get(boundaries))


def add_plans(upload: Upload, efforts: Sequence[Effort], shape: Shape) -> int:
    """A ``Plan`` of boundary.h for each effort, side by side: sizes, limits and the addresses of arrays."""
    words = []
    for effort in efforts:
        plan = Plan(effort, shape)
        sizes = np.array([getattr(plan.structure, name) for name in SIZES], np.uint64)
        limits = np.array([getattr(plan.structure, name) for name in LIMITS], np.float64).view(np.uint64)
        words += [sizes, limits, np.array([upload.add(array) for array in plan.arrays], np.uint64)]
    is_offset = np.arange(len(SIZES) + len(LIMITS) + len(ARRAYS)) >= len(SIZES) + len(LIMITS)
    return upload.add_structure(np.concatenate(words), np.tile(is_offset, len(efforts)))


class CupySolver:
    """Solves grids with CUDA kernels; see ``_numpy_grid_solve.solve``. The bits are those of native."""

    def __init__(self, device: Device, batches: Batches, host: Callable[..., Floats]) -> None:
        self._device, self._batches, self._host = device, batches, host

    def __call__(self, contracts: Contracts, firsts: Codes, count: int, into: Floats | None = None) -> Floats:
        """Values [n, count, NODES] now, at lattice nodes ``firsts`` [n] and those that follow; see ``solve``.

        ``into``, where it is given, is contiguous.
        """
        nodes = (firsts[:, None] + np.arange(count)).reshape(-1)
        rows = np.repeat(np.arange(len(firsts)), count)
        result = np.empty((len(firsts), count, NODES)) if into is None else into
        values = result.reshape(-1, NODES)
        kind_of, fineness = kinds(contracts)[rows], per_octave(contracts)[rows]
        for kind, entry in ENTRIES.items():
            members = np.flatnonzero(kind_of == kind)

            def on_device(start: int, stop: int, members: Codes = members, entry: str = entry) -> None:
                own = members[start:stop]
                vols = node_vols(nodes[own], fineness[own])
                values[own] = self._solved(contracts.only(rows[own]), vols, entry)

            def on_host(start: int, stop: int, members: Codes = members) -> None:
                own = members[start:stop]
                values[own] = self._host(contracts.only(rows[own]), nodes[own], 1)[:, 0]

            self._batches.run(len(members), LANES, on_device, on_host, "grids")
        if np.isnan(values).any():
            raise overflow(int(rows[np.isnan(values).any(axis=1).argmax()]))
        return result

    def _solved(self, contracts: Contracts, vols: Floats, entry: str) -> Floats:
        device, upload, columns = self._device, Upload(), _columns(contracts, vols)
        lanes, dividends = contracts.cash.shape
        offsets = [upload.add(columns[name]) for name in COLUMNS]
        words = np.array([lanes, dividends, *offsets], np.uint64)
        given = upload.add_structure(words, np.arange(len(words)) >= 2)
        with device.turn():
            block = device.upload(upload)
            values = device.cupy.empty((lanes, NODES))
            device.launch("dividends", entry, _blocks(lanes), THREADS, upload.at(given), values)
            del block
        return device.get(values)


def _columns(contracts: Contracts, vols: Floats) -> dict[str, Floats]:
    """Columns of lanes as dividends.cu words them: a dividend later than LATE is taken at expiry."""
    years = contracts.years[:, None]
    left = ((years - contracts.ex_years) / years)[:, ::-1]
    cash = (contracts.cash / contracts.strikes[:, None])[:, ::-1]
    late = left < LATE
    late_cash = np.zeros(len(vols))
    for column in np.where(late, cash, 0.0)[:, ::-1].T:
        late_cash += column
    columns = {
        **{name: getattr(contracts, name) for name in ("strikes", "years", "rates", "yields", "is_call")},
        "paid": contracts.paid(),
        "vols": vols,
        "late_cash": late_cash,
        "soon": crosses_soon(contracts)[0],
        "left": np.where(late, LATE, left),
        "cash": np.where(late, 0.0, cash),
    }
    return {name: np.ascontiguousarray(column, np.float64) for name, column in columns.items()}
