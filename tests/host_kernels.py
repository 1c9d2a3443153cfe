"""The CUDA kernels as programs of the host: each .cu text compiled whole with g++ through ``cuda_host.h``."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SHIM = Path(__file__).with_name("cuda_host.h")
#: Set where a compiler is, so that a missing one is an error and not a skip.
REQUIRED = "SHOCKGRID_REQUIRE_NATIVE"
FLAGS = (
    *("-std=c++20", "-O1", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-pthread"),
    *("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"),
)
_builds = TemporaryDirectory(prefix="shockgrid-host-kernels-")


def has_compiler() -> bool:
    return shutil.which("g++") is not None


def require_compiler() -> None:
    """Skip the test module, or fail, where there is no g++."""
    if not has_compiler():
        message = "no g++: the CUDA kernels cannot be run on the host"
        if os.environ.get(REQUIRED):
            pytest.fail(message, pytrace=False)
        pytest.skip(message, allow_module_level=True)


def compiled(text: str, *flags: str, kind: str = "-shared") -> Path:
    """The program of a text, built once for each text and flags."""
    name = sha256("\n".join((text, kind, *flags)).encode()).hexdigest()[:16]
    source, program = Path(_builds.name) / f"{name}.cpp", Path(_builds.name) / name
    if not program.exists():
        source.write_text(f'#include "{SHIM}"\n{text}', encoding="utf-8")
        command = ["g++", *FLAGS, "-fPIC", kind, *flags, str(source), "-o", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return program


@cache
def library(text: str, *flags: str) -> ctypes.CDLL:
    """The kernels of a text, to be launched with ``launch``."""
    return ctypes.CDLL(str(compiled(text, *flags)))


def launch(kernels: ctypes.CDLL, name: str, blocks: int, threads: int, words: list[int]) -> None:
    """Run a kernel over so many blocks, one after another, of so many threads."""
    given = (ctypes.c_uint64 * 10)(*words)
    kernel = ctypes.cast(getattr(kernels, name), ctypes.c_void_p)
    kernels.host_launch_kernel(kernel, ctypes.c_uint(blocks), ctypes.c_uint(threads), given)
