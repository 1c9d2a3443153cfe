"""European options in arrays that broadcast: values and vols from the CPU library, a block at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shockgrid.arrays import Codes, Floats
from shockgrid.backends._native_library import (
    DONE,
    NOT_FINITE,
    Library,
    not_finite,
    overflow,
    pointer,
    whole,
)

INPUTS = ("forwards", "strikes", "years", "vols", "discount_factors")
QUOTES = ("prices", "forwards", "strikes", "years", "discount_factors")


class NativeArrays:
    """Blocks of ``block_elements`` options are handed over at once; the broadcast is not held in memory.

    Columns come in the order of the library's function, is_call last. Raises InputError where a number is
    not finite.
    """

    def __init__(self, library: Library, block_elements: int) -> None:
        self._library, self._size = library, block_elements

    def black(self, *columns: ArrayLike) -> Floats:
        """Discounted Black (1976) values; see ``Backend.black``."""
        walk = self._walk(_columns(columns), [np.float64])
        with walk:
            for block in walk:
                self._call("black", INPUTS, list(block))
            return np.asarray(walk.operands[-1])

    def black_checked(self, *columns: NDArray[Any]) -> Floats | None:
        """See ``PricesChecked``; float64, and is_call bool."""
        walk = self._walk(list(columns), [np.float64])
        with walk:
            for block in walk:
                status = self._status("black_checked", list(block))
                if status == NOT_FINITE:
                    return None
                if status != DONE:
                    raise overflow()
            return np.asarray(walk.operands[-1])

    def implied_vol(self, *columns: ArrayLike) -> tuple[Floats, Codes]:
        """Vols, and codes of ``Reason`` of implied.h; see ``Backend.implied_vol``."""
        walk = self._walk(_columns(columns), [np.float64, np.uint8])
        with walk:
            for block in walk:
                self._call("implied_vol", QUOTES, list(block))
            vols, codes = (np.asarray(array) for array in walk.operands[-2:])
        return vols, codes

    def _walk(self, columns: list[NDArray[Any]], results: list[Any]) -> Any:
        """Blocks of columns that broadcast, contiguous and native, and of results of these types."""
        read, write = ["readonly", "contig", "aligned"], ["writeonly", "allocate", "contig", "aligned"]
        operands: list[Any] = [*columns, *[None] * len(results)]
        access: list[Any] = [*[read] * len(columns), *[write] * len(results)]
        types: list[Any] = [*(column.dtype.newbyteorder("=") for column in columns), *results]
        return np.nditer(
            operands,
            flags=["external_loop", "buffered", "growinner", "zerosize_ok"],
            op_flags=access,
            op_dtypes=types,
            order="C",
            buffersize=self._size,
        )

    def _status(self, function: str, block: list[NDArray[Any]]) -> int:
        return self._library.call(function, whole(len(block[0])), *(pointer(array) for array in block))

    def _call(self, function: str, names: tuple[str, ...], block: list[NDArray[Any]]) -> None:
        if self._status(function, block) == DONE:
            return
        for name, column in zip(names, block, strict=False):
            bad = ~np.isfinite(column)
            if bad.any():
                raise not_finite(name, float(column[bad.argmax()]))
        raise overflow()


def _columns(given: tuple[ArrayLike, ...]) -> list[NDArray[Any]]:
    *numbers, is_call = given
    return [*(np.asarray(column, np.float64) for column in numbers), np.asarray(is_call, np.bool_)]
