"""manifest.json: what a run was made from, with which versions, and the totals to check it by."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shockgrid.comparison.sides import Result
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.run_request import Outcome, sha256

MANIFEST = "manifest.json"
FORMAT = "shockgrid run 1"


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """manifest.json of a run folder."""
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = f"{folder}: not a run folder: {MANIFEST} cannot be read ({error})"
        raise ShockgridError(problem) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        problem = f"{folder}: not a run folder: {MANIFEST} does not say {FORMAT!r}"
        raise ShockgridError(problem)
    missing = [name for name in ("inputs", "outputs", "backend") if name not in manifest]
    if missing or "files" not in manifest["inputs"]:
        problem = f"{folder}: {MANIFEST} is damaged: {(missing or ['files'])[0]} is missing"
        raise ShockgridError(problem)
    return manifest


def build_manifest(outcome: Outcome, stage: Path) -> dict[str, Any]:
    """The manifest of a run whose output files lie in ``stage``; nothing in it varies between equal runs."""
    request, result = outcome.request, outcome.result
    root = request.market.parent.parent if request.embedded else None
    files = {
        path.relative_to(root).as_posix()
        if root and path.is_relative_to(root)
        else str(path.resolve()): found
        for path, found in outcome.hashes.items()
    }
    outputs = {path.name: sha256(path) for path in sorted(stage.iterdir()) if path.is_file()}
    return {
        "format": FORMAT,
        "versions": _versions(),
        "as_of": result.as_of.isoformat(),
        "backend": result.backend,
        "regimes": {
            side: {
                "name": regime.name,
                "fingerprint": regime.fingerprint(),
                "parameters": json.loads(json.dumps(dict(regime.parameters), default=str)),
            }
            for side, regime in result.regimes.items()
        },
        "inputs": {**request.to_manifest(), "files": files},
        "outputs": outputs,
        "sizes": outcome.sizes,
        "notes": [*outcome.notes, *result.notes],
        "control_totals": control_totals(result),
    }


def control_totals(result: Result) -> dict[str, float | int]:
    """Counts and exact sums to compare with what was sent: sums do not depend on the order of rows."""
    positions, accounts = result.positions, result.accounts
    values = positions["price"] * positions["quantity"]
    return {
        "position_rows": len(positions),
        "margin_groups": len(accounts),
        "distinct_accounts": int(positions["account"].nunique()),
        "sum_quantity": math.fsum(positions["quantity"].dropna()),
        "sum_price_times_quantity": math.fsum(values.dropna()),
        "sum_requirement": math.fsum(result.in_base("requirement")),
        "rejects": len(result.rejects),
    }


def _versions() -> dict[str, str]:
    names = ("shockgrid", "numpy", "scipy", "pandas", "pyarrow")
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "run from source"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with sorted keys."""
    try:
        text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        problem = f"cannot be written as JSON: {error}"
        raise InputError(problem, table=path.name) from error
    path.write_text(text + "\n", encoding="utf-8")
