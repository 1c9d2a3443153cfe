"""Overrides: what a named person changed for a named account, from when until when, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from shockgrid.arrays import Floats, Mask
from shockgrid.columns import LARGEST_CASH, Door
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.requirement.programs import DEFAULT
from shockgrid.requirement.regime import AddOn, Context, Regime
from shockgrid.requirement.remarks import Measured, all_remarks, rows

TABLE = "overrides"
COLUMNS = ("scope", "parameter", "value", "from", "until", "who", "why")
LEVELS = ("firm", "program", "legal_entity", "client", "margin_group", "account")
LARGEST_FACTOR = 100.0
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "requirement_factor": "the requirement is multiplied by an override",
        "requirement_addition": "an override adds an amount",
        "requirement_floor": "an override sets the least requirement",
    }
)


@dataclass(frozen=True, eq=False)
class Overrides:
    """Checked rows; ``from`` and ``until`` are dates of the market's ``as_of`` in UTC, both included."""

    rows: pd.DataFrame  #: level, name, parameter, value, from, until (NaT: for good), who, why

    @classmethod
    def from_frame(cls, source: Any) -> Overrides:
        """Check a table of scope, parameter, value, from, until, who, why.

        ``scope`` is "firm" or "LEVEL:NAME" with LEVEL program, legal_entity, client, margin_group or account;
        it covers every margin group with such an account; a blank program is "default". ``parameter`` is
        requirement_factor (> 0), requirement_addition or requirement_floor (amounts >= 0 in the base
        currency). ``until`` may be blank. Of several in force the factors multiply, the additions add up,
        and the largest floor counts.

        Raises
        ------
        InputError : the first bad row, by line and column: what is governed is not applied in part.
        """
        door = Door(TABLE, source, required=COLUMNS[:4] + COLUMNS[5:], optional=("until",), key="scope")
        scopes, parameters = door.text("scope"), door.choice("parameter", list(WORDS))
        parts = [str(scope).partition(":") for scope in scopes]
        values = door.number("value", low=0.0, high=LARGEST_CASH)
        starts, ends = door.instant("from"), door.instant("until")
        who, why = door.text("who"), door.text("why")
        levels = np.array([level for level, _, _ in parts], object)
        names = np.array([name.strip() for _, _, name in parts], object)
        known = np.isin(levels.astype(str), LEVELS) & ((names != "") != (levels == "firm"))
        door.reject(~known, "scope", "E_CHOICE", f"expected firm or LEVEL:NAME of {', '.join(LEVELS[1:])}")
        factor = parameters == "requirement_factor"
        odd = factor & ((values <= 0.0) | (values > LARGEST_FACTOR))
        door.reject(odd, "value", "E_RANGE", f"expected a factor above 0, at most {LARGEST_FACTOR:g}")
        door.reject(ends < starts, "until", "E_RANGE", "expected a date at or after from")
        if door.bad.any():
            first = door.rejects().iloc[0]
            problem, line = str(first["message"]), int(first["line"])
            raise InputError(problem, table=TABLE, line=line, column=first["column"], value=first["value"])
        columns = (levels, names, parameters, values, starts, ends, who, why)
        table = dict(zip(("level", "name", *COLUMNS[1:]), columns, strict=True))
        return cls(pd.DataFrame(table))

    def in_force(self, plan: Plan) -> pd.DataFrame:
        """The rows that apply on the day of the plan's market."""
        day = pd.Timestamp(plan.market.as_of).tz_convert(None).normalize()
        started = self.rows["from"].dt.normalize() <= day
        chosen: pd.DataFrame = self.rows[started & ~(self.rows["until"].dt.normalize() < day)]
        return chosen

    def figure(self, context: Context, parameter: str) -> Floats:
        """What all rows in force of one parameter come to, [M]."""
        neutral = 1.0 if parameter == "requirement_factor" else 0.0
        total = np.full(len(context.plan.margin_groups), neutral)
        chosen = self.in_force(context.plan)
        for row in chosen[chosen["parameter"] == parameter].to_dict("records"):
            covered = _covered(context.plan, str(row["level"]), str(row["name"]))
            value = float(row["value"])
            new = {
                "requirement_factor": total * value,
                "requirement_addition": total + value,
                "requirement_floor": np.maximum(total, value),
            }[parameter]
            total = np.where(covered, new, total)
        return total

    def remark(self, context: Context) -> pd.DataFrame:
        """A row of level "override" for every margin group and row in force that covers it."""
        frames = []
        for row in self.in_force(context.plan).to_dict("records"):
            codes = np.flatnonzero(_covered(context.plan, str(row["level"]), str(row["name"])))
            values = np.full(len(codes), float(row["value"]))
            if row["parameter"] != "requirement_factor":
                values = values / context.rates[codes]
            nothing = np.full(len(codes), np.nan)
            found = Measured(values, nothing, np.zeros(len(codes)), _scope(row))
            frames.append(rows("override", str(row["parameter"]), codes, found, _words(row)))
        return all_remarks(frames)

    def strays(self, plan: Plan) -> tuple[str, ...]:
        """A note for every row in force that covers nobody: a misspelt name must not go unseen."""
        return tuple(
            f"override of {_scope(row)} ({row['parameter']}, {_words(row)}) covers no account of the book"
            for row in self.in_force(plan).to_dict("records")
            if not _covered(plan, str(row["level"]), str(row["name"])).any()
        )

    @property
    def record(self) -> list[list[str]]:
        """The rows as text, for a regime's fingerprint."""
        return self.rows.astype(object).map(str).to_numpy().tolist()


def overridden(regime: Regime, overrides: Overrides) -> Regime:
    """The regime with the overrides as its last add-ons: factor, then addition, then floor.

    Raises
    ------
    InputError : the regime has a formula of its own, which no add-on can change.
    """
    if regime.formula is not None:
        problem = f"regime {regime.name} has a formula of its own: overrides cannot be laid over it"
        raise InputError(problem, table=TABLE)
    modes = {
        "requirement_factor": "factor",
        "requirement_addition": "added",
        "requirement_floor": "floor",
    }
    add_ons = tuple(
        AddOn(f"override_{mode}", _figure(overrides, parameter), mode, WORDS[parameter])
        for parameter, mode in modes.items()
    )
    return replace(
        regime,
        add_ons=(*regime.add_ons, *add_ons),
        initial=None if regime.initial is None else (*regime.initial, *add_ons),
        remarks=(*regime.remarks, overrides.remark),
        plan_notes=lambda plan: (*regime.plan_notes(plan), *overrides.strays(plan)),
        parameters={**regime.parameters, "overrides": overrides.record},
    )


def _figure(overrides: Overrides, parameter: str) -> Any:
    return lambda context: overrides.figure(context, parameter)


def _covered(plan: Plan, level: str, name: str) -> Mask:
    """Which margin groups have an account within the scope, [M]."""
    covered = np.full(len(plan.margin_groups), level == "firm")
    if level != "firm":
        own = plan.book.accounts[level].astype(str)
        own = own.replace("", DEFAULT) if level == "program" else own
        member = (own == name).to_numpy(bool)
        covered[plan.account_groups[member]] = True
    return covered


def _scope(row: Mapping[Any, Any]) -> str:
    return "firm" if row["level"] == "firm" else f"{row['level']}:{row['name']}"


def _words(row: Mapping[Any, Any]) -> str:
    until = "for good" if pd.isna(row["until"]) else f"until {row['until']:%Y-%m-%d}"
    return f"from {row['from']:%Y-%m-%d} {until}, {row['who']}: {row['why']}"
