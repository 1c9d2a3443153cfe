"""From deficits to breaches that may be acted on: a filter between the desk's figures and any call.

clear -> watch (90 % of equity is used) -> breach (a deficit) -> confirmed. Whether a breach is confirmed is
decided by the market time of the updates and by nothing else, so that a replay says the same. Every instant
is logged, whether or not anything may be sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shockgrid.arrays import Codes, Floats, Mask, Texts
from shockgrid.desk.changes import Changes
from shockgrid.desk.instants import stamp
from shockgrid.errors import InputError
from shockgrid.requirement.minor_amounts import digits_of, shortfalls

STATES = ("clear", "watch", "breach", "confirmed")
CLEAR, WATCH, BREACH, CONFIRMED = range(4)
WATCH_FROM = 0.9  #: of equity, used by the requirement
LOG_COLUMNS = ("at", "margin_group", "state_before", "state_after", "deficit", "currency", "action", "reason")
DOUBTED = ("PARTIAL", "UNRELIABLE")


@dataclass(frozen=True)
class Profile:
    """When a breach is confirmed, and what may then be done. The numbers are a firm's own choice.

    dwell : market time that the deficit must last.
    quotes : updates of the margin group, in a row, that must show it, both at marks and at model values.
    opening_grace : after each opening nothing is confirmed for so long.
    at_close_only : only ``Breaches.close`` confirms.
    action : what a confirmed breach asks for: "propose" (a person decides) or "send".
    """

    dwell: timedelta
    quotes: int
    opening_grace: timedelta
    at_close_only: bool
    action: str


PROFILES: Mapping[str, Profile] = {
    "eod_batch": Profile(timedelta(0), 1, timedelta(0), True, "propose"),
    "intraday_with_approval": Profile(timedelta(minutes=5), 3, timedelta(minutes=15), False, "propose"),
    "automatic": Profile(timedelta(minutes=10), 5, timedelta(minutes=30), False, "send"),
}


class Breaches:
    """The state of every margin group, and the log of how it came to it.

    A deficit is one that would be called: in whole minor units of the margin group's currency.

    Parameters
    ----------
    accounts : an accounts frame; its margin groups are the ones watched, its figures the first update.
    at : the market time of those figures.
    profiles : margin group -> name in ``PROFILES``; "eod_batch" where it has none.
    opens : instants at which a session opens.
    """

    def __init__(
        self,
        accounts: pd.DataFrame,
        at: datetime,
        profiles: Mapping[str, str] | None = None,
        opens: Sequence[datetime] = (),
    ) -> None:
        self.names: Texts = accounts["margin_group"].to_numpy(object)
        self._index = pd.Index(self.names)
        chosen = [(profiles or {}).get(name, "eod_batch") for name in self.names]
        for name in chosen:
            if name not in PROFILES:
                problem = f"expected one of {', '.join(PROFILES)}"
                raise InputError(problem, column="call_profile", value=name)
        self._profiles: Texts = np.array(chosen, object)
        self._opens = np.sort(np.array([stamp(instant, "opens") for instant in opens], "datetime64[ns]"))
        size = len(self.names)
        self._currencies: Texts = accounts["currency"].to_numpy(object)
        self._digits = digits_of(accounts["currency"])
        self.states: NDArray[np.intp] = np.zeros(size, np.intp)
        self._since: NDArray[np.datetime64] = np.full(size, np.datetime64("NaT", "ns"))
        self._seen: NDArray[np.intp] = np.zeros(size, np.intp)
        self._deficits: Floats = np.zeros(size)
        self._doubted: Mask = np.zeros(size, np.bool_)
        self._agreed: Mask = np.zeros(size, np.bool_)
        self._at = stamp(at, "at")
        self._log: list[pd.DataFrame] = []
        self.update(accounts, at)

    @property
    def log(self) -> pd.DataFrame:
        """Every change of state: at, margin_group, state_before, state_after, deficit, currency, action
        ("" where nothing may be done) and reason (what still keeps a breach from being confirmed)."""
        if not self._log:
            return pd.DataFrame(columns=list(LOG_COLUMNS))
        return pd.concat(self._log, ignore_index=True)

    def update(self, figures: pd.DataFrame | Changes, at: datetime) -> pd.DataFrame:
        """Take new figures of some margin groups (a frame of changes, or of accounts); the new log rows.

        Raises InputError where ``at`` is before the last update: older figures must not undo newer ones; or
        where a margin group is not one that is watched.
        """
        codes = np.asarray(self._index.get_indexer(pd.Index(figures["margin_group"])), np.intp)
        if (codes < 0).any():
            problem = "expected a margin group that is watched"
            name = str(figures["margin_group"].iloc[int((codes < 0).argmax())])
            raise InputError(problem, column="margin_group", value=name)
        self._advance(at)
        suffix = "_after" if "requirement_after" in figures.columns else ""
        used, marks, model = (
            figures[f"{name}{suffix}"].to_numpy(np.float64)
            for name in ("requirement", "equity_at_marks", "equity_at_model")
        )
        digits = self._digits[codes]
        missing = shortfalls(used, marks, digits)
        short = missing > 0.0
        agreed = short & (shortfalls(used, model, digits) > 0.0)
        self._seen[codes] = np.where(agreed, self._seen[codes] + 1, 0)
        self._deficits[codes] = missing / 10.0**digits
        self._doubted[codes] = figures[f"reliability{suffix}"].isin(DOUBTED).to_numpy(bool)
        before = self.states.copy()
        fresh = codes[short & (before[codes] < BREACH)]
        self._since[fresh] = self._at
        self.states[fresh] = BREACH
        well = codes[~short]
        self._since[well] = np.datetime64("NaT", "ns")
        self._agreed[well] = False
        near = used[~short] >= WATCH_FROM * marks[~short]
        self.states[well] = np.where(near & (used[~short] > 0.0), WATCH, CLEAR)
        return self._confirm(before, closing=False)

    def close(self, at: datetime) -> pd.DataFrame:
        """The end of a session: also confirms what waits for it; the new log rows."""
        self._advance(at)
        return self._confirm(self.states.copy(), closing=True)

    def approve(self, margin_group: str, at: datetime) -> pd.DataFrame:
        """A person confirms a breach, whatever still kept it; the new log rows.

        Raises InputError where there is none.
        """
        self._advance(at)
        code = self._index.get_indexer(pd.Index([margin_group]))[0]
        if code < 0 or self.states[code] != BREACH:
            problem = "expected a margin group in breach"
            raise InputError(problem, column="margin_group", value=margin_group)
        self._agreed[code] = True
        return self._confirm(self.states.copy(), closing=False)

    def _advance(self, at: datetime) -> None:
        now = stamp(at, "at")
        if now < self._at:
            problem = f"expected no earlier than {self._at}"
            raise InputError(problem, column="at", value=str(now))
        self._at = now

    def _confirm(self, before: Codes, *, closing: bool) -> pd.DataFrame:
        waiting = np.flatnonzero(self.states == BREACH)
        reasons = np.full(len(self.names), "", object)
        reasons[waiting] = self._reasons(waiting, closing)
        self.states[waiting[reasons[waiting] == ""]] = CONFIRMED
        rows = np.flatnonzero(self.states != before)
        actions = [
            PROFILES[profile].action if state == CONFIRMED else ""
            for profile, state in zip(self._profiles[rows], self.states[rows], strict=True)
        ]
        columns: dict[str, Any] = {
            "at": pd.Timestamp(self._at, tz="UTC"),
            "margin_group": self.names[rows],
            "state_before": np.array(STATES, object)[before[rows]],
            "state_after": np.array(STATES, object)[self.states[rows]],
            "deficit": self._deficits[rows],
            "currency": self._currencies[rows],
            "action": np.array(actions, object),
            "reason": reasons[rows],
        }
        told = pd.DataFrame(columns, columns=list(LOG_COLUMNS))
        if len(told):
            self._log.append(told)
        return told

    def _reasons(self, codes: Codes, closing: bool) -> Texts:
        """What keeps each of these breaches from being confirmed, the gravest first; "" for nothing."""
        reasons = np.full(len(codes), "", object)
        opened = np.searchsorted(self._opens, self._at, side="right") - 1
        since_open = self._at - self._opens[opened] if opened >= 0 else np.timedelta64(10**6, "D")
        for name, profile in PROFILES.items():
            own = self._profiles[codes] == name
            lasted = self._at - self._since[codes]
            tests = {
                "reliability": self._doubted[codes],
                "end_of_day": np.full(len(codes), profile.at_close_only and not closing),
                "opening": np.full(len(codes), since_open < np.timedelta64(profile.opening_grace)),
                "dwell": lasted < np.timedelta64(profile.dwell),
                "quotes": self._seen[codes] < profile.quotes,
            }
            for reason, fails in tests.items():
                reasons[own & fails & (reasons == "")] = reason
        reasons[self._agreed[codes]] = ""
        return reasons
