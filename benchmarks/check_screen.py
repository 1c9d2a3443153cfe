"""How far the error bound of the float32 screen is above the true error, and what screening saves on a firm.

Run by hand, ``python benchmarks/check_screen.py OUT.json``; half a minute. Options are drawn from wide
regimes; then those nearest to their bound are varied, over and over, towards it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from firms import DESK, FIRM, drawn, grid

from shockgrid.backends import NativeBackend, Series
from shockgrid.backends._native_library import Library
from shockgrid.backends._native_screen import NO_BOUND, screened_units

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

SPOTS, VOLS = np.linspace(-0.3, 0.3, 61), np.linspace(-0.3, 0.3, 7)
DRAWN, DRAWS = 20_000, 3
CLIMBERS, CHILDREN, ROUNDS = 500, 10, 40
STEPS = (0.0, 1e-6, 1e-3, 0.05, 0.3)  #: of a column in the log
RUNS = 7


def shares(series: Series) -> Any:
    """The true error over its bound, of each option in its worst scenario; 0 where there is no bound."""
    states, double = grid(SPOTS, VOLS), NativeBackend()
    pnl, bounds = screened_units(Library(), series, states)
    errors = np.abs(pnl - (double.price(series, states) - double.base(series)).T).max(axis=1)
    return np.where(bounds < NO_BOUND, errors / bounds, 0.0)


def varied(series: Series, rng: np.random.Generator) -> Series:
    """A few of each, with every column moved by some step."""
    own = series.take(np.repeat(np.arange(len(series)), CHILDREN))
    moved = {
        name: getattr(own, name) * np.exp(rng.normal(size=len(own)) * rng.choice(STEPS, len(own)))
        for name in ("spots", "strikes", "vols", "years", "slopes", "discount_factors")
    }
    return replace(own, **moved)


def climbed(series: Series) -> float:
    """The largest share that is found."""
    rng, found = np.random.default_rng(1), shares(series)
    for _ in range(ROUNDS):
        best = np.argsort(-found)[:CLIMBERS]
        series, found = series.take(best), found[best]
        children = varied(series, rng)
        pairs = {f.name: (getattr(series, f.name), getattr(children, f.name)) for f in fields(Series)}
        found = np.concatenate([found, shares(children)])
        series = Series(**{name: np.concatenate(pair) for name, pair in pairs.items()})
    return float(found.max())


def processor_seconds(firm: Any, units: bool) -> dict[str, float]:
    """The least of some runs, both precisions in turn; with ``units`` the losses of single units as well."""
    batch, found = firm.batch(grid()), {}
    backends = {name: NativeBackend(precision=name) for name in ("double", "mixed")}
    for _ in range(RUNS):
        results = []
        for name, backend in backends.items():
            start = process_time()
            results.append(backend.worst(batch, batch.scenarios, units))
            found[name] = min(found.get(name, np.inf), process_time() - start)
        assert [part.tobytes() for part in results[0]] == [part.tobytes() for part in results[1]]
    return found


def main() -> None:
    """Draw, climb, time, write."""
    from screened_books import REGIMES
    from screened_books import drawn as options

    bounds = {
        name: 1.0 / max(float(shares(options(regime, DRAWN, seed)).max()) for seed in range(DRAWS))
        for name, regime in REGIMES.items()
    }
    bounds["varied towards the bound"] = 1.0 / climbed(options(REGIMES["anything"], DRAWN, 9))
    firms = {
        f"{size.names * size.series:,} series{', single units' if units else ''}": processor_seconds(
            drawn(size), units
        )
        for size in (DESK, FIRM)
        for units in (False, True)
    }
    result = {"bound_over_error_at_least": bounds, "processor_seconds": firms}
    Path(sys.argv[1]).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
