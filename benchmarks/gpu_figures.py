"""Prices a second of the CUDA kernels, and what part of the device's limit that is, as one JSON file.

Seeded, offline; run by ``gpu.sh``. ``--dry-run`` walks through all of it, small, and writes no figure.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from gpu_cases import americans, grid, series_of, weights_of
from scipy.sparse import csr_array

from shockgrid.backends._cupy import CupyBackend
from shockgrid.backends._cupy_early import parts_of

#: About how many FP64 instructions a price takes, counted in european.h and american.h: rational tails 26,
#: density 15, division 9, the rest 16; for American options also a polynomial 17, a root 10, the rest 11.
INSTRUCTIONS = {"european": 66, "american": 104}
#: FP64 multiply-adds a multiprocessor starts a clock: CUDA C++ Programming Guide, "Arithmetic Instructions".
PER_CLOCK = {"80": 32, "86": 2, "89": 2, "90": 64, "100": 64, "120": 2}
KINDS: dict[str, Callable[..., Any]] = {"european": series_of, "american": americans}
#: Series and states: 31 prices by 7 vols, and the dense grid of 401 by 201.
SIZES = {"1,000,000 series x 217": (1_000_000, (31, 7)), "100,000 series x 80,601": (100_000, (401, 201))}
SMALL = {"50 series x 15": (50, (5, 3)), "20 series x 60": (20, (10, 6))}
TILE_BYTES = 1 << 31  #: priced at a time, over and over, until the prices of all series are counted
ROUNDS = 5


def seconds(cuda: CupyBackend, work: Callable[[], Any]) -> float:
    """The median of a few runs, each until the device is done; the first is not counted."""
    found = []
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        last = work()
        cuda.get(last.reshape(-1)[:1])
        found.append(perf_counter() - start)
    return float(np.median(found[1:]))


def kernel_figure(cuda: CupyBackend, kind: str, count: int, shape: tuple[int, int]) -> dict[str, float]:
    """Prices a second of the kernels that fill a tile, all inputs on the device."""
    states = grid(*shape)
    scenarios = len(states.index)
    together = max(1, min(count, TILE_BYTES // 8 // scenarios))
    parts, kept = parts_of([(KINDS[kind](together, 1), states)], cuda._premiums)
    times = -(-count // together)
    with cuda._device.turn():
        filler = cuda._tiles.placed(parts, kept, None)

    def work() -> Any:
        with cuda._device.turn():
            for _ in range(times):
                tile = cuda._tiles.fill(filler, scenarios, less_base=True)
        return tile

    taken = seconds(cuda, work)
    return {"seconds": taken, "prices_per_second": times * together * scenarios / taken}


def limit(cuda: CupyBackend, kind: str) -> float | None:
    """Prices a second that the FP64 units could start; None for a device whose units are not known here."""
    device = cuda._device.current()
    attributes, capability = device.attributes, device.compute_capability
    units = PER_CLOCK.get(capability)
    if units is None:
        return None
    hertz = attributes["ClockRate"] * 1e3  # in kHz
    return float(units * cuda._device.multiprocessors * hertz / INSTRUCTIONS[kind])


def whole_book(cuda: CupyBackend, names: int) -> dict[str, float]:
    """Worst losses by the public verb, uploads included: names of 100 series, 33 leaves of 20 positions."""
    sections = [([(americans(100, name), grid(31, 7))], weights_of(33, 100, name)) for name in range(names)]

    def work() -> Any:
        for section, weights in sections:
            values, _ = cuda.lowest(section, weights)
        return values

    return {"names": names, "seconds": seconds(cuda, work)}


def by_precision(backends: dict[str, CupyBackend], count: int, leaves: int) -> dict[str, dict[str, float]]:
    """Worst losses of one name's European series by the public verb, in each precision: the same bytes.

    A leaf holds twenty of the series; uploads are included.
    """
    states, rng = grid(31, 7), np.random.default_rng(1)
    columns, lots = rng.integers(0, count, leaves * 20), np.round(rng.normal(0.0, 10.0, leaves * 20)) * 100.0
    weights = csr_array((lots, columns, np.arange(0, leaves * 20 + 1, 20)), shape=(leaves, count))
    sections = [(series_of(count, 1), states)]
    figures, found = {}, []
    for precision, own in backends.items():
        taken = seconds(own, lambda own=own: own.lowest(sections, weights)[0])
        figures[f"worst losses, european, {precision}, {count:,} series x 217"] = {
            "seconds": taken,
            "prices_per_second": count * len(states.index) / taken,
        }
        found.append([own.get(part).tobytes() for part in own.lowest(sections, weights)])
    if found[1:] != found[:-1]:
        problem = "worst losses of two precisions differ"
        raise SystemExit(problem)
    return figures


def machine(cuda: CupyBackend, dry: bool) -> dict[str, Any]:
    packages = {}
    for name in ("numpy", "scipy", "pandas", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    told = {"python": platform.python_version(), "packages": packages, "commit": commit(), "dry_run": dry}
    if dry:
        return {**told, "card": None, "driver": None, "runtime": None}
    runtime = cuda.xp.cuda.runtime
    card = runtime.getDeviceProperties(0)["name"].decode()
    return {
        **told,
        "card": card,
        "driver": runtime.driverGetVersion(),
        "runtime": runtime.runtimeGetVersion(),
    }


def commit() -> str | None:
    """Of the source tree, marked where it has changes; None outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dry-run", action="store_true")
    given = parser.parse_args()
    cuda, figures = CupyBackend(), {}
    backends = {"double": cuda, "mixed": CupyBackend(precision="mixed")}
    for title, (count, shape) in (SMALL if given.dry_run else SIZES).items():
        for kind in KINDS:
            found = kernel_figure(cuda, kind, count, shape)
            most = None if given.dry_run else limit(cuda, kind)
            part = found["prices_per_second"] / most if most else None
            figures[f"{kind}, fp64, {title}"] = {**found, "fraction_of_fp64_limit": part}
    figures["worst losses, fp64, 31 x 7"] = whole_book(cuda, 2 if given.dry_run else 300)
    figures |= by_precision(backends, *((200, 20) if given.dry_run else (200_000, 5_000)))
    result = {**machine(cuda, given.dry_run), "figures": sorted(figures) if given.dry_run else figures}
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
