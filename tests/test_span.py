"""SPAN: published risk arrays and requirements, charges and credits by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from books import book, requirement
from span_world import MULTIPLIER, SPOT, commodity, file, spread, world

import shockgrid as sg

#: Sums of the same numbers in another order.
ROUNDING = 1e-6
STATES = [
    f"{move} {vol}"
    for move in ("unch", "+1/3", "-1/3", "+2/3", "-2/3", "+3/3", "-3/3")
    for vol in ("volup", "voldn")
] + ["extreme up", "extreme down"]
FUTURE, CALL = "SPZ", "SPZ C410"


def rows_of(shared: Path) -> list[dict[str, Any]]:
    return pd.read_csv(shared / "oracles" / "span.csv", comment="#", dtype=str).to_dict("records")


def call_array(rows: list[dict[str, Any]]) -> list[float]:
    (text,) = {row["inputs"] for row in rows if row["inputs"].startswith("call array")}
    return [float(value) for value in text.removeprefix("call array ").split(";")]


def published(pnl: list[float], delta: float = 0.5) -> pd.DataFrame:
    losses = {f"loss_{place}": -value for place, value in enumerate(pnl, 1)}
    return pd.DataFrame([{"symbol": CALL, **losses, "composite_delta": delta}])


HOLDINGS = {
    "long 1 future": {FUTURE: 1},
    "long 1 Dec 410 call": {CALL: 1},
    "short 1 Dec 410 call": {CALL: -1},
    "covered write": {FUTURE: 1, CALL: -1},
    "ratio write": {FUTURE: 3, CALL: -5},
}


def test_every_published_row(shared: Path, tmp_path: Path) -> None:
    rows, missed = rows_of(shared), {}
    regime = sg.regimes.span(file(tmp_path), arrays=published(call_array(rows)))
    results = {
        name: sg.margin(book([("A", *item) for item in held.items()]), world(), regime)
        for name, held in HOLDINGS.items()
    }
    for row in rows:
        array = re.match(r"risk array (.*) P/L long", row["metric"])
        if array:
            held = "long 1 future" if "future" in row["case"] else "long 1 Dec 410 call"
            got = results[held].scenarios("A")["pnl"].iloc[STATES.index(array[1])]
        else:
            name = re.sub(r" (\(|=).*", "", row["metric"]).removeprefix("SPAN ")
            got = requirement(results[name])
        if not abs(got - float(row["expected"])) <= float(row["tol"]):
            missed[row["id"]] = (row["metric"], got, row["expected"])
    assert not missed


def test_arrays_of_a_model_hold_one_day_of_decay(tmp_path: Path) -> None:
    """Unchanged price, vols up: the call at 24 days and 1.25 x its vol, less its value today."""
    result = sg.margin(book([("A", CALL, 1)]), world(), sg.regimes.span(file(tmp_path)))
    terms = {"forwards": SPOT, "strikes": 410.0, "discount_factors": 1.0, "is_call": True}
    after = sg.price_european(**terms, expiries=24 / 365, vols=0.15 * 1.25)
    today = sg.price_european(**terms, expiries=25 / 365, vols=0.15)
    assert result.scenarios("A")["pnl"].iloc[0] == pytest.approx(
        MULTIPLIER * float(after - today), abs=ROUNDING
    )


def test_composite_delta_is_weighted_over_the_price_points(tmp_path: Path) -> None:
    """One call against futures of the next month: as many spreads as the call's composite delta."""
    tiers = [{"name": "near", "from_days": 0.0}, {"name": "far", "from_days": 60.0}]
    own = commodity(tiers=tiers, spreads=[spread(1000.0, ("near", 1.0, "A"), ("far", 1.0, "B"))])
    held = book([("A", CALL, 1), ("A", "SPH", -1)])
    result = sg.margin(held, world(), sg.regimes.span(file(tmp_path, commodities={"SP": own})))
    bump, delta = 1e-4, 0.0
    for share, weight in zip(
        (0, 1, -1, 2, -2, 3, -3), (0.27, 0.217, 0.217, 0.111, 0.111, 0.037, 0.037), strict=True
    ):
        up, down = (
            sg.price_european(
                forwards=SPOT + share * 20 / 3 + side, strikes=410.0, expiries=24 / 365, vols=0.15,
                discount_factors=1.0, is_call=True,
            )
            for side in (bump, -bump)
        )  # fmt: skip
        delta += weight * float(up - down) / (2 * bump)
    assert 0.3 < delta < 0.7
    assert requirement(result, column="intra_commodity") == pytest.approx(1000.0 * delta, abs=1e-3)


def test_intra_commodity_charge_by_hand(tmp_path: Path) -> None:
    """3 long of one month, 5 short of the next: 3 spreads at 400, and a scan on 2."""
    tiers = [{"name": "near", "from_days": 0.0}, {"name": "far", "from_days": 60.0}]
    own = commodity(tiers=tiers, spreads=[spread(400.0, ("near", 1.0, "A"), ("far", 1.0, "B"))])
    result = sg.margin(
        book([("A", "SPZ", 3), ("A", "SPH", -5)]),
        world(),
        sg.regimes.span(file(tmp_path, commodities={"SP": own})),
    )
    assert requirement(result, column="intra_commodity") == pytest.approx(1200.0, abs=ROUNDING)
    assert requirement(result) == pytest.approx(2 * 10_000.0 + 1200.0, abs=ROUNDING)


def test_inter_commodity_credit_by_hand(tmp_path: Path) -> None:
    """4 SP against 3 ND, 2 for 1 at 60 %: 2 spreads; each future risks its own scan range."""
    both = {"SP": commodity(), "ND": commodity(price_range=30.0)}
    inter = [spread(0.6, ("SP", 2.0, "A"), ("ND", 1.0, "B"))]
    path = file(tmp_path, commodities=both, inter_spreads=inter)
    result = sg.margin(book([("A", "SPZ", 4), ("A", "ND", -3)]), world(), sg.regimes.span(path))
    credit = 0.6 * (2 * 2 * 10_000.0 + 2 * 1 * 15_000.0)
    assert requirement(result, column="inter_commodity") == pytest.approx(-credit, abs=ROUNDING)
    assert requirement(result) == pytest.approx(4 * 10_000.0 + 3 * 15_000.0 - credit, abs=ROUNDING)
    same_side = sg.margin(book([("A", "SPZ", 4), ("A", "ND", 3)]), world(), sg.regimes.span(path))
    assert requirement(same_side, column="inter_commodity") == 0.0


@pytest.mark.parametrize(("method", "contracts"), [("gross", 30), ("max", 20)])
def test_short_option_minimum(tmp_path: Path, method: str, contracts: int) -> None:
    """Longs of other strikes cover the scan in full; what is left is a charge per short contract."""
    own = commodity(short_option_minimum=8_000.0, short_option_method=method)
    held = book([("A", CALL, -20), ("A", "SPZ P400", -10), ("A", "SPZ", 10)])
    result = sg.margin(held, world(), sg.regimes.span(file(tmp_path, commodities={"SP": own})))
    assert requirement(result, column="short_option_minimum") > 0.0
    assert requirement(result) == pytest.approx(8_000.0 * contracts, abs=ROUNDING)


def test_net_option_value_is_a_memo_and_counts_in_equity(tmp_path: Path) -> None:
    path = file(tmp_path, initial_factor={"value": 1.1, "source": "this test", "confidence": "unconfirmed"})
    result = sg.margin(book([("A", CALL, -2)]), world(), sg.regimes.span(path))
    rows = result.explain("A").set_index(["level", "name"])["amount"]
    value = rows[("memo", "net_option_value")]
    row = result.accounts.iloc[0]
    assert value < 0.0
    assert row["equity_at_model"] == pytest.approx(value, abs=ROUNDING)
    assert row["initial_requirement"] == pytest.approx(1.1 * row["requirement"], abs=ROUNDING)
    assert np.isclose(rows.xs("line", level=0).sum(), row["requirement"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"vol_mode": "loud"}, "vol_mode"),
        ({"commodities": {"SP": commodity(price_range=-1.0)}}, "commodities.SP.price_range"),
        ({"inter_spreads": [spread(0.5, ("SP", 1.0, "A"), ("XX", 1.0, "B"))]}, "no commodity named XX"),
        ({"inter_spreads": [spread(0.5, ("SP", 1.0, "A"), ("SP", 1.0, "A"))]}, "both sides"),
    ],
)
def test_a_wrong_file_is_refused_by_path(tmp_path: Path, change: dict[str, Any], named: str) -> None:
    with pytest.raises(sg.errors.ParameterError, match=named):
        sg.regimes.span(file(tmp_path, **change))


def test_a_wrong_array_is_refused(tmp_path: Path) -> None:
    arrays = published([0.0] * 15 + [float("nan")])
    with pytest.raises(sg.InputError, match="loss_16"):
        sg.regimes.span(file(tmp_path), arrays=arrays)
