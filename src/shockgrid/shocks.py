"""Shocks before they meet a market: one list for all, one per portfolio type, or rows of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
import pandas as pd

from shockgrid.arrays import Codes, Floats, Texts
from shockgrid.columns import Door, frame_of
from shockgrid.errors import InputError
from shockgrid.market import Market

TABLE = "scenarios"

#: Market -> a factor [U] on the shocks of each underlying
Scale: TypeAlias = Callable[[Market], Floats]


def digest(*parts: object) -> str:
    """SHA-256 of texts, numbers and arrays."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return found.hexdigest()


class ListOfShocks(Protocol):
    """Market -> shocks [U, S]."""

    @property
    def values(self) -> Floats:
        """Every shock as it was given."""

    def digest(self) -> str:
        """SHA-256 of what it was made from."""

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""


@dataclass(frozen=True)
class CommonShocks:
    """The same shocks [S] for every underlying, stretched by a factor [U] where there is a scale."""

    values: Floats
    scale: Scale | None = None

    @property
    def scales(self) -> tuple[Scale, ...]:
        """See ``scales_of``."""
        return () if self.scale is None else (self.scale,)

    def digest(self) -> str:
        """SHA-256 of the values; the scale is a function and not in it."""
        return digest(self.values)

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""
        scale = np.ones(len(market.underlyings.names)) if self.scale is None else self.scale(market)
        return np.multiply.outer(scale, self.values)


@dataclass(frozen=True)
class TypeShocks:
    """A row of shocks for each portfolio type."""

    kinds: tuple[str, ...]
    values: Floats  #: [kinds, S]
    scales: ClassVar[tuple[Scale, ...]] = ()

    def digest(self) -> str:
        """SHA-256 of the table."""
        return digest(self.kinds, self.values)

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""
        kinds = pd.Index(market.underlyings.portfolio_types)
        rows = pd.Index(self.kinds).get_indexer(kinds)
        if (rows < 0).any():
            problem = f"expected one of {', '.join(self.kinds)}"
            stranger = kinds[rows < 0][0]
            raise InputError(problem, table="underlyings", column="portfolio_type", value=stranger)
        return self.values[rows]


@dataclass(frozen=True)
class GroupShocks:
    """A row of shocks for each class group, NaN for class groups without one."""

    groups: tuple[str, ...]
    values: Floats  #: [groups, S]
    scales: ClassVar[tuple[Scale, ...]] = ()

    @classmethod
    def of(cls, rows: Mapping[str, Sequence[float]], count: int) -> GroupShocks:
        """From class group -> row; InputError where a row has not ``count`` entries."""
        for group, row in rows.items():
            if len(row) != count:
                problem = f"expected {count} entries for class group {group}"
                raise InputError(problem, value=len(row))
        return cls(tuple(rows), np.array(list(rows.values()), np.float64))

    def digest(self) -> str:
        """SHA-256 of the table."""
        return digest(self.groups, self.values)

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""
        rows = pd.Index(self.groups).get_indexer(pd.Index(market.underlyings.class_groups))
        return np.where((rows >= 0)[:, None], self.values[rows], np.nan)


@dataclass(frozen=True)
class ListedShocks:
    """Market -> shocks [U, S], from rows of (scenario, underlying, value)."""

    scenarios: Codes  #: [rows] scenario of each row
    underlyings: Texts  #: [rows]
    values: Floats  #: [rows]
    count: int  #: S
    unlisted: float  #: shock of an underlying a scenario does not name
    strict: bool  #: whether an underlying the market does not know is refused
    scales: ClassVar[tuple[Scale, ...]] = ()

    def digest(self) -> str:
        """SHA-256 of the rows."""
        return digest(self.scenarios, tuple(self.underlyings), self.values, self.count, self.unlisted)

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""
        rows = market.underlyings.codes(self.underlyings)
        known = rows >= 0
        if self.strict and not known.all():
            problem = "expected an underlying of the market"
            stranger = self.underlyings[~known][0]
            raise InputError(problem, table=TABLE, column="underlying", value=stranger)
        table = np.full((len(market.underlyings.names), self.count), self.unlisted)
        table[rows[known], self.scenarios[known]] = self.values[known]
        return table


@dataclass(frozen=True)
class Stacked:
    """One list of shocks after another."""

    parts: tuple[Callable[[Market], Floats], ...]

    @property
    def scales(self) -> tuple[Scale, ...] | None:
        """See ``scales_of``."""
        return scales_of(self.parts)

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""
        return np.hstack([part(market) for part in self.parts])


@dataclass(frozen=True)
class Chosen:
    """Some scenarios of a list of shocks."""

    whole: Callable[[Market], Floats]
    scenarios: Codes

    @property
    def scales(self) -> tuple[Scale, ...] | None:
        """See ``scales_of``."""
        return scales_of([self.whole])

    def __call__(self, market: Market) -> Floats:
        """The shocks laid over the underlyings of a market."""
        return self.whole(market)[:, self.scenarios]


def scales_of(shocks: Iterable[Any]) -> tuple[Scale, ...] | None:
    """All that spots and quotes can change of these lists of shocks: the factors that they are stretched by.

    The rest depends on the terms of the underlyings alone. None where one of them is a function of which
    nothing is known.
    """
    found = [getattr(part, "scales", None) for part in shocks]
    known = [scales for scales in found if scales is not None]
    return tuple(chain.from_iterable(known)) if len(known) == len(found) else None


def joint_shocks(frame: Any) -> tuple[list[str], ListedShocks, ListedShocks]:
    """Names, spot shocks and vol shocks of a list of joint scenarios; see ``ScenarioSet.joint``."""
    columns = ("scenario", "underlying", "spot_shock")
    rows = frame_of(frame, TABLE)
    if "scenario" in rows.columns:  # a number is as good a label as a name
        rows = rows.assign(scenario=rows["scenario"].astype(str))
    door = Door(TABLE, rows, required=columns, optional=("vol_shock",), key="scenario")
    labels, owners = door.text("scenario"), door.text("underlying")
    spots, vols = door.number("spot_shock"), door.number("vol_shock", default=0.0)
    door.unique((pd.Series(labels) + "\n" + pd.Series(owners)).to_numpy(object), "underlying")
    if door.bad.any():
        first = door.rejects().iloc[0]
        problem, line = str(first["message"]), int(first["line"])
        raise InputError(problem, table=TABLE, line=line, column=first["column"], value=first["value"])
    order, names = pd.factorize(labels)
    spot, vol = (ListedShocks(order, owners, values, len(names), 0.0, True) for values in (spots, vols))
    return [str(name) for name in names], spot, vol


def historical_shocks(frame: Any) -> tuple[list[str], ListedShocks, ListedShocks]:
    """Names, spot shocks and (zero) vol shocks of historical vectors; see ``ScenarioSet.history``."""
    table = frame_of(frame, "history")
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        problem = "a column name appears twice, expected one for each underlying"
        raise InputError(problem, table="history", column=str(twice))
    types = {name: table[name].dtype for name in table.columns}
    dated = [
        name
        for name, dtype in types.items()
        if not pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_complex_dtype(dtype)
    ]
    if dated:
        problem = "expected returns as numbers; dates belong into the index (set_index)"
        raise InputError(problem, table="history", column=str(dated[0]))
    dates, names = table.shape
    order = np.repeat(np.arange(dates), names)
    owners = np.tile(table.columns.to_numpy(object), dates)
    returns = table.to_numpy(np.float64).ravel()
    spot = ListedShocks(order, owners, returns, dates, np.nan, False)
    vol = ListedShocks(order[:0], owners[:0], returns[:0], dates, 0.0, False)
    return [str(date) for date in table.index], spot, vol
