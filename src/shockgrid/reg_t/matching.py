"""Legs that may stand in one group, found by joining, and the group they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Mask
from shockgrid.reg_t.legs import Ints, Legs

NAMES = (
    "covered call",
    "covered put",
    "protective put",
    "protective call",
    "conversion",
    "reverse conversion",
    "collar",
    "boxed stock",
    "long box",
)
(
    COVERED_CALL, COVERED_PUT, PROTECTIVE_PUT, PROTECTIVE_CALL, CONVERSION, REVERSE_CONVERSION, COLLAR,
    BOXED_STOCK, LONG_BOX,
) = range(len(NAMES))  # fmt: skip
WIDTH = 4  #: legs of the largest template
_SERIES = ["family", "expiry", "strike", "multiplier"]


@dataclass(frozen=True)
class Part:
    """Groups of one template; see ``Candidates``."""

    kind: int
    legs: Codes
    uses: Ints
    initial: Ints
    maintenance: Ints
    caps: Ints


def part(
    kind: int, rows: list[Codes], uses: list[Ints], initial: Ints, maintenance: Ints, caps: Ints | None = None
) -> Part:
    """The groups of one template from its legs, how many of each one group takes, and its amounts."""
    width, size = len(rows), len(rows[0])
    legs, used = np.full((size, WIDTH), -1, np.intp), np.zeros((size, WIDTH), np.int64)
    for at in range(width):
        legs[:, at], used[:, at] = rows[at], uses[at]
    return Part(kind, legs, used, initial, maintenance, np.zeros(size, np.int64) if caps is None else caps)


def joined(legs: Legs, masks: list[Mask], keys: list[list[str]]) -> list[Codes]:
    """Rows of legs that agree on the keys: the first mask with the second, that with the third, ..."""
    every = pd.DataFrame(
        {
            "problem": legs.problems,
            "family": legs.families,
            "expiry": legs.expiries,
            "strike": legs.strikes,
            "multiplier": legs.multipliers,
            "row": np.arange(len(legs)),
        }
    )
    found = every[masks[0]].rename(columns={"row": "row_0"})
    for at, (mask, key) in enumerate(zip(masks[1:], keys, strict=True), start=1):
        other = every.loc[mask, [*key, "row"]].rename(columns={"row": f"row_{at}"})
        carried = [name for name in every.columns[:-1] if name in key or at > 1 or name == "problem"]
        found = found[[*carried, *found.columns[found.columns.str.startswith("row_")]]]
        found = found.merge(other, on=key)
        if at == 1 and key == ["problem"] and len(masks) > 2:
            fresh = every.set_index("row").loc[found["row_1"], ["family", "expiry", "strike", "multiplier"]]
            found = found[["problem", "row_0", "row_1"]].assign(
                **{str(name): fresh[name].to_numpy() for name in fresh}
            )
    return [found[f"row_{at}"].to_numpy(np.intp) for at in range(len(masks))]


def one(rows: Codes) -> Ints:
    """One contract of each."""
    return np.ones(len(rows), np.int64)
