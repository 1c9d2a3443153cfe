"""Whatever happens, the desk's figures are those of a full calculation under every other regime too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from books import book
from desk_world import apply
from firm import changed
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from span_world import every_charge
from test_regime_properties import LEGS, arrays, past
from test_regime_properties import MARKET as SHARES
from test_venue_properties import MAKERS

import shockgrid as sg
from shockgrid.regimes import load_regime

WATCHED = ["margin_group", "requirement", "equity_at_marks", "equity_at_model", "excess", "reliability"]
OWNERS = [
    {"account": name, "cash": 9e4, "margin_group": group} for name, group in zip("ABC", "MMN", strict=True)
]
SHARE_NAMES = [row["symbol"] for row in LEGS]


def every_array() -> sg.Regime:
    """Arrays for all that is held, and for a symbol that nobody knows."""
    rows = [
        {"symbol": name, **{f"pnl_{point}": 3.0 * place * (5.5 - point) ** 2 for point in range(1, 11)}}
        for place, name in enumerate([*SHARE_NAMES, "NOBODY"])
    ]
    return sg.regimes.imported(pd.DataFrame(rows))


WORLDS: dict[str, tuple[sg.Market, list[str], Any]] = {
    **MAKERS,
    "span": (*MAKERS["span"][:2], every_charge),
    "span as shipped": (SHARES, SHARE_NAMES[:2] + SHARE_NAMES[3:], sg.regimes.span),
    "imported, one name": (SHARES, SHARE_NAMES, arrays),
    "imported, all names": (SHARES, SHARE_NAMES, every_array),
    "historical": (SHARES, SHARE_NAMES, past),
    "house-rules": (SHARES, SHARE_NAMES, lambda: load_regime("house-rules")),
}
few = settings(max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("span")


def updates(market: sg.Market, symbols: list[str]) -> st.SearchStrategy[tuple[str, Any]]:
    """Spots, vols, marks, fills, deposits and hours for the names of a market."""
    table = market.instruments
    spots = dict(zip(market.underlyings.names.tolist(), market.underlyings.spots.tolist(), strict=True))
    options = table.symbols[table.is_option].tolist()
    owners, factors = st.sampled_from("ABC"), st.floats(0.9, 1.1)
    return st.one_of(
        st.builds(
            lambda name, factor: ("tick", {"underlying": name, "spot": factor * spots[name]}),
            st.sampled_from(sorted(spots)), factors,
        ),
        st.builds(
            lambda name, factor: ("tick", {"symbol": name, "vol": 0.4 * factor}),
            st.sampled_from(options), factors,
        ),
        st.builds(
            lambda name, mark: ("tick", {"symbol": name, "mark": mark}),
            st.sampled_from(options), st.floats(0.01, 9.0),
        ),
        st.builds(
            lambda owner, name, size: (
                "trade", {"account": owner, "symbol": name, "quantity": size, "price": 1.0}
            ),
            owners, st.sampled_from(symbols), st.integers(-9, 9).map(float),
        ),
        st.builds(lambda owner, cash: ("deposit", (owner, cash)), owners, st.floats(-1e5, 1e5)),
        st.just(("roll", pd.Timedelta(hours=7))),
    )  # fmt: skip


@pytest.mark.parametrize("world", WORLDS)
@few
@given(data=st.data())
def test_after_any_updates_it_is_a_full_calculation(world: str, folder: Path, data: st.DataObject) -> None:
    market, symbols, maker = WORLDS[world]
    regime = maker(folder) if maker is every_charge else maker()
    held = book(
        [(owner, name, 2.0 - 3.0 * place) for place, owner in enumerate("ABC") for name in symbols], OWNERS
    )
    desk = sg.Desk(held, market, regime)
    before = desk.accounts
    for update in data.draw(st.lists(updates(market, symbols), min_size=1, max_size=6)):
        told, after = apply(desk, update), desk.accounts
        assert set(told["margin_group"]) == changed(before[WATCHED], after[WATCHED])
        before = after
    expected = sg.margin(desk.book, desk.market, regime, backend=desk.backend)
    pd.testing.assert_frame_equal(before, expected.accounts, check_exact=True)
    pd.testing.assert_frame_equal(desk.result().groups, expected.groups, check_exact=True)
