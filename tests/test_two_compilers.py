"""What one compiler makes of the kernels another makes to the byte: needs a second build (.ci/kernels)."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from every_backend import required_sets
from test_native_american import dividend_options, mixed
from test_numpy_backend import grid, joint_list
from test_worst import random_batch

from shockgrid.backends import NativeBackend
from shockgrid.backends._native_library import VARIABLE

OTHER = os.environ.get("SHOCKGRID_OTHER_LIBRARY")
SETS = required_sets()

pytestmark = pytest.mark.skipif(OTHER is None, reason="SHOCKGRID_OTHER_LIBRARY names no second build")


def answers(instruction_set: str) -> list[np.ndarray]:
    """One of every kind: tiles, sums, worst losses, tables, grids, implied vols."""
    native, series, states = NativeBackend(instruction_set), mixed(300), joint_list(50)
    plain = replace(dividend_options(60, 2), ex_years=np.empty((60, 0)), ex_cash=np.empty((60, 0)))
    prices = native.price(plain, grid(1, 1))[0]
    batch = random_batch(12, weighted=True)
    return [
        native.price(series, states),
        native.price(dividend_options(40, 3), grid(5, 3)),
        *native.worst(batch, batch.scenarios, units=True),
        *native.implied(plain, prices),
        *native.implied_vol(prices, plain.spots, plain.strikes, plain.years, 1.0, plain.is_call),
    ]


@pytest.mark.parametrize("name", SETS)
def test_the_same_bytes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    ours = answers(name)
    monkeypatch.setenv(VARIABLE, str(OTHER))
    theirs = answers(name)
    assert len(ours) == len(theirs)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(ours, theirs, strict=True))
    assert all(a.size for a in ours[:2])
