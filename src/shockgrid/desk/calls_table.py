"""Kinds of margin call as a dated table: due dates, cures, what may be left."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Literal, cast, get_args

from shockgrid.doors import require_kind
from shockgrid.errors import InputError, ParameterError
from shockgrid.regimes.parameter_files import Amount, Count, Number, ParameterFile, Sessions, Sourced, load

PARAMETERS = "calls-2026-06-04.toml"

Kind = Literal["fed", "exchange", "house", "pm_deficiency", "pm_minimum_equity", "intraday"]
Cure = Literal["deposit", "market", "hedge", "liquidation"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CURES: tuple[Cure, ...] = get_args(Cure)


class KindRow(Sourced):
    """One kind of call from a date on; the parameter file says what each column means."""

    kind: Kind
    effective: datetime.date
    sessions: Sessions
    cures: tuple[Cure, ...]
    amends: bool
    ignore_below: Amount


class PortfolioMargin(Sourced):
    """Which exchange regimes make a portfolio margin deficiency and not an exchange call."""

    regimes: tuple[str, ...]


class CallRules(ParameterFile):
    """The table of calls."""

    currency: str
    kinds: tuple[KindRow, ...]
    intraday_freeze_sessions: Count
    intraday_freeze_days: Count
    intraday_ignored_share: Number
    intraday_ignored_amount: Number
    portfolio_margin: PortfolioMargin

    def row(self, kind: str, trade_date: datetime.date) -> KindRow:
        """The row of a kind that is in effect on a trade date.

        Raises
        ------
        InputError : no row of that kind is in effect yet, or there is no such kind.
        """
        rows = [row for row in self.kinds if row.kind == kind and row.effective <= trade_date]
        if not rows:
            problem = f"expected a kind of call in effect on {trade_date}, one of {', '.join(KINDS)}"
            raise InputError(problem, table="calls", column="kind", value=kind)
        return max(rows, key=lambda row: row.effective)

    def fingerprint(self) -> str:
        """SHA-256 of every number of the table."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def call_rules(path: str | Path | None = None) -> CallRules:
    """The table that ships with the package (calls-2026-06-04.toml), or one of your own.

    Raises
    ------
    ParameterError : the file does not hold what it should; names the path inside it.
    InputError : ``path`` is no path.
    """
    if path is not None and not isinstance(path, Path):
        require_kind(path, str, "path")
    rules = load(CallRules, path, PARAMETERS)
    places = [(row.kind, row.effective) for row in rules.kinds]
    for kind, effective in places:
        if places.count((kind, effective)) > 1:
            problem = f"{path or PARAMETERS}: kinds: {kind} is there twice from {effective} on"
            raise ParameterError(problem)
    return rules


def checked_rules(rules: object) -> CallRules:
    """The table of calls to go by, the package's for None. Raises InputError for anything else."""
    if rules is None:
        return call_rules()
    require_kind(rules, CallRules, "rules")
    return cast("CallRules", rules)
