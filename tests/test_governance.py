"""Parameters in force by date and approval, overrides in every explanation, and who may change what."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, stock

import shockgrid as sg
from shockgrid.regimes.governance import in_force, read_overrides
from shockgrid.requirement.overrides import Overrides, overridden

EXACT = 1e-9  #: the same sums in another order
SHIPPED = (resources.files("shockgrid.regimes") / "parameters" / "house-2026-11-20.toml").read_text()
EXCHANGE = (resources.files("shockgrid.regimes") / "parameters" / "tims-2026-06-04.toml").read_text()
MARKET = market([stock("X")], {"X": 100.0})
PLAIN = sg.house(spot=[-0.2, 0.2], vol=[0.0], concentrated=False, contingency_rate=0.0)
ROWS = [("A", "X", 10), ("B", "X", -10), ("C", "X", 10)]
ACCOUNTS = [
    {"account": "A", "cash": 0.0, "program": "pm", "client": "Smith", "margin_group": "M"},
    {"account": "B", "cash": 0.0, "program": "pm", "client": "Smith", "margin_group": "B"},
    {"account": "C", "cash": 0.0, "program": "mm", "client": "Jones", "margin_group": "C"},
]
BOOK = book(ROWS, ACCOUNTS)
BASE = 0.2 * 10 * 100.0  #: of every account, by hand


def row(
    scope: str, parameter: str, value: float, start: str = "2026-11-01", until: str = ""
) -> dict[str, Any]:
    who = {"who": "J. Doe", "why": "earnings on the 25th"}
    return {"scope": scope, "parameter": parameter, "value": value, "from": start, "until": until, **who}


def margined(*rows: dict[str, Any]) -> sg.MarginResult:
    return sg.margin(BOOK, MARKET, overridden(PLAIN, Overrides.from_frame(pd.DataFrame(list(rows)))))


def requirements(result: sg.MarginResult) -> dict[str, float]:
    return result.accounts.set_index("margin_group")["requirement"].to_dict()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("account:A", "requirement_factor", 1.5)], {"M": 1.5 * BASE, "B": BASE, "C": BASE}),
        ([row("program:pm", "requirement_addition", 70.0)], {"M": BASE + 70, "B": BASE + 70, "C": BASE}),
        ([row("margin_group:C", "requirement_floor", 500.0)], {"M": BASE, "B": BASE, "C": 500.0}),
        (
            [row("firm", "requirement_factor", 2.0), row("client:Jones", "requirement_factor", 3.0)],
            {"M": 2 * BASE, "B": 2 * BASE, "C": 6 * BASE},
        ),
        (
            [row("firm", "requirement_floor", 10.0), row("firm", "requirement_floor", 300.0)],
            {"M": 300.0, "B": 300.0, "C": 300.0},
        ),
    ],
)
def test_an_override_does_what_it_says(rows: list[dict[str, Any]], expected: dict[str, float]) -> None:
    assert requirements(margined(*rows)) == pytest.approx(expected)


def test_it_holds_from_its_first_to_its_last_day() -> None:
    before, day, after = (f"{AS_OF + pd.Timedelta(days=step):%Y-%m-%d}" for step in (-1, 0, 1))
    for start, until, applies in (
        (day, day, True),
        (day, "", True),
        (after, "", False),
        ("2026-01-01", before, False),
    ):
        found = requirements(margined(row("firm", "requirement_factor", 2.0, start, until)))
        assert found["B"] == pytest.approx(2 * BASE if applies else BASE), (start, until)


def test_every_explanation_shows_what_applies_and_who_said_so() -> None:
    result = margined(
        row("client:Smith", "requirement_factor", 1.25, until="2026-12-31"),
        row("account:C", "requirement_addition", 40.0),
    )
    for name, parameter, value in (("A", "requirement_factor", 1.25), ("C", "requirement_addition", 40.0)):
        explained = result.explain(name)
        shown = explained[explained["level"] == "override"]
        assert shown[["name", "amount"]].to_numpy().tolist() == [[parameter, value]]
        assert "J. Doe: earnings on the 25th" in shown["words"].iloc[0]
        lines = explained.loc[explained["level"] == "line", "amount"].sum()
        assert lines == pytest.approx(requirements(result)[result.margin_group_of(name)], abs=EXACT)
    assert "until 2026-12-31" in result.explain("B").query("level == 'override'")["words"].iloc[0]
    plain = sg.margin(BOOK, MARKET, PLAIN).regimes["house"].fingerprint()
    assert result.regimes["house"].fingerprint() != plain


def test_a_table_without_rows_changes_nothing() -> None:
    header = ["scope", "parameter", "value", "from", "until", "who", "why"]
    none = Overrides.from_frame(pd.DataFrame(columns=header, dtype=object))
    assert requirements(sg.margin(BOOK, MARKET, overridden(PLAIN, none))) == pytest.approx(
        dict.fromkeys("BCM", BASE)
    )


def test_a_blank_program_is_the_default_one() -> None:
    rows = Overrides.from_frame(pd.DataFrame([row("program:default", "requirement_addition", 5.0)]))
    held = book([("A", "X", 10)])
    result = sg.margin(held, MARKET, overridden(PLAIN, rows))
    assert result.accounts["requirement"].iloc[0] == pytest.approx(BASE + 5.0)


def test_an_override_of_nobody_is_noted() -> None:
    result = margined(
        row("account:Z", "requirement_factor", 2.0), row("account:A", "requirement_factor", 2.0)
    )
    strays = [note for note in result.notes if "covers no account" in note]
    assert len(strays) == 1
    assert "account:Z" in strays[0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("scope", "desk:7"),
        ("scope", "account"),
        ("scope", "firm:X"),
        ("parameter", "rate"),
        ("who", ""),
        ("value", 0.0),
        ("value", -1.0),
        ("value", 1e6),
        ("from", "soon"),
        ("until", "2026-10-31"),
    ],
)
def test_a_bad_override_is_refused_by_line(column: str, value: object) -> None:
    good = row("firm", "requirement_factor", 1.1)
    frame = pd.DataFrame([good, {**good, column: value}]).astype(object)
    with pytest.raises(sg.InputError, match=f"line 3, column {column}"):
        Overrides.from_frame(frame)


def test_a_formula_of_its_own_takes_none() -> None:
    own = sg.Regime("own", sg.ScenarioSet.points([0.1]), formula=lambda figures: figures["scan"])
    with pytest.raises(sg.InputError, match="formula of its own"):
        overridden(own, Overrides.from_frame(pd.DataFrame([row("firm", "requirement_factor", 2.0)])))


def dated(folder: Path, name: str, effective: str, people: tuple[str, str], wide: float) -> Path:
    text = SHIPPED.replace("effective = 2026-11-20", f"effective = {effective}")
    text = text.replace("value = 0.30", f"value = {wide}")
    keys = ("proposed_by", "approved_by")
    named = [f'{key} = "{who}"' for key, who in zip(keys, people, strict=True) if who]
    path = folder / name
    path.write_text("\n".join(named) + "\n" + text)
    return path


def test_the_latest_approved_file_is_in_force(tmp_path: Path) -> None:
    old = dated(tmp_path, "a.toml", "2026-01-01", ("Ann", "Bob"), 0.31)
    new = dated(tmp_path, "b.toml", "2026-06-01", ("Ann", "Bob"), 0.32)
    dated(tmp_path, "c.toml", "2026-11-01", ("Ann", ""), 0.33)
    dated(tmp_path, "d.toml", "2027-01-01", ("Ann", "Bob"), 0.34)
    assert in_force(tmp_path, "house", AS_OF) == new
    assert in_force(tmp_path, "house", pd.Timestamp("2026-05-31T23:59Z")) == old
    with pytest.raises(sg.errors.ParameterError, match="no parameters of tims"):
        in_force(tmp_path, "tims", AS_OF)
    with pytest.raises(sg.errors.ParameterError, match=r"c.toml: not approved; d.toml: effective 2027-01-01"):
        in_force(tmp_path, "house", pd.Timestamp("2025-12-31T12:00Z"))
    dated(tmp_path, "e.toml", "2026-06-01", ("Ann", "Cid"), 0.35)
    with pytest.raises(sg.errors.ParameterError, match=r"b.toml and e.toml both take effect"):
        in_force(tmp_path, "house", AS_OF)


@pytest.mark.parametrize("people", [("Ann", " ann "), ("", "Bob")])
def test_nobody_approves_what_they_proposed(tmp_path: Path, people: tuple[str, str]) -> None:
    path = dated(tmp_path, "a.toml", "2026-01-01", people, 0.3)
    with pytest.raises(sg.errors.ParameterError, match="approved_by"):
        sg.house(parameters=path)
    with pytest.raises(sg.errors.ParameterError, match="not approved"):
        in_force(tmp_path, "house", AS_OF)


def test_a_policy_names_both(tmp_path: Path) -> None:
    (tmp_path / "numbers").mkdir()
    people = 'proposed_by = "Ann"\napproved_by = "Bob"\n'
    (tmp_path / "numbers" / "tims.toml").write_text(people + EXCHANGE)
    dated(tmp_path / "numbers", "a.toml", "2026-06-01", ("Ann", "Bob"), 0.45)
    pd.DataFrame([row("account:C", "requirement_addition", 40.0)]).to_csv(tmp_path / "o.csv", index=False)
    policy = tmp_path / "policy.toml"
    head = 'parameters = "numbers"\noverrides = "o.csv"\n'
    policy.write_text(head + '[programs.default]\nexchange = "tims"\nhouse = "house"\n')
    accounts = [{"account": name, "cash": 0.0} for name in "ABC"]
    read = sg.Policy.from_toml(policy, MARKET.as_of)
    result = sg.margin(book(ROWS, accounts), MARKET, read)
    # one name held: the concentration floor at +-45 % of 1,000, and no short option to charge
    assert result.accounts["house_requirement"].to_numpy() == pytest.approx([450.0, 450.0, 490.0])
    assert result.regimes["house"].parameters["defaults"]["approved_by"] == "Bob"
    with pytest.raises(sg.errors.ParameterError, match="as_of"):
        sg.Policy.from_toml(policy)
    policy.write_text(head + '[programs.default]\nexchange = "tims"\n')
    with pytest.raises(sg.errors.ParameterError, match="no house regime"):
        sg.Policy.from_toml(policy, MARKET.as_of)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(sg.errors.ParameterError, match=r"none\.csv"):
        read_overrides(tmp_path / "none.csv")
    with pytest.raises(sg.errors.ParameterError, match="no such folder"):
        in_force(tmp_path / "none", "house", AS_OF)


def test_every_floor_says_how_far_away_it_is() -> None:
    """House, one name: 20 % of 1,000 against a concentration floor of 30 %."""
    result = sg.margin(BOOK, MARKET, sg.house(vol=[0.0], contingency_rate=0.0))
    rules = result.rules.set_index("margin_group")
    assert rules["name"].unique().tolist() == ["concentration"]
    assert rules["value"].to_numpy() == pytest.approx([300.0] * 3)
    assert rules["limit"].to_numpy() == pytest.approx([BASE] * 3)
    assert rules["distance"].to_numpy() == pytest.approx([BASE - 300.0] * 3)
    assert not rules["passed"].any()
    shown = result.explain("A")
    assert np.isclose(shown.loc[shown["level"] == "rule", "distance"], BASE - 300.0).all()
