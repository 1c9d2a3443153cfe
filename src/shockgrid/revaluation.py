"""Risk arrays under every scenario, those with a vol rule of their own or a look-ahead included.

A backend knows spot factors and vol shocks. Where a scenario has a vol rule, or days pass in it, the
instruments themselves are revised (their vols, their time) and repriced as another set; what the revision
alone changes is added to the P&L of its scenarios.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from shockgrid.arrays import Codes, Floats
from shockgrid.backends.contract import Backend, Series
from shockgrid.layout import Layout
from shockgrid.market import Market
from shockgrid.market_series import series
from shockgrid.market_states import MarketStates
from shockgrid.states import UNMOVED
from shockgrid.vol_rules import DAYS_PER_YEAR, VolRule

MINUTES_PER_YEAR = 365.0 * 1440.0
LEAST_OPEN = 1e-12  #: of a forward that is fixed in full: a slope of 0 has no inverse

Section = tuple[int, Codes]  #: an underlying and its rows of Market.instruments


class Revision(NamedTuple):
    """What a scenario does to the instruments beside moving their price."""

    vol_rule: VolRule | None
    shocks: tuple[float, ...]  #: of the vol rule, one for each section
    roll_days: float
    averaging_minutes: float
    known: bool  #: whether the P&L of some instruments is known in these scenarios

    def of(self, part: Series, place: int) -> Series:
        """The revised instruments of one section; their forwards at today's spot stay as they are."""
        if self.vol_rule is not None:
            live, vols = np.flatnonzero(part.is_option & (part.years > 0.0)), part.vols.copy()
            vols[live] = self.vol_rule(part.take(live), self.shocks[place])
            part = replace(part, vols=vols)
        if self.averaging_minutes > 0.0:
            part = _averaged(part, self.averaging_minutes / MINUTES_PER_YEAR)
        return _aged(part, self.roll_days / DAYS_PER_YEAR) if self.roll_days > 0.0 else part


def _averaged(part: Series, window: float) -> Series:
    """Forwards of which the part averaged so far is fixed."""
    dated = part.is_option | (part.years > 0.0)
    open_share = np.where(dated, np.clip(part.years / window, LEAST_OPEN, 1.0), 1.0)
    fixed = part.slopes * part.spots * (1.0 - open_share)
    return replace(part, slopes=part.slopes * open_share, intercepts=part.intercepts + fixed)


def _aged(part: Series, passed: float) -> Series:
    """Options with less time left, discounted for less of it."""
    years = np.where(part.is_option, np.maximum(part.years - passed, 0.0), part.years)
    left = years / np.where(part.years > 0.0, part.years, 1.0)
    return replace(part, years=years, discount_factors=part.discount_factors**left)


PLAIN = Revision(None, (), 0.0, 0.0, False)


def risk_arrays(
    sections: Sequence[Section],
    market: Market,
    states: MarketStates,
    weights: Any,
    backend: Backend,
    layout: Layout | None = None,
    values: Floats | None = None,
) -> Floats:
    """P&L [L, S] of the leaves of a CSR matrix [L, n] over these sections, scenario weights left out.

    ``layout`` holds columns of this market that need not be laid out again; ``values`` [N] are the model
    values of its instruments, where they are known.
    """
    sections = _joined(sections, states)
    parts = [series(market, rows) if layout is None else layout.take(rows) for _, rows in sections]
    laid = [states.states(underlying) for underlying, _ in sections]
    if not states.revised:
        plain: Floats = backend.get(backend.risk_arrays(list(zip(parts, laid, strict=True)), weights))
        return plain
    pnl = np.empty((weights.shape[0], len(states.scenarios)))
    today = [
        backend.get(backend.price(part, UNMOVED))[0] if values is None else values[rows]
        for part, (_, rows) in zip(parts, sections, strict=True)
    ]
    known = _known_pnl(np.concatenate([rows for _, rows in sections]), market, states)
    sourced = [place for place, source in enumerate(states.scenarios.known_pnl) if source is not None]
    unknown = np.isnan(known[:, sourced]).any(axis=1).astype(np.float64)
    modelled = sparse.csr_matrix(weights.multiply(unknown))
    for revision, columns in _revisions(sections, states).items():
        held = modelled if revision.known else weights
        revised = [revision.of(part, place) for place, part in enumerate(parts)]
        moved = [
            (part, replace(found, index=found.index[columns]))
            for part, found in zip(revised, laid, strict=True)
        ]
        pnl[:, columns] = backend.get(backend.risk_arrays(moved, held))
        if revision != PLAIN:
            drifts = [
                backend.get(backend.price(part, UNMOVED))[0] - base
                for part, base in zip(revised, today, strict=True)
            ]
            pnl[:, columns] += (held @ np.concatenate(drifts))[:, None]
        if revision.known:
            pnl[:, columns] += weights @ np.nan_to_num(known[:, columns])
    return pnl


def _joined(sections: Sequence[Section], states: MarketStates) -> list[Section]:
    """The sections, neighbours with the same shocks as one: each of them costs a call."""
    joined: list[tuple[int, list[Codes]]] = []
    for underlying, rows in sections:
        if joined and states.states(joined[-1][0]) is states.states(underlying):
            joined[-1][1].append(rows)
        else:
            joined.append((underlying, [rows]))
    return [(underlying, np.concatenate(rows) if len(rows) > 1 else rows[0]) for underlying, rows in joined]


def _known_pnl(rows: Codes, market: Market, states: MarketStates) -> Floats:
    """P&L [n, S] per unit of price where it is known; NaN in every scenario for all other instruments."""
    table = market.instruments
    known = np.full((len(rows), len(states.scenarios)), np.nan)
    for scenario, source in enumerate(states.scenarios.known_pnl):
        if source is not None:
            known[:, scenario] = source(table.symbols[rows]) / table.multipliers[rows]
    return known


def _revisions(sections: Sequence[Section], states: MarketStates) -> dict[Revision, list[int]]:
    """The distinct revisions, in order of their first scenario, with their scenarios."""
    scenarios, found = states.scenarios, dict[Revision, list[int]]()
    for scenario, rule in enumerate(scenarios.vol_rules):
        shocks = [float(states.vol_shocks[underlying, scenario]) for underlying, _ in sections]
        times = float(scenarios.roll_days[scenario]), float(scenarios.averaging_minutes[scenario])
        known = scenarios.known_pnl[scenario] is not None
        revision = Revision(rule, tuple(shocks) if rule is not None else (), *times, known)
        found.setdefault(revision, []).append(scenario)
    return found
