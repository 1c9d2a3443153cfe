"""What a conversion gives: a market of canonical tables, with an account of every row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from shockgrid.expiries import NEW_YORK
from shockgrid.io.refusal import refusal


@dataclass(frozen=True)
class Converted:
    """A market and how it came about.

    Attributes
    ----------
    tables : the canonical tables by name.     as_of : UTC.     max_age : as in ``Market.from_frames``.
    rejects : every row turned away (E_...) or taken with a reason (W_...): table is the file, line its line.
    files : one row per file: file, underlying, rows, accepted, rejected, spot, moment, share, count, other
        (the candidate not taken), other_share.
    parity : one row per expiry of European options: underlying, expiry_utc and the columns of ParityFits.
    notes : text.     zone : the time zone moments are shown in.
    """

    tables: dict[str, pd.DataFrame]
    as_of: pd.Timestamp
    max_age: timedelta
    rejects: pd.DataFrame
    files: pd.DataFrame
    parity: pd.DataFrame
    notes: list[str]
    zone: str = NEW_YORK

    def local(self, moment: pd.Timestamp) -> str:
        """A moment as people of this market write it."""
        return moment.tz_convert(self.zone).strftime("%Y-%m-%d %H:%M %Z")

    def counts(self) -> dict[str, int]:
        """Rows by code, in alphabetical order."""
        return {str(code): int(n) for code, n in self.rejects["code"].value_counts().sort_index().items()}


def require_files(files: Sequence[Path]) -> None:
    """Refuse the first that is not there."""
    for path in files:
        if not path.is_file():
            raise refusal(str(path), "there is no such file")
