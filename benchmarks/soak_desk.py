"""The desk's long tests: kills at random instants, and simulated days by the thousand.

``python benchmarks/soak_desk.py --kills 100 --seeds 2000 --out benchmarks/results/<date>-desk.json``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from shockgrid.desk.calls_calendar import SessionCalendar
from shockgrid.desk.calls_desk import CallDesk
from shockgrid.desk.ledger import Ledger
from shockgrid.desk.simulator import simulate

ROOT = Path(__file__).parents[1]
BATCH = 20
RECONCILED_EVERY = 10  #: how often a simulated firm is margined by the engine as well
LONGEST_WAIT = 0.3  #: seconds before a kill


def kills(count: int, folder: Path) -> dict[str, float]:
    """Kill a writer ``count`` times; what was acknowledged must be there, once and whole."""
    path, random = folder / "killed.db", Random(count)
    acknowledged, slowest, calendar = 0, 0.0, SessionCalendar.new_york()
    for _ in range(count):
        command = [sys.executable, str(ROOT / "tests/ledger_writer.py"), str(path), str(BATCH)]
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        assert writer.stdout.readline() == f"open {acknowledged}\n", "rows are lost, or there twice"
        time.sleep(random.uniform(0.0, LONGEST_WAIT))
        writer.kill()
        said = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
        writer.wait()
        started = time.perf_counter()
        ledger = Ledger.open(path)
        live = CallDesk(ledger, calendar=calendar).calls
        slowest = max(slowest, time.perf_counter() - started)
        found, _ = ledger.verify()
        ledger.close()
        assert len(live.by_id) == found, "the live state is not what the ledger has"
        assert found >= (int(said[-1]) if said else acknowledged), "an acknowledged row is lost"
        assert found % BATCH == 0, "a batch is torn"
        acknowledged = found
    return {"kills": count, "rows": acknowledged, "slowest_restart_seconds": round(slowest, 3)}


def simulated(count: int, folder: Path) -> dict[str, int]:
    """Simulate seeds 0 .. count - 1, every tenth on a disk and reconciled with the engine."""
    totals: Counter[str] = Counter()
    for seed in range(count):
        exact = seed % RECONCILED_EVERY == 0
        report = simulate(seed, folder if exact else None, reconcile=exact)
        totals += report.events + report.faults
        (folder / f"simulated-{seed}.db").unlink(missing_ok=True)
    return {"seeds": count, **totals}


def main() -> None:
    """Run both and write what they counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "killed": kills(options.kills, Path(folder)),
            "simulated": simulated(options.seeds, Path(folder)),
        }
    options.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
