"""What ``Backend.worst`` refuses, by name and value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from every_backend import MAKERS
from test_numpy_backend import grid
from test_worst import Make, linear_batch, random_batch

from shockgrid.errors import InputError


@pytest.fixture(scope="module", params=MAKERS.values(), ids=MAKERS)
def make(request: pytest.FixtureRequest) -> Make:
    maker: Make = request.param
    return maker


@pytest.mark.parametrize("reduced", [0, 61])
def test_how_many_are_reduced_is_refused_by_number(make: Make, reduced: int) -> None:
    with pytest.raises(InputError, match="expected between 1 and 60 scenarios to reduce") as error:
        make().worst(random_batch(), reduced)
    assert error.value.value == reduced


def test_sets_of_different_sizes_are_refused(make: Make) -> None:
    batch = random_batch()
    uneven = replace(batch, states=(*batch.states[:2], grid(5, 5)))
    with pytest.raises(InputError, match="the same number of scenarios"):
        make().worst(uneven, 10)


@pytest.mark.parametrize("column", [-1, 1000])
def test_a_position_without_an_instrument_is_refused(make: Make, column: int) -> None:
    batch = random_batch()
    columns = batch.columns.copy()
    columns[len(columns) // 2] = column
    with pytest.raises(InputError, match="a position has no instrument in class group") as error:
        make().worst(replace(batch, columns=columns), 10)
    assert error.value.column == "columns"


@pytest.mark.parametrize("name", [name for name in MAKERS if name.startswith("native")])
@pytest.mark.parametrize("units", [False, True])
def test_no_nan_gets_in_or_out(name: str, units: bool) -> None:
    """A bad column is named; finite numbers whose sums are none are beyond the range of float64."""
    backend = MAKERS[name]()
    batch = linear_batch([1.0, -1.0], [[(0, 1e308), (1, 1e308)]], [1.0, 1e3, 2.0])
    with pytest.raises(InputError, match="beyond the range of float64"):
        backend.worst(batch, 1, units)
    spoilt = replace(batch, series=replace(batch.series, slopes=np.array([1.0, np.nan])))
    with pytest.raises(InputError, match="expected a finite number") as error:
        backend.worst(spoilt, 3, units)
    assert (error.value.column, error.value.line) == ("slopes", 1)
