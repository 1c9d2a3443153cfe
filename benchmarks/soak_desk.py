"""The desk's long tests: kills at random instants, and simulated days by the thousand.

``python benchmarks/soak_desk.py --kills 100 --seeds 2000 --out benchmarks/results/<date>-desk.json``
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.calls_states import RUN, replay
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.simulator import simulate

ROOT = Path(__file__).parents[1]
BATCH = 20
RECONCILED_EVERY = 10  #: how often a simulated firm is margined by the engine as well
LIQUIDATED_EVERY = 10  #: and how often one is followed by a liquidation
LONGEST_WAIT, LONGEST_LIVE = 0.3, 1.0  #: seconds before a kill


def kills(count: int, path: Path, command: list[str], longest: float) -> dict[str, float]:
    """Kill a writer ``count`` times; what was acknowledged must be there, once, in whole batches."""
    random, calendar = Random(count), SessionCalendar.new_york()
    acknowledged, slowest, slowest_start = 0, 0.0, 0.0
    for _ in range(count):
        started = time.perf_counter()
        writer = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert writer.stdout.readline() == f"open {acknowledged}\n", "rows are lost, or there twice"
        slowest_start = max(slowest_start, time.perf_counter() - started)
        time.sleep(random.uniform(0.0, longest))
        writer.kill()
        said = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
        started = time.perf_counter()
        ledger = Ledger.open(path)
        live = CallDesk(ledger, calendar=calendar).calls
        slowest = max(slowest, time.perf_counter() - started)
        found, _ = ledger.verify()
        events = [row.event for row in ledger.rows()]
        ledger.close()
        assert len({event.key for event in events}) == found, "an event is there twice"
        assert replay(events) == live, "the live state is not what the ledger has"
        assert found >= (int(said[-1]) if said else acknowledged), "an acknowledged row is lost"
        whole = found % BATCH == 0 if command[-1] == str(BATCH) else not events or events[-1].event == RUN
        assert whole, "a batch is torn"
        acknowledged = found
    return {
        "kills": count,
        "rows": acknowledged,
        "slowest_restart_seconds": round(slowest, 3),
        "slowest_start_of_the_process_seconds": round(slowest_start, 3),
    }


def simulated(first: int, count: int, folder: Path) -> dict[str, int]:
    """Simulate ``count`` seeds from ``first`` on.

    Every tenth is on a disk, reconciled with the engine and followed by a liquidation that is judged step by
    step.
    """
    totals: Counter[str] = Counter()
    for seed in range(first, first + count):
        exact = seed % RECONCILED_EVERY == 0
        liquidate = seed % LIQUIDATED_EVERY == 0
        report = simulate(seed, folder if exact else None, reconcile=exact, liquidate=liquidate)
        totals += report.events + report.faults
        totals.update({f"liquidation_{end}": found for end, found in report.liquidations.items()})
        (folder / f"simulated-{seed}.db").unlink(missing_ok=True)
    return {"first": first, "seeds": count, **totals}


def main() -> None:
    """Run both and write what they counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plain, live = Path(folder) / "killed.db", Path(folder) / "live.db"
        writers = [str(ROOT / f"tests/{name}_writer.py") for name in ("ledger", "live")]
        found = {
            "machine": f"{os.cpu_count()} x {platform.machine()}, Python {platform.python_version()}",
            "killed_while_appending": kills(
                options.kills, plain, [writers[0], str(plain), str(BATCH)], LONGEST_WAIT
            ),
            "killed_during_live_ticks": kills(options.kills, live, [writers[1], str(live)], LONGEST_LIVE),
            "simulated": simulated(options.first, options.seeds, Path(folder)),
        }
    options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
