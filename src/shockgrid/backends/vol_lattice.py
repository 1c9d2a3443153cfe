"""The fixed geometric lattice of vols at which grids are solved, and how to read between its nodes.

Node k is the vol 2 ** (k / 8). A vol is read from the four nodes around it, as a cubic in the log of the vol.
Nothing depends on the vols at hand, so a vol always meets the same nodes, whoever else is asked for.
"""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats

PER_OCTAVE = 8  #: nodes to a doubling of the vol
STENCIL = 4  #: nodes read at once
SMALLEST_VOL, LARGEST_VOL = 2.0**-15, 2.0**7  #: whose four nodes are on the lattice


def first_nodes(vols: Floats) -> Codes:
    """First of the four nodes around each vol > 0, in the shape of ``vols``."""
    places: Floats = np.floor(PER_OCTAVE * np.log2(vols))
    return places.astype(np.intp) - 1


def node_vols(nodes: Codes) -> Floats:
    """Vols, decimals, at the nodes of the lattice."""
    return np.asarray(np.exp2(nodes / PER_OCTAVE))


def node_weights(vols: Floats, firsts: Codes) -> Floats:
    """Lagrange weights [4, *shape] of the nodes ``firsts`` and the three that follow, at ``vols``."""
    x = PER_OCTAVE * np.log2(vols) - firsts - 1.0
    return np.stack(
        [
            x * (x - 1.0) * (2.0 - x) / 6.0,
            (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0,
            (x + 1.0) * x * (2.0 - x) / 2.0,
            (x + 1.0) * x * (x - 1.0) / 6.0,
        ]
    )
