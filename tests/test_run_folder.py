"""A run folder: whole or absent, the same bytes from the same inputs, and refused when anything changed."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shockgrid.errors import ShockgridError
from shockgrid.io.run_folder import compare_runs, read_run_table, rerun, verify_run, write_run
from shockgrid.io.run_request import Outcome, RunRequest
from shockgrid.io.templates import write_templates

NAMES = ("accounts", "groups", "positions", "scenarios", "rules", "rejects")
FILES = {f"{name}.{suffix}" for name in NAMES for suffix in ("csv", "parquet")}
FILES |= {"manifest.json", "timings.json"}


def outcome_of(folder: Path) -> Outcome:
    return RunRequest(folder / "market", folder / "book", regime="tims", backend="numpy").compute()


@pytest.fixture
def firm(tmp_path: Path) -> Path:
    write_templates(tmp_path / "firm", example=True)
    return tmp_path / "firm"


@pytest.fixture
def finished(firm: Path, tmp_path: Path) -> Path:
    return write_run(outcome_of(firm), tmp_path / "run")


def test_everything_is_there_and_adds_up(finished: Path) -> None:
    assert {path.name for path in finished.iterdir()} == FILES
    manifest = json.loads((finished / "manifest.json").read_text())
    totals = manifest["control_totals"]
    # a short call and the same call covered, Black-Scholes, to the cent; cash alone needs nothing
    assert totals["sum_requirement"] == pytest.approx(877.26 + 1273.67, abs=0.01)
    # -1 and -1 calls, 100 shares
    assert totals["sum_quantity"] == 98
    assert (totals["position_rows"], totals["distinct_accounts"], totals["margin_groups"]) == (3, 2, 3)
    assert manifest["backend"] == "numpy"
    assert manifest["regimes"]["exchange"]["name"] == "tims"
    assert len(manifest["inputs"]["files"]) == 12
    assert set(manifest["versions"]) == {"python", "shockgrid", "numpy", "scipy", "pandas", "pyarrow"}


def test_a_rerun_gives_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    same = rerun(finished, tmp_path / "again")
    assert set(same) == FILES - {"timings.json"}
    assert all(same.values())


def test_a_rerun_elsewhere_of_embedded_inputs_gives_the_same_bytes(firm: Path, tmp_path: Path) -> None:
    firm.rename(tmp_path / "inputs")
    request = RunRequest.inside(tmp_path, backend="numpy")
    write_run(request.compute(), tmp_path / "deep" / "run")
    moved = tmp_path / "moved"
    (tmp_path / "deep" / "run").rename(moved)
    same = rerun(moved, tmp_path / "again")
    assert "inputs/book/policy.toml" in same
    assert all(same.values())


def test_a_changed_or_missing_input_is_named(finished: Path, firm: Path) -> None:
    assert verify_run(finished).regime == "tims"
    path = firm / "market" / "quotes.csv"
    path.write_text(path.read_text().replace("0.30", "0.31"))
    with pytest.raises(ShockgridError, match=r"quotes\.csv: this input has changed"):
        verify_run(finished)
    path.unlink()
    with pytest.raises(ShockgridError, match=r"quotes\.csv: cannot be read"):
        verify_run(finished)


def test_a_changed_output_is_seen(finished: Path, tmp_path: Path) -> None:
    path = finished / "accounts.parquet"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    with pytest.raises(ShockgridError, match=r"accounts\.parquet: the run is damaged"):
        read_run_table(finished, "accounts")
    same = rerun(finished, tmp_path / "again")
    assert [name for name, equal in same.items() if not equal] == ["accounts.parquet"]


def test_compare_names_a_file_only_one_run_has(finished: Path, tmp_path: Path) -> None:
    rerun(finished, tmp_path / "again")
    (tmp_path / "again" / "groups.csv").unlink()
    assert not compare_runs(finished, tmp_path / "again")["groups.csv"]


def test_an_earlier_run_is_replaced_and_anything_else_is_not(
    finished: Path, firm: Path, tmp_path: Path
) -> None:
    outcome = outcome_of(firm)
    (finished / "groups.csv").unlink()
    write_run(outcome, finished)
    assert {path.name for path in finished.iterdir()} == FILES

    (finished / "my notes.txt").write_text("mine")
    with pytest.raises(ShockgridError, match=r"holds my notes\.txt"):
        write_run(outcome, finished)
    other = tmp_path / "other"
    other.mkdir()
    (other / "inputs").write_text("x")
    with pytest.raises(ShockgridError, match=r"has no manifest\.json"):
        write_run(outcome, other)
    with pytest.raises(ShockgridError, match="is a file"):
        write_run(outcome, other / "inputs")
    with pytest.raises(ShockgridError, match="holds the input"):
        write_run(outcome, firm)
    assert (finished / "my notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["firm", "other", "run"]


@pytest.mark.parametrize("target", ["pyarrow.csv.write_csv", "pyarrow.parquet.write_table", "os.fsync"])
def test_a_full_disk_leaves_the_earlier_run_whole(
    finished: Path, firm: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    outcome = outcome_of(firm)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(target, full)
    with pytest.raises(ShockgridError, match="No space left on device"):
        write_run(outcome, finished)
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before
    assert sorted(path.name for path in finished.parent.iterdir()) == ["firm", "run"]


def test_a_write_that_the_system_cuts_short_is_refused(firm: Path, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))

    command = [sys.executable, "-c", "from shockgrid.cli import main; main()", "run", "--regime", "tims"]
    command += [
        "--market",
        str(firm / "market"),
        "--book",
        str(firm / "book"),
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(command, preexec_fn=small_files, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert str(tmp_path / "run") in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["firm"]


def test_only_timings_tell_when_and_where(finished: Path) -> None:
    timings = json.loads((finished / "timings.json").read_text())
    assert {"seconds", "margin_seconds", "written_utc", "host"} == set(timings)
    text = (finished / "manifest.json").read_text()
    assert timings["written_utc"][:10] not in text


def test_the_tables_on_disk_are_those_of_the_result(finished: Path, firm: Path) -> None:
    expected = outcome_of(firm).result
    read = read_run_table(finished, "accounts")
    assert [name for name in read.columns if name.startswith("_")] == []
    assert (read["requirement"].to_numpy() == expected.accounts["requirement"].to_numpy()).all()
    assert np.array_equal(read_run_table(finished, "groups")["scan"], expected.groups["scan"])


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShockgridError, match="not a run folder"):
        verify_run(tmp_path)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(ShockgridError, match="does not say"):
        verify_run(tmp_path)
