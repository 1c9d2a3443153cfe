"""Strategy-based margin the slow, obvious way: every partition of a few contracts, every block by rule."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations

LOT = 100  # shares of one unit of stock, and the multiplier of every option here


@dataclass(frozen=True)
class Name:
    """An underlying: spot, class rate of uncovered options, leverage, style."""

    spot: Fraction
    rate: Fraction
    leverage: int = 1
    european_index: bool = False


@dataclass(frozen=True)
class Unit:
    """One contract or one lot of shares; ``sign`` 1 long, -1 short; kind C, P or S."""

    kind: str
    sign: int
    strike: Fraction = Fraction(0)
    days: int = 0
    price: Fraction = Fraction(0)

    @property
    def is_short(self) -> bool:
        return self.sign < 0


LONG_DATED = 274  # days: the longest nine months


def otm(unit: Unit, name: Name) -> Fraction:
    beyond = unit.strike - name.spot if unit.kind == "C" else name.spot - unit.strike
    return max(beyond, Fraction(0))


def naked(unit: Unit, name: Name) -> Fraction:
    least = name.spot if unit.kind == "C" else unit.strike
    wanted = name.rate * name.leverage * name.spot - otm(unit, name)
    return LOT * (unit.price + max(wanted, Fraction(1, 10) * name.leverage * least))


def long_rate(name: Name) -> Fraction:
    return min(Fraction(1, 4) * name.leverage, Fraction(1))


def short_margin(name: Name) -> Fraction:
    if name.spot < 5:
        return LOT * max(Fraction(5, 2), name.spot)
    return LOT * max(Fraction(5), min(Fraction(3, 10) * name.leverage, Fraction(1)) * name.spot)


def alone(unit: Unit, name: Name, initial: bool) -> Fraction:
    """Gross of proceeds, without the price of long options."""
    value = LOT * name.spot
    if unit.kind == "S":
        if initial:
            return value * Fraction(3, 2) if unit.is_short else value / 2
        return value + short_margin(name) if unit.is_short else long_rate(name) * value
    if unit.is_short:
        return naked(unit, name)
    return -LOT * unit.price / 4 if unit.days > LONG_DATED else Fraction(0)


def with_stock(units: tuple[Unit, ...], name: Name, initial: bool) -> Fraction | None:
    """Table 4.3, the rows with stock; stock that does not count as equity is added at maintenance."""
    stock = [unit for unit in units if unit.kind == "S"]
    options = sorted((unit for unit in units if unit.kind != "S"), key=lambda unit: unit.kind)
    if len(stock) != 1:
        return None
    spot, value, short = name.spot, LOT * name.spot, stock[0].is_short
    held = "".join(("-" if unit.is_short else "+") + unit.kind for unit in options)
    first = options[0].strike if options else Fraction(0)
    hedged = first / 10 + otm(options[0], name) if options else Fraction(0)
    if not short and held == "-C":
        return value / 2 if initial else LOT * (long_rate(name) * min(spot, first) + max(spot - first, 0))
    if short and held == "-P":
        inside = LOT * max(first - spot, Fraction(0))
        return value * Fraction(3, 2) + inside if initial else value + short_margin(name) + inside
    if not short and held == "+P":
        return value / 2 if initial else LOT * min(hedged, long_rate(name) * spot)
    if short and held == "+C":
        return value * Fraction(3, 2) if initial else value + min(LOT * hedged, short_margin(name))
    if len(options) != 2 or options[0].days != options[1].days:
        return None
    call, put = options
    inside = max(spot - call.strike, Fraction(0))
    if not short and held == "-C+P" and put.strike == call.strike:
        return value / 2 if initial else LOT * (call.strike / 10 + inside)
    if not short and held == "-C+P" and put.strike < call.strike:
        least = min(put.strike / 10 + otm(put, name), long_rate(name) * call.strike)
        return value / 2 if initial else LOT * (least + inside)
    if short and held == "+C-P" and put.strike == call.strike:
        below = Fraction(1, 10) * put.strike if put.strike < spot else spot / 2
        inside = max(put.strike - spot, Fraction(0))
        return LOT * (spot + below) if initial else LOT * (put.strike * Fraction(11, 10) + inside)
    return None


def options_only(units: tuple[Unit, ...], name: Name) -> Fraction | None:
    """Short straddles, long European boxes and limited-risk sets."""
    longs = [unit for unit in units if not unit.is_short]
    shorts = [unit for unit in units if unit.is_short]
    if len(units) == 2 and len(shorts) == 2 and {unit.kind for unit in units} == {"C", "P"}:
        greater, other = sorted(shorts, key=lambda unit: naked(unit, name), reverse=True)
        return naked(greater, name) + LOT * other.price
    kinds = [
        [(unit.kind, unit.sign) for unit in units].count((kind, sign)) for kind in "CP" for sign in (1, -1)
    ]
    if not shorts or kinds[0] != kinds[1] or kinds[2] != kinds[3]:
        return None
    if max(unit.days for unit in shorts) > min(unit.days for unit in longs):
        return None
    loss = Fraction(0)
    for price in {unit.strike for unit in units}:
        inside = [
            max(price - unit.strike if unit.kind == "C" else unit.strike - price, Fraction(0)) * unit.sign
            for unit in units
        ]
        loss = max(loss, -sum(inside, Fraction(0)))
    needed = min(LOT * loss, sum((naked(unit, name) for unit in shorts), Fraction(0)))
    box = long_box(units, name)
    return needed if box is None else min(needed, box)


def long_box(units: tuple[Unit, ...], name: Name) -> Fraction | None:
    legs = {(unit.kind, unit.sign): unit for unit in units}
    if (
        not name.european_index
        or len(units) != 4
        or len(legs) != 4
        or len({unit.days for unit in units}) != 1
    ):
        return None
    low, high = legs["C", 1].strike, legs["C", -1].strike
    if not (legs["P", -1].strike == low < high == legs["P", 1].strike):
        return None
    return LOT * ((high - low) / 2 - sum(unit.sign * unit.price for unit in units))


def block(units: tuple[Unit, ...], name: Name, initial: bool) -> Fraction | None:
    """What one group needs, None where it is no group."""
    if len(units) == 1:
        return alone(units[0], name, initial)
    if any(unit.kind == "S" for unit in units):
        return with_stock(units, name, initial)
    return options_only(units, name)


def minimum(units: tuple[Unit, ...], name: Name, initial: bool) -> Fraction:
    """The least over all partitions."""
    size = len(units)
    costs = {
        chosen: block(tuple(units[at] for at in chosen), name, initial)
        for length in range(1, size + 1)
        for chosen in combinations(range(size), length)
    }

    @cache
    def least(left: tuple[int, ...]) -> Fraction:
        if not left:
            return Fraction(0)
        best = None
        for length in range(len(left)):
            for others in combinations(left[1:], length):
                cost = costs[(left[0], *others)]
                if cost is not None:
                    cost += least(tuple(at for at in left[1:] if at not in others))
                    best = cost if best is None else min(best, cost)
        assert best is not None
        return best

    return least(tuple(range(size)))


def greedy(units: tuple[Unit, ...], name: Name, initial: bool) -> Fraction:
    """The group of two to four legs that saves most, again and again, then the rest by itself."""
    left, total = list(units), Fraction(0)
    while True:
        found = []
        for length in (4, 3, 2):
            for chosen in combinations(range(len(left)), length):
                some = tuple(left[at] for at in chosen)
                cost = block(some, name, initial)
                if cost is not None:
                    apart = sum((alone(unit, name, initial) for unit in some), Fraction(0))
                    found.append((apart - cost, cost, chosen))
        best = max(found, default=None, key=lambda entry: entry[0])
        if best is None or best[0] <= 0:
            return total + sum((alone(unit, name, initial) for unit in left), Fraction(0))
        total += best[1]
        left = [unit for at, unit in enumerate(left) if at not in best[2]]
