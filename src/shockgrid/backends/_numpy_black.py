"""The arithmetic of the NumPy backend: Black (1976) in place, over blocks that stay in cache.

One exponential serves both terms of the formula, because forward * phi(d1) = strike * phi(d2):

    value = F * (E * (s2 * R2 - s1 * R1) + half + s1 / 2) - K * (half + s2 / 2)

with E = exp(-d1**2 / 2), s = sign(d), half = 1/2 for a call and -1/2 for a put, and
N(-|d|) = exp(-d**2 / 2) * R(|d|). R is a minimax rational of degrees (6, 7), weighted with the normal
density; its largest error on N is 2.2e-17.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shockgrid.arrays import Floats, Mask
from shockgrid.pricing import european

NUMERATOR = (
    0.000080062261911166885188,
    0.0015902141758204584203,
    0.014472176086554370305,
    0.077000338627709304295,
    0.25448197906475232492,
    0.50228091293068405668,
    0.5,
)
DENOMINATOR = (
    0.00020068264242583917299,
    0.0039862283674648224855,
    0.03647394929218651024,
    0.19703859450118714662,
    0.67336421637517218074,
    1.447108101723399477,
    1.8024463866642439992,
    1.0,
)
#: A deviation (vol * sqrt(years)) below the first is worth less than an ulp of the forward, above the
#: second the option is worth its upper bound; between them no polynomial above overflows.
SMALLEST_DEVIATION, LARGEST_DEVIATION = 1e-18, 1e4
#: Stands for an infinite log: it drives the density to 0 for every deviation in range, which leaves the
#: intrinsic value. Finite forwards and strikes stay below 1500.
LARGEST_LOG = 1e9
SMALLEST_STRIKE = 5e-324
#: The error of a value is 2.2e-17 of the strike: beyond this many forwards the plain formula is taken.
FARTHEST_STRIKE = 100.0
SIGN_BIT = np.int64(np.iinfo(np.int64).min)
BITS_OF_HALF = np.float64(0.5).view(np.int64)


class Workspace:
    """Scratch memory for blocks of up to ``size`` elements, handed out as contiguous views."""

    def __init__(self, size: int) -> None:
        self._pairs = np.empty((4, 2 * size))
        self._singles = np.empty((5, size))

    def pair(self, slot: int, shape: tuple[int, ...]) -> Floats:
        """Memory of shape (2, *shape)."""
        return self._pairs[slot, : 2 * prod(shape)].reshape(2, *shape)

    def single(self, slot: int, shape: tuple[int, ...]) -> Floats:
        """Memory of the given shape."""
        return self._singles[slot, : prod(shape)].reshape(shape)


def log_ratios(forwards: Floats, strikes: Floats) -> Floats:
    """log(forward / strike), bounded; the lower bound stands for a forward of zero or less."""
    with np.errstate(divide="ignore", over="ignore"):
        logs: Floats = np.log(np.maximum(forwards, 0.0) / np.maximum(strikes, SMALLEST_STRIKE))
    np.minimum(logs, LARGEST_LOG, out=logs)
    np.maximum(logs, -LARGEST_LOG, out=logs)
    return logs


def deviations(vols: Floats, years: Floats) -> Floats:
    """vol * sqrt(years), kept in the range where the arithmetic is exact without a branch."""
    with np.errstate(over="ignore"):
        result: Floats = vols * np.sqrt(years)
    np.maximum(result, SMALLEST_DEVIATION, out=result)
    np.minimum(result, LARGEST_DEVIATION, out=result)
    return result


def values_of(
    logs: Floats,
    inverses: Floats,
    halves: Floats,
    assets: Floats,
    strikes: Floats,
    sides: Floats,
    work: Workspace,
) -> Floats:
    """Values of the shape of ``logs``, to which the rest broadcasts; they lie in ``work`` until its next use.

    ``logs`` from log_ratios, ``inverses`` 1 / deviation, ``halves`` deviation / 2, ``assets`` discounted
    forwards, ``strikes`` discounted strikes, ``sides`` 0.5 for a call and -0.5 for a put.
    """
    distances, signs, ratios, scales = (work.pair(slot, logs.shape) for slot in range(4))
    density = work.single(0, logs.shape)
    np.multiply(logs, inverses, out=distances[1])
    np.add(distances[1], halves, out=distances[0])
    np.subtract(distances[1], halves, out=distances[1])
    np.multiply(distances[0], distances[0], out=density)
    density *= -0.5
    np.exp(density, out=density)
    np.bitwise_and(_bits(distances), SIGN_BIT, out=_bits(signs))
    np.abs(distances, out=distances)
    _polynomial(distances, NUMERATOR, ratios)
    _polynomial(distances, DENOMINATOR, scales)
    ratios /= scales
    np.bitwise_xor(_bits(ratios), _bits(signs), out=_bits(ratios))
    np.bitwise_or(_bits(signs), BITS_OF_HALF, out=_bits(signs))
    signs += sides
    values: Floats = ratios[1]
    values -= ratios[0]
    values *= density
    values += signs[0]
    values *= assets
    signs[1] *= strikes
    values -= signs[1]
    # an option of no value may come out an ulp of the forward below zero; the mirror image is as near
    np.abs(values, out=values)
    return values


def black(columns: Sequence[NDArray[Any]], size: int) -> Floats:
    """Elementwise values in blocks of ``size``; the broadcast of the columns is never held.

    ``columns``: forwards, strikes, years, vols, discount factors (float64), is_call (bool).
    """
    operands: list[Any] = [*columns, None]
    access: list[Any] = [["readonly"]] * 6 + [["writeonly", "allocate"]]
    types: list[Any] = [np.float64] * 5 + [np.bool_, np.float64]
    walk = np.nditer(
        operands,
        flags=["external_loop", "buffered", "zerosize_ok"],
        op_flags=access,
        op_dtypes=types,
        order="C",
        buffersize=size,
    )
    work = Workspace(size)
    with walk:
        for *block, out in walk:
            out[...] = _black_block(work, *block)
        return np.asarray(walk.operands[6])


def _black_block(
    work: Workspace,
    forwards: Floats,
    strikes: Floats,
    years: Floats,
    vols: Floats,
    discounts: Floats,
    is_call: Mask,
) -> Floats:
    deviation = deviations(vols, years)
    values = values_of(
        log_ratios(forwards, strikes),
        1.0 / deviation,
        0.5 * deviation,
        discounts * forwards,
        discounts * strikes,
        np.where(is_call, 0.5, -0.5),
        work,
    )
    far = (strikes / FARTHEST_STRIKE > forwards) & (forwards > 0)
    if far.any():
        columns = (forwards, strikes, years, vols, discounts, is_call)
        values[far] = european.black(*(column[far] for column in columns))
    return values


def _bits(values: Floats) -> NDArray[np.int64]:
    return values.view(np.int64)


def _polynomial(x: Floats, coefficients: Sequence[float], out: Floats) -> None:
    np.multiply(x, coefficients[0], out=out)
    out += coefficients[1]
    for coefficient in coefficients[2:]:
        out *= x
        out += coefficient
