"""What every command of the command line shares: options of one name, and refusals without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]
BackendOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="auto, or a backend by name; with -mixed behind it worst losses are screened in float32."
    ),
]
MapOption: TypeAlias = Annotated[Path | None, typer.Option("--map", help="MAP.toml for files of your own.")]
MarketOption: TypeAlias = Annotated[Path, typer.Option(help="Folder of the market tables.")]
BookOption: TypeAlias = Annotated[Path, typer.Option(help="Folder of positions and accounts.")]
RegimeOption: TypeAlias = Annotated[
    str,
    typer.Option(
        help="tims, rbh_bd, rbh_mm, house, house-rules, regt, regt-ib, derive, span, deribit, deribit-v2, "
        "deribit-standard, or path/to/file.py:name."
    ),
]
SidesOption: TypeAlias = Annotated[
    list[str] | None, typer.Option("--regime", help="A regime as for run; give it once for each side.")
]
PoliciesOption: TypeAlias = Annotated[
    list[Path] | None, typer.Option("--policy", help="A policy file as a side; may be repeated.")
]
LotsOption: TypeAlias = Annotated[
    bool, typer.Option("--lots", help="Sum rows that repeat an account and symbol.")
]


def counted(number: int, name: str) -> str:
    """A number of things in words.

    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def printable(text: str) -> str:
    """Text for a terminal: what would steer it, or turn the direction of what follows, is shown as its code.

    >>> printable("a\\x1b[2J\\u202e")
    'a\\\\x1b[2J\\\\u202e'
    """
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


@contextmanager
def compiled_libraries_on_stderr() -> Iterator[None]:
    """What compiled libraries print meanwhile goes to standard error, so that ``--json`` stays JSON.

    HiGHS, which ``regt`` pairs with, prints a line now and then that no option of it turns off.
    """
    if os.name != "posix" or sys.stdout is None:
        yield
        return
    from ctypes import CDLL

    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def refusals() -> Iterator[None]:
    """A refusal or an unreadable file is one line on stderr and exit code 2, never a traceback."""
    from shockgrid.errors import ShockgridError

    try:
        yield
    except BrokenPipeError:
        raise
    except (ShockgridError, OSError) as error:
        typer.echo("shockgrid: " + printable(" ".join(str(error).split())), err=True)
        raise typer.Exit(2) from error
