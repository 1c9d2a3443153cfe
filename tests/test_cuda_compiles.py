"""The CUDA entry points compile for every generation of GPU, without one: NVRTC from its wheel.

``pip install nvidia-cuda-nvrtc-cu12``; skipped where it is not installed.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from shockgrid.backends import _cupy_screen, _cupy_sections, _cupy_tables, _cupy_tile
from shockgrid.backends._cupy_source import OPTIONS, expanded, folder, joined
from shockgrid.backends.premium_effort import LARGEST
from shockgrid.backends.vol_ranges import RANGES

#: A100, RTX 30, RTX 40, H100, B200, RTX 50
ARCHITECTURES = ("sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
#: Of an entry: 64, so that 1,024 threads share the 65,536 of a multiprocessor, or 128 where a premium, a
#: boundary or a grid is at hand.
MOST_REGISTERS = {
    "european": {"unit_values": 64, "black_values": 64},
    "leaves": {"leaf_pnl": 64, "leaf_worst": 64},
    "screened_values": {"screened_bases": 64, "screened_tables": 64, "screened_values": 64},
    "screened_leaves": {"screened_leaves": 64, "worst_of_screened": 64},
    "american": {"early_values": 128},
    "premium": {"exercise_boundaries": 128, "premium_powers": 128, "premium_coefficients": 128},
    "dividends": {"grids_held": 128, "grids_one_side": 128, "grids_two_sides": 128},
}
#: CuPy adds the first two by itself; -ftz touches float32 alone.
LOGGED = ("-ftz=true", "--device-as-default-execution-space", "--ptxas-options=-v")
REQUIRED = "SHOCKGRID_REQUIRE_NVRTC"


def library() -> Iterator[Path]:
    """Every NVRTC of the installed wheels."""
    spec = find_spec("nvidia")
    for place in spec.submodule_search_locations or () if spec else ():
        yield from sorted(Path(place).rglob("libnvrtc.so.*"))


@pytest.fixture(scope="module")
def nvrtc() -> ctypes.CDLL:
    found = list(library())
    if not found:
        message = "NVRTC is not installed (nvidia-cuda-nvrtc-cu12)"
        if os.environ.get(REQUIRED):
            pytest.fail(message)
        pytest.skip(message)
    return ctypes.CDLL(str(found[0]))


def compiled(nvrtc: ctypes.CDLL, source: str, *options: str) -> tuple[int, str]:
    """The status and log of compiling a text with the headers it includes."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = expanded(source).encode()
    created = nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, b"kernel.cu", 0, None, None)
    assert created == 0
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = nvrtc.nvrtcCompileProgram(program, len(options), given)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log.value.decode()


def registers_of(log: str) -> dict[str, int]:
    """Registers of each entry, from what ptxas says."""
    entries = re.split(r"Compiling entry function '(\w+)'", log)[1:]
    found = dict(zip(entries[::2], entries[1::2], strict=True))
    return {name: int(re.search(r"Used (\d+) registers", text)[1]) for name, text in found.items()}  # type: ignore[index]


def test_every_kernel_has_its_limit() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder().glob("*.cu")}
    entries = {
        stem: set(re.findall(r'extern "C" __global__ void [^(]*\([^)]*\) (\w+)\(', text))
        for stem, text in texts.items()
    }
    assert entries == {stem: set(limits) for stem, limits in MOST_REGISTERS.items()}


def test_python_and_kernels_agree_on_sizes() -> None:
    """What is laid out in Python fits the arrays of the kernels, and no block is larger than its bound."""
    constants = dict(re.findall(r"\b([A-Z_]{4,}) = (\d+)[,;]", joined("european") + joined("american")))
    assert (
        int(constants["MOST_STATES"]),
        int(constants["MOST_ROWS"]),
    ) == (_cupy_sections.MOST_STATES, _cupy_sections.MOST_ROWS)
    assert int(constants["TABLE_RANGES"]) == RANGES
    assert (LARGEST.vols, LARGEST.gaps) == (int(constants["TABLE_VOLS"]), int(constants["TABLE_GAPS"]))
    words = re.search(r"struct Section \{(.*?)\};", joined("european"), re.DOTALL)
    assert words is not None
    named = re.sub(r"//.*|\b(?:const|unsigned|long|double|int|char)\b|[*,;]", " ", words[1]).split()
    assert tuple(named) == _cupy_sections.WORDS
    bounds = {
        name: int(bound)
        for stem in MOST_REGISTERS
        for bound, name in re.findall(r"__launch_bounds__\((\d+)[^)]*\) (\w+)\(", joined(stem))
    }
    assert bounds["unit_values"] == bounds["leaf_pnl"] == bounds["black_values"] == _cupy_tile.MOST_THREADS
    assert bounds["early_values"] == _cupy_tile.MOST_EARLY_THREADS
    assert {bounds[name] for name in MOST_REGISTERS["screened_values"]} == {_cupy_tile.MOST_THREADS}
    assert {bounds[name] for name in MOST_REGISTERS["screened_leaves"]} == {_cupy_screen.MOST_LEAF_THREADS}
    assert bounds["premium_powers"] == bounds["grids_held"] == _cupy_tables.THREADS


def test_python_and_kernels_agree_on_what_is_screened() -> None:
    """Numbers of the structures that Python makes room for, and the words of the one that it fills."""
    text = joined("screened_values")

    def names_of(name: str) -> tuple[str, ...]:
        body = re.search(rf"struct {name} \{{\n(.*?)\n\}};", text, re.DOTALL)
        assert body is not None
        return tuple(re.findall(r"\w+(?=[,;])", re.sub(r"//.*", "", body[1])))

    assert len(names_of("ScreenedSpot")) == _cupy_screen.SPOT_NUMBERS
    assert len(names_of("Deviation")) == _cupy_screen.VOL_NUMBERS
    assert len(names_of("RowBound")) == _cupy_screen.BOUND_NUMBERS
    assert len(names_of("Place")) == len(names_of("Rows")) == 4
    assert names_of("ScreenedTile") == _cupy_screen.WORDS


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("stem", MOST_REGISTERS)
def test_compiles_without_spills_in_few_registers(nvrtc: ctypes.CDLL, stem: str, architecture: str) -> None:
    """The very text and options that are handed to CuPy."""
    status, log = compiled(nvrtc, joined(stem), *OPTIONS, *LOGGED, f"--gpu-architecture={architecture}")
    assert status == 0, log
    assert set(re.findall(r"(\d+) bytes spill (?:stores|loads)", log)) == {"0"}, log
    registers = registers_of(log)
    assert set(registers) == set(MOST_REGISTERS[stem])
    assert not {name: used for name, used in registers.items() if used > MOST_REGISTERS[stem][name]}


def test_american_values_and_implied_vols_compile_for_a_gpu_thread(nvrtc: ctypes.CDLL) -> None:
    source = """
        #include "grid_crossing.h"
        #include "implied_american.h"
        using namespace SHOCKGRID_NAMESPACE;
        extern "C" __global__ void european(const Quote<double>* quotes, ImpliedVol<double>* found) {
          Solver<1, double> solver;
          solver.solve(quotes + threadIdx.x, found + threadIdx.x);
        }
        extern "C" __global__ void american(
            PremiumTables tables, const AmericanQuote<double>* quotes, const int* ranges,
            ImpliedVol<double>* found) {
          const int* const own[] = {ranges + TABLE_RANGES * threadIdx.x};
          found[threadIdx.x] = american_implied_vol(tables, quotes[threadIdx.x], own);
        }
        extern "C" __global__ void grid(
            const GridView<double>* views, double* scratch, double spot, double log, double* values) {
          const NearExDate<double> near(views[threadIdx.x], scratch);
          values[threadIdx.x] = grid_value(views[threadIdx.x], &near, spot, log);
        }"""
    status, log = compiled(nvrtc, source, *OPTIONS, "--gpu-architecture=sm_90")
    assert status == 0, log


def test_a_text_that_is_wrong_is_seen(nvrtc: ctypes.CDLL) -> None:
    wrong = '#include "european.h"\nextern "C" __global__ void k(double* x) { *x = no_such_name(*x); }'
    status, log = compiled(nvrtc, wrong, *OPTIONS, "--gpu-architecture=sm_90")
    assert status != 0
    assert "no_such_name" in log
