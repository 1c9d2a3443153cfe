"""What an update changed: the margin groups whose figures are not the same any more, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Texts
from shockgrid.desk.spans import run_of

WATCHED = ("requirement", "equity_at_marks", "equity_at_model", "excess", "reliability")
COLUMNS = ("margin_group", *(f"{name}_{when}" for name in WATCHED for when in ("before", "after")))


class Change(NamedTuple):
    """Margin groups that were worked out again, and their watched columns before that."""

    codes: Codes
    before: Mapping[str, Any]
    reliable: bool = False  #: whether it is known that no reliability changed


class Changes:
    """The margin groups of which a watched column changed by a bit or more, a row each.

    ``arrays`` holds those of ``COLUMNS``, in each margin group's currency. ``frame`` is the same as a
    DataFrame, made when it is first asked for; so is whatever else a DataFrame has:
    ``changes["excess_after"]``, ``changes.set_index("margin_group")``.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays["margin_group"])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per margin group: ``COLUMNS``."""
        texts = ("margin_group", "reliability_before", "reliability_after")
        found, index = dict(self.arrays), pd.RangeIndex(len(self))
        for name in texts:  # no search for a narrower type
            found[name] = pd.Series(found[name], index, dtype=object, copy=False)
        return pd.DataFrame(found, index=index, copy=False)

    def __getitem__(self, key: Any) -> Any:
        return self.frame[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.frame, name)

    def __repr__(self) -> str:
        return repr(self.frame)

    def _repr_html_(self) -> str:
        return str(self.frame.to_html())


def watched(columns: Mapping[str, Any], codes: Any) -> dict[str, Any]:
    """A copy of the watched columns of these margin groups, codes or a slice of them."""
    return {name: columns[name][codes].copy() for name in WATCHED}


def as_they_are(codes: Codes, columns: Mapping[str, Any]) -> Change:
    """These margin groups before anything happens to them."""
    return Change(codes, watched(columns, codes))


def changes_of(names: Texts, change: Change, columns: Mapping[str, Any]) -> Changes:
    """The margin groups of which a watched column changed."""
    own = run_of(change.codes)
    before, after = change.before, watched(columns, own)
    looked_at = WATCHED[:-1] if change.reliable else WATCHED
    changed = np.zeros(len(change.codes), np.bool_)
    for name in looked_at:
        changed |= before[name] != after[name]
    rows: Any = np.flatnonzero(changed)
    if len(rows) == len(change.codes):
        rows = slice(None)
    found = {"margin_group": names[own][rows].copy()}
    for name in WATCHED:
        found[f"{name}_before"], found[f"{name}_after"] = before[name][rows], after[name][rows]
    return Changes(found)
