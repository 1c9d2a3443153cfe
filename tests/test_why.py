"""Why: steps that add up, each by hand where a hand can follow, the last one being the last run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, option, stock
from desk_world import REGIMES, apply, held, priced
from typer.testing import CliRunner

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.cli import app
from shockgrid.desk.why import FIGURES, STEPS, Moment, why, why_all
from shockgrid.io.templates import write_templates

BACKEND = NumpyBackend()
CENT = 0.005
HELD = [("A", "X", 100.0), ("A", "XC", -1.0)]


def moment(
    spot: float = 100.0,
    vol: float = 0.3,
    days: float = 0.0,
    holdings: Any = HELD,
    cash: float = 0.0,
    regime: Any = None,
    **more: Any,
) -> Moment:
    """Long 100 shares, short a call that has 30 days to live ``days`` ago."""
    listed = [stock("X"), option("XC", "X", "C", 100.0, 30.0 - days, **more)]
    priced_then = market(listed, {"X": spot}, [{"symbol": "XC", "vol": vol}])
    later = (AS_OF + pd.Timedelta(days=days)).to_pydatetime()
    return Moment(
        book(holdings, [{"account": "A", "cash": cash}]),
        replace(priced_then, as_of=later),
        sg.tims() if regime is None else regime,
    )


def changes(first: Moment, last: Moment) -> pd.DataFrame:
    told = why(first, last, "A", backend=BACKEND)
    final = sg.margin(*last, backend=BACKEND).accounts.set_index("margin_group").loc["A"]
    for name in FIGURES:
        assert told[name].iloc[-1] == final[name], "the last step is the last run, to the last bit"
        total = told[f"{name}_change"].sum()
        assert total == pytest.approx(told[name].iloc[-1] - told[name].iloc[0], abs=CENT / 100)
    assert told["step"].tolist() == ["first run", *STEPS]
    return told.set_index("step").drop(index="first run")


@pytest.mark.parametrize(
    ("last", "step"),
    [
        (moment(spot=104.0), "price"),
        (moment(vol=0.4), "vol"),
        (moment(days=7.0), "time"),
        (moment(holdings=[("A", "X", 100.0)], cash=350.0), "trades"),
        (moment(regime=sg.house(spot=[-0.2, 0.0, 0.2], vol=[0.0], concentrated=False)), "parameters"),
        (moment(style="bermudan"), "rejects"),
    ],
)
def test_one_cause_is_one_step(last: Moment, step: str) -> None:
    told = changes(moment(), last)
    others = told.drop(index=step)[[f"{name}_change" for name in FIGURES]].to_numpy()
    np.testing.assert_allclose(others, 0.0, atol=1e-9)
    assert told.loc[step, "requirement_change"] != 0.0


def test_a_share_by_hand() -> None:
    """100 shares: 4 dollars are 400 of equity and 15 % of that of requirement; 50 more, paid, are 780."""
    first, last = moment(holdings=HELD[:1]), moment(spot=104.0, holdings=[("A", "X", 150.0)], cash=-5_200.0)
    told = changes(first, last)
    assert told.loc["price", ["requirement_change", "equity_at_marks_change"]].tolist() == pytest.approx(
        [60.0, 400.0], abs=CENT
    )
    assert told.loc["trades", ["requirement_change", "equity_at_marks_change"]].tolist() == pytest.approx(
        [0.15 * 104.0 * 50.0, 0.0], abs=CENT
    )


@pytest.mark.parametrize("regime", [REGIMES["joint"], REGIMES["policy"]], ids=["joint", "policy"])
def test_whatever_happened_it_adds_up(regime: Any) -> None:
    desk = sg.Desk(held(), priced(), regime, backend=BACKEND)
    first = Moment(desk.book, desk.market, regime)
    for update in (
        ("tick", {"underlying": "X", "spot": 103.0}),
        ("tick", {"symbol": "YC90_3.0", "vol": 0.5}),
        ("trade", {"account": "A1", "symbol": "XP110_45.0", "quantity": -4.0, "price": 11.0}),
        ("roll", pd.Timedelta(days=4)),
    ):
        apply(desk, update)
    final = desk.accounts.set_index("margin_group")
    for account in ("A1", "C"):
        told = why(first, Moment(desk.book, desk.market, regime), account, backend=BACKEND)
        group = desk.book.accounts.set_index("account").loc[account, "margin_group"]
        assert told["requirement"].iloc[-1] == final.loc[group, "requirement"]


def test_everybody_at_once_is_each_alone() -> None:
    """Margin groups of both books, the largest change first, each step that of ``why`` to the last bit."""
    regime = REGIMES["policy"]
    desk = sg.Desk(held(), priced(), regime, backend=BACKEND)
    first = Moment(desk.book, desk.market, regime)
    apply(desk, ("tick", {"underlying": "X", "spot": 103.0}))
    apply(desk, ("trade", {"account": "A1", "symbol": "XP110_45.0", "quantity": -4.0, "price": 11.0}))
    last = Moment(desk.book, desk.market, regime)
    told = why_all(first, last, backend=BACKEND)
    assert told["excess_change"].abs().is_monotonic_decreasing
    assert sorted(told["margin_group"]) == sorted(desk.accounts["margin_group"])
    owners = desk.book.accounts.drop_duplicates("margin_group").set_index("margin_group")["account"]
    for row in told.to_dict("records"):
        alone = why(first, last, owners[row["margin_group"]], backend=BACKEND).set_index("step")
        for step in STEPS:
            assert row[step] == alone.loc[step, "excess_change"], step
        assert row["excess_after"] == alone["excess"].iloc[-1]
    some = Moment(desk.book.select(["M1"]), desk.market, regime)
    assert why_all(first, some, backend=BACKEND)["margin_group"].tolist() == ["M1"]
    with pytest.raises(sg.InputError, match="no margin group in common"):
        why_all(Moment(desk.book.select(["C"]), desk.market, regime), some, backend=BACKEND)


def test_the_command(tmp_path: Path) -> None:
    write_templates(tmp_path, example=True)
    runner, folders = CliRunner(), [tmp_path / "run_a", tmp_path / "run_b"]
    places = ["--market", str(tmp_path / "market"), "--book", str(tmp_path / "book")]
    for folder, regime in zip(folders, ("tims", "house"), strict=True):
        ran = runner.invoke(app, ["run", *places, "--regime", regime, "--out", str(folder)])
        assert ran.exit_code in (0, 3), ran.output
    account = str(pd.read_parquet(folders[0] / "accounts.parquet")["margin_group"].iloc[0])
    told = runner.invoke(app, ["why", str(folders[0]), str(folders[1]), account])
    assert told.exit_code == 0, told.output
    for word in ("price", "parameters", "another order splits"):
        assert word in told.output
    everybody = runner.invoke(app, ["why", str(folders[0]), str(folders[1])])
    assert everybody.exit_code == 0, everybody.output
    assert account in everybody.output
    assert "changed" in everybody.output
    refused = runner.invoke(app, ["why", str(folders[0]), str(folders[1]), "nobody"])
    assert refused.exit_code == 2
    assert "no such account" in refused.output
    manifest = folders[0] / "manifest.json"
    ran_by = json.loads(manifest.read_text())["backend"]
    manifest.write_text(manifest.read_text().replace(f'"backend": "{ran_by}"', '"backend": "other"'))
    refused = runner.invoke(app, ["why", str(folders[0]), str(folders[1]), account])
    assert refused.exit_code == 2
    assert "was computed by other" in refused.output


def test_a_coin_is_paid_at_its_spot() -> None:
    """A tenth of a coin of cash gains a tenth of what the coin does, at the step of the price."""
    desk = sg.Desk(held(), priced(), sg.tims(), backend=BACKEND)
    own = pd.DataFrame([{"account": "C", "cash": 0.1, "currency": "BTC", "margin_group": "M"}])
    other = pd.DataFrame([{"account": "D", "cash": 0.0, "currency": "USD", "margin_group": "M"}])
    none = pd.DataFrame({"account": ["C"], "symbol": ["X"], "quantity": [0.0]})
    cash = sg.Book.from_frames(none, pd.concat([own, other], ignore_index=True))
    first = Moment(cash, desk.market, sg.tims())
    desk.tick(pd.DataFrame([{"underlying": "BTC", "spot": 66_000.0}]))
    told = why(first, Moment(cash, desk.market, sg.tims()), "C", backend=BACKEND).set_index("step")
    assert told["equity_at_marks_change"].drop("price").tolist() == pytest.approx([0.0] * 6)
    assert told.loc["price", "equity_at_marks_change"] == pytest.approx(500.0)
