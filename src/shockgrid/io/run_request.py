"""What a run needs to be done again: where its inputs are, which regimes, which backend."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from shockgrid.backends import Backend
from shockgrid.book import Book
from shockgrid.comparison.sides import Result, Side, load_side
from shockgrid.errors import InputError, ShockgridError
from shockgrid.io.column_map import ColumnMap
from shockgrid.io.tables import POLICY_TOML, Sources, read_book, read_market
from shockgrid.market import Market
from shockgrid.reg_t import RegtResult, RegtRules, regt
from shockgrid.regimes import Policy
from shockgrid.requirement import margin

Progress: TypeAlias = Callable[[int, int], None]

INPUTS = "inputs"


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def regime_file(name: str, folder: Path) -> Path | None:
    """The file of a regime called ``path/to/file.py:name``, None for a built-in one."""
    file = name.rpartition(":")[0]
    return folder / file if file else None


def _regimes_of(policy: Path) -> list[Path]:
    """Files that a policy names: regimes that are not built in, overrides, parameters."""
    document = tomllib.loads(policy.read_text(encoding="utf-8"))
    programs = document["programs"].values()
    names = {program[side] for program in programs for side in ("exchange", "house") if side in program}
    files = [regime_file(name, policy.parent) for name in sorted(names)]
    own = [file for file in files if file]
    if "overrides" in document:
        own.append(policy.parent / document["overrides"])
    if "parameters" in document:
        own += sorted((policy.parent / document["parameters"]).glob("*.toml"))
    return own


def _computed(
    book: Book, market: Market, side: Side, backend: str | Backend, progress: Progress | None
) -> Result:
    if isinstance(side, RegtRules):
        return regt(book, market, side, backend=backend)
    return margin(book, market, side, backend=backend, progress=progress)


@dataclass(frozen=True)
class Outcome:
    """A computed run: what was asked, what came out, what was read, and how long each part took."""

    request: RunRequest
    result: Result
    hashes: dict[Path, str]  #: SHA-256 of every file that was read
    sizes: dict[str, int]  #: accounts, positions, underlyings, instruments that were read
    notes: tuple[str, ...]  #: rows and columns that a column map left out
    seconds: dict[str, float]


@dataclass(frozen=True)
class RunRequest:
    """The inputs and choices of one run.

    Exactly one of ``regime`` (a name or ``path/to/file.py:name``) and ``policy`` is set. With ``embedded``
    the folders lie under ``INPUTS`` of a run folder and travel with it, and so does a policy that lies there.
    """

    market: Path
    book: Path
    regime: str = ""
    policy: Path | None = None
    column_map: Path | None = None
    lots: bool = False
    backend: str = "auto"
    embedded: bool = False

    def __post_init__(self) -> None:
        if bool(self.regime) == (self.policy is not None):
            problem = "expected either a regime or a policy file, and not both"
            raise InputError(problem, column="regime", value=self.regime or None)

    @classmethod
    def inside(cls, folder: Path, *, backend: str) -> RunRequest:
        """The request of a run whose market, book and policy lie under ``folder/inputs``."""
        root = folder / INPUTS
        return cls(
            root / "market", root / "book", policy=root / "book" / POLICY_TOML, backend=backend, embedded=True
        )

    def settings(self) -> list[Path]:
        """The files beside the tables that decide the outcome: policy, column map, regimes of one's own."""
        own = regime_file(self.regime, Path())
        files = [path for path in (self.policy, self.column_map, own) if path]
        return files + (_regimes_of(self.policy) if self.policy else [])

    def to_manifest(self) -> dict[str, Any]:
        """Plain values for manifest.json; paths are absolute, or relative to the run folder when embedded."""
        own = regime_file(self.regime, Path())
        regime = f"{own.resolve()}:{self.regime.rpartition(':')[2]}" if own else self.regime
        return {
            "market": self._shown(self.market, "market"),
            "book": self._shown(self.book, "book"),
            "regime": regime or None,
            "policy": self._shown(self.policy, f"book/{POLICY_TOML}") if self.policy else None,
            "column_map": str(self.column_map.resolve()) if self.column_map else None,
            "lots": self.lots,
            "embedded": self.embedded,
        }

    @classmethod
    def from_manifest(cls, folder: Path, entry: dict[str, Any], backend: str) -> RunRequest:
        """The request written by ``to_manifest`` in the run folder ``folder``."""
        try:
            return cls(
                market=folder / entry["market"],
                book=folder / entry["book"],
                regime=entry["regime"] or "",
                policy=folder / entry["policy"] if entry["policy"] else None,
                column_map=Path(entry["column_map"]) if entry["column_map"] else None,
                lots=entry["lots"],
                backend=backend,
                embedded=entry["embedded"],
            )
        except (KeyError, TypeError) as error:
            problem = f"{folder}/manifest.json: not the manifest of a run: {error!r} in inputs"
            raise ShockgridError(problem) from error

    def read(self, sources: Sources) -> tuple[Book, Market, Side]:
        """The book, the market and what is asked of them; ``sources`` learns what was read."""
        column_map = ColumnMap.from_toml(self.column_map) if self.column_map else None
        market = read_market(self.market, column_map=column_map, sources=sources)
        book = read_book(self.book, self.lots, column_map=column_map, sources=sources)
        side = load_side(self.regime) if self.policy is None else Policy.from_toml(self.policy, market.as_of)
        return book, market, side

    def compute(self, progress: Progress | None = None, engine: Backend | None = None) -> Outcome:
        """Read everything and compute the margin, on ``engine`` if one of that backend is at hand."""
        started = perf_counter()
        sources = Sources()
        book, market, side = self.read(sources)
        hashes = {path: sha256(path) for path in [*sources.files, *self.settings()]}
        read = perf_counter()
        result = _computed(book, market, side, engine or self.backend, progress)
        seconds = {"read": read - started, "margin": perf_counter() - read}
        sizes = {
            "accounts": len(book.accounts),
            "positions": len(book.positions),
            "underlyings": len(market.underlyings.names),
            "instruments": len(market.instruments.symbols),
        }
        return Outcome(self, result, hashes, sizes, tuple(sources.notes), seconds)

    def strategy(self, margin_group: str) -> RegtResult:
        """Strategy-based margin of one margin group, from the inputs."""
        side = load_side(self.regime)
        if not isinstance(side, RegtRules):
            problem = "expected a strategy-based regime"
            raise InputError(problem, column="regime", value=self.regime)
        column_map = ColumnMap.from_toml(self.column_map) if self.column_map else None
        book = read_book(self.book, self.lots, column_map=column_map).select([margin_group])
        return regt(book, read_market(self.market, column_map=column_map), side, backend=self.backend)

    def _shown(self, path: Path, place: str) -> str:
        inside = self.embedded and path.is_relative_to(self.market.parent)
        return f"{INPUTS}/{place}" if inside else str(path.resolve())
