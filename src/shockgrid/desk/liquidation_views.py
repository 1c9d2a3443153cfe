"""Where margin groups stand: the rows of what they hold in the records, and what follows from them alone."""

from __future__ import annotations

from typing import NamedTuple

from shockgrid.arrays import Codes, Floats
from shockgrid.requirement.leafwise import Replaced


class Met(NamedTuple):
    """Quantities, and where all that is held there is found in the records."""

    quantities: Floats  #: [P]
    bases: Codes  #: [Q] first row of each part
    rows: Codes  #: [L] row of each leaf


class Footing(NamedTuple):
    """Some margin groups, and what all candidates of theirs start from."""

    owners: Codes  #: ascending
    all_rows: Codes  #: [L] row of every leaf in the records, those of other margin groups too
    leaves: Codes  #: of these margin groups, ascending
    groups: Codes  #: of each leaf its place in ``owners``
    rows: Codes  #: of each leaf
    scans: dict[int, Floats]  #: by regime, of each margin group, once asked for
    replaced: dict[tuple[int, int], Replaced]  #: by regime and add-on, once asked for


class View(NamedTuple):
    """Where the margin groups of K candidates stand."""

    footing: Footing
    place: Codes  #: [K] of each candidate's margin group in ``footing.owners``
