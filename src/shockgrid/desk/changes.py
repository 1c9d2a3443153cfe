"""What an update changed: the margin groups whose figures are not the same any more, before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Mask, Texts

WATCHED = ("requirement", "equity_at_marks", "equity_at_model", "excess", "reliability")
COLUMNS = ("margin_group", *(column for name in WATCHED for column in (f"{name}_before", name)))


class Change(NamedTuple):
    """Margin groups that were worked out again, and their watched columns before that."""

    codes: Codes
    before: Mapping[str, Any]


def watched(columns: Mapping[str, Any], codes: Any) -> dict[str, Any]:
    """A copy of the watched columns of these margin groups, codes or a slice of them."""
    return {name: columns[name][codes].copy() for name in WATCHED}


def changes_frame(names: Texts, change: Change, columns: Mapping[str, Any]) -> pd.DataFrame:
    """One row per margin group of which a watched column changed by a bit or more: ``COLUMNS``."""
    after = watched(columns, change.codes)
    rows = np.flatnonzero(_differ(change.before, after, len(change.codes)))
    codes = change.codes
    if len(rows) < len(codes):
        codes = codes[rows]
        change, after = _taken(change, rows), {name: after[name][rows] for name in WATCHED}
    found: dict[str, Any] = {"margin_group": names[codes]}
    for name in WATCHED:
        found[f"{name}_before"], found[name] = change.before[name], after[name]
    index = pd.RangeIndex(len(codes))
    for name in ("margin_group", "reliability_before", "reliability"):
        # no search for a narrower type
        found[name] = pd.Series(found[name], index, dtype=object, copy=False)
    return pd.DataFrame(found, index=index, copy=False)


def _taken(change: Change, rows: Codes) -> Change:
    return Change(change.codes[rows], {name: values[rows] for name, values in change.before.items()})


def _differ(before: Mapping[str, Any], after: Mapping[str, Any], size: int) -> Mask:
    changed = np.zeros(size, np.bool_)
    for name in WATCHED:
        changed |= before[name] != after[name]
    return changed
