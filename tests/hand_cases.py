"""Books whose requirement is worked by hand or printed by its source, as canonical tables.

Customer portfolio margin is FINRA Rule 4210(g) with the ranges of Rel. 34-46576: +-15 % on a stock, each
series' implied vol held. The short call is 1 XYZ 100 call at 95, vol 30 %, r = 5 % unless said; its figures
are Black-Scholes differences, worked with 50 digits. The pair is long 100 A at 150 and short 1 B 50-call at
2.00 with S_B = 50 and r = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from books import option, stock, tables

CENT = 0.005 + 1e-9  #: printed to the cent; the excess lets a tie of the rounding through
TENTH = 0.05 + 1e-9  #: printed to the tenth


class Case(NamedTuple):
    """A book, a market, a regime and what the source prints."""

    regime: str
    expected: float
    market: dict[str, pd.DataFrame]
    holdings: dict[str, float]
    column: str = "requirement"
    tolerance: float = CENT


def call(days: float, vol: float, rate: float = 0.05) -> dict[str, pd.DataFrame]:
    rows = [stock("XYZ"), option("CALL", "XYZ", "C", 100.0, days)]
    return tables(rows, {"XYZ": 95.0}, [{"symbol": "CALL", "vol": vol}], rate)


def pair() -> dict[str, pd.DataFrame]:
    rows = [stock("A"), stock("B"), option("B50", "B", "C", 50.0, 90)]
    return tables(rows, {"A": 150.0, "B": 50.0}, [{"symbol": "B50", "mark": 2.0}], 0.0)


def ten_short_calls() -> dict[str, pd.DataFrame]:
    rows = [stock("XYZ"), option("C100", "XYZ", "C", 100.0, 30), option("C110", "XYZ", "C", 110.0, 30)]
    return tables(rows, {"XYZ": 95.0}, [{"symbol": "C100", "vol": 0.3}, {"symbol": "C110", "vol": 0.3}])


SHORT, PAIR = {"CALL": -1.0}, {"A": 100.0, "B50": -1.0}
UNEVEN = {"X": 100_000.0, "Y": 60_000.0, "Z": 40_000.0}
EVEN = {f"N{k}": 25_000.0 for k in range(8)}


def stocks(longs: dict[str, float]) -> dict[str, pd.DataFrame]:
    return tables([stock(name) for name in longs], dict.fromkeys(longs, 1.0))


CASES = {
    "long stock": Case("tims", 2250.0, tables([stock("A")], {"A": 150.0}), {"A": 100.0}),
    "short stock": Case("tims", 2250.0, tables([stock("A")], {"A": 150.0}), {"A": -100.0}),
    "short call": Case("tims", 877.26, call(30, 0.3), SHORT),
    "covered call": Case("tims", 1273.67, call(30, 0.3), {**SHORT, "XYZ": 100.0}),
    "30 days, vol 60 %": Case("tims", 837.35, call(30, 0.6), SHORT),
    "90 days": Case("tims", 871.1, call(90, 0.3), SHORT, tolerance=TENTH),
    "30 days, vol x 1.2": Case("relative_20", 921.4, call(30, 0.3), SHORT, tolerance=TENTH),
    "30 days, vol + 15": Case("points_15", 999.2, call(30, 0.3), SHORT, tolerance=TENTH),
    "30 days, +-20 %": Case("wide", 1310.6, call(30, 0.3), SHORT, tolerance=TENTH),
    "30 days, +-20 %, vol x 1.3": Case("wide_relative_30", 1353.4, call(30, 0.3), SHORT, tolerance=TENTH),
    "90 days, vol x 1.2": Case("relative_20", 972.8, call(90, 0.3), SHORT, tolerance=TENTH),
    "90 days, vol + 15": Case("points_15", 1135.1, call(90, 0.3), SHORT, tolerance=TENTH),
    "90 days, +-20 %": Case("wide", 1257.6, call(90, 0.3), SHORT, tolerance=TENTH),
    "90 days, +-20 %, vol x 1.3": Case("wide_relative_30", 1389.8, call(90, 0.3), SHORT, tolerance=TENTH),
    "one year": Case("tims", 906.20, call(365, 0.3, 0.04), SHORT),
    "one year, vol 60 %": Case("tims", 933.69, call(365, 0.6, 0.04), SHORT),
    "one year, stressed": Case("relative_30", 1243.92, call(365, 0.3, 0.04), SHORT),
    "one year, vol 60 %, stressed": Case("relative_30", 1614.56, call(365, 0.6, 0.04), SHORT),
    "second table, joint": Case("joint_list", 2326.26, pair(), PAIR),
    "second table, independent": Case("tims", 2819.99, pair(), PAIR),
    "second table, common shock": Case("joint_15", 2060.24, pair(), PAIR),
    "concentration binds": Case("concentrated", 50_000.0, stocks(UNEVEN), UNEVEN),
    "concentration does not bind": Case("concentrated", 30_000.0, stocks(EVEN), EVEN),
    "contingency": Case(
        "contingent", 142.50, ten_short_calls(), {"C100": -10.0, "C110": 4.0, "XYZ": 300.0}, "contingency"
    ),
}
