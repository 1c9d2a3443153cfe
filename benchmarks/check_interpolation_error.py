"""Count how often the error bound of interpolation is broken: 1,000 random series on each of 100 grids.

European ones; American ones on some more grids, as a part of those is European in all but name; American ones
that are drawn to break the bound, their exercise boundary just inside the grid.

Run by hand, ``python benchmarks/check_interpolation_error.py OUT.json``; some minutes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import sparse

from shockgrid.arrays import Floats
from shockgrid.backends import Series, get_backend
from shockgrid.pricing.boundary import solve_boundaries
from shockgrid.research.compressed import Compression
from shockgrid.research.direct import direct_pnl
from shockgrid.research.grids import Grid
from shockgrid.research.parts import Part
from shockgrid.research.resolution import DENSE, DIRECT, limits_of

GRIDS = {"european": 100, "american": 112, "boundary just inside the grid": 12}
SERIES, SEED = 1_000, 20261120
PRICES, VOLS = 161, 41
RELATIVE_VOLS = np.linspace(-0.4, 0.6, VOLS)


def random_series(rng: np.random.Generator, count: int, *, american: bool = False) -> Series:
    """Options on a spot of 100: an hour to five years, vols of 3-250 %, some deep, some paying cash.

    American ones pay none: with cash on the way they are priced on grids, which are not interpolated.
    """
    years = np.exp(rng.uniform(np.log(1 / 8760), np.log(5.0), count))
    rates, yields = rng.uniform(-0.02, 0.1, count), rng.uniform(0.0, 0.08, count)
    wide = rng.random(count) < 0.3
    logs = np.where(wide, rng.uniform(-1.5, 1.5, count), rng.normal(0.0, 0.1, count))
    slopes = np.exp((rates - yields) * years)
    paid = np.where((rng.random(count) < 0.3) & (not american), rng.uniform(0.0, 5.0, count), 0.0)
    no, yes = np.zeros(count, np.bool_), np.ones(count, np.bool_)
    return Series(
        spots=np.full(count, 100.0),
        slopes=slopes,
        intercepts=-paid * slopes,
        strikes=100.0 * np.exp(logs),
        years=years,
        vols=np.exp(rng.uniform(np.log(0.03), np.log(2.5), count)),
        discount_factors=np.exp(-rates * years),
        is_option=yes,
        is_call=rng.random(count) < 0.5,
        is_american=np.full(count, american),
        units=np.ones(count),
        rates=rates,
        yields=yields,
        ex_years=np.empty((count, 0)),
        ex_cash=np.empty((count, 0)),
        inverse=no,
    )


def random_grid(rng: np.random.Generator) -> Grid:
    """A grid of 10-60 % either side, relative or absolute vol shocks."""
    spots = np.linspace(-rng.uniform(0.03, 0.5), rng.uniform(0.03, 0.7), PRICES)
    if rng.random() < 0.25:
        return Grid(spots, np.linspace(-0.02, rng.uniform(0.02, 0.2), VOLS), "absolute")
    return Grid(spots, np.linspace(-rng.uniform(0.05, 0.5), rng.uniform(0.05, 1.0), VOLS))


def at_the_boundary(rng: np.random.Generator, grid: Grid) -> Series:
    """American options of 0-12 years; the boundary at one vol of the grid is within 5 % of its last price.

    Rates and yields of either sign; what exercise earns is above 0.
    """
    years, vols = rng.uniform(0.05, 12.0, SERIES), np.exp(rng.uniform(np.log(0.05), np.log(1.0), SERIES))
    earned, paid = rng.uniform(0.001, 0.3, SERIES), rng.uniform(-0.15, 0.15, SERIES)
    is_call = rng.random(SERIES) < 0.5
    at = vols * (1.0 + rng.uniform(grid.vols[0], grid.vols[-1], SERIES))
    inside = np.exp(solve_boundaries(years, at, earned, paid).today() - rng.uniform(0.0, 0.05, SERIES))
    low, high = 100.0 * (1.0 + grid.spots[[0, -1]])
    rates, yields = np.where(is_call, paid, earned), np.where(is_call, earned, paid)
    return replace(
        random_series(rng, SERIES, american=True),
        slopes=np.exp((rates - yields) * years),
        strikes=np.where(is_call, high * inside, low / inside),
        years=years,
        vols=vols,
        discount_factors=np.exp(-rates * years),
        is_call=is_call,
        rates=rates,
        yields=yields,
    )


def errors(part: Part, grid: Grid) -> tuple[Floats, Floats, Floats]:
    """True errors, bounds and levels of every series of a part whose rows are its series."""
    backend, compression = get_backend("auto"), Compression(grid)
    (one,) = part.series
    found = compression.resolved(limits_of(one, np.ones(len(one)), grid))
    coefficients = compression.coefficients(part, found, backend)
    values = compression.axes(found.vol_count).values
    surface = np.einsum("vk,lkp->lpv", values, coefficients).reshape(len(coefficients), -1)
    gaps = np.abs(surface - direct_pnl(part, grid, backend)).max(axis=1)
    return gaps, found.errors, found.levels.astype(np.float64)


def figures(kind: str) -> dict[str, object]:
    """Draw, compare, count. Of American options only those that may be worth exercising are counted."""
    rng, rows, american = np.random.default_rng(SEED), [], kind != "european"
    for _ in range(GRIDS[kind]):
        if kind in ("european", "american"):
            one, grid = random_series(rng, SERIES, american=american), random_grid(rng)
        else:
            grid = Grid(np.linspace(-rng.uniform(0.03, 0.5), rng.uniform(0.03, 0.7), PRICES), RELATIVE_VOLS)
            one = at_the_boundary(rng, grid)
        part = Part((one,), (1.0,), sparse.identity(SERIES, format="csr"))
        early = limits_of(one, np.ones(SERIES), grid).early
        rows.append(np.column_stack(errors(part, grid))[early == american])
    gaps, bounds, levels = np.concatenate(rows).T
    smooth = levels != DIRECT
    ratio = (bounds / np.maximum(gaps, 1e-300))[smooth]
    return {
        "grids": GRIDS[kind],
        "series": len(gaps),
        "interpolated": int(smooth.sum()),
        "in the vol alone": int((levels == DENSE).sum()),
        "violations": int((gaps > bounds)[smooth].sum()),
        "bound over error": {
            name: float(np.quantile(ratio, share))
            for name, share in (("lowest", 0.0), ("1 %", 0.01), ("median", 0.5))
        },
        "largest error over spot": float(gaps[smooth].max() / 100.0),
        "median bound over spot": float(np.median(bounds[smooth]) / 100.0),
    }


def main() -> None:
    """All kinds, and write the counts."""
    kinds = {kind: figures(kind) for kind in GRIDS} | {"seed": SEED}
    text = json.dumps(kinds, indent=2) + "\n"
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
