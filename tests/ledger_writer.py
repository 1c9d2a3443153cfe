"""Appends batches to a ledger for ever and says which row is durable; meant to be killed."""

from __future__ import annotations

import sys

from shockgrid.desk.calls_states import Event
from shockgrid.desk.ledger import Ledger


def event(number: int) -> Event:
    """A call of its own."""
    return Event(
        key=f"k{number}",
        event="issue",
        at_utc="2026-11-20T21:00:00.000000+00:00",
        call_id=f"house/2026-11-20/{number}",
        margin_group=str(number),
        kind="house",
        trade_date="2026-11-20",
        units=number + 1,
        due_utc="2026-11-24T21:00:00.000000+00:00",
        details='{"padding":"' + "x" * 400 + '"}',
    )


def main(path: str, batch: int) -> None:
    """Go on from wherever an earlier writer was killed."""
    ledger = Ledger.open(path)
    number = sum(1 for _ in ledger.rows())
    print(f"open {number}", flush=True)
    while True:
        last = ledger.append([event(number + offset) for offset in range(batch)])
        number += batch
        print(last, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
