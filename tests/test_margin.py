"""margin(): policies, equity, currencies, what a result shows and what it refuses."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from books import book, expiry, market, option, requirement, stock

import shockgrid as sg

CENT = 0.005

PRICED = market(
    [stock("X"), stock("Y"), option("XC", "X", "C", 105.0, 60)],
    {"X": 100.0, "Y": 50.0},
    [{"symbol": "XC", "vol": 0.4, "mark": 4.0}],
)


def policy(**more: float) -> sg.Policy:
    return sg.Policy({"default": sg.Program(sg.tims(), sg.house(), **more)})


def test_a_policy_takes_the_greater_side_and_names_it() -> None:
    flat = {"spot": [-0.1], "vol": [0.0], "concentrated": False, "contingency_rate": 0.0}
    mild = sg.Policy({"default": sg.Program(sg.tims(), sg.house(**flat), minimum_equity=1000.0)})
    accounts = [{"account": "A", "cash": 0.0}, {"account": "B", "cash": 500.0}]
    result = sg.margin(book([("A", "X", 100), ("B", "Y", 0)], accounts), PRICED, mild)
    row = result.accounts.set_index("margin_group").loc["A"]
    assert row["exchange_requirement"] == pytest.approx(1500.0, abs=CENT)
    assert row["house_requirement"] == pytest.approx(1000.0, abs=CENT)
    assert (row["binding"], row["requirement"]) == ("exchange", row["exchange_requirement"])
    strict = sg.margin(book([("A", "X", 100)]), PRICED, policy())
    assert strict.accounts["binding"].iloc[0] == "house"
    assert requirement(strict) == pytest.approx(30 * 100.0, abs=CENT)  # concentration: 30 % of 10,000
    tie = result.accounts.set_index("margin_group").loc["B"]
    assert (tie["binding"], tie["requirement"]) == ("exchange", 0.0)
    assert bool(tie["below_minimum_equity"])
    assert not bool(row["below_minimum_equity"])


def test_each_program_has_its_own_regimes() -> None:
    accounts = [
        {"account": "A", "cash": 0.0, "program": "makers"},
        {"account": "B", "cash": 0.0, "program": ""},
    ]
    wide = sg.house(spot=[-0.4], vol=[0.0], concentrated=False)
    programs = {"default": sg.Program(sg.tims(), None), "makers": sg.Program(None, wide)}
    held = book([("A", "X", 100), ("B", "X", 100)], accounts)
    result = sg.margin(held, PRICED, sg.Policy(programs))
    assert requirement(result, "A") == pytest.approx(4000.0, abs=CENT)
    assert requirement(result, "B") == pytest.approx(1500.0, abs=CENT)
    missing = result.accounts.set_index("margin_group")
    assert np.isnan(missing.loc["A", "exchange_requirement"])
    assert np.isnan(missing.loc["B", "house_requirement"])
    assert set(result.regimes) == {"default.exchange", "makers.house"}
    assert list(result.groups["margin_group"]) == ["A", "B"]
    assert list(result.positions["margin_group"]) == ["A", "B"]
    assert len(result.scenarios("A")) == 1
    assert len(result.scenarios("B")) == 10


def test_a_policy_that_does_not_fit_the_book_is_refused() -> None:
    accounts = [
        {"account": "A", "cash": 0.0, "margin_group": "M", "program": "default"},
        {"account": "B", "cash": 0.0, "margin_group": "M", "program": "other"},
    ]
    held = book([("A", "X", 1)], accounts)
    result = sg.margin(held, PRICED, policy())
    assert result.rejects[["line", "key", "value", "code"]].to_numpy().tolist() == [
        [3, "B", "other", "E_PROGRAM"]
    ]
    assert result.accounts["reliability"].tolist() == ["PARTIAL"]
    with pytest.raises(sg.InputError, match="expected a program of the policy"):
        sg.margin(held, PRICED, sg.Policy({"third": sg.Program(sg.tims(), None)}))
    programs = {"default": sg.Program(sg.tims(), None), "other": sg.Program(None, sg.house())}
    mixed = sg.margin(held, PRICED, sg.Policy(programs))
    assert mixed.rejects["message"].tolist() == ["its margin group goes by the program of its first account"]
    assert mixed.accounts["binding"].tolist() == ["exchange"]
    assert mixed.accounts["reliability"].tolist() == ["PARTIAL"]
    with pytest.raises(sg.InputError, match="at least one program"):
        sg.margin(held, PRICED, sg.Policy({}))


def test_equity_at_marks_and_at_model() -> None:
    """Cash, stock at spot, options at their mark; 3 x 100 x (4 - model) between the two."""
    held = book([("A", "X", 100), ("A", "XC", -3)], [{"account": "A", "cash": 1000.0}])
    row = sg.margin(held, PRICED, sg.tims()).accounts.iloc[0]
    assert row["equity_at_marks"] == pytest.approx(1000 + 100 * 100 - 300 * 4.0, abs=CENT)
    discount = np.exp(-0.05 * 60 / 365)
    model = sg.price_european(
        forwards=100 / discount,
        strikes=105.0,
        expiries=60 / 365,
        vols=0.4,
        discount_factors=discount,
        is_call=True,
    )
    assert row["equity_at_model"] == pytest.approx(1000 + 100 * 100 - 300 * float(model), abs=CENT)
    assert row["excess"] == row["equity_at_marks"] - row["requirement"]


def test_equity_override_replaces_equity() -> None:
    accounts = [{"account": "A", "cash": 1.0, "equity_override": 777.0}]
    row = sg.margin(book([("A", "X", 5)], accounts), PRICED, sg.tims()).accounts.iloc[0]
    assert row["equity_at_marks"] == row["equity_at_model"] == 777.0


def test_futures_add_what_they_gained_since_the_trade() -> None:
    """Multiplier x quantity x (mark - price_paid); nothing without price_paid. Scan on the forward."""
    future = {
        "symbol": "XF",
        "underlying": "X",
        "type": "future",
        "expiry_utc": expiry(365),
        "multiplier": 50,
    }
    priced = market([future], {"X": 100.0}, [{"symbol": "XF", "mark": 106.0}])
    rows = pd.DataFrame(
        [("A", "XF", 2, 104.0), ("B", "XF", 2, None)],
        columns=["account", "symbol", "quantity", "price_paid"],
    )
    accounts = pd.DataFrame({"account": ["A", "B"], "cash": [0.0, 0.0]})
    result = sg.margin(sg.Book.from_frames(rows, accounts), priced, sg.tims())
    table = result.accounts.set_index("margin_group")
    assert table.loc["A", "equity_at_marks"] == pytest.approx(50 * 2 * 2.0)
    assert table.loc["B", "equity_at_marks"] == 0.0
    loss = 0.15 * 100 * np.exp(0.05) * 50 * 2
    assert table["requirement"].to_numpy() == pytest.approx([loss, loss])


def test_amounts_are_in_the_currency_of_the_margin_group() -> None:
    """100 shares at 100 USD lose 1,500 USD at -15 %: 1,250 EUR at 1.20."""
    priced = market([stock("X")], {"X": 100.0}, fx=pd.DataFrame([{"currency": "EUR", "rate": 1.2}]))
    accounts = [{"account": "A", "cash": 10.0, "currency": "EUR"}]
    result = sg.margin(book([("A", "X", 100)], accounts), priced, sg.tims())
    assert requirement(result) == pytest.approx(1250.0, abs=CENT)
    assert requirement(result, column="equity_at_marks") == pytest.approx(10 + 10000 / 1.2, abs=CENT)
    assert result.scenarios("A")["pnl"].min() == pytest.approx(-1250.0, abs=CENT)
    assert result.positions["euler"].iloc[0] == pytest.approx(1250.0, abs=CENT)


def test_the_tree_explains_the_requirement() -> None:
    result = sg.margin(book([("A", "X", 100), ("A", "XC", -3), ("A", "Y", 50)]), PRICED, policy())
    tree = result.explain("A")
    amount = tree.loc[tree["level"] == "requirement", "amount"].iloc[0]
    assert tree.loc[tree["level"] == "line", "amount"].sum() == pytest.approx(amount, abs=CENT)
    assert set(tree.loc[tree["level"] == "class_group", "name"]) == {"X", "Y"}
    with pytest.raises(sg.InputError, match="nobody"):
        result.explain("nobody")


def test_a_result_shows_itself() -> None:
    from rich.console import Console

    accounts = [{"account": "<script>", "cash": 0.0}]
    result = sg.margin(book([("<script>", "XC", -1)], accounts), PRICED, policy())
    assert "requirement" in repr(result)
    page = result._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    screen = io.StringIO()
    Console(file=screen, width=160).print(result)
    assert "Least excess" in screen.getvalue()
    assert result.backend == sg.get_backend("auto").name
    assert set(result.timings) >= {"plan", "assemble"}


def test_nothing_held_is_nothing_asked() -> None:
    empty = sg.margin(book([], [{"account": "A", "cash": 5.0}]), PRICED, policy())
    row = empty.accounts.iloc[0]
    assert (row["requirement"], row["excess"], row["worst_scenario"]) == (0.0, 5.0, -1)
    nobody = sg.margin(book([], []), PRICED, policy())
    assert len(nobody.accounts) == len(nobody.groups) == len(nobody.positions) == 0


def test_parameter_files_are_checked(tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "tims.toml"
    shipped = Path(sg.__file__).parent / "regimes" / "parameters" / "tims-2026-06-04.toml"
    text = shipped.read_text(encoding="utf-8")
    path.write_text(text.replace("down = 0.15", "down = 0.30", 2))
    wider = sg.margin(book([("A", "X", 100)]), PRICED, sg.tims(path))
    assert requirement(wider) == pytest.approx(3000.0, abs=CENT)
    assert sg.tims(path).fingerprint() != sg.tims().fingerprint() == sg.tims().fingerprint()
    for broken in (text.replace("0.375", "-1"), text.replace('confidence = "rule"', ""), "name ="):
        path.write_text(broken)
        with pytest.raises(sg.errors.ParameterError, match=r"tims\.toml"):
            sg.tims(path)
    with pytest.raises(sg.errors.ParameterError, match="absent"):
        sg.house(parameters="absent.toml")


def test_an_unlisted_name_joins_the_class_group_called_after_it() -> None:
    """SPY's row says class group SPX of product group US; SPX itself needs no row."""
    groups = pd.DataFrame([{"underlying": "SPY", "class_group": "SPX", "product_group": "US"}])
    priced = market([stock("SPY", "etf"), stock("SPX", "index")], {"SPY": 10.0, "SPX": 100.0}, groups=groups)
    names = priced.underlyings
    for column, expected in (("class_groups", "SPX"), ("product_groups", "US"), ("portfolio_groups", "US")):
        assert set(getattr(names, column)) == {expected}
    result = sg.margin(book([("A", "SPY", 100), ("A", "SPX", -10)]), priced, sg.tims())
    assert requirement(result) == pytest.approx(0.0, abs=CENT)
