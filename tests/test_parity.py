"""Parity fits on lines known beforehand: exact, noisy, with stale and placeholder quotes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from shockgrid.parity import FEWEST_PAIRS, fit_parity
from shockgrid.pricing.european import black

FORWARD, FACTOR, YEARS = 4510.0, 0.985, 0.25
STRIKES = np.arange(3500.0, 5501.0, 25.0)


def chain(strikes: np.ndarray, widths: np.ndarray | float) -> pd.DataFrame:
    parts = []
    for is_call in (True, False):
        mids = black(FORWARD, strikes, YEARS, 0.2, FACTOR, is_call)
        half = 0.5 * np.minimum(np.broadcast_to(widths, strikes.shape), mids)
        parts.append(
            pd.DataFrame({"strike": strikes, "call": is_call, "bid": mids - half, "ask": mids + half})
        )
    return pd.concat(parts, ignore_index=True)


def fit(frame: pd.DataFrame, codes: np.ndarray | None = None, count: int = 1) -> pd.DataFrame:
    expiries = np.zeros(len(frame), np.intp) if codes is None else codes
    columns = (frame[name].to_numpy() for name in ("strike", "call", "bid", "ask"))
    return fit_parity(expiries, *columns, count).frame()


@pytest.mark.parametrize("width", [0.0, 0.5])
def test_an_exact_line_comes_back(width: float) -> None:
    row = fit(chain(STRIKES, width)).iloc[0]
    assert row["reasons"] == ""
    assert row["forwards"] == pytest.approx(FORWARD, abs=1e-6)
    assert row["discount_factors"] == pytest.approx(FACTOR, abs=1e-9)
    assert row["pairs"] == row["used"] == len(STRIKES)
    assert row["residuals"] < 1e-6
    assert row["within"] == 1.0


def test_stale_pairs_are_dropped_and_counted() -> None:
    frame = chain(STRIKES, 0.5)
    stale = frame["call"] & frame["strike"].isin([4000.0, 4300.0, 4450.0, 4700.0, 5000.0])
    frame.loc[stale, ["bid", "ask"]] += 37.0
    row = fit(frame).iloc[0]
    assert row["forwards"] == pytest.approx(FORWARD, abs=1e-6)
    assert row["discount_factors"] == pytest.approx(FACTOR, abs=1e-9)
    assert row["used"] == len(STRIKES) - 5
    assert row["within"] == pytest.approx(1 - 5 / len(STRIKES))


def test_a_majority_of_placeholders_does_not_win() -> None:
    # what long expiries look like after hours: in-the-money calls of one width, their mids 45 off
    frame = chain(STRIKES, 25.0)
    wide = (frame["call"] & (frame["strike"] < 4700.0)).to_numpy()
    frame.loc[wide, "bid"] -= 45.0 + 90.0
    frame.loc[wide, "ask"] += 90.0 - 45.0
    assert wide.sum() > 0.5 * len(STRIKES)
    row = fit(frame).iloc[0]
    assert row["forwards"] == pytest.approx(FORWARD, abs=0.5)
    assert row["discount_factors"] == pytest.approx(FACTOR, abs=1e-3)


def test_noise_of_half_a_spread_is_within_the_stated_error() -> None:
    rng = np.random.default_rng(5)
    frame = chain(STRIKES, 1.0)
    noise = rng.uniform(-0.5, 0.5, len(frame))
    row = fit(frame.assign(bid=frame["bid"] + noise, ask=frame["ask"] + noise)).iloc[0]
    assert abs(row["discount_factors"] - FACTOR) < 4 * row["errors"]
    assert row["errors"] < 2e-4


def test_every_expiry_is_fitted_by_itself() -> None:
    frame = chain(STRIKES, 0.5)
    few = chain(STRIKES[: FEWEST_PAIRS - 1], 0.5)
    flat = frame.assign(bid=1.0, ask=2.0)
    codes = np.repeat([0, 1, 3], [len(frame), len(few), len(flat)])
    found = fit(pd.concat([frame, few, flat]), codes, 4)
    assert found["reasons"].tolist() == ["", "too_few_pairs", "too_few_pairs", "no_discount_factor"]
    assert found["pairs"].tolist() == [len(STRIKES), FEWEST_PAIRS - 1, 0, len(STRIKES)]
    assert found["forwards"].notna().tolist() == [True, False, False, False]
    alone = fit(frame).iloc[0]
    assert found.iloc[0]["forwards"] == alone["forwards"]


def test_quotes_with_one_side_are_no_pair() -> None:
    frame = chain(STRIKES, 0.5)
    frame.loc[frame["call"] & (frame["strike"] < 4000.0), "bid"] = 0.0
    frame.loc[frame["call"] & (frame["strike"] > 5000.0), "ask"] = np.nan
    crossed = ~frame["call"] & (frame["strike"] == 4500.0)
    frame.loc[crossed, "bid"] = frame.loc[crossed, "ask"] + 1.0
    both = ((STRIKES >= 4000.0) & (STRIKES <= 5000.0) & (STRIKES != 4500.0)).sum()
    assert fit(frame)["pairs"].tolist() == [both]
