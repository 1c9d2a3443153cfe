"""What the compiled kernels refuse, by name, and where they cannot run at all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from every_backend import option_rows, required_sets
from scipy.sparse import csr_array
from test_numpy_backend import grid, random_series

from shockgrid.backends import NativeBackend, _native_library, get_backend
from shockgrid.errors import BackendUnavailable, InputError
from shockgrid.valuation import price_european

SETS = required_sets()


@pytest.fixture(params=SETS)
def native(request: pytest.FixtureRequest) -> NativeBackend:
    return NativeBackend(request.param)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", _native_library.SERIES_NUMBERS)
def test_no_odd_number_gets_in(native: NativeBackend, column: str, bad: float) -> None:
    spoilt = np.array(getattr(random_series(20), column))
    spoilt[13] = bad
    series = replace(random_series(20), **{column: spoilt})
    message = rf"line 13, column {column}: expected a finite number \(got {bad}\)"
    with pytest.raises(InputError, match=message):
        native.price(series, grid(3, 2))
    with pytest.raises(InputError, match=message):
        native.risk_arrays([(random_series(5), grid(3, 2)), (series, grid(3, 2))], csr_array((2, 25)))


@pytest.mark.parametrize("column", ["spot_factors", *_native_library.RULES])
def test_no_odd_state_gets_in(native: NativeBackend, column: str) -> None:
    spoilt = np.array(getattr(grid(3, 3), column))
    spoilt[1] = np.nan
    with pytest.raises(InputError, match=f"line 1, column {column}"):
        native.price(random_series(5), replace(grid(3, 3), **{column: spoilt}))


def test_no_nan_gets_out(native: NativeBackend) -> None:
    """Finite numbers whose product is not: an infinity less an infinity."""
    series = option_rows(3, spots=[100.0, 1e200, 100.0], slopes=[1.0, 1e200, 1.0])
    with pytest.raises(InputError, match=r"line 1.*beyond the range of float64"):
        native.risk_arrays([(series, grid(3, 1))], csr_array(np.eye(3)))
    with pytest.raises(InputError, match="column vols: expected a finite number"):
        native.black([1.0, 1.0], 1.0, 1.0, [0.2, np.nan], 1.0, True)


@pytest.mark.parametrize("place", [0, 7, 8, 255, 256, 515])
@pytest.mark.parametrize(
    ("column", "bad"),
    [
        *(("forwards", bad) for bad in (np.nan, -np.inf)),
        *((name, bad) for name in ("strikes", "expiries", "vols") for bad in (np.nan, np.inf, -5e-324)),
        *(("discount_factors", bad) for bad in (np.nan, np.inf, -1.0, 0.0, -0.0)),
    ],
)
def test_the_door_names_the_option(native: NativeBackend, column: str, bad: float, place: int) -> None:
    """Checked while they are priced: in the first register, in the last, which is not full, and between."""
    columns = {name: np.full(516, 0.9) for name in ("forwards", "strikes", "expiries", "vols")}
    columns |= {"discount_factors": np.full(516, 0.9), "is_call": np.ones(516, np.bool_)}
    columns[column][place] = bad
    with pytest.raises(InputError, match=rf"{column}\[{place}\] must be finite"):
        price_european(**columns, backend=native)


def test_the_door_takes_all_that_is_in_range(native: NativeBackend) -> None:
    """Forwards of any sign, and nothing of either sign for strikes, lives and vols, as ``black`` does."""
    numbers = [-3.0, -0.0, 0.0, 1.0], [-0.0, 0.0, 1e300], [-0.0, 0.0, 1.0], [-0.0, 0.0, 10.0]
    columns = np.meshgrid(*numbers, 0.9)
    values = native.black_checked(*columns, np.zeros(columns[0].shape, np.bool_))
    assert values is not None
    np.testing.assert_array_equal(values, native.black(*columns, False))
    nothing = native.black_checked(*(np.empty(0) for _ in range(5)), np.empty(0, np.bool_))
    assert nothing is not None
    assert nothing.shape == (0,)


def test_shapes_that_do_not_fit_are_refused(native: NativeBackend) -> None:
    series, states = random_series(4), grid(3, 2)
    with pytest.raises(InputError, match="a column for each of 4 instruments"):
        native.risk_arrays([(series, states)], csr_array((2, 5)))
    with pytest.raises(InputError, match="same number of scenarios"):
        native.risk_arrays([(series, states), (series, grid(2, 2))], csr_array((2, 8)))
    for index in ([[3, 0]], [[0, 2]], [[-1, 0]]):
        with pytest.raises(InputError, match="a spot state or vol rule that is not there"):
            native.price(series, replace(states, index=np.array(index)))
    weights = csr_array(np.eye(4))
    weights.indices[0] = 9
    with pytest.raises(InputError, match="in a column that is not there"):
        native.risk_arrays([(series, states)], weights)


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match="does not run the instruction set 'v9', only"):
        NativeBackend("v9")
    monkeypatch.setenv(_native_library.VARIABLE, str(tmp_path / "none.so"))
    with pytest.raises(BackendUnavailable, match=r"cannot be loaded: .*none\.so"):
        get_backend("native")
    assert get_backend("auto").name == "numpy"


def test_a_library_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """One built before a function was there, then one that knows none of them: the C library itself."""
    monkeypatch.setattr(_native_library, "FUNCTIONS", (*_native_library.FUNCTIONS, "later"))
    with pytest.raises(BackendUnavailable, match=r"lacks shockgrid_later_.*another version"):
        get_backend("native")
    assert get_backend("auto").name == "numpy"
    monkeypatch.setenv(_native_library.VARIABLE, "libc.so.6")
    with pytest.raises(BackendUnavailable, match="lacks shockgrid_instruction_sets"):
        get_backend("native")


def test_an_installation_without_a_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(_native_library.VARIABLE, raising=False)
    monkeypatch.setattr(_native_library, "find_spec", lambda name: None)
    monkeypatch.setattr(_native_library, "__file__", str(tmp_path / "a" / "b" / "c" / "d.py"))
    with pytest.raises(BackendUnavailable, match=r"built without a C\+\+ compiler"):
        get_backend("native")
    assert get_backend("auto").name == "numpy"


def test_a_processor_without_fused_multiply_add(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_native_library, "instruction_sets", lambda: ("baseline",))
    with pytest.raises(BackendUnavailable, match="no fused multiply-add"):
        get_backend("native")
    assert get_backend("auto").name == "numpy"


def test_the_library_is_loaded_when_it_is_asked_for() -> None:
    code = (
        "import shockgrid.valuation; from shockgrid.backends import _native_library as native, get_backend;"
        "get_backend('numpy'); before = native.loaded.cache_info().currsize;"
        "get_backend('native'); print(before, native.loaded.cache_info().currsize)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["0", "1"]
