"""What an explanation says beside the lines: rules passed or failed with their distance, and overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Texts

if TYPE_CHECKING:
    from shockgrid.requirement.regime import AddOn, Context

#: margin_group is a code; value, limit and distance in the rule's own unit, money in the group's currency
COLUMNS = ("margin_group", "level", "name", "subject", "value", "limit", "distance", "passed", "words")

#: Context -> rows of ``COLUMNS``
Remark: TypeAlias = "Callable[[Context], pd.DataFrame]"


class Measured(NamedTuple):
    """What a rule measures of every margin group."""

    values: Floats  #: [M]
    limits: Floats  #: [M] what triggers the rule
    distances: Floats  #: [M] how much is left before it does; below 0 it has; NaN where nothing is measured
    subjects: Texts | str = ""  #: [M] the name it is about


def rule(name: str, measure: Callable[[Context], Measured], words: str) -> Remark:
    """A remark of level "rule": one row per margin group that holds something the rule speaks of."""

    def remark(context: Context) -> pd.DataFrame:
        found = measure(context)
        size = len(context.plan.margin_groups)
        frame = rows("rule", name, np.arange(size), found, words)
        return frame[~np.isnan(found.distances)]

    return remark


def rows(level: str, name: str, margin_groups: Any, found: Measured, words: str) -> pd.DataFrame:
    """Rows of ``COLUMNS``, one for each of ``margin_groups`` (codes)."""
    columns = {
        "margin_group": margin_groups,
        "level": level,
        "name": name,
        "subject": found.subjects,
        "value": found.values,
        "limit": found.limits,
        "distance": found.distances,
        "passed": found.distances >= 0.0,
        "words": words,
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


def all_remarks(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Remarks one after another; with the right columns where there are none."""
    found = [frame for frame in frames if len(frame)]
    if found:
        return pd.concat(found, ignore_index=True)
    kinds = {**dict.fromkeys(COLUMNS, object), **dict.fromkeys(("value", "limit", "distance"), np.float64)}
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    return empty.astype({"margin_group": np.intp, "passed": np.bool_})


def floors(
    add_ons: Sequence[AddOn],
    scan: Floats,
    figures: Mapping[str, Floats],
    lines: Mapping[str, Floats],
    rates: Floats,
) -> pd.DataFrame:
    """One row per margin group for every floor: its figure against the requirement it is compared with."""
    running, frames = scan, []
    for add_on in add_ons:
        if add_on.mode == "floor":
            figure, before = figures[add_on.name] / rates, running / rates
            found = Measured(figure, before, before - figure)
            frames.append(rows("rule", add_on.name, np.arange(len(rates)), found, add_on.words))
        running = running + lines[add_on.name]
    return all_remarks(frames)
