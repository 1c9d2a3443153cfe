"""What one would write today for the same question, on the same firm: ``python benchmarks/peers.py``.

Each pipeline prices the series under 31 x 7 scenarios, sums the positions of every (account, name) and takes
the worst loss, all in one run. Two ratios a line: processor time against one thread of ours, and time on the
clock against our threads together, the others being written for one. Answers are compared before times are
printed. A pipeline that would not fit or end is run on the accounts or names that its line says, and its time
scaled; what is not installed is named.
"""

from __future__ import annotations

import os

for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{name}_NUM_THREADS", "1")

import argparse  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from dataclasses import replace  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from typing import Any, NamedTuple  # noqa: E402

import numpy as np  # noqa: E402
from firms import FIRM, Array, Firm, drawn, grid, walked  # noqa: E402
from pipelines import (  # noqa: E402
    jax_and_sparse,
    numba_loops,
    numpy_and_sparse,
    pandas_cross_join,
    quantlib,
    torch_and_sparse,
)

from shockgrid.backends import NativeBackend, NumpyBackend  # noqa: E402
from shockgrid.backends.contract import Backend  # noqa: E402
from shockgrid.states import States  # noqa: E402

#: Between any two of them, in currency: prices of 1e-14 of a spot of 500, some 200 contracts of 100.
ERROR = 1e-6
PANDAS_SHARE = 0.1  #: of the accounts
QUANTLIB_SHARE = 0.02  #: of the names


def of_accounts(firm: Firm, count: int) -> Firm:
    """The same series held by the first accounts alone."""
    kept = firm.accounts < count
    columns = {name: getattr(firm, name)[kept] for name in ("names", "accounts", "series", "quantities")}
    return replace(firm, size=firm.size._replace(accounts=count), **columns)


def of_names(firm: Firm, count: int) -> Firm:
    """The first names alone, and who holds them."""
    kept, series = firm.names < count, slice(0, count * firm.size.series)
    columns = {name: getattr(firm, name)[kept] for name in ("names", "accounts", "series", "quantities")}
    priced = ("spots", "strikes", "years", "yields", "vols", "is_call")
    terms = {name: getattr(firm, name)[series] for name in priced}
    return replace(firm, size=firm.size._replace(names=count), **terms, **columns)


class Peer(NamedTuple):
    name: str
    run: Callable[[Firm], Array]
    firm: Firm
    scale: float  #: of its time to that of the whole firm
    said: str = ""


def peers(firm: Firm) -> list[Peer]:
    """Those that are installed; a line for each that is not."""
    few = of_accounts(firm, round(firm.size.accounts * PANDAS_SHARE))
    first = of_names(firm, round(firm.size.names * QUANTLIB_SHARE))
    listed = [
        Peer("NumPy ndtr + scipy.sparse", lambda own: numpy_and_sparse(own)[0], firm, 1.0),
        Peer(
            "pandas cross join, norm.cdf", pandas_cross_join, few, 1 / PANDAS_SHARE, "a tenth of the accounts"
        ),
    ]
    if find_spec("QuantLib"):
        share = f"{QUANTLIB_SHARE:.0%} of the names"
        listed.append(Peer("QuantLib blackFormula + sparse", quantlib, first, 1 / QUANTLIB_SHARE, share))
    for module, name, made in (
        ("numba", "numba loops", numba_loops),
        ("jax", "JAX jit + scipy.sparse", jax_and_sparse),
        ("torch", "torch + scipy.sparse", torch_and_sparse),
    ):
        if find_spec(module):
            listed.append(Peer(name, made(), firm, 1.0))
    for module in ("QuantLib", "numba", "jax", "torch"):
        if not find_spec(module):
            print(f"{module} is not installed here: left out")
    return listed


class Taken(NamedTuple):
    """Seconds, the least of several rounds."""

    processor: float
    clock: float

    def scaled(self, by: float) -> Taken:
        return Taken(self.processor * by, self.clock * by)


def taken(action: Callable[[], Any], rounds: int) -> Taken:
    times = []
    for _ in range(rounds):
        start = time.process_time(), time.perf_counter()
        action()
        times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    processor, clock = zip(*times, strict=True)
    return Taken(min(processor), min(clock))


class Line(NamedTuple):
    name: str
    time: Taken
    gap: float = 0.0  #: largest difference of a loss, in currency
    said: str = ""


def compared(peer: Peer, native: Backend, states: States) -> Line:
    batch = peer.firm.batch(states)
    gap = float(np.abs(peer.run(peer.firm) - native.worst(batch, batch.scenarios).losses).max())
    assert gap < ERROR, f"{peer.name} has another answer: {gap}"
    found = taken(lambda: peer.run(peer.firm), 1 if peer.said else 2).scaled(peer.scale)
    return Line(peer.name, found, gap, peer.said and f"timed on {peer.said}, scaled")


def main() -> None:
    """Compare, then time, the best of a few rounds each, and print one line a pipeline."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=FIRM.names, help="fewer for a quick look")
    parser.add_argument("--threads", type=int, default=2, help="of ours, on the clock")
    chosen = parser.parse_args()
    firm, states = drawn(FIRM._replace(names=chosen.names)), grid()
    native, plain, batch = NativeBackend(), NumpyBackend(), firm.batch(states)
    print(f"{len(firm.spots):,} series x {batch.scenarios}, {len(firm.names):,} positions")
    own = taken(lambda: native.worst(batch, batch.scenarios), 7)
    best = taken(lambda: walked(native, batch, chosen.threads), 7)
    laid = taken(lambda: native.worst(firm.batch(states), batch.scenarios), 7)
    gap = float(
        np.abs(plain.worst(batch, batch.scenarios).losses - native.worst(batch, batch.scenarios).losses).max()
    )
    lines = [
        Line("shockgrid native, one thread", own, said="columns laid out before"),
        Line(f"the same, {chosen.threads} threads", best),
        Line("one thread, columns laid out anew", laid),
        Line("shockgrid NumPy", taken(lambda: plain.worst(batch, batch.scenarios), 2), gap),
        *(compared(peer, native, states) for peer in peers(firm)),
    ]
    for line in lines:
        processor, clock = line.time.processor / own.processor, line.time.clock / best.clock
        print(
            f"{line.name:34} {line.time.clock * 1e3:10,.1f} ms {processor:8.1f} x {clock:8.1f} x on the clock"
            f"  largest difference {line.gap:.1e}  {line.said}"
        )


if __name__ == "__main__":
    main()
