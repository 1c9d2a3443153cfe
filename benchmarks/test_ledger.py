"""Durable events a second: appended, flushed to the disk and acknowledged in batches."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

from shockgrid.desk.calls_states import Event
from shockgrid.desk.ledger import Ledger

BATCH = 100


def test_durable_events(benchmark: Any, tmp_path: Path) -> None:
    """One batch of 100 a round; the bar is 5,000 events a second."""
    ledger, numbers = Ledger.open(tmp_path / "calls.db"), count()

    def batch() -> list[Event]:
        return [
            Event(f"k{number}", "issue", "2026-11-20T21:00:00.000000+00:00", f"house/2026-11-20/{number}",
                  str(number), "house", "2026-11-20", 100, "2026-11-24T21:00:00.000000+00:00",
                  details='{"padding":"' + "x" * 400 + '"}')
            for number in (next(numbers) for _ in range(BATCH))
        ]  # fmt: skip

    benchmark.pedantic(lambda: ledger.append(batch()), rounds=50, warmup_rounds=2)
    benchmark.extra_info["events_per_second"] = BATCH / benchmark.stats.stats.median
    assert ledger.verify()[0] == next(numbers)
    ledger.close()
