"""regt() as its user meets it: conventions, who may pair with whom, what has no rule, gaps, comparison."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, expiry, market, option, stock

import shockgrid as sg
from shockgrid.reg_t import RegtResult, regt_rules

CENT = 0.005  # figures are rounded to the cent
SPOT = 100.0


def listed(symbol: str, right: str, strike: float, days: float = 30.0, **more: Any) -> dict[str, Any]:
    return option(symbol, "X", right, strike, days, **{"style": "american", **more})


def priced(*options: tuple[dict[str, Any], float], spots: Any = None, **more: Any) -> sg.Market:
    quotes = [{"symbol": row["symbol"], "mark": mark, "vol": 0.3} for row, mark in options]
    rows = [stock("X"), *(row for row, _ in options)]
    return market(rows, {"X": SPOT} if spots is None else spots, quotes, **more)


def account(result: RegtResult, name: str = "A") -> pd.Series:
    return result.accounts.set_index("margin_group").loc[name]


def test_cents_are_kept() -> None:
    """Cboe Margin Manual: short broad-index straddle, U 433.35, put 435 at 7.20, call 435 at 5.50."""
    spots = {"X": {"spot": 433.35, "portfolio_type": "broad_index"}}
    held = (
        (listed("P", "P", 435, style="european"), 7.2),
        (listed("C", "C", 435, style="european"), 5.5),
    )
    row = account(sg.regt(book([("A", "P", -1), ("A", "C", -1)]), priced(*held, spots=spots)))
    assert row["maintenance_gross"] == row["initial_gross"] == 7770.25
    assert row["proceeds"] == 1270.00
    assert row["requirement"] == row["cash_call"] == 6500.25


def test_net_and_gross_of_premium_meet_the_same_equity() -> None:
    """A short put sold for 300 needs 2,300 gross; the 300 is in cash, so 2,000 beside it is just enough."""
    quoted = priced((listed("P", "P", 100), 3.0))
    own = [{"account": "A", "cash": 2000.0 + 300.0}]
    row = account(sg.regt(book([("A", "P", -1)], own), quoted))
    assert (row["maintenance_gross"], row["requirement"], row["excess"]) == (2300.0, 2000.0, 0.0)
    assert row["equity_at_marks"] == 2000.0
    assert not row["below_minimum_equity"]


def test_the_lines_add_up() -> None:
    quoted = priced((listed("C", "C", 90), 12.0), (listed("P", "P", 95), 2.0))
    row = account(sg.regt(book([("A", "C", -3), ("A", "P", 2), ("A", "X", 250)]), quoted))
    lines = row["stand_alone_sum"] + row["pairing_benefit"] + row["unpriced"]
    assert lines == pytest.approx(row["requirement"], abs=CENT)
    net = row["maintenance_gross"] - row["proceeds"] + row["capped_stock"]
    assert net == pytest.approx(row["requirement"], abs=CENT)
    assert row["capped_stock"] > 0.0  # calls in the money cover stock that counts at their strike only


@pytest.mark.parametrize(
    ("short", "together"),
    [
        (listed("S", "C", 105, 30), True),
        (listed("S", "C", 105, 20), True),
        (listed("S", "C", 105, 31), False),  # expires after the long
        (listed("S", "C", 105, 30, style="european"), False),
        (listed("S", "C", 105, 30, units_per_contract=150), False),
        (listed("S", "C", 105, 30, cash_per_contract=25.0), False),
    ],
)
def test_who_may_stand_in_a_spread(short: dict[str, Any], together: bool) -> None:
    quoted = priced((listed("L", "C", 100), 4.0), (short, 2.0))
    result = sg.regt(book([("A", "L", 1), ("A", "S", -1)]), quoted)
    spread = result.explain("A")["group"].str.contains("spread").any()
    assert spread == together
    assert (account(result)["requirement"] == 200.0) == together


def test_unequal_multipliers_match_by_their_sum() -> None:
    """Ten contracts of 10 against one of 100."""
    quoted = priced((listed("L", "C", 100, multiplier=10), 4.0), (listed("S", "C", 105), 2.0))
    assert account(sg.regt(book([("A", "L", 10), ("A", "S", -1)]), quoted))["requirement"] == 200.0
    assert account(sg.regt(book([("A", "L", 9), ("A", "S", -1)]), quoted))["requirement"] > 1000.0


def test_what_the_rules_do_not_speak_of_is_charged_and_partial() -> None:
    future = {
        "symbol": "F", "underlying": "X", "type": "future", "multiplier": 10, "expiry_utc": expiry(60)
    }  # fmt: skip
    quoted = market([stock("X"), future], {"X": SPOT}, [{"symbol": "F", "mark": 101.0}])
    result = sg.regt(book([("A", "F", -1), ("A", "X", 10), ("B", "X", 10), ("C", "NOWHERE", -5)]), quoted)
    assert result.accounts["reliability"].tolist() == ["PARTIAL", "OK", "UNRELIABLE"]
    assert set(result.rejects["code"]) >= {"E_UNSUPPORTED", "E_INSTRUMENT"}
    row = account(result)
    assert row["requirement_low"] == 250.0
    assert row["unpriced"] > 0.0
    assert row["requirement"] == row["requirement_high"] == row["requirement_low"] + row["unpriced"]
    assert account(result, "B")["requirement"] == 250.0


def test_a_cash_account_pays_in_full() -> None:
    quoted = priced((listed("P", "P", 95), 2.0), (listed("L", "C", 100, 400), 8.0))
    rows = pd.DataFrame(
        [("A", "P", -1), ("A", "L", 1), ("A", "X", 5)], columns=["account", "symbol", "quantity"]
    )
    held = sg.Book.from_frames(rows, pd.DataFrame([{"account": "A", "cash": 0.0, "program": "cash"}]))
    cash, margin = sg.regt(held, quoted, cash_programs=["cash"]), sg.regt(held, quoted)
    assert account(cash)["requirement"] == (9500.0 - 200.0) + 800.0 + 500.0
    assert account(margin)["requirement"] == (1000.0 + max(500.0, 0.0)) + 600.0 + 125.0


def crowded(legs: int, seed: int) -> tuple[sg.Book, sg.Market]:
    """One account of many legs on one underlying."""
    rng = np.random.default_rng(seed)
    series = [
        (listed(f"{right}{strike:g} {days}", right, strike, days), round(float(rng.uniform(0.5, 12)), 2))
        for days in (10, 38, 66, 129, 220)
        for strike in np.arange(80.0, 125.0, 5.0)
        for right in "CP"
    ]
    chosen = rng.choice([row["symbol"] for row, _ in series], legs - 1, replace=False)
    held = [("A", str(symbol), int(rng.choice([-1, 1]) * rng.integers(1, 20))) for symbol in chosen]
    return book([*held, ("A", "X", -300)]), priced(*series)


def test_out_of_time_is_said_never_silent() -> None:
    held, quoted = crowded(60, 4)
    best, hurried = sg.regt(held, quoted, seconds=60.0, seconds_each=60.0), sg.regt(held, quoted, seconds=0.0)
    least, found = account(best), account(hurried)
    assert least["gap"] == 0.0
    assert found["gap"] > 0.0
    assert found["requirement"] <= found["stand_alone_sum"]
    assert least["requirement"] - CENT <= found["requirement"] <= least["requirement"] + found["gap"] + CENT
    assert any("gap" in note for note in hurried.notes)
    assert not any("gap" in note for note in best.notes)


def test_portfolio_margin_beside_regt() -> None:
    quoted = priced((listed("P", "P", 95), 2.0), (listed("C", "C", 105), 2.0))
    held = book([("A", "P", 1), ("A", "C", -1), ("A", "X", 100), ("B", "X", 10)])
    portfolio, strategy = sg.margin(held, quoted, sg.tims()), sg.regt(held, quoted)
    freed = sg.reg_t.freed_capital(portfolio, strategy).set_index("margin_group").loc["A"]
    assert freed["freed_capital"] == freed["regt"] - freed["portfolio_margin"] > 0.0
    gross = freed["regt_gross"] - freed["portfolio_margin_gross"]
    assert gross == pytest.approx(freed["freed_capital"], abs=CENT)
    assert freed["regt_gross"] - freed["regt"] == 200.0
    with pytest.raises(sg.InputError, match="one book"):
        sg.reg_t.freed_capital(portfolio, sg.regt(book([("Z", "X", 1)]), quoted))


def test_what_makes_no_sense_is_refused() -> None:
    held, quoted = book([("A", "X", 1)]), priced()
    for wrong in (
        lambda: sg.regt(quoted, held),  # type: ignore[arg-type]
        lambda: sg.regt(held, quoted, seconds=float("nan")),
        lambda: sg.regt(held, quoted, threads=0),
        lambda: sg.regt(held, quoted).explain("nobody"),
    ):
        with pytest.raises(sg.InputError):
            wrong()
    with pytest.raises(sg.errors.ParameterError, match="cboe_manual"):
        regt_rules("nyse")  # type: ignore[arg-type]


def test_an_empty_book_needs_nothing() -> None:
    result = sg.regt(book([], [{"account": "A", "cash": 5.0}]), priced())
    assert account(result)["requirement"] == 0.0
    assert len(result.explain("A")) == 0
