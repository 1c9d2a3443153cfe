"""The fixed geometric lattice of vols at which grids are solved, and how to read between its nodes.

Node k is the vol 2 ** (k / 8), or of a finer lattice 2 ** (k / per_octave). A vol is read from the four nodes
around it, as a cubic in the log of the vol.
Nothing depends on the vols at hand, so a vol always meets the same nodes, whoever else is asked for.
"""

from __future__ import annotations

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask

PER_OCTAVE = 8  #: nodes to a doubling of the vol
STENCIL = 4  #: nodes read at once
FIRST_NODE, LAST_NODE = -120, 56  #: between which a vol is read: 2**-15 to 2**7 on the usual lattice


def first_nodes(vols: Floats, per_octave: Codes | int = PER_OCTAVE) -> Codes:
    """First of the four nodes around each vol > 0, in the shape of ``vols``."""
    places: Floats = np.floor(per_octave * np.log2(vols))
    return places.astype(np.intp) - 1


def node_vols(nodes: Codes, per_octave: Codes | int = PER_OCTAVE) -> Floats:
    """Vols, decimals, at the nodes of the lattice."""
    return np.asarray(np.exp2(nodes / per_octave))


def is_on_lattice(vols: Floats, per_octave: Codes | int = PER_OCTAVE) -> Mask:
    """Whether the four nodes around each vol are on the lattice, in the shape of ``vols``."""
    smallest, largest = (
        node_vols(np.asarray(FIRST_NODE), per_octave),
        node_vols(np.asarray(LAST_NODE), per_octave),
    )
    return np.asarray((vols >= smallest) & (vols < largest))


def node_weights(vols: Floats, firsts: Codes, per_octave: Codes | int = PER_OCTAVE) -> Floats:
    """Lagrange weights [4, *shape] of the nodes ``firsts`` and the three that follow, at ``vols``."""
    x = per_octave * np.log2(vols) - firsts - 1.0
    return np.stack(
        [
            x * (x - 1.0) * (2.0 - x) / 6.0,
            (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0,
            (x + 1.0) * x * (2.0 - x) / 2.0,
            (x + 1.0) * x * (x - 1.0) / 6.0,
        ]
    )
