"""What the CUDA backend refuses, by name, as the native library does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from host_cupy import backend
from host_kernels import require_compiler
from scipy.sparse import csr_array
from test_numpy_backend import grid, random_series

from shockgrid.errors import InputError

require_compiler()


@pytest.mark.parametrize("column", ["spots", "intercepts", "strikes", "vols", "discount_factors"])
def test_no_odd_number_gets_in(column: str) -> None:
    own, spoilt = backend(), np.array(getattr(random_series(20), column))
    spoilt[13] = np.nan
    series = replace(random_series(20), **{column: spoilt})
    with pytest.raises(InputError, match=rf"line 13, column {column}: expected a finite number"):
        own.price(series, grid(3, 2))
    with pytest.raises(InputError, match=rf"line 13, column {column}: expected a finite number"):
        own.risk_arrays([(series, grid(3, 2))], csr_array((2, 20)))


def test_what_does_not_fit_is_refused() -> None:
    own, series, states = backend(), random_series(4), grid(3, 2)
    with pytest.raises(InputError, match="a column for each of 4 instruments"):
        own.risk_arrays([(series, states)], csr_array((2, 5)))
    with pytest.raises(InputError, match="same number of scenarios"):
        own.risk_arrays([(series, states), (series, grid(2, 2))], csr_array((2, 8)))
    with pytest.raises(InputError, match="a spot state or vol rule that is not there"):
        own.price(series, replace(states, index=np.array([[3, 0]])))
    with pytest.raises(InputError, match="no scenario"):
        own.lowest([(series, states.block(0, 0))], csr_array((2, 4)))
    weights = csr_array(np.eye(4))
    weights.indices[0] = 9
    with pytest.raises(InputError, match="in a column that is not there"):
        own.risk_arrays([(series, states)], weights)


def test_no_nan_gets_out() -> None:
    """Finite numbers whose product is not: an infinity less an infinity."""
    own = backend()
    huge = replace(
        random_series(3), spots=np.array([100.0, 1e200, 100.0]), slopes=np.array([1.0, 1e200, 1.0])
    )
    with pytest.raises(InputError, match=r"line 1.*beyond the range of float64"):
        own.get(own.risk_arrays([(huge, grid(3, 1))], csr_array(np.eye(3))))
