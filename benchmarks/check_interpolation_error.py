"""Count how often the error bound of interpolation is broken: 1,000 random series on each of 100 grids.

European ones, then American ones on some more grids, as a part of those is European in all but name.

Run by hand, ``python benchmarks/check_interpolation_error.py OUT.json``; some minutes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy import sparse

from shockgrid.arrays import Floats
from shockgrid.backends import Series, get_backend
from shockgrid.research.compressed import Compression
from shockgrid.research.direct import direct_pnl
from shockgrid.research.grids import Grid
from shockgrid.research.parts import Part
from shockgrid.research.resolution import DENSE, DIRECT, limits_of

GRIDS, AMERICAN_GRIDS, SERIES, SEED = 100, 112, 1_000, 20261120
PRICES, VOLS = 161, 41


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


def figures(*, american: bool) -> dict[str, object]:
    """Draw, compare, count. Of American options only those that may be worth exercising are counted."""
    rng, rows = np.random.default_rng(SEED), []
    for _ in range(AMERICAN_GRIDS if american else GRIDS):
        one, grid = random_series(rng, SERIES, american=american), random_grid(rng)
        part = Part((one,), (1.0,), sparse.identity(SERIES, format="csr"))
        early = limits_of(one, np.ones(SERIES), grid).early
        rows.append(np.column_stack(errors(part, grid))[early == american])
    gaps, bounds, levels = np.concatenate(rows).T
    smooth = levels != DIRECT
    ratio = (bounds / np.maximum(gaps, 1e-300))[smooth]
    return {
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
    """Both kinds, and write the counts."""
    kinds = {"european": figures(american=False), "american": figures(american=True), "seed": SEED}
    text = json.dumps(kinds, indent=2) + "\n"
    print(text)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
