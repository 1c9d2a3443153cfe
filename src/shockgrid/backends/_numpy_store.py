"""Premium tables kept by what defines them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TypeAlias

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.backends._numpy_premium import FINE, USUAL, Scheme, Tables, build, is_usual

#: Kept at a time, 2 kB each: 3,000 names of eight expiries need some 110,000 for 31 x 7 shocks.
MOST_TABLES = 200_000
#: Tables of puts by their years, rates, yields and ranges; see ``_numpy_premium.build``.
Builder: TypeAlias = Callable[[Floats, Floats, Floats, Codes, Scheme], Tables]


@dataclass(frozen=True)
class Kept:
    """Tables of both schemes in arrays of the fine one; orders the usual scheme has not are 0."""

    coefficients: Floats  #: [FINE.vols, M, FINE.gaps]
    boundaries: Floats  #: [FINE.vols, M]
    fine: Mask  #: [M]
    era: object  #: the same as long as tables are added and none is forgotten: their places stay

    def at(self, tables: Codes, places: Floats) -> tuple[Floats, Floats]:
        """Premium over strike in powers of t, [gaps, ...], and log boundary in deviations, [...].

        ``tables`` [...], ``places`` [...] of the vols in their ranges; see ``_numpy_premium``.
        """
        scheme = FINE if self.fine[tables].any() else USUAL
        before, basis = np.ones_like(places), places
        coefficients = self.coefficients[0, :, : scheme.gaps][tables]
        boundaries = self.boundaries[0][tables]
        for order in range(1, scheme.vols):
            coefficients = (
                coefficients + basis[..., None] * self.coefficients[order, :, : scheme.gaps][tables]
            )
            boundaries = boundaries + basis * self.boundaries[order][tables]
            before, basis = basis, 2.0 * places * basis - before
        return np.ascontiguousarray(np.moveaxis(coefficients, -1, 0)), boundaries

    def with_built(self, keys: Floats, builder: Builder) -> Kept:
        """These tables and those of ``keys`` [K, 4]: years, rate, yield, range."""
        years, rates, yields = keys[:, 0], keys[:, 1], keys[:, 2]
        ranges = keys[:, 3].astype(np.intp)
        usual = is_usual(years, rates, yields, ranges)
        coefficients = np.zeros((FINE.vols, len(keys), FINE.gaps))
        boundaries = np.zeros((FINE.vols, len(keys)))
        for scheme, chosen in ((USUAL, usual), (FINE, ~usual)):
            rows = np.flatnonzero(chosen)
            if len(rows):
                built = builder(years[rows], rates[rows], yields[rows], ranges[rows], scheme)
                coefficients[: scheme.vols, rows, : scheme.gaps] = built.coefficients
                boundaries[: scheme.vols, rows] = built.boundaries
        return Kept(
            np.concatenate([self.coefficients, coefficients], axis=1),
            np.concatenate([self.boundaries, boundaries], axis=1),
            np.concatenate([self.fine, ~usual]),
            self.era,
        )


def _none() -> Kept:
    return Kept(
        np.zeros((FINE.vols, 0, FINE.gaps)), np.zeros((FINE.vols, 0)), np.zeros(0, np.bool_), object()
    )


def bytes_of_rows(table: Floats) -> list[bytes]:
    """The bytes of each row [n, m], as ``tobytes`` gives them one by one."""
    rows = np.ascontiguousarray(table, np.float64)
    names: list[bytes] = rows.view(f"V{8 * rows.shape[1]}").ravel().tolist()
    return names


class PremiumStore:
    """A memory of tables, not a state: each depends on its key alone. Safe to share between threads."""

    def __init__(self, builder: Builder = build) -> None:
        self._builder = builder
        self._lock = Lock()
        self._places: dict[bytes, int] = {}
        self._kept = _none()

    @property
    def kept(self) -> Kept:
        """All tables at hand."""
        return self._kept

    def find(self, keys: Floats) -> tuple[Codes, Kept]:
        """Tables of distinct ``keys`` [K, 4] (put's years, rate, yield, range), built where missing.

        Returns their places in the tables returned with them.
        """
        names = bytes_of_rows(keys)
        with self._lock:
            if len(self._places) > MOST_TABLES:
                self._places, self._kept = {}, _none()
            missing = [index for index, name in enumerate(names) if name not in self._places]
            if missing:
                self._kept = self._kept.with_built(keys[missing], self._builder)
                self._places.update({names[index]: len(self._places) + n for n, index in enumerate(missing)})
            return np.array([self._places[name] for name in names], np.intp), self._kept
