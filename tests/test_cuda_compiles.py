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

KERNELS = Path(__file__).parents[1] / "kernels"
#: A100, RTX 30, RTX 40, H100, B200, RTX 50
ARCHITECTURES = ("sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")
#: 65,536 registers of a multiprocessor over 1,024 threads
MOST_REGISTERS = 64
OPTIONS = ("-std=c++17", "--fmad=false", "--ptxas-options=-v")
REQUIRED = "SHOCKGRID_REQUIRE_NVRTC"


def library() -> Iterator[Path]:
    """Every NVRTC of the installed wheels."""
    spec = find_spec("nvidia")
    for folder in spec.submodule_search_locations or () if spec else ():
        yield from sorted(Path(folder).rglob("libnvrtc.so.*"))


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
    """The status and log of compiling a text, the headers given as texts as well."""
    headers = sorted(KERNELS.glob("*.h"))
    texts = (ctypes.c_char_p * len(headers))(*(path.read_bytes() for path in headers))
    names = (ctypes.c_char_p * len(headers))(*(path.name.encode() for path in headers))
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    created = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), source.encode(), b"kernel.cu", len(headers), texts, names
    )
    assert created == 0
    given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    status = nvrtc.nvrtcCompileProgram(program, len(options), given)
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log.value.decode()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("path", sorted(KERNELS.glob("*.cu")), ids=lambda path: path.name)
def test_compiles_without_spills_in_few_registers(nvrtc: ctypes.CDLL, path: Path, architecture: str) -> None:
    source = path.read_text(encoding="utf-8")
    status, log = compiled(nvrtc, source, *OPTIONS, f"--gpu-architecture={architecture}")
    assert status == 0, log
    entries = source.count("__global__")
    spills = re.findall(r"(\d+) bytes spill (?:stores|loads)", log)
    registers = [int(count) for count in re.findall(r"Used (\d+) registers", log)]
    assert len(registers) >= entries >= 1, log
    assert set(spills) == {"0"}, log
    assert max(registers) <= MOST_REGISTERS, log


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_premium_tables_compile(nvrtc: ctypes.CDLL, architecture: str) -> None:
    """The headers that the CPU library is built from, a thread a put; they have no entry point yet."""
    source = """#include "premium.h"
    using namespace SHOCKGRID_NAMESPACE;
    extern "C" __global__ void powers(const Plan plan, const Put<double>* puts, double* powers) {
      const Sample<double> sample(plan, puts[threadIdx.x]);
      convert(plan, sample.premiums, powers + threadIdx.x * plan.gaps);
    }"""
    status, log = compiled(nvrtc, source, *OPTIONS, f"--gpu-architecture={architecture}")
    assert status == 0, log


def test_the_grids_compile_for_a_gpu_thread(nvrtc: ctypes.CDLL) -> None:
    source = """
        #include "dividends.h"
        using namespace SHOCKGRID_NAMESPACE;
        extern "C" __global__ void solve(double* nodes, double* paid, int count, Terms<double> terms) {
          Grid<double> grids[] = {{frame_of(terms), nodes, nodes + NODES, nodes + 2 * NODES}};
          const Dividends<double> dividends[] = {{count, paid, paid + count, 0.0, terms.is_call, 0.0}};
          double* const results[] = {nodes + 3 * NODES};
          solve_grids<HELD>(grids, dividends, results);
          solve_grids<ONE_SIDE>(grids, dividends, results);
          solve_grids<TWO_SIDES>(grids, dividends, results);
        }"""
    status, log = compiled(nvrtc, source, *OPTIONS, "--gpu-architecture=sm_90")
    assert status == 0, log


def test_a_text_that_is_wrong_is_seen(nvrtc: ctypes.CDLL) -> None:
    wrong = '#include "european.h"\nextern "C" __global__ void k(double* x) { *x = no_such_name(*x); }'
    status, log = compiled(nvrtc, wrong, *OPTIONS, "--gpu-architecture=sm_90")
    assert status != 0
    assert "no_such_name" in log
