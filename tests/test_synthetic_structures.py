"""Every structure of the synthetic book is found again by its legs, from positions and instruments alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from shockgrid.io.synthetic import SyntheticTables, synthetic_tables

HEDGE_TOLERANCE = 0.06  # market makers' shares miss their delta by up to 5 %, and shares are whole
KINDS = ("long_call", "short_call", "long_put", "short_put")
PRICED = ["symbol", "underlying", "type", "right", "strike", "expiry_utc", "multiplier"]


@pytest.fixture(scope="module", params=(1, 2, 3))
def firm(request: pytest.FixtureRequest) -> SyntheticTables:
    return synthetic_tables(accounts=300, seed=request.param)


def held(tables: SyntheticTables) -> pd.DataFrame:
    return tables.book["positions"].merge(
        tables.market["instruments"][PRICED], on="symbol", how="left", validate="many_to_one"
    )


def leg_summary(tables: SyntheticTables) -> pd.DataFrame:
    """One row per (account, underlying): shares, and of each kind of leg its contracts, strike and expiry."""
    rows = held(tables)
    rows["kind"] = np.select(
        [rows["type"] != "option", rows["right"] == "C"],
        ["shares", np.where(rows["quantity"] > 0, "long_call", "short_call")],
        np.where(rows["quantity"] > 0, "long_put", "short_put"),
    )
    by_name = rows.groupby(["account", "underlying"])
    wide = pd.DataFrame(index=by_name.size().index)
    for kind in ("shares", *KINDS):
        legs = rows[rows["kind"] == kind].groupby(["account", "underlying"])
        wide[f"{kind}_count"] = legs.size()
        wide[f"{kind}_quantity"] = legs["quantity"].sum()
        wide[f"{kind}_strike"] = legs["strike"].first()
    wide["expiries"] = by_name["expiry_utc"].agg(lambda expiries: expiries[expiries != ""].nunique())
    for column in [name for name in wide if not str(name).endswith("_strike")]:
        wide[column] = wide[column].fillna(0)
    wide["index"] = wide.index.get_level_values("underlying").isin(["SPX", "NDX", "RUT"])
    return wide.reset_index()


def recognised(legs: pd.DataFrame) -> pd.Series:
    """The structure of each row of ``leg_summary``, from nothing but its legs; blank if it is none."""
    shares, expiries = legs["shares_quantity"], legs["expiries"]
    long_calls, short_calls = legs["long_call_quantity"], -legs["short_call_quantity"]
    long_puts, short_puts = legs["long_put_quantity"], -legs["short_put_quantity"]
    has = {kind: legs[f"{kind}_count"] == 1 for kind in KINDS}
    count = legs[[f"{kind}_count" for kind in KINDS]].sum(axis=1)
    owners = set(legs.loc[shares > 0, "account"])
    hedging = legs["index"] & legs["account"].isin(owners)
    low, high = legs["long_put_strike"], legs["short_call_strike"]
    same_size = (long_calls == short_calls) & (long_puts == short_puts)
    rising = (low < legs["short_put_strike"]) & (legs["short_put_strike"] < high)
    rules = {
        "long_stock": (shares > 0) & (count == 0),
        "covered_call": (shares > 0) & (count == 1) & (100 * short_calls == shares),
        "collar": (shares > 0) & (count == 2) & has["long_put"] & has["short_call"] & (low < high)
        & (100 * short_calls == shares) & (100 * long_puts == shares) & (expiries == 1),
        "vertical": (shares == 0) & (count == 2) & (expiries == 1) & same_size
        & ((has["long_call"] & has["short_call"]) | (has["long_put"] & has["short_put"])),
        "condor": (shares == 0) & (count == 4) & (expiries == 1) & same_size & (short_calls == short_puts)
        & has["long_call"] & has["long_put"] & rising & (high < legs["long_call_strike"]),
        "naked_put": (shares == 0) & (count == 1) & has["short_put"],
        "naked_call": (shares == 0) & (count == 1) & has["short_call"],
        "index_hedge": (shares == 0) & (count == 1) & has["long_put"] & hedging,
        "long_option": (shares == 0) & (count == 1) & (has["long_put"] | has["long_call"]) & ~hedging,
    }  # fmt: skip
    assert pd.DataFrame(rules).sum(axis=1).le(1).all()
    return pd.Series(np.select(list(rules.values()), list(rules), ""), index=legs.index)


def market_makers(tables: SyntheticTables) -> set[str]:
    """Accounts with an option on every name."""
    rows = held(tables)
    names = rows[rows["type"] == "option"].groupby("account")["underlying"].nunique()
    return set(names.index[names == len(tables.market["underlyings"])])


def test_every_structure_is_found_by_its_legs(firm: SyntheticTables) -> None:
    legs = leg_summary(firm)
    legs = legs[~legs["account"].isin(market_makers(firm))].reset_index(drop=True)
    legs["structure"] = recognised(legs)
    options = [f"{kind}_quantity" for kind in KINDS]
    legs["contracts"] = np.maximum(legs["shares_quantity"] / 100, legs[options].abs().max(axis=1))
    columns = ["account", "underlying", "structure", "contracts"]
    found = legs[columns].astype({"contracts": np.int64}).sort_values(columns[:2], ignore_index=True)
    planted = firm.structures[firm.structures["underlying"] != ""].sort_values(columns[:2], ignore_index=True)
    pd.testing.assert_frame_equal(found, planted, check_dtype=False)
    expected = {"long_stock", "covered_call", "collar", "vertical", "condor", "naked_put", "naked_call"}
    assert set(found["structure"]) == expected | {"long_option", "index_hedge"}


def test_market_makers_and_cash_only_accounts(firm: SyntheticTables) -> None:
    planted = firm.structures.groupby("structure")["account"].agg(set)
    accounts = firm.book["accounts"]
    assert market_makers(firm) == planted["market_maker"]
    assert set(accounts.loc[accounts["program"] == "market_maker", "account"]) == planted["market_maker"]
    assert set(accounts["account"]) - set(firm.book["positions"]["account"]) == planted["cash_only"]
    assert len(planted["market_maker"]) == 3  # 1 % of 300
    assert len(planted["cash_only"]) == 9  # 3 % of 300


def test_market_makers_are_hedged_with_shares(firm: SyntheticTables) -> None:
    """Net delta in money is small against the gross (Black-Scholes at the quoted vols, no cash dividends)."""
    rows = held(firm)[lambda table: table["account"].isin(market_makers(firm))]
    rows = rows.merge(firm.market["quotes"][["symbol", "vol"]], on="symbol")
    rows = rows.merge(firm.market["underlyings"][["underlying", "spot", "yield_dec"]], on="underlying")
    classes = firm.market["groups"].set_index("underlying")["class_group"]
    rows["class_group"] = rows["underlying"].map(classes).fillna(rows["underlying"])
    options = (rows["type"] == "option").to_numpy()
    years = (
        pd.to_datetime(rows["expiry_utc"].where(options)) - pd.Timestamp(firm.as_of)
    ).dt.total_seconds() / (365 * 86_400)
    deviations = rows["vol"] * np.sqrt(years)
    drift = (0.037 - rows["yield_dec"]) * years
    upper = (np.log(rows["spot"] / rows["strike"]) + drift) / deviations + deviations / 2
    sign = np.where(rows["right"] == "C", 1.0, -1.0)
    delta = np.where(options, sign * ndtr(sign * upper), 1.0)
    rows["money"] = delta * rows["quantity"] * rows["multiplier"] * rows["spot"]
    rows["gross"] = rows["money"].abs()
    sums = rows.groupby("account")[["money", "gross"]].sum()
    assert (sums["money"].abs() <= HEDGE_TOLERANCE * sums["gross"]).all()
    by_class = rows[options].groupby(["account", "class_group"])["money"].sum()
    shares = rows[~options].groupby(["account", "class_group"])["money"].sum()
    assert np.corrcoef(by_class, shares.reindex(by_class.index, fill_value=0.0))[0, 1] < -0.95
