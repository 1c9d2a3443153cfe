"""The tables of the synthetic firm: sizes, keys, series, dividends, quotes, and the equity drawn for it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shockgrid.errors import InputError
from shockgrid.io.synthetic import (
    SyntheticTables,
    draw_equity,
    synthetic_firm,
    synthetic_policy,
    synthetic_tables,
)
from shockgrid.requirement import margin

SEEDS = (1, 2, 3)
SIZE_TOLERANCE = 0.05  # the generator rounds per name and per account
MARK_DECIMALS = 1e-6  # marks carry six decimals


@pytest.fixture(scope="module")
def default_firm() -> SyntheticTables:
    return synthetic_tables()


@pytest.fixture(scope="module", params=SEEDS)
def firm(request: pytest.FixtureRequest) -> SyntheticTables:
    return synthetic_tables(accounts=300, seed=request.param)


def options_of(tables: SyntheticTables) -> pd.DataFrame:
    instruments = tables.market["instruments"]
    return instruments[instruments["type"] == "option"]


def close_to(value: int, target: int) -> bool:
    return abs(value - target) <= SIZE_TOLERANCE * target


def test_default_sizes(default_firm: SyntheticTables) -> None:
    assert len(default_firm.book["accounts"]) == 2000
    assert len(default_firm.market["underlyings"]) == 150
    assert close_to(len(options_of(default_firm)), 20_000)
    assert close_to(len(default_firm.book["positions"]), 200_000)


@pytest.mark.parametrize("seed", SEEDS)
def test_positions_scale_with_accounts(seed: int) -> None:
    tables = synthetic_tables(accounts=100, seed=seed)
    assert len(tables.book["accounts"]) == 100
    assert close_to(len(tables.book["positions"]), 10_000)


def test_small_firms_can_be_drawn() -> None:
    assert len(synthetic_tables(accounts=1).book["accounts"]) == 1
    assert len(synthetic_tables(accounts=5, underlyings=13).market["underlyings"]) == 13


@pytest.mark.parametrize("arguments", [{"accounts": 0}, {"underlyings": 12}, {"underlyings": 10_000}])
def test_impossible_sizes_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected"):
        synthetic_tables(**arguments)


def test_keys_are_unique(firm: SyntheticTables) -> None:
    keys = {
        "instruments": ["symbol"],
        "quotes": ["symbol"],
        "underlyings": ["underlying"],
        "dividends": ["underlying", "ex_date"],
        "groups": ["underlying"],
        "offsets": ["level", "group"],
        "curve": ["currency", "days"],
        "positions": ["account", "symbol"],
        "accounts": ["account"],
    }
    for name, columns in keys.items():
        table = firm.market[name] if name in firm.market else firm.book[name]
        assert not table.duplicated(columns).any(), name


def test_references_resolve(firm: SyntheticTables) -> None:
    symbols = firm.market["instruments"]["symbol"]
    assert set(firm.market["quotes"]["symbol"]) == set(symbols)
    assert firm.book["positions"]["symbol"].isin(symbols).all()
    assert firm.book["positions"]["account"].isin(firm.book["accounts"]["account"]).all()
    for name in ("instruments", "dividends", "groups"):
        assert firm.market[name]["underlying"].isin(firm.market["underlyings"]["underlying"]).all()


def test_symbols_say_what_the_columns_say(firm: SyntheticTables) -> None:
    options = options_of(firm)
    parts = options["symbol"].str.extract(r"^([A-Z]+)(\d{6})([CP])(\d{8})$")
    closes = pd.to_datetime(options["expiry_utc"]).dt.tz_convert("America/New_York")
    assert (parts[1] == closes.dt.strftime("%y%m%d")).all()
    assert (closes.dt.hour == 16).all()
    assert (parts[2] == options["right"]).all()
    assert (parts[3].astype(float) == options["strike"] * 1000).all()


def test_quantities_are_whole_and_not_zero(firm: SyntheticTables) -> None:
    quantities = firm.book["positions"]["quantity"]
    assert quantities.dtype == np.int64
    assert (quantities != 0).all()


def test_account_ids_are_text_with_leading_zeros(firm: SyntheticTables) -> None:
    assert firm.book["accounts"]["account"].str.fullmatch(r"0\d{5}").all()


def test_some_margin_groups_hold_two_accounts(firm: SyntheticTables) -> None:
    sizes = firm.book["accounts"].groupby("margin_group").size()
    assert set(sizes) == {1, 2}


def test_expiries_run_from_today_to_three_years(firm: SyntheticTables) -> None:
    as_of = pd.Timestamp(firm.as_of)
    expiries = pd.to_datetime(options_of(firm)["expiry_utc"])
    assert (expiries > as_of).all()
    assert expiries.min().tz_convert(as_of.tz).date() == as_of.date()
    assert pd.Timedelta(days=3 * 365 - 30) < expiries.max() - as_of <= pd.Timedelta(days=3 * 365 + 1)


def test_index_options_are_european_and_single_names_american(firm: SyntheticTables) -> None:
    types = firm.market["underlyings"].set_index("underlying")["portfolio_type"]
    options = options_of(firm)
    single = (options["underlying"].map(types) == "equity").to_numpy()
    assert (options["style"][single] == "american").all()
    assert set(options["underlying"][options["style"] == "european"]) == {"SPX", "NDX", "RUT"}


def test_forty_per_cent_of_single_names_pay_two_or_more_dividends(firm: SyntheticTables) -> None:
    names = firm.market["underlyings"]
    single = names.loc[names["portfolio_type"] == "equity", "underlying"]
    last = options_of(firm).groupby("underlying")["expiry_utc"].max().str[:10]
    dividends = firm.market["dividends"]
    inside = (dividends["ex_date"] > firm.as_of[:10]) & (
        dividends["ex_date"] <= dividends["underlying"].map(last)
    )
    counts = dividends[inside].groupby("underlying").size().reindex(single, fill_value=0)
    assert (counts >= 2).sum() == round(0.4 * len(single))
    two_years = pd.Timestamp(firm.as_of[:10]) + pd.DateOffset(years=2)
    assert (pd.to_datetime(dividends.groupby("underlying")["ex_date"].max()) > two_years).all()


def test_marks_lie_inside_the_quote_and_above_intrinsic(firm: SyntheticTables) -> None:
    rows = options_of(firm).merge(firm.market["quotes"], on="symbol")
    rows = rows.merge(firm.market["underlyings"][["underlying", "spot"]], on="underlying")
    assert (rows["bid"] <= rows["mark"]).all()
    assert (rows["mark"] <= rows["ask"]).all()
    sign = np.where(rows["right"] == "C", 1.0, -1.0)
    intrinsic = np.maximum(sign * (rows["spot"] - rows["strike"]), 0.0)
    american = rows["style"] == "american"
    assert (rows["mark"] >= intrinsic - MARK_DECIMALS)[american].all()


def test_european_marks_keep_put_call_parity_across_strikes(firm: SyntheticTables) -> None:
    """C - P = D (F - K): straight in the strike, with a slope of minus the discount factor."""
    rows = options_of(firm).merge(firm.market["quotes"], on="symbol")
    rows = rows[rows["style"] == "european"]
    pairs = rows.pivot_table(index=["underlying", "expiry_utc", "strike"], columns="right", values="mark")
    gaps = (pairs["C"] - pairs["P"]).reset_index(name="gap")
    slopes = gaps.groupby(["underlying", "expiry_utc"]).apply(
        lambda part: (np.diff(part["gap"]) / np.diff(part["strike"])).tolist()
    )
    for line in slopes:
        assert np.ptp(line) <= 4 * MARK_DECIMALS
        assert -1.0 <= np.mean(line) < -0.85


def test_vols_are_decimals(firm: SyntheticTables) -> None:
    vols = firm.market["quotes"]["vol"].dropna()
    assert vols.between(0.05, 3.0).all()


def bytes_of(tables: SyntheticTables) -> bytes:
    frames = [*tables.market.values(), *tables.book.values(), tables.structures]
    return "".join(frame.to_csv(index=False) for frame in frames).encode()


def test_same_seed_same_bytes() -> None:
    first, again, other = (synthetic_tables(accounts=40, seed=seed) for seed in (7, 7, 8))
    assert bytes_of(first) == bytes_of(again)
    assert bytes_of(first) != bytes_of(other)


def margin_rows(accounts: pd.DataFrame, seed: int) -> pd.DataFrame:
    groups = accounts["margin_group"].drop_duplicates()
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "margin_group": groups,
            "equity_at_marks": rng.normal(0.0, 1e6, len(groups)),
            "requirement": rng.lognormal(11.0, 1.5, len(groups)),
        }
    ).sample(frac=1.0, random_state=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_equity_leaves_a_few_groups_short(seed: int) -> None:
    accounts = synthetic_tables(accounts=300, seed=seed).book["accounts"]
    rows = margin_rows(accounts, seed)
    drawn = draw_equity(rows, accounts, seed=seed)
    cash = drawn.groupby("margin_group")["cash"].sum()
    rows = rows.set_index("margin_group")
    excess = rows["equity_at_marks"] + cash.reindex(rows.index) - rows["requirement"]
    short = excess < 0
    assert 0.01 <= short.mean() <= 0.03
    shares = -excess[short] / rows["requirement"][short]
    assert shares.between(0.009, 0.251).all()  # 1 to 25 %, give or take a cent
    assert (drawn["cash"] == drawn["cash"].round(2)).all()
    later = drawn.duplicated("margin_group")
    assert later.any()
    assert (drawn.loc[later, "cash"] == 0.0).all()
    pd.testing.assert_frame_equal(draw_equity(rows.reset_index(), accounts, seed=seed), drawn)


def test_groups_without_a_requirement_are_never_short() -> None:
    accounts = synthetic_tables(accounts=50).book["accounts"]
    rows = margin_rows(accounts, 1).assign(requirement=0.0, equity_at_marks=0.0)
    assert (draw_equity(rows, accounts, seed=1).groupby("margin_group")["cash"].sum() > 0).all()


def test_a_margin_group_without_a_row_is_refused() -> None:
    accounts = synthetic_tables(accounts=20).book["accounts"]
    with pytest.raises(InputError, match="expected finite"):
        draw_equity(margin_rows(accounts, 1).iloc[1:], accounts, seed=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_one_to_three_per_cent_of_the_firm_are_in_deficit(seed: int) -> None:
    book, market = synthetic_firm(accounts=300, seed=seed)
    assert len(book.rejects) == 0
    assert len(market.rejects) == 0
    accounts = margin(book, market, synthetic_policy()).accounts
    assert 0.01 <= (accounts["excess"] < 0).mean() <= 0.03
