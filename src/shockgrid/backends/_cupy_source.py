"""The texts of the CUDA kernels, each joined with the headers it includes."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

#: -0.0, NaN and rounding as on the CPU: no product is fused with a sum unless the text says so.
OPTIONS = ("--std=c++17", "--fmad=false", "--prec-div=true", "--prec-sqrt=true")

_INCLUDE = re.compile(r'^ *#include "([\w.]+)"\n', re.MULTILINE)
_ONCE = re.compile(r"^#pragma once\n", re.MULTILINE)


def folder() -> Path:
    """Where the kernels are: in the package as installed, or in the source tree."""
    here = Path(__file__).parents[1] / "kernels"
    return here if here.is_dir() else Path(__file__).parents[3] / "kernels"


@cache
def joined(name: str) -> str:
    """The text of ``name``.cu with the headers in it.

    A compiler's cache knows a program by this text, so nothing it depends on may lie outside.
    """
    return expanded((folder() / f"{name}.cu").read_text(encoding="utf-8"))


def expanded(text: str) -> str:
    """A text with each header of the kernels in place of its first ``#include``."""
    seen: set[str] = set()

    def replaced(found: re.Match[str]) -> str:
        header = found[1]
        if header in seen:
            return ""
        seen.add(header)
        return without_includes((folder() / header).read_text(encoding="utf-8"))

    def without_includes(part: str) -> str:
        return _INCLUDE.sub(replaced, _ONCE.sub("", part))

    return without_includes(text)
