"""The CUDA backend on a GPU: ``pytest -m gpu --require-gpu``. Needs NumPy, SciPy, pandas, CuPy and pytest.

Nothing here is read from a file or the network, and no parameter file either.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gpu_cases import americans, book_of_every_kind, grid, series_of, weights_of

from shockgrid.backends import NumpyBackend, get_backend
from shockgrid.errors import BackendUnavailable

pytestmark = pytest.mark.gpu

#: The parity row of the design: of spot for a value, of gross notional for a leaf.
PARITY = 1e-12
SIZES = (0, 1, 7, 33, 1009)


@pytest.fixture(scope="module")
def cuda() -> Any:
    try:
        return get_backend("cupy")
    except BackendUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def host() -> Any:
    """The native library where it was built, whose bits are to be met; else NumPy."""
    try:
        return get_backend("native")
    except BackendUnavailable:
        return NumpyBackend()


def same_bytes(left: Any, right: Any) -> bool:
    return bool(np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes())


@pytest.mark.parametrize("count", SIZES)
def test_european_values(cuda: Any, host: Any, count: int) -> None:
    series = series_of(1009, 1).take(slice(0, count))
    for states in (grid(31, 7), grid(1, 1), grid(61, 40)):
        found, expected = cuda.get(cuda.price(series, states)), host.price(series, states)
        assert found.shape == expected.shape
        if host.name == "native":
            assert same_bytes(found, expected)
        assert (np.abs(found - expected) <= PARITY * series.spots).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_book_of_every_kind(cuda: Any, seed: int) -> None:
    series, states, plain = book_of_every_kind(seed), grid(31, 7), NumpyBackend()
    gaps = np.abs(cuda.get(cuda.price(series, states)) - plain.price(series, states))
    assert (gaps <= PARITY * series.spots).all()
    weights = weights_of(101, len(series), seed)
    found = cuda.get(cuda.risk_arrays([(series, states)], weights))
    gross = abs(weights) @ (series.spots + series.strikes)
    assert (np.abs(found - plain.risk_arrays([(series, states)], weights)) <= PARITY * gross[:, None]).all()
    values, scenarios = (cuda.get(part) for part in cuda.lowest([(series, states)], weights))
    assert same_bytes(values, found.min(axis=1))
    assert scenarios.tolist() == found.argmin(axis=1).tolist()
    assert cuda.notes == []


@pytest.mark.parametrize("leaves", SIZES)
def test_sums_of_leaves(cuda: Any, host: Any, leaves: int) -> None:
    sections = [(series_of(33, 1), grid(31, 7)), (series_of(7, 2), grid(31, 7))]
    weights = weights_of(leaves, 40, 3)
    found, expected = cuda.get(cuda.risk_arrays(sections, weights)), host.risk_arrays(sections, weights)
    if host.name == "native":
        assert same_bytes(found, expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_the_same_bytes_again_and_in_any_company(cuda: Any) -> None:
    series, states = book_of_every_kind(5), grid(31, 7)
    whole = cuda.get(cuda.price(series, states))
    assert same_bytes(cuda.get(cuda.price(series, states)), whole)
    for columns in (slice(3, 4), slice(10, 60)):
        assert same_bytes(cuda.get(cuda.price(series.take(columns), states)), whole[:, columns])


def test_a_long_list_of_scenarios_in_tiles(cuda: Any) -> None:
    """The dense grid of the design, 401 prices by 201 vols: tiles by scenarios, worst merged between them."""
    series, states = americans(40, 7), grid(401, 201)
    weights = weights_of(9, 40, 7)
    values, scenarios = (cuda.get(part) for part in cuda.lowest([(series, states)], weights))
    found = cuda.get(cuda.risk_arrays([(series, states)], weights))
    assert same_bytes(values, found.min(axis=1))
    assert scenarios.tolist() == found.argmin(axis=1).tolist()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_screen_in_float32_finds_the_bytes_of_float64(cuda: Any, seed: int) -> None:
    mixed = get_backend("cupy", precision="mixed")
    assert mixed.name == "cupy-mixed"
    cases = [(series_of(1009, seed), grid(31, 7)), (book_of_every_kind(seed), grid(61, 40))]
    cases.append((series_of(33, seed), grid(401, 201)))
    for series, states in cases:
        weights = weights_of(101, len(series), seed)
        pairs = zip(
            mixed.lowest([(series, states)], weights), cuda.lowest([(series, states)], weights), strict=True
        )
        assert all(same_bytes(mixed.get(own), cuda.get(other)) for own, other in pairs)


def test_black_under_broadcasting(cuda: Any, host: Any) -> None:
    strikes = np.linspace(1.0, 400.0, 1009)
    for vols in (0.0, 0.3, 4.0):
        found = cuda.get(cuda.black(100.0, strikes[:, None], [0.0, 1e-6, 1.0, 30.0], vols, 0.9, True))
        expected = host.black(100.0, strikes[:, None], [0.0, 1e-6, 1.0, 30.0], vols, 0.9, True)
        np.testing.assert_allclose(found, expected, rtol=0, atol=PARITY * 100.0)
