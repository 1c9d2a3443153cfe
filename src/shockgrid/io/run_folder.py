"""A run on disk: its tables, what they were made from, and the proof that they can be made again."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd

from shockgrid.comparison.sides import Result
from shockgrid.errors import ShockgridError
from shockgrid.io.atomic import staged_folder
from shockgrid.io.csv_files import write_csv
from shockgrid.io.manifest import MANIFEST, build_manifest, read_manifest, write_json
from shockgrid.io.parquet_files import read_parquet, write_parquet
from shockgrid.io.run_request import INPUTS, Outcome, Progress, RunRequest, sha256
from shockgrid.requirement import MarginResult

TIMINGS = "timings.json"
TABLES = ("accounts", "groups", "positions", "scenarios", "rules", "rejects")
_OURS = {
    MANIFEST,
    TIMINGS,
    INPUTS,
    *(f"{name}{suffix}" for name in TABLES for suffix in (".csv", ".parquet")),
}


def write_run(outcome: Outcome, folder: Path | str, *, seconds: Mapping[str, float] | None = None) -> Path:
    """Write a run folder: every table as Parquet and CSV, manifest.json and timings.json.

    Everything but timings.json depends on the inputs alone, so the same inputs give the same bytes. The
    folder appears complete or not at all; an earlier run in it is replaced.

    Parameters
    ----------
    outcome : what ``RunRequest.compute`` returned.
    folder : a new or empty folder, or an earlier run folder.
    seconds : of stages before the run, for timings.json.

    Raises
    ------
    ShockgridError : the folder holds something else, holds the inputs, or cannot be written.
    """
    folder = Path(folder).resolve()
    request, result = outcome.request, outcome.result
    started = perf_counter()
    _require_outside(folder, [request.market, request.book, *outcome.hashes])
    with staged_folder(folder, _require_replaceable) as stage:
        for name, frame in result_tables(result).items():
            write_parquet(frame, stage / f"{name}.parquet")
            write_csv(frame, stage / f"{name}.csv")
        if request.embedded:
            shutil.copytree(request.market.parent, stage / INPUTS)
        write_json(stage / MANIFEST, build_manifest(outcome, stage))
        spent = {**(seconds or {}), **outcome.seconds, "write": perf_counter() - started}
        write_json(stage / TIMINGS, {"seconds": spent, "margin_seconds": dict(result.timings), **_moment()})
    return folder


def result_tables(result: Result) -> dict[str, pd.DataFrame]:
    """The tables of a run folder by name; strategy-based margin has no scenarios."""
    tables = {"accounts": result.accounts, "groups": result.groups, "positions": result.positions}
    if isinstance(result, MarginResult):
        tables |= {"scenarios": result.scenario_table, "rules": result.rules}
    return {**tables, "rejects": result.rejects}


def read_timings(folder: Path | str) -> dict[str, Any]:
    """timings.json of a run folder: seconds by stage, of the whole run and within margin."""
    timings: dict[str, Any] = json.loads((Path(folder) / TIMINGS).read_text(encoding="utf-8"))
    return timings


def read_run_table(folder: Path | str, name: str) -> pd.DataFrame:
    """One table of a run folder; its bytes must be those the manifest was written with."""
    folder = Path(folder)
    file = f"{name}.parquet"
    expected = read_manifest(folder)["outputs"].get(file)
    _require_hash(folder / file, expected, "the run is damaged")
    return read_parquet(folder / file)


def verify_run(folder: Path | str) -> RunRequest:
    """Check that every input of a run is still what it was, and give the request that repeats it.

    Raises
    ------
    ShockgridError : an input is missing or its bytes have changed; names the file.
    """
    folder = Path(folder).absolute()
    manifest = read_manifest(folder)
    for file, expected in manifest["inputs"]["files"].items():
        _require_hash(folder / file, expected, "this input has changed since the run")
    return RunRequest.from_manifest(folder, manifest["inputs"], manifest["backend"])


def rerun(folder: Path | str, out: Path | str, *, progress: Progress | None = None) -> dict[str, bool]:
    """Repeat a run from its inputs into ``out``; for each file, whether it has the same bytes."""
    folder, out = Path(folder).absolute(), Path(out).absolute()
    if out.resolve() == folder.resolve():
        problem = f"{out}: a run cannot be repeated into itself"
        raise ShockgridError(problem)
    write_run(verify_run(folder).compute(progress), out)
    return compare_runs(folder, out)


def compare_runs(first: Path | str, second: Path | str) -> dict[str, bool]:
    """For every file of either run folder but timings.json, whether both have it with the same bytes."""
    first, second = Path(first), Path(second)
    names = {
        path.relative_to(root).as_posix()
        for root in (first, second)
        for path in root.rglob("*")
        if path.is_file()
    }
    return {name: _same(first / name, second / name) for name in sorted(names - {TIMINGS})}


def _same(first: Path, second: Path) -> bool:
    return first.is_file() and second.is_file() and sha256(first) == sha256(second)


def _require_hash(path: Path, expected: str | None, problem: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        missing = f"{path}: cannot be read: {error.strerror}"
        raise ShockgridError(missing) from error
    if found != expected:
        changed = f"{path}: {problem} (sha256 {found[:12]}, expected {str(expected)[:12]})"
        raise ShockgridError(changed)


def _require_replaceable(folder: Path) -> None:
    if not folder.is_dir():
        problem = f"{folder}: is a file, expected a folder"
        raise ShockgridError(problem)
    strangers = sorted(path.name for path in folder.iterdir() if path.name not in _OURS)
    if strangers or not (folder / MANIFEST).is_file():
        found = f"holds {strangers[0]}" if strangers else f"is not empty and has no {MANIFEST}"
        problem = f"{folder}: {found}, so it is not replaced; expected a new, empty or run folder"
        raise ShockgridError(problem)
    read_manifest(folder)


def _require_outside(folder: Path, inputs: Iterable[Path]) -> None:
    for path in inputs:
        if path.resolve().is_relative_to(folder):
            problem = f"{folder}: holds the input {path}, which writing the run would replace"
            raise ShockgridError(problem)


def _moment() -> dict[str, str]:
    return {"written_utc": datetime.now(UTC).isoformat(timespec="seconds"), "host": platform.node()}
