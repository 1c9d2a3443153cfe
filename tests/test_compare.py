"""compare() and impact(): side by side, one pass."""

from __future__ import annotations

from importlib import import_module

import coins
import numpy as np
import pandas as pd
import pytest
from books import book, market, option, stock

import shockgrid as sg
from shockgrid.reg_t import regt_rules

CENT = 0.011  #: strategy-based figures are rounded to the cent, sums of two of them to two
LEGS = [
    stock("X"), stock("Y"), option("XC", "X", "C", 105.0, 60.0, style="american"),
    option("XP", "X", "P", 95.0, 60.0, style="american"),
]  # fmt: skip
QUOTES = [{"symbol": "XC", "vol": 0.4, "mark": 4.0}, {"symbol": "XP", "vol": 0.4, "mark": 3.0}]
MARKET = market(LEGS, {"X": 100.0, "Y": 50.0}, QUOTES)
ROWS = [("A", "XC", -2), ("A", "XP", -1), ("B", "X", 100), ("B", "XC", -1), ("C", "Y", -10), ("C", "XC", 1)]
CASH = [{"account": name, "cash": cash} for name, cash in (("A", 5_000.0), ("B", -8_000.0), ("C", 900.0))]
BOOK = book(ROWS, CASH)
SIDES = ["tims", "house", "regt"]


def test_each_side_is_what_it_is_by_itself() -> None:
    found = sg.compare(BOOK, MARKET, SIDES)
    for name, regime in (("tims", sg.tims()), ("house", sg.house())):
        alone = sg.margin(BOOK, MARKET, regime).accounts
        assert np.array_equal(found.accounts[name], alone["requirement"])
    strategy = sg.regt(BOOK, MARKET)
    assert np.array_equal(found.accounts["regt"], strategy.accounts["requirement"])
    assert list(found.firm["side"]) == SIDES
    assert found.firm["requirement"].tolist() == pytest.approx([found.accounts[name].sum() for name in SIDES])


def test_gross_and_freed_are_those_of_freed_capital() -> None:
    """By hand: A is short 2 x 400 + 300 of options, B 400; C is short 10 shares at 50."""
    found = sg.compare(BOOK, MARKET, SIDES)
    assert found.accounts["short_value"].tolist() == pytest.approx([1_100.0, 400.0, 500.0])
    strategy, portfolio = found.results["regt"], found.results["tims"]
    expected = sg.reg_t.freed_capital(portfolio, strategy)
    assert found.gross["tims"].to_numpy() == pytest.approx(expected["portfolio_margin_gross"], abs=CENT)
    assert found.gross["regt"].to_numpy() == pytest.approx(expected["regt_gross"], abs=CENT)
    freed = found.freed("regt", "tims")
    assert freed["freed_capital"].to_numpy() == pytest.approx(expected["freed_capital"])
    assert freed["freed_share"].to_numpy() == pytest.approx(expected["freed_share"])
    pairs = found.freed_firm.set_index(["one", "other"])["freed_capital"]
    assert pairs["tims", "regt"] == pytest.approx(-freed["freed_capital"].sum())
    assert len(pairs) == 3


def test_vols_are_calibrated_and_positions_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module("shockgrid.requirement.margin")
    calls = {"calibrated": 0, "plan": 0}
    for name in calls:
        original = getattr(module, name)

        def counted(*arguments: object, name: str = name, original: object = original) -> object:
            calls[name] += 1
            return original(*arguments)  # type: ignore[operator]

        monkeypatch.setattr(module, name, counted)
    sg.compare(BOOK, MARKET, ["tims", "house", "regt", "span"])
    assert calls == {"calibrated": 1, "plan": 1}


def test_sides_have_names_and_contributions_say_whose_they_are() -> None:
    found = sg.compare(BOOK, MARKET, [sg.tims(), sg.tims(), regt_rules("ib")])
    assert list(found.results) == ["tims", "tims 2", "regt-ib"]
    assert set(found.positions["side"]) == {"tims", "tims 2"}
    assert {"leave_one_out", "euler"} <= set(found.positions.columns)
    named = sg.compare(BOOK, MARKET, {"mine": sg.house(), "theirs": "tims"})
    assert list(named.results) == ["mine", "theirs"]


@pytest.mark.parametrize("sides", [[], "tims", [3], {"mine": None}, {"currency": "tims"}, sg.tims()])
def test_what_is_no_list_of_regimes_is_refused(sides: object) -> None:
    with pytest.raises(sg.InputError):
        sg.compare(BOOK, MARKET, sides)  # type: ignore[arg-type]


def test_a_name_that_is_no_regime_is_answered_with_those_that_are() -> None:
    with pytest.raises(sg.errors.ParameterError, match=r"^nope: expected tims, .* regt, regt-ib or path/to"):
        sg.compare(BOOK, MARKET, ["tims", "nope"])


def test_a_side_that_covers_nothing_is_named() -> None:
    with pytest.raises(sg.InputError, match=r"^deribit: .*covers nothing.*'X'"):
        sg.compare(BOOK, MARKET, ["tims", "deribit"])
    with pytest.raises(sg.InputError, match="expected one of tims"):
        sg.compare(BOOK, MARKET, ["tims"]).freed("tims", "house")


@pytest.fixture(scope="module")
def mixed() -> tuple[sg.Book, sg.Market]:
    """One account in coin, one in shares, one in both."""
    rows, quotes = [*coins.ROWS, *LEGS], [*coins.QUOTES, *QUOTES]
    spots = {"BTC": coins.SPOT, "X": 100.0, "Y": 50.0}
    priced = market(rows, spots, quotes, fx=coins.FX, forwards=coins.FORWARDS)
    holdings = [("both", "BTC-P", -1), ("both", "XC", -2), ("both", "Y", 10), ("coin", "BTC-C", -2)]
    return book([*holdings, ("shares", "X", 100)]), priced


def test_a_side_may_cover_a_part_of_the_book(mixed: tuple[sg.Book, sg.Market]) -> None:
    held, priced = mixed
    found = sg.compare(held, priced, ["tims", "deribit", "derive"])
    rows = found.accounts.set_index("margin_group")
    figures = rows[["tims", "deribit", "derive"]].notna()
    assert figures.loc["both"].tolist() == [True, False, False]
    assert figures.loc["coin"].tolist() == [True, True, False]
    assert figures.loc["shares"].tolist() == [True, False, True]
    assert found.gross["deribit"].isna().tolist() == [True, False, True]
    left_out = found.uncovered[["side", "margin_group", "underlying", "positions"]].to_numpy().tolist()
    assert left_out == [
        ["deribit", "both", "X", 1], ["deribit", "both", "Y", 1], ["deribit", "shares", "X", 1],
        ["derive", "both", "BTC", 1], ["derive", "coin", "BTC", 1],
    ]  # fmt: skip
    alone = sg.margin(book([("coin", "BTC-C", -2)]), priced, sg.regimes.deribit())
    assert rows.loc["coin", "deribit"] == alone.accounts["requirement"].iloc[0]
    part = (
        sg.margin(book([("both", "BTC-P", -1)]), priced, sg.regimes.deribit()).accounts["requirement"].iloc[0]
    )
    assert found.results["deribit"].accounts["requirement"].iloc[0] == part
    whole = sg.margin(held, priced, sg.tims()).accounts
    assert np.array_equal(found.accounts["equity_at_marks"], whole["equity_at_marks"])
    assert any(
        note.startswith("deribit does not cover X, Y (") and ": 2 margin groups" in note
        for note in found.notes
    )


def test_totals_count_what_has_a_figure(mixed: tuple[sg.Book, sg.Market]) -> None:
    found = sg.compare(*mixed, ["deribit", "tims", "derive"])
    firm = found.firm.set_index("side")
    assert firm["margin_groups"].to_dict() == {"deribit": 1, "tims": 3, "derive": 1}
    assert firm.loc["deribit", "requirement"] == found.accounts["deribit"].sum()
    assert firm.loc["deribit", "deficits"] == 1  # the coin account has no cash
    pairs = found.freed_firm.set_index(["one", "other"])
    assert pairs["margin_groups"].tolist() == [1, 0, 1]
    coin = found.accounts.set_index("margin_group").loc["coin"]
    assert pairs.loc[("deribit", "tims"), "freed_capital"] == coin["deribit"] - coin["tims"]
    assert np.isnan(pairs.loc[("deribit", "derive"), "freed_share"])
    changed = sg.impact(*mixed, "tims", "deribit")
    verdicts = changed.accounts.set_index("margin_group")["verdict"]
    assert verdicts[["both", "shares"]].tolist() == ["not covered"] * 2
    assert changed.totals["not_covered"] == 2
    assert changed.totals["sum_change"] == pytest.approx(coin["deribit"] - coin["tims"], abs=CENT)


def test_programs_cover_a_book_between_them(mixed: tuple[sg.Book, sg.Market]) -> None:
    """Coins under the venue, shares under the exchange's rule; who is in the wrong program has no figure."""
    held, priced = mixed
    programs = {"shares": sg.Program(sg.tims(), None), "coin": sg.Program(sg.regimes.deribit(), None)}
    accounts = [
        {"account": name, "cash": 0.0, "program": program}
        for name, program in (("both", "coin"), ("coin", "coin"), ("shares", "shares"))
    ]
    sorted_in = sg.Book.from_frames(held.positions[["account", "symbol", "quantity"]], pd.DataFrame(accounts))
    found = sg.compare(sorted_in, priced, {"policy": sg.Policy(programs), "tims": sg.tims()})
    assert found.accounts["policy"].isna().tolist() == [True, False, False]
    assert found.accounts["policy"].iloc[2] == found.accounts["tims"].iloc[2]
    with pytest.raises(sg.InputError, match="deribit v3 does not cover"):
        sg.margin(sorted_in, priced, sg.Policy(programs))


def test_a_name_without_a_history_is_left_out() -> None:
    past = pd.DataFrame({"X": [100.0, 90.0, 95.0, 99.0]}, index=pd.bdate_range("2026-11-16", periods=4))
    found = sg.compare(BOOK, MARKET, {"history": sg.regimes.historical(past), "tims": "tims"})
    assert found.accounts["history"].isna().tolist() == [False, False, True]
    assert set(found.uncovered["underlying"]) == {"Y"}


def test_impact_says_who_pays_more_and_who_falls_short() -> None:
    """A share moves 15 % under the old rule and 30 % under the new; equity by hand."""
    plain = {"vol": [0.0], "concentrated": False, "contingency_rate": 0.0}
    old, new = (sg.house(spot=[-move, move], **plain) for move in (0.15, 0.30))
    holdings = [("short", "X", 10), ("empty", "X", 0), ("fine", "X", 10), ("larger", "X", -10)]
    cash = [("short", -800.0), ("empty", 0.0), ("fine", 0.0), ("larger", 1_100.0)]
    held = book(holdings, [{"account": name, "cash": amount} for name, amount in cash])
    found = sg.impact(held, MARKET, old, new)
    rows = found.accounts.set_index("margin_group")
    # equities 200, 0, 1000, 100; requirements 150 -> 300 each but for the empty one
    assert rows["verdict"].to_dict() == {
        "short": "new deficit", "empty": "unchanged", "fine": "pays more", "larger": "larger deficit",
    }  # fmt: skip
    assert rows["change"].to_dict() == pytest.approx({"short": 150, "empty": 0, "fine": 150, "larger": 150})
    after = {"short": 100, "empty": 0, "fine": 0, "larger": 200}
    assert rows["deficit_after"].to_dict() == pytest.approx(after)
    assert rows.loc["larger", ["requirement_before", "requirement_after", "deficit_before"]].tolist() == [
        pytest.approx(150.0), pytest.approx(300.0), pytest.approx(50.0),
    ]  # fmt: skip
    assert found.totals["sum_change"] == pytest.approx(450.0)
    assert (found.totals["new_deficits"], found.totals["pay_more"], found.totals["unchanged"]) == (1, 3, 1)
    back = sg.impact(held, MARKET, new, old).accounts.set_index("margin_group")["verdict"]
    assert (back["short"], back["larger"]) == ("deficit cured", "smaller deficit")


def test_compare_and_impact_say_the_same_deficits() -> None:
    """Three accounts with 10 shares at 100 under 15 % and equities of 99.996, 99.994 and 99.99: a call asks
    for 50.01 of each, as what there is counts in full cents (99.99), so that 150.03 are missing, not the
    150.02 of the plain differences."""
    plain = {"vol": [0.0], "concentrated": False, "contingency_rate": 0.0}
    old, new = (sg.house(spot=[-move, move], **plain) for move in (0.15, 0.05))
    accounts = [
        {"account": f"A{place}", "cash": cash - 1000.0} for place, cash in enumerate((99.996, 99.994, 99.99))
    ]
    held = book([(row["account"], "X", 10) for row in accounts], accounts)
    found = sg.impact(held, MARKET, old, new)
    firm = sg.compare(held, MARKET, {"old": old, "new": new}).firm.set_index("side")
    assert found.totals["sum_deficit_before"] == pytest.approx(150.03, abs=1e-9)
    for side, when in (("old", "before"), ("new", "after")):
        assert found.totals[f"sum_deficit_{when}"] == pytest.approx(firm.loc[side, "sum_deficit"], abs=1e-9)
        assert (found.accounts[f"deficit_{when}"] > 0.0).sum() == firm.loc[side, "deficits"]


@pytest.mark.parametrize("accounts", [[], [{"account": "A", "cash": 1.0}]])
def test_a_book_without_positions_asks_for_nothing(accounts: list[dict[str, object]]) -> None:
    found = sg.compare(book([], accounts), MARKET, ["tims", "house-rules", "span", "regt"])
    assert len(found.accounts) == len(accounts)
    assert (found.firm["requirement"] == 0.0).all()
