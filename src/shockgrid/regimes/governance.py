"""Which parameter file is in force on a day: dated, proposed by one person and approved by another."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd
from pydantic import BaseModel, ConfigDict

from shockgrid.errors import ParameterError
from shockgrid.regimes.parameter_files import checked
from shockgrid.requirement.overrides import Overrides

#: built-in regimes whose parameter files go by another name
FILE_NAMES = {
    "deribit": "deribit v3",
    "deribit-v2": "deribit v2",
    "deribit-standard": "deribit standard",
}


class _Header(BaseModel):
    """What governance reads of a parameter file; the regime reads and checks the rest."""

    model_config = ConfigDict(extra="ignore")

    name: str
    effective: datetime.date
    proposed_by: str = ""
    approved_by: str = ""

    @property
    def approved(self) -> bool:
        """Proposed and approved, by two people."""
        names = [name.strip().casefold() for name in (self.proposed_by, self.approved_by)]
        return all(names) and names[0] != names[1]


def in_force(folder: str | Path, name: str, as_of: datetime.datetime) -> Path:
    """The parameter file of a regime that is in force on the day of ``as_of`` (UTC, also without a zone).

    Of the TOML files in ``folder`` whose ``name`` is the regime's, the one with the latest ``effective``
    date on or before that day whose ``proposed_by`` and ``approved_by`` are two different people.

    Raises
    ------
    ParameterError : a file cannot be read, two have one date, or none is in force; says why. What ships is
        nobody's approval: a copy of it in the folder, proposed and approved, is.
    """
    wanted, stamp = FILE_NAMES.get(name, name), pd.Timestamp(as_of)
    day = (stamp if stamp.tzinfo is None else stamp.tz_convert("UTC")).date()
    paths = sorted(Path(folder).glob("*.toml"))
    if not Path(folder).is_dir():
        problem = f"{folder}: no such folder of parameter files"
        raise ParameterError(problem)
    found = [(header, path) for path in paths if (header := checked(_Header, path, str(path))).name == wanted]
    if not found:
        problem = f"{folder}: no parameters of {wanted}; expected a file of that name, proposed and approved"
        raise ParameterError(problem)
    ready = [(header, path) for header, path in found if header.approved and header.effective <= day]
    if not ready:
        reasons = "; ".join(
            f"{path.name}: {'effective ' + str(header.effective) if header.approved else 'not approved'}"
            for header, path in found
        )
        problem = f"{folder}: no parameters of {wanted} are in force on {day} ({reasons})"
        raise ParameterError(problem)
    latest = max(header.effective for header, _ in ready)
    best = [path for header, path in ready if header.effective == latest]
    if len(best) > 1:
        problem = f"{folder}: {' and '.join(path.name for path in best)} both take effect on {latest}"
        raise ParameterError(problem)
    return best[0]


def read_overrides(path: str | Path) -> Overrides:
    """Overrides from a CSV file; every cell is read as text.

    Raises
    ------
    ParameterError : the file cannot be read.     InputError : a bad row, by its line.
    """
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        problem = f"{path}: {error}"
        raise ParameterError(problem) from error
    return Overrides.from_frame(frame)
