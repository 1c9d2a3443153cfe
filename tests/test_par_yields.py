"""Par yields to zero rates: by hand, against par bonds, and on the Treasury's own file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import invoke

from shockgrid.carry import Curve
from shockgrid.errors import InputError
from shockgrid.io.tables import read_file
from shockgrid.par_yields import par_bond_price, zero_rates

FILE = "yield-curve-rates-1990-2023.csv"
PAR_ERROR = 1e-12  # of 1; the root of each tenor is found to 1e-15 in the rate


def curve_of(years: np.ndarray, rates: np.ndarray) -> Curve:
    return Curve({"USD": (years, rates)})


def test_two_points_by_hand() -> None:
    # half a year at 5 %: 1 / 1.025; a year at 4 %: 0.02 (d1 + d2) + d2 = 1
    half = 1 / 1.025
    whole = (1 - 0.02 * half) / 1.02
    found = zero_rates(np.array([0.5, 1.0]), np.array([0.05, 0.04]))
    assert found == pytest.approx([-2 * math.log(half), -math.log(whole)], abs=1e-14)


def test_a_gap_of_a_year_by_hand() -> None:
    # 2 years at 4 % after a year at 5 % flat: the payment at 1.5 years lies log-linear between d(1) and d(2),
    # d(1.5) = sqrt(d1 d2), so 0.02 (dh + d1 + sqrt(d1 d2) + d2) + d2 = 1 is a quadratic in sqrt(d2)
    half, one = 1.025**-1, 1.025**-2
    a, b, c = 1.02, 0.02 * math.sqrt(one), 0.02 * (half + one) - 1
    two = ((-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)) ** 2
    found = zero_rates(np.array([0.5, 1.0, 2.0]), np.array([0.05, 0.05, 0.04]))
    assert found[1] == pytest.approx(2 * math.log(1.025), abs=1e-14)
    assert found[2] == pytest.approx(-math.log(two) / 2, abs=1e-14)


def test_a_flat_par_curve_is_a_flat_zero_curve() -> None:
    years = np.array([1 / 12, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0])
    for par in (0.05, 0.0, -0.005):
        assert zero_rates(years, np.full(7, par)) == pytest.approx(
            np.full(7, 2 * math.log1p(par / 2)), abs=1e-13
        )


def test_every_par_bond_of_a_day_is_worth_100(shared: Path, tmp_path: Path) -> None:
    source = shared / "data" / "ust-par-yields" / FILE
    raw = pd.read_csv(source).set_index("Date")
    for day, row, points in (
        ("2023-09-14", "9/14/23", 13),
        ("1990-01-02", "1/2/90", 9),
        ("2020-05-05", "5/5/20", 12),
    ):
        out = tmp_path / f"{day}.csv"
        done = invoke("curve", source, "--date", day, "--out", out)
        assert done.exit_code == 0, done.output
        curve, rejects = Curve.read(read_file(out))
        assert len(rejects) == 0
        years, _ = curve.points["USD"]
        yields = raw.loc[row].dropna()
        assert len(years) == len(yields) == points
        for name, value in yields.items():
            number, unit = str(name).split()
            if unit == "Yr":
                assert par_bond_price(curve, float(number), value / 100) == pytest.approx(1.0, abs=PAR_ERROR)
            else:
                tenor = float(number) / 12
                factor = curve.discount_factors("USD", np.array([tenor]))[0]
                assert factor == pytest.approx((1 + value / 200) ** (-2 * tenor), abs=PAR_ERROR)


def test_a_converted_market_takes_the_curve(shared: Path, cboe: Path, tmp_path: Path) -> None:
    source, out = shared / "data" / "ust-par-yields" / FILE, tmp_path / "curve.csv"
    assert invoke("curve", source, "--date", "2023-08-18", "--out", out).exit_code == 0
    chain = cboe / "tsla_quotedata_2023-08-20.csv"
    done = invoke("convert", "cboe", chain, "--curve", out, "--out", tmp_path / "market")
    assert done.exit_code == 0, done.output
    table = pd.read_parquet(tmp_path / "market" / "curve.parquet")
    assert len(table) == 13
    assert table["zero_rate_dec"].astype(float).iloc[0] == pytest.approx(
        2 * math.log1p(0.0553 / 2), abs=1e-12
    )


@pytest.mark.parametrize(
    ("text", "day", "match"),
    [
        ("Date,1 Yr\n9/14/23,5.42\n", "2023-09-16", "found 0"),
        ("Date,1 Yr\n9/14/23,5.42\n9/14/23,5.42\n", "2023-09-14", "found 2"),
        ("Date,1 Yr\n9/14/23,\n", "2023-09-14", "no yields"),
        ("Date,1 Yr\n9/14/23,x\n", "2023-09-14", "line 2, column 1 Yr"),
        ("Date,1 Yr\n9/14/23,542\n", "2023-09-14", "line 2, column 1 Yr"),
        ("Date,1 Yr,Note\n9/14/23,5.42,x\n", "2023-09-14", "column Note"),
        ("Date,1 Yr\n14.9.23,5.42\n", "2023-09-14", "line 2, column Date"),
        ("Day,1 Yr\n9/14/23,5.42\n", "2023-09-14", "column Date"),
        ("Date,1 Yr\n9/14/23,5.42\n", "yesterday", "ISO date"),
    ],
)
def test_files_that_cannot_be_used(text: str, day: str, match: str, tmp_path: Path) -> None:
    source = tmp_path / "yields.csv"
    source.write_text(text)
    refused = invoke("curve", source, "--date", day, "--out", tmp_path / "curve.csv")
    assert refused.exit_code == 2
    assert match in refused.stderr
    assert not (tmp_path / "curve.csv").exists()


def test_yields_that_cannot_be_used() -> None:
    for years, yields, match in (
        ([1.0], [5.42], "decimal"),
        ([1.0], [np.nan], "decimal"),
        ([2.0, 1.0], [0.05, 0.05], "ascend"),
        ([0.75], [0.05], "half years"),
        ([], [], "at least one"),
    ):
        with pytest.raises(InputError, match=match):
            zero_rates(np.array(years), np.array(yields))
