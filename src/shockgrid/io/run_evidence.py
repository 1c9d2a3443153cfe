"""What margin calls need of a run folder: its moment, and hashes of what it was made from."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from shockgrid.desk.calls_plan import Evidence
from shockgrid.errors import ShockgridError
from shockgrid.io.manifest import MANIFEST, read_manifest
from shockgrid.io.run_request import sha256


def run_evidence(folder: Path | str) -> tuple[Evidence, datetime]:
    """The evidence of a run and the instant it is of.

    ``run_id`` is the hash of its manifest, which is the same for the same inputs; ``market_hash`` covers
    every file of the market, ``parameters_hash`` the regimes with all their numbers, policy and column map.

    Raises
    ------
    ShockgridError : not a run folder, or one written before manifests had ``as_of``.
    """
    manifest = read_manifest(folder)
    if "as_of" not in manifest:
        problem = f"{folder}: {MANIFEST} has no as_of: make the run again"
        raise ShockgridError(problem)
    inputs = manifest["inputs"]
    market = {file: found for file, found in inputs["files"].items() if _within(file, inputs["market"])}
    settings = {
        inputs[name]: inputs["files"].get(inputs[name]) for name in ("policy", "column_map") if inputs[name]
    }
    proof = Evidence(
        run_id=sha256(Path(folder) / MANIFEST),
        market_hash=_hash([manifest["as_of"], market]),
        parameters_hash=_hash([manifest["regimes"], settings]),
    )
    return proof, pd.Timestamp(manifest["as_of"]).to_pydatetime()


def _within(file: str, folder: str) -> bool:
    return Path(file).is_relative_to(folder)


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
