"""The engine against plain loops, against itself under every way of running it, and its memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import plain_margin as plain
import pytest
from books import AS_OF, book, expiry, market, option, requirement, stock
from every_backend import MAKERS

import shockgrid as sg
from shockgrid.backends import Backend, NumpyBackend

#: Sums of a few dozen P&L of up to 1e6 in another order.
ROUNDING = 1e-6
#: Amounts relative to the requirement, against the plain loops.
RELATIVE = 1e-9

SPOT, VOL = [-0.2, -0.1, 0.0, 0.1, 0.2], [-0.3, 0.0, 0.3]
HOUSE = sg.house(spot=SPOT, vol=VOL)
BARE = {"spot": SPOT, "vol": VOL, "contingency_rate": 0.0, "concentrated": False}


def without_minimum(regime: sg.Regime) -> sg.Regime:
    return replace(regime, tree=replace(regime.tree, minimum_per_unit=0.0))


def shared_gains(pnl: np.ndarray, node: object) -> np.ndarray:
    """A transform that looks at how many siblings there are."""
    return np.minimum(pnl, 0.0) + np.maximum(pnl, 0.0) / node.siblings[:, None]  # type: ignore[attr-defined]


def halved_gains(pnl: np.ndarray, node: object) -> np.ndarray:
    """A transform that is not linear and looks at nothing but the row."""
    return np.minimum(pnl, 0.0) + 0.5 * np.maximum(pnl, 0.0)


BOTH = {"class_group": sg.requirement.offset_gains, "product_group": sg.requirement.offset_gains}
#: Regimes whose requirement is the scan alone.
SCANS = {
    "tims": without_minimum(sg.tims()),
    "house": sg.house(**BARE),
    "house joint": sg.house(**BARE, joint=True),
    "by product": sg.Regime(
        "by product",
        sg.ScenarioSet.grid(SPOT, VOL),
        sg.requirement.Tree("product_group", {"class_group": shared_gains}),
    ),
    "joint, damped at the top": sg.Regime(
        "damped",
        sg.ScenarioSet.grid(SPOT, VOL),
        sg.requirement.Tree("margin_group", BOTH | {"portfolio_group": halved_gains}),
    ),
}
scans = pytest.mark.parametrize("regime", SCANS.values(), ids=SCANS.keys())
REGIMES = {"tims": sg.tims(), "house": HOUSE, "house joint": sg.house(spot=SPOT, vol=VOL, joint=True)}
regimes = pytest.mark.parametrize("regime", REGIMES.values(), ids=REGIMES.keys())


@pytest.mark.parametrize("seed", range(4))
def test_both_regimes_against_plain_loops(seed: int) -> None:
    held = plain.holdings(seed)
    exchange = sg.margin(*plain.laid_out(held), sg.tims())
    house = sg.margin(*plain.laid_out(held), HOUSE)
    grid = [(spot, vol) for spot in SPOT for vol in VOL]
    for group in sorted({plain.MARGIN_GROUPS[account] for account, _, _ in held}):
        rows = plain.of_group(held, group)
        expected = plain.tims_figures(rows)
        assert requirement(exchange, group) == pytest.approx(expected["requirement"], rel=RELATIVE)
        lines = exchange.accounts.set_index("margin_group").loc[group]
        scan = lines["stand_alone_sum"] + lines["hedge_benefit"] + lines["offset_benefit"]
        assert scan == pytest.approx(expected["scan"], rel=RELATIVE, abs=ROUNDING)
        by_hand = plain.house_figures(rows, grid)
        for column in ("requirement", "concentration", "contingency"):
            assert requirement(house, group, column) == pytest.approx(
                by_hand[column], rel=RELATIVE, abs=ROUNDING
            )


def as_bytes(result: sg.MarginResult) -> dict[str, object]:
    """Every column of the three frames, bit for bit."""
    columns: dict[str, object] = {}
    for table in ("accounts", "groups", "positions"):
        for name, column in getattr(result, table).items():
            values = column.to_numpy()
            text = values.dtype == object or column.dtype.kind not in "biuf"
            columns[f"{table}.{name}"] = values.tolist() if text else (values.dtype.str, values.tobytes())
    return columns


@regimes
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_same_bytes_however_it_runs(regime: sg.Regime, make: Callable[..., Backend]) -> None:
    held, backend = plain.holdings(), make()
    expected = as_bytes(sg.margin(*plain.laid_out(held), regime, backend=backend))
    for threads in (1, 2):
        result = sg.margin(*plain.laid_out(held), regime, threads=threads, backend=backend)
        assert as_bytes(result) == expected
    with ThreadPoolExecutor(3) as pool:
        result = sg.margin(*plain.laid_out(held), regime, executor=pool, backend=backend)
    assert as_bytes(result) == expected
    for seed in (1, 2):
        assert as_bytes(sg.margin(*plain.laid_out(held, seed), regime, backend=backend)) == expected
    for tile, block in ((1, 1), (64, 40), (1000, 300)):
        cut = make(tile_elements=tile, block_elements=block)
        assert as_bytes(sg.margin(*plain.laid_out(held), regime, backend=cut)) == expected


@regimes
def test_a_part_of_the_book_has_the_bytes_of_the_whole(regime: sg.Regime) -> None:
    held, priced = plain.laid_out(plain.holdings())
    whole = sg.margin(held, priced, regime)
    for names in (["A"], ["B", "D"], ["C"]):
        part = sg.margin(held.select(names), priced, regime)
        kept = {
            table: frame[frame["margin_group"].isin(names)]
            for table, frame in (("accounts", whole.accounts), ("groups", whole.groups))
        }
        positions = whole.positions[whole.positions["margin_group"].isin(names)]
        for frame, own in (
            (kept["accounts"], part.accounts),
            (kept["groups"], part.groups),
            (positions, part.positions),
        ):
            pd.testing.assert_frame_equal(frame.reset_index(drop=True), own, check_exact=True)


@pytest.mark.parametrize("mode", ["relative", "absolute"])
def test_no_move_is_exactly_no_loss(mode: str) -> None:
    regime = sg.house(spot=[0.0], vol=[0.0], vol_mode=mode, term_power=0.5, concentrated=False)
    held = [("a1", symbol, 3.0 - 7.0 * (k % 2)) for k, symbol in enumerate(plain.INSTRUMENTS)]
    result = sg.margin(*plain.laid_out(held), regime)
    assert (result.scenarios("a1")["pnl"] == 0.0).all()
    assert (result.groups["scan"] == 0.0).all()
    assert (result.positions[["stand_alone_loss", "leave_one_out", "euler"]] == 0.0).all(axis=None)


def wide_name(count: int) -> tuple[sg.Book, sg.Market]:
    """So many series on one underlying, held once each by 50 accounts."""
    symbols = [f"S{k}" for k in range(count)]
    days = np.resize([7.0, 30.0, 90.0, 200.0], count)
    instruments = pd.DataFrame(
        {
            "symbol": symbols,
            "underlying": "XYZ",
            "type": "option",
            "right": np.resize(["C", "P", "P"], count),
            "strike": np.linspace(70.0, 130.0, count),
            "expiry_utc": [expiry(day) for day in days],
        }
    )
    priced = sg.Market.from_frames(
        instruments,
        pd.DataFrame([{"underlying": "XYZ", "spot": 100.0}]),
        pd.DataFrame({"symbol": symbols, "vol": 0.3}),
        pd.DataFrame([{"currency": "USD", "days": 365, "zero_rate_dec": 0.03}]),
        as_of=AS_OF.to_pydatetime(),
    )
    names = np.resize(np.array([f"A{k}" for k in range(50)], object), count)
    positions = pd.DataFrame({"account": names, "symbol": symbols, "quantity": np.resize([1.0, -1.0], count)})
    return sg.Book.from_frames(positions, pd.DataFrame({"account": np.unique(names), "cash": 0.0})), priced


def peak(count: int, work: Callable[[sg.Book, sg.Market], object]) -> int:
    """Most bytes NumPy and Python held at once, beyond what was there before."""
    held, priced = wide_name(count)
    tracemalloc.start()
    try:
        work(held, priced)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_flat_while_the_series_grow_tenfold() -> None:
    """31 x 7 shocks, 4 of the concentration rule and 12 of the report are 233 doubles a series. What may grow
    is the columns: 60 doubles for the plan, the position frame and its sort.
    """
    backend = NumpyBackend(tile_elements=2**17)

    def everything(held: sg.Book, priced: sg.Market) -> pd.DataFrame:
        return sg.margin(held, priced, sg.house(), backend=backend).positions

    few, many = 2_000, 20_000
    everything(*wide_name(10))
    growth = peak(many, everything) - peak(few, everything)
    assert growth < 60 * 8 * (many - few)
    whole_matrix = 233 * 8 * many
    assert peak(many, lambda held, priced: sg.margin(held, priced, sg.house())) < whole_matrix


@scans
@pytest.mark.parametrize("seed", [5, 26])
def test_leave_one_out_against_leaving_one_out(regime: sg.Regime, seed: int) -> None:
    """Every position dropped in turn; some are the last of their class, product or portfolio group."""
    held = plain.holdings(seed)
    whole, priced = plain.laid_out(held)
    result = sg.margin(whole, priced, regime)
    claimed = result.positions.set_index(["account", "symbol"])["leave_one_out"]
    for k, (account, symbol, _) in enumerate(held):
        group = plain.MARGIN_GROUPS[account]
        rest = sg.margin(plain.held_by(held[:k] + held[k + 1 :]), priced, regime)
        fall = requirement(result, group) - requirement(rest, group)
        assert claimed[account, symbol] == pytest.approx(fall, abs=ROUNDING)


@scans
@pytest.mark.parametrize("seed", [5, 26])
def test_the_euler_split_adds_up_to_the_scan(regime: sg.Regime, seed: int) -> None:
    result = sg.margin(*plain.laid_out(plain.holdings(seed)), regime)
    accounts = result.accounts.set_index("margin_group")
    scan = accounts[["stand_alone_sum", "hedge_benefit", "offset_benefit"]].sum(axis=1)
    split = result.positions.groupby("margin_group")["euler"].sum().reindex(scan.index, fill_value=0.0)
    assert split.to_numpy() == pytest.approx(scan.to_numpy(), abs=ROUNDING)


def test_nothing_is_split_where_nothing_is_lost() -> None:
    """A long straddle at 5 % vol gains at every one of the ten points: its scan is 0, its minimum is not."""
    rows = [stock("XYZ"), option("C", "XYZ", "C", 100.0, 5), option("P", "XYZ", "P", 100.0, 5)]
    quotes = [{"symbol": "C", "vol": 0.05}, {"symbol": "P", "vol": 0.05}]
    result = sg.margin(book([("A", "C", 1), ("A", "P", 1)]), market(rows, {"XYZ": 100.0}, quotes), sg.tims())
    assert requirement(result) == requirement(result, column="minimum") == 75.0
    assert (result.positions["euler"] == 0.0).all()
    assert (result.positions["leave_one_out"] < 0.0).all()
