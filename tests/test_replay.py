"""Tapes, folders, queues and snapshots through the desk, and the command that shows them."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path
from queue import Queue
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from books import AS_OF, book, stock, tables
from rich.console import Console
from typer.testing import CliRunner

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.cli import app
from shockgrid.cli_replay import live_view
from shockgrid.desk.breaches import Breaches
from shockgrid.desk.replay import Batch, Step, replayed
from shockgrid.io.parquet_files import write_parquet
from shockgrid.io.tables import MARKET_TOML, read_book, read_market, write_market_toml, write_tables
from shockgrid.io.tapes import queued, snapshots, tape, watched

BACKEND = NumpyBackend()
START = AS_OF.to_pydatetime()
TICKS = pd.DataFrame(
    {
        "sequence": [1, 1, 2, 4],
        "time_utc": [(AS_OF + pd.Timedelta(minutes=minute)).isoformat() for minute in (1, 2, 3, 9)],
        "underlying": ["X", "Y", "X", "X"],
        "spot": [99.0, 51.0, 80.0, 101.0],
    }
)


def market_folder(folder: Path, spot: float = 100.0, later: timedelta = timedelta(0)) -> Path:
    rows = tables([stock("X"), stock("Y")], {"X": spot, "Y": 50.0})
    write_tables(rows, folder)
    write_market_toml(folder / MARKET_TOML, (START + later).isoformat())
    return folder


def book_folder(folder: Path) -> Path:
    """100 shares of X against a debt of 8,200: 1,800 of equity, 1,500 of it used at 100."""
    held = book([("A", "X", 100.0)], [{"account": "A", "cash": -8_200.0}])
    frames = {
        "positions": held.positions[["account", "symbol", "quantity"]],
        "accounts": held.accounts[["account", "cash"]],
    }
    write_tables(frames, folder)
    return folder


def opened(folder: Path) -> tuple[sg.Desk, Breaches]:
    held, priced = read_book(book_folder(folder / "book")), read_market(market_folder(folder / "market"))
    desk = sg.Desk(held, priced, sg.tims(), backend=BACKEND)
    return desk, Breaches(desk.accounts, desk.time, desk.call_profiles)


def steps(folder: Path, source: Any) -> tuple[sg.Desk, list[Step]]:
    desk, breaches = opened(folder)
    return desk, list(replayed(desk, source, breaches))


def test_a_tape_drives_the_desk(tmp_path: Path) -> None:
    """At 99 the equity of 1,700 is used for 1,485; at 80 it is -200 against 1,200; at 101 it is 1,900."""
    TICKS.to_csv(tmp_path / "tape.csv", index=False)
    write_parquet(TICKS, tmp_path / "tape.parquet")
    for name in ("tape.csv", "tape.parquet"):
        desk, found = steps(tmp_path / name.replace(".", "_"), tape(tmp_path / name))
        assert [len(step.changes) for step in found] == [1, 1, 1]
        assert [step.breaches["state_after"].tolist() for step in found] == [[], ["breach"], ["clear"]]
        assert found[1].breaches["deficit"].tolist() == pytest.approx([1400.0])
        assert desk.time == START + timedelta(minutes=9)
        assert desk.gaps == 1
        assert desk.market.underlyings.spots.tolist() == [101.0, 51.0]
        assert (found[-1].oldest, found[-1].age) == ("X", timedelta(0))


def test_every_source_says_the_same(tmp_path: Path) -> None:
    TICKS.to_csv(tmp_path / "tape.csv", index=False)
    batches = list(tape(tmp_path / "tape.csv"))
    queue: Queue[Batch | None] = Queue()
    for batch in [*batches, None]:
        queue.put(batch if batch is None else batch._replace(rows=pa.Table.from_pandas(batch.rows)))
    folder = tmp_path / "put_here"
    folder.mkdir()
    TICKS[:2].to_csv(folder / "1.csv", index=False)
    TICKS[2:].to_csv(folder / "2.csv", index=False)
    sources = [batches, queued(queue), watched(folder, lambda: True, seconds=0.0)]
    results = [steps(tmp_path / str(place), source)[0].accounts for place, source in enumerate(sources)]
    for other in results[1:]:
        pd.testing.assert_frame_equal(results[0], other, check_exact=True)


def test_a_folder_is_watched_until_it_is_finished(tmp_path: Path) -> None:
    TICKS[:2].to_csv(tmp_path / "1.csv", index=False)
    looks: list[int] = []

    def finished() -> bool:
        looks.append(len(looks))
        if len(looks) == 2:
            TICKS[2:].to_csv(tmp_path / "2.csv", index=False)
        return len(looks) > 3

    found = [batch.sequence for batch in watched(tmp_path, finished, seconds=0.0)]
    assert found == [1, 2, 4]


def test_a_tape_says_where_it_cannot_be_read(tmp_path: Path) -> None:
    for column, value in (("sequence", "1.5"), ("sequence", ""), ("time_utc", "soon")):
        bad = TICKS.astype(str)
        bad.loc[2, column] = value
        bad.to_csv(tmp_path / "tape.csv", index=False)
        with pytest.raises(sg.InputError, match=f"tape.csv, line 4, column {column}"):
            list(tape(tmp_path / "tape.csv"))


def test_snapshots_are_rolled_through(tmp_path: Path) -> None:
    folder = tmp_path / "days"
    for place, spot in ((1, 80.0), (0, 100.0)):
        market_folder(folder / f"day{place}", spot, timedelta(days=place))
    found = list(snapshots(folder))
    assert [item.underlyings.spots[0] for item in found] == [100.0, 80.0]
    desk, told = steps(tmp_path / "own", found[1:])
    assert told[0].breaches["state_after"].tolist() == ["breach"]
    full = sg.margin(desk.book, desk.market, sg.tims(), backend=BACKEND).accounts
    pd.testing.assert_frame_equal(desk.accounts, full, check_exact=True)
    market_folder(folder / "again", 80.0, timedelta(days=1))
    with pytest.raises(sg.InputError, match="one moment"):
        list(snapshots(folder))
    with pytest.raises(sg.InputError, match="expected market folders"):
        list(snapshots(tmp_path / "own" / "book"))


def test_the_command(tmp_path: Path) -> None:
    TICKS.to_csv(tmp_path / "tape.csv", index=False)
    held, priced = str(book_folder(tmp_path / "book")), str(market_folder(tmp_path / "market"))
    command = ["replay", str(tmp_path / "tape.csv"), "--book", held, "--regime", "tims"]
    told = CliRunner().invoke(app, [*command, "--market", priced])
    assert told.exit_code == 0, told.output
    for words in ("A: clear -> breach, short 1,400.00 USD, waits for end_of_day", "slowest:", "1 missing"):
        assert words in told.output
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 2
    assert "needs --market" in refused.output


def test_a_partial_account_is_exit_code_3_as_in_a_run(tmp_path: Path) -> None:
    TICKS.to_csv(tmp_path / "tape.csv", index=False)
    held, priced = book_folder(tmp_path / "book"), str(market_folder(tmp_path / "market"))
    rows = pd.read_parquet(held / "positions.parquet")
    stranger = rows.assign(account="stranger")
    write_parquet(pd.concat([rows, stranger], ignore_index=True), held / "positions.parquet")
    command = ["replay", str(tmp_path / "tape.csv"), "--book", str(held), "--regime", "tims"]
    told = CliRunner().invoke(app, [*command, "--market", priced])
    assert told.exit_code == 3
    assert "exit 3: 1 margin group PARTIAL or UNRELIABLE, the first is stranger" in told.output


def test_on_a_terminal_it_is_drawn(tmp_path: Path) -> None:
    TICKS.to_csv(tmp_path / "tape.csv", index=False)
    desk, breaches = opened(tmp_path)
    screen = Console(file=StringIO(), force_terminal=True, width=120)
    with live_view(screen) as view:
        for step in replayed(desk, tape(tmp_path / "tape.csv"), breaches):
            view.show(step, breaches)
    drawn = screen.file.getvalue()
    for words in ("oldest spot", "A: clear -> breach", "last, slowest"):
        assert words in drawn


def test_lots_and_a_map_as_in_a_run(tmp_path: Path) -> None:
    """The book of a broker's export, two lots of one position: margined as one of a hundred shares."""
    TICKS.to_csv(tmp_path / "tape.csv", index=False)
    held, priced = book_folder(tmp_path / "book"), str(market_folder(tmp_path / "market"))
    (held / "positions.parquet").unlink()
    (held / "positions.csv").write_text("account,symbol,position\nA,X,60\nA,X,40\n")
    (tmp_path / "MAP.toml").write_text('[positions]\nrename = { position = "quantity" }\n')
    command = [
        "replay",
        str(tmp_path / "tape.csv"),
        "--book",
        str(held),
        "--market",
        priced,
        "--regime",
        "tims",
    ]
    mapped = [*command, "--map", str(tmp_path / "MAP.toml")]
    told = CliRunner().invoke(app, [*mapped, "--lots"])
    assert told.exit_code == 0, told.output
    assert "A: clear -> breach, short 1,400.00" in told.output
    assert CliRunner().invoke(app, mapped).exit_code == 3, "a repeated position is turned away without --lots"
    assert CliRunner().invoke(app, command).exit_code == 2


def test_confirmed_breaches_become_calls(tmp_path: Path) -> None:
    """After the close, at 80: 1,200.00 needed, -200.00 of equity. The same tape again writes nothing."""
    TICKS[:3].to_csv(tmp_path / "tape.csv", index=False)
    held, priced = str(book_folder(tmp_path / "book")), str(market_folder(tmp_path / "market"))
    command = ["replay", str(tmp_path / "tape.csv"), "--book", held, "--market", priced, "--regime", "tims"]
    told = CliRunner().invoke(app, [*command, "--ledger", str(tmp_path / "calls.db")])
    assert told.exit_code == 0, told.output
    assert "issue pm_deficiency/2026-11-20/A" in told.output
    assert "ledger: 1 event of calls" in told.output
    listed = CliRunner().invoke(app, ["margin-calls", "list", str(tmp_path / "calls.db")])
    assert "1,400.00" in listed.output
    again = CliRunner().invoke(app, [*command, "--ledger", str(tmp_path / "calls.db")])
    assert "ledger: 0 events of calls" in again.output
