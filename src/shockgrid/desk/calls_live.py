"""Calls between runs: what the desk's breaches, once confirmed, become in the ledger."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pandas as pd

from shockgrid.desk.breaches import CONFIRMED, Breaches
from shockgrid.desk.calls_desk import CallDesk, RunOutcome
from shockgrid.desk.calls_plan import Evidence
from shockgrid.desk.changes import Changes
from shockgrid.desk.desk import Desk
from shockgrid.market import Market
from shockgrid.requirement.margin import named_regimes, programs_by_name


class LiveCalls:
    """A desk, the filter of its breaches, and the ledger of its calls, kept in step.

    A breach that is confirmed becomes a run of the ledger as of the desk's market time, in which only margin
    groups with a confirmed breach are called, as their profile says: ``automatic`` is issued, while the
    exchange is open ``intraday_with_approval`` is proposed, ``eod_batch`` waits for ``close``. Nothing reads
    a clock: the same updates again, after a crash, write nothing twice.
    """

    def __init__(self, desk: Desk, breaches: Breaches, calls: CallDesk) -> None:
        self.desk, self.breaches, self.calls = desk, breaches, calls
        self._parameters = _fingerprint(
            regime.fingerprint()
            for _, regime in sorted(named_regimes(programs_by_name(desk.regime_or_policy)).items())
        )

    def update(self, changes: pd.DataFrame | Changes) -> RunOutcome | None:
        """Take what ``Desk.tick``, ``trade``, ``deposit`` or ``roll`` returned; None where nothing follows.

        Raises
        ------
        LedgerError : nothing has been acknowledged. ``retry`` does it again.
        """
        return self.take(self.breaches.update(changes, self.desk.time))

    def close(self, at: datetime) -> RunOutcome | None:
        """The end of a session: what waited for it is called."""
        return self.take(self.breaches.close(at), at)

    def approve(self, margin_group: str, at: datetime) -> RunOutcome | None:
        """A person confirms a breach before the filter does."""
        return self.take(self.breaches.approve(margin_group, at), at)

    def take(self, told: pd.DataFrame, at: datetime | None = None) -> RunOutcome | None:
        """Take new rows of the log of ``Breaches``, where somebody else keeps it up to date."""
        return self.retry(at) if (told["action"] != "").any() else None

    def retry(self, at: datetime | None = None) -> RunOutcome:
        """Look at the confirmed breaches again, as after a LedgerError; what is written stays as it is."""
        names = self.breaches.names[self.breaches.states == CONFIRMED]
        frame, market = self.desk.accounts, market_fingerprint(self.desk.market)
        figures = frame[["equity_at_marks", "exchange_requirement", "house_requirement"]]
        run = _fingerprint([market, self._parameters, figures.to_csv(), *sorted(names)])
        proof = Evidence(f"live/{run}", market, self._parameters)
        return self.calls.run(frame, at or self.desk.time, proof, confirmed=frozenset(names))


def market_fingerprint(market: Market) -> str:
    """SHA-256 of a market's moment, spots, rates of exchange, marks, vols, forwards and discount factors."""
    names, table = market.underlyings, market.instruments
    told = [market.as_of.isoformat(), market.base_currency, repr(sorted(market.fx.items()))]
    told += [repr(names.names.tolist()), repr(table.symbols.tolist())]
    columns = (names.spots, table.marks, table.vols, table.slopes, table.intercepts, table.discount_factors)
    return _fingerprint([*told, *(np.ascontiguousarray(column).tobytes().hex() for column in columns)])


def _fingerprint(parts: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode())
        digest.update(b"\n")
    return digest.hexdigest()
