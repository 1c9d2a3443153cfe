"""Kinds of grids: where exercise pays, and how fine nodes and vols are for that."""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes
from shockgrid.backends._numpy_grid_frame import Contracts
from shockgrid.backends.vol_lattice import PER_OCTAVE

HELD, ONE_SIDE, TWO_SIDES = range(3)  #: exercise between ex-dates never, on node 0's side, between two prices
#: Cells of the march in one that is kept, and lattice vols in place of one, between two prices of exercise.
#: Where these meet, before expiry, the value bends within one cell of the usual grid and of the usual
#: lattice: 1.1e-4 x spot was seen, of which either alone leaves half.
FINER = 2


def kinds(contracts: Contracts) -> Codes:
    """Whether exercise between ex-dates never pays, or pays on one side, or may pay between two prices.

    As in ``pricing.american.american``; cash dividends with a negative rate or yield may also leave two.
    """
    rates = np.where(contracts.is_call, contracts.yields, contracts.rates)
    yields = np.where(contracts.is_call, contracts.rates, contracts.yields)
    held = (rates <= 0) & (yields >= rates)
    one = (rates > 0) & (yields >= 0)
    return np.where(held, HELD, np.where(one, ONE_SIDE, TWO_SIDES))


def per_octave(contracts: Contracts) -> Codes:
    """Nodes of the vol lattice to a doubling of the vol, [n].

    The usual lattice serves vols of 0.003-12,800 %, the finer one 0.55-1,130 %.
    """
    return np.where(kinds(contracts) == TWO_SIDES, FINER * PER_OCTAVE, PER_OCTAVE)
