"""Uncovered short options before and after: the protective leg is never sold first."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from shockgrid.arrays import Codes, Floats, Mask
from shockgrid.desk.liquidation_changes import Changes
from shockgrid.desk.liquidation_copies import Holdings, copied_positions
from shockgrid.desk.liquidation_ground import Ground
from shockgrid.requirement.add_ons import Uncovered, uncovered_units

HAIR = 1e-9  #: units; fractions of shares round


class Cover(NamedTuple):
    """Uncovered short units by margin group, underlying and right."""

    keys: Codes  #: ascending
    units: Floats


def cover_of(ground: Ground, quantities: Floats) -> Cover:
    """How much is uncovered where everything stands."""
    rows = np.flatnonzero(quantities != 0.0)
    found = _uncovered(ground, Holdings(ground.plan.positions.margin_groups[rows], rows, quantities[rows]))
    keys = _keys(ground, found, found.margin_groups)
    order = np.argsort(keys)
    return Cover(keys[order], found.units[order])


def opens_risk(
    ground: Ground,
    quantities: Floats,
    changes: Changes,
    cover: Cover,
    *,
    full: bool = True,
    elsewhere: bool = False,
) -> Mask:
    """Which candidates [K] leave more short options uncovered than there are in ``cover``.

    ``cover`` is that of these quantities, or of others (``elsewhere``).

    Long options cover shorts of their right that expire no later, shares cover calls and short shares puts:
    see ``requirement.contingency``. So a covered call's shares and a spread's long leg wait for the short.
    Without ``full`` each candidate changes one portfolio group.
    """
    risky = np.zeros(len(changes.owners), bool)
    owners, held = changes.owners[changes.candidates], ground.plan.positions
    option = ground.plan.market.instruments.is_option[held.instruments[changes.positions]]
    # only less of a long, or of a short that is no option, can uncover anything that was covered here
    harmful = (changes.amounts < 0.0) | ((changes.amounts > 0.0) & ~option) | elsewhere
    suspects = np.unique(changes.candidates[harmful & np.isin(owners, _short_of_options(ground, quantities))])
    if len(suspects) == 0:
        return risky
    part = changes.take(suspects)
    after = ground.holdings(quantities, part, None if full else ground.touched(part))
    found = _uncovered(ground, after)
    keys = _keys(ground, found, part.owners[found.margin_groups])
    place = np.minimum(np.searchsorted(cover.keys, keys), max(len(cover.keys) - 1, 0))
    known = cover.keys[place] == keys if len(cover.keys) else np.zeros(len(keys), bool)
    before = np.where(known, cover.units[place] if len(cover.units) else 0.0, 0.0)
    risky[suspects[found.margin_groups[found.units > before + HAIR]]] = True
    return risky


def _short_of_options(ground: Ground, quantities: Floats) -> Codes:
    held = ground.plan.positions
    short = (quantities < 0.0) & ground.plan.market.instruments.is_option[held.instruments]
    return np.unique(held.margin_groups[short])


def _uncovered(ground: Ground, held: Holdings) -> Uncovered:
    return uncovered_units(replace(ground.plan, positions=copied_positions(ground.plan, held)))


def _keys(ground: Ground, found: Uncovered, owners: Codes) -> Codes:
    width = len(ground.plan.market.underlyings.names)
    return (owners * width + found.underlyings) * 2 + found.is_call
