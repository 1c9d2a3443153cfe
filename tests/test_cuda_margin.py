"""margin() on the CUDA backend, its kernels on the host: the bytes of native, and its notes in the result."""

from __future__ import annotations

import pandas as pd
import pytest
from books import book, market, option, stock
from every_backend import required_sets
from host_cupy import World, backend
from host_kernels import require_compiler

import shockgrid as sg
from shockgrid.backends import NativeBackend

require_compiler()
required_sets()

ROWS = [
    ("A", "X", 100),
    ("A", "C90", -3),
    ("A", "P100", 5),
    ("B", "C110", -7),
    ("B", "Y", -50),
    ("B", "YP", 2),
]
PRICED = market(
    [
        *(stock("X"), stock("Y")),
        *(option(f"{right}{strike}", "X", right, strike, 60) for right in "CP" for strike in (90, 100, 110)),
        option("YP", "Y", "P", 50.0, 20),
    ],
    {"X": 100.0, "Y": 50.0},
    [
        *({"symbol": f"{right}{strike}", "vol": 0.4} for right in "CP" for strike in (90, 100, 110)),
        {"symbol": "YP", "vol": 0.7},
    ],
)


@pytest.mark.parametrize("threads", [None, 3])
def test_the_bytes_of_native(threads: int | None) -> None:
    policy = sg.Policy({"default": sg.Program(sg.tims(), sg.house())})
    found = sg.margin(book(ROWS), PRICED, policy, backend=backend(), threads=threads)
    expected = sg.margin(book(ROWS), PRICED, policy, backend=NativeBackend())
    pd.testing.assert_frame_equal(found.accounts, expected.accounts, check_exact=True)
    pd.testing.assert_frame_equal(found.positions, expected.positions, check_exact=True)
    assert (found.backend, found.notes) == ("cupy", expected.notes)


def test_what_the_host_computed_is_told_once_and_in_that_result_alone() -> None:
    world = World()
    own = backend(world)
    expected = sg.margin(book(ROWS), PRICED, sg.tims(), backend=own)
    world.failing_allocations = 10**9
    short = sg.margin(book(ROWS), PRICED, sg.tims(), backend=own)
    world.failing_allocations = 0
    again = sg.margin(book(ROWS), PRICED, sg.tims(), backend=own)
    pd.testing.assert_frame_equal(short.accounts, expected.accounts, check_exact=True)
    told = [note for note in short.notes if "CUDA" in note]
    assert told == [
        "the CUDA device had no memory left for some prices: native computed those",
        "the CUDA device had no memory left for some risk arrays: native computed those",
    ]
    assert again.notes == expected.notes
