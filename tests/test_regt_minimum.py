"""The pairing against every partition of small books, and what must not change it."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, expiry, market, option, stock
from plain_regt import LOT, Name, Unit, alone, greedy, minimum

import shockgrid as sg
from shockgrid.reg_t import RegtResult

BOOKS = 500
LARGEST = 7  # units of a book: 877 partitions
CENT = 0.005  # what is reported is rounded to the cent
NAMES = {
    "EQ": Name(Fraction("101.37"), Fraction(1, 5)),
    "CHEAP": Name(Fraction("4.21"), Fraction(1, 5)),
    "TWICE": Name(Fraction("98.5"), Fraction(1, 5), leverage=2),
    "IDX": Name(Fraction("99.62"), Fraction("0.15"), european_index=True),
}
DAYS = (20, 60, 400)


def series(rng: np.random.Generator) -> dict[str, tuple[str, Unit]]:
    """Every option by symbol, with a random price: nothing here depends on sensible ones."""
    found = {}
    for name, row in NAMES.items():
        for right in "CP":
            for step in range(5):
                for days in DAYS:
                    strike = Fraction(round(float(row.spot)) + (step - 2) * (1 if row.spot < 5 else 5))
                    price = Fraction(int(rng.integers(1, 1500)), 100)
                    unit = Unit(right, 1, max(strike, Fraction(1)), days, price)
                    found[f"{name} {right}{float(unit.strike):g} {days}"] = (name, unit)
    return found


def priced(options: dict[str, tuple[str, Unit]]) -> sg.Market:
    instruments = [stock(name) for name in NAMES]
    for symbol, (name, unit) in options.items():
        style = "european" if NAMES[name].european_index else "american"
        instruments.append(option(symbol, name, unit.kind, float(unit.strike), unit.days, style=style))
    spots = {
        name: {
            "spot": float(row.spot),
            "leverage": float(row.leverage),
            "portfolio_type": "broad_index" if row.european_index else "equity",
        }
        for name, row in NAMES.items()
    }
    quotes = [
        {"symbol": symbol, "mark": float(unit.price), "vol": 0.3} for symbol, (_, unit) in options.items()
    ]
    return market(instruments, spots, quotes)


def drawn(rng: np.random.Generator, options: dict[str, tuple[str, Unit]]) -> tuple[str, dict[str, int]]:
    """An underlying and what is held on it: few series, so that groups are found, up to ``LARGEST`` units."""
    name = str(rng.choice(list(NAMES)))
    symbols = [symbol for symbol, (owner, _) in options.items() if owner == name]
    held: Counter[str] = Counter()
    if not NAMES[name].european_index and rng.random() < 0.5:
        held[name] = int(rng.choice([-2, -1, 1, 2]))
    size = int(rng.integers(2, LARGEST + 1))
    for symbol in rng.choice(symbols, 6, replace=False):
        room = size - sum(abs(count) for count in held.values())
        if room > 0:
            held[str(symbol)] = int(rng.choice([-1, 1])) * int(rng.integers(1, min(room, 3) + 1))
    return name, dict(held)


def units_of(held: dict[str, int], options: dict[str, tuple[str, Unit]]) -> tuple[Unit, ...]:
    units = []
    for symbol, count in held.items():
        kind = options[symbol][1] if symbol in options else Unit("S", 1)
        signed = Unit(kind.kind, 1 if count > 0 else -1, kind.strike, kind.days, kind.price)
        units += [signed] * abs(count)
    return tuple(units)


class Drawn:
    """The random books, margined in one run."""

    def __init__(self) -> None:
        rng = np.random.default_rng(20261120)
        self.options = series(rng)
        self.market = priced(self.options)
        self.books = [drawn(rng, self.options) for _ in range(BOOKS)]
        self.rows = [
            (f"{at:03d}", symbol, count * (1 if symbol in self.options else LOT))
            for at, (_, held) in enumerate(self.books)
            for symbol, count in held.items()
        ]
        self.result = self.margined(self.rows)

    def margined(self, rows: list[tuple[str, str, int]], lots: bool = False) -> RegtResult:
        positions = pd.DataFrame(rows, columns=["account", "symbol", "quantity"])
        accounts = pd.DataFrame({"account": [f"{at:03d}" for at in range(BOOKS)], "cash": 0.0})
        book = sg.Book.from_frames(positions, accounts, lots=lots)
        return sg.regt(book, self.market, seconds=120.0, seconds_each=60.0)


@pytest.fixture(scope="module")
def small() -> Drawn:
    return Drawn()


def gross_of_longs(result: RegtResult, at: int, units: tuple[Unit, ...], initial: bool) -> float:
    """The reported figure without the price of long options, as the slow way counts."""
    row = result.accounts.iloc[at]
    bought = sum(float(LOT * unit.price) for unit in units if unit.kind != "S" and unit.sign > 0)
    if initial:
        return float(row["initial_gross"]) - bought
    return float(row["maintenance_gross"] + row["capped_stock"]) - bought


@pytest.mark.parametrize("initial", [False, True])
def test_equal_to_every_partition_of_500_small_books(small: Drawn, initial: bool) -> None:
    assert (small.result.accounts["gap"] == 0.0).all()
    missed, paired = {}, 0
    for at, (name, held) in enumerate(small.books):
        units = units_of(held, small.options)
        least = minimum(units, NAMES[name], initial)
        paired += least < sum(alone(unit, NAMES[name], initial) for unit in units)
        assert least <= greedy(units, NAMES[name], initial)
        got = gross_of_longs(small.result, at, units, initial)
        if abs(got - float(least)) > CENT:
            missed[at] = (name, held, got, float(least), small.result.explain(f"{at:03d}", initial=initial))
    assert not missed
    assert paired > BOOKS // 4


def test_the_order_of_rows_and_split_lots_change_nothing(small: Drawn) -> None:
    shuffled = [small.rows[at] for at in np.random.default_rng(1).permutation(len(small.rows))]
    split = [(account, symbol, count + side) for account, symbol, count in small.rows for side in (7, -7)]
    halves = [(account, symbol, side) for account, symbol, count in small.rows for side in (count + 7, -7)]
    del split
    for other in (small.margined(shuffled), small.margined(halves, lots=True)):
        pd.testing.assert_frame_equal(other.accounts, small.result.accounts, check_exact=True)


def test_the_groups_add_up_to_the_requirement(small: Drawn) -> None:
    for at in range(0, BOOKS, 10):
        units = units_of(small.books[at][1], small.options)
        for initial in (False, True):
            groups = small.result.explain(f"{at:03d}", initial=initial)
            total = gross_of_longs(small.result, at, units, initial)
            assert groups["requirement"].sum() == pytest.approx(total, abs=CENT * (len(groups) + 1))
            assert (groups["saved"] >= -CENT).all()


def test_two_interleaved_verticals_need_nothing_beyond_premium() -> None:
    """Regression of QuantConnect Lean: long 598 short 603 and long 600 short 605, spot 600.40."""
    prices = {598: 6.0, 600: 5.0, 603: 3.0, 605: 2.0}
    names = {strike: f"C{strike}" for strike in prices}
    series_ = [option(names[strike], "X", "C", strike, 10, style="american") for strike in prices]
    quotes = [{"symbol": names[strike], "mark": mark, "vol": 0.3} for strike, mark in prices.items()]
    priced_ = market([stock("X"), *series_], {"X": 600.40}, quotes)
    positions = pd.DataFrame(
        [("A", names[strike], 1 if strike <= 600 else -1) for strike in prices],
        columns=["account", "symbol", "quantity"],
    )
    accounts = pd.DataFrame([{"account": "A", "cash": 0.0}])
    row = sg.regt(sg.Book.from_frames(positions, accounts), priced_).accounts.iloc[0]
    assert row["requirement"] == 100 * (6 + 5 - 3 - 2)
    assert row["maintenance_gross"] == 100 * (6 + 5)
    assert row["gap"] == 0.0


def test_the_calendar_of_nine_months() -> None:
    assert pd.Timestamp(expiry(DAYS[1])) < AS_OF + pd.DateOffset(months=9) < pd.Timestamp(expiry(DAYS[2]))
