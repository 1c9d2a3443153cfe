"""The groups of one problem as rows in the rule's words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from shockgrid.market import Market
from shockgrid.reg_t.legs import MICRO, RATE, TICKS, Ints, Legs
from shockgrid.reg_t.matching import NAMES
from shockgrid.reg_t.pairing import Pairing
from shockgrid.reg_t.program import Task, task
from shockgrid.reg_t.spreads import greatest_losses
from shockgrid.reg_t.straddles import pairs

HEDGED = "10 % of the strike and the out-of-the-money amount"
#: initial and maintenance of each template, in the order of NAMES
RULES = (
    ("50 % of the stock", "25 % of the lesser of stock and strike; stock above the strike does not count"),
    ("proceeds, 50 % of the stock, the put's intrinsic value", "short stock and the put's intrinsic value"),
    ("50 % of the stock", f"the lesser of {HEDGED}, and 25 % of the stock"),
    ("proceeds and 50 % of the stock", f"value, and the lesser of {HEDGED}, and the short stock's margin"),
    ("50 % of the stock", "10 % of the strike; stock above the strike does not count"),
    (
        "proceeds, and 10 % of a strike below the sale price or else 50 % of the stock",
        "110 % of the strike and the put's intrinsic value",
    ),
    ("50 % of the stock", f"the lesser of the put's {HEDGED}, and 25 % of the call's strike"),
    ("5 % of the long", "5 % of the long"),
    ("50 % of the width", "50 % of the width"),
)


def group_rows(market: Market, pairing: Pairing, problem: int, initial: bool) -> Iterator[dict[str, Any]]:
    """Rows of ``RegtResult.explain`` for one underlying of one margin group."""
    tables = pairing.tables
    legs, at = tables.legs, task(tables, problem, problem + 1)
    rest = legs.micro_quantities.copy()[at.legs]
    words = _Words(market, legs, tables.alone)
    for row in range(at.candidates.start, at.candidates.stop):
        count = int(pairing.counts.candidates[row])
        if count:
            groups = tables.candidates
            used = [
                (int(leg), int(use) * count)
                for leg, use in zip(groups.legs[row], groups.uses[row], strict=True)
                if use
            ]
            amount = (groups.initial if initial else groups.maintenance)[row]
            amount = int(amount) + (0 if initial else int(groups.caps[row]))
            kind = int(groups.kinds[row])
            yield words.row(NAMES[kind], count, used, amount * count, RULES[kind][0 if initial else 1])
            _take(rest, used, at)
    for hidden, cover, count in pairs(tables.chains, pairing.counts.chains, at.chains):
        used = [(cover, count), (hidden, count)]
        prices = legs.paid if initial else legs.prices
        amount = (int(tables.alone[cover]) + RATE * int(prices[hidden])) * count
        rule = "the greater requirement and the other option's value"
        yield words.row("short straddle or strangle", count, used, amount, rule)
        _take(rest, used, at)
    yield from _set_rows(pairing, at, rest, words)
    for place, micro in enumerate(rest.tolist()):
        if micro:
            yield words.alone(at.legs.start + place, micro)


def _set_rows(pairing: Pairing, at: Task, rest: Ints, words: _Words) -> Iterator[dict[str, Any]]:
    tables, counts = pairing.tables, pairing.counts.members
    losses, points = greatest_losses(tables.legs, tables.sets, counts)
    for number in range(at.sets.start, at.sets.stop):
        rows = np.flatnonzero((tables.sets.member_sets == number) & (counts > 0))
        if len(rows) == 0:
            continue
        used = [(int(tables.sets.member_legs[row]), int(counts[row])) for row in rows]
        price = tables.sets.points[points[number]] / MICRO
        rule = (
            f"maximum potential loss of its intrinsic value, at {price:g}"
            if losses[number]
            else "no loss at any strike"
        )
        longs = sum(count for leg, count in used if tables.legs.signs[leg] > 0)
        yield words.row(words.shape([leg for leg, _ in used]), longs, used, int(losses[number]) * RATE, rule)
        _take(rest, used, at)


def _take(rest: Ints, used: list[tuple[int, int]], at: Task) -> None:
    for leg, count in used:
        rest[leg - at.legs.start] -= count * MICRO


class _Words:
    """Names and amounts of legs."""

    def __init__(self, market: Market, legs: Legs, alone: Ints) -> None:
        self.market, self.legs, self.alone_ticks = market, legs, alone

    def row(
        self, name: str, count: int, used: list[tuple[int, int]], amount: int, rule: str
    ) -> dict[str, Any]:
        """One group; ``amount`` in ticks."""
        apart = sum(int(self.alone_ticks[leg]) * size for leg, size in used)
        shown = ", ".join(f"{self.legs.signs[leg] * size:+,d} {self._symbol(leg)}" for leg, size in used)
        return self._columns(used[0][0], name, float(count), shown, amount * MICRO, apart * MICRO, rule)

    def alone(self, leg: int, micro: int) -> dict[str, Any]:
        """What is left of a leg by itself."""
        long, option = self.legs.signs[leg] > 0, self.legs.is_option[leg]
        name = f"{'long' if long else 'short'} {'option' if option else 'stock'}"
        amount = int(self.alone_ticks[leg]) * micro
        shown = f"{self.legs.signs[leg] * micro / MICRO:+,g} {self._symbol(leg)}"
        return self._columns(leg, name, micro / MICRO, shown, amount, amount, "by itself")

    def shape(self, rows: list[int]) -> str:
        """What the rules call a limited-risk set of these legs."""
        legs = self.legs.take(np.asarray(rows, np.intp))
        expiries, strikes = len(np.unique(legs.expiries)), len(np.unique(legs.strikes))
        if len(rows) == 2:
            return (
                "vertical spread"
                if expiries == 1
                else "calendar spread"
                if strikes == 1
                else "diagonal spread"
            )
        mixed = 0 < legs.is_call.sum() < len(rows)
        order = legs.signs[np.argsort(legs.strikes, kind="stable")]
        if (
            expiries == 1
            and not mixed
            and abs(int(order[0] + order[-1])) == 2
            and (order[1:-1] == -order[0]).all()
        ):
            return {3: "butterfly spread", 4: "condor spread"}.get(len(rows), "limited-risk set")
        if expiries == 1 and mixed and len(rows) == 4:
            names = {2: "box spread", 3: "iron butterfly", 4: "iron condor"}
            return names[strikes]
        return "limited-risk set"

    def _columns(
        self, leg: int, name: str, count: float, shown: str, amount: int, apart: int, rule: str
    ) -> dict[str, Any]:
        table = self.market.instruments
        return {
            "underlying": self.market.underlyings.names[table.underlyings[self.legs.instruments[leg]]],
            "group": name,
            "count": count,
            "legs": shown,
            "requirement": round(amount / (TICKS * MICRO), 2),
            "stand_alone_sum": round(apart / (TICKS * MICRO), 2),
            "saved": round((apart - amount) / (TICKS * MICRO), 2),
            "rule": rule,
        }

    def _symbol(self, leg: int) -> str:
        return str(self.market.instruments.symbols[self.legs.instruments[leg]])
