"""Vols that nobody quotes: the nearest series gives them, and says so."""

from __future__ import annotations

from books import book, market, option

import shockgrid as sg


def test_a_series_without_a_quote_takes_the_nearest_vol() -> None:
    """The nearest strike (in logarithms, either right) of its own expiry, then of the nearest one."""
    rows = [
        option(name, "A", right, strike, days)
        for name, right, strike, days in (
            ("P90", "P", 90.0, 30),
            ("C120", "C", 120.0, 30),
            ("C150", "C", 150.0, 90),
            ("NEAR", "C", 103.0, 30),
            ("FAR", "P", 106.0, 30),
            ("LATER", "C", 100.0, 80),
            ("NOTHING", "C", 1.0, 30),
        )
    ]
    rows[-1] = option("NOTHING", "B", "C", 1.0, 30)
    quotes = [{"symbol": "P90", "vol": 0.2}, {"symbol": "C120", "vol": 0.3}, {"symbol": "C150", "vol": 0.4}]
    priced = market(rows, {"A": 100.0, "B": 1.0}, quotes)
    held = book([(f"a{k}", row["symbol"], -1) for k, row in enumerate(rows)])
    result = sg.margin(held, priced, sg.tims())
    vols = result.positions.set_index("symbol")["vol"].to_dict()
    assert vols == {"P90": 0.2, "C120": 0.3, "C150": 0.4, "NEAR": 0.2, "FAR": 0.3, "LATER": 0.4}
    assert result.accounts["reliability"].tolist() == ["OK"] * 3 + ["STALE"] * 3 + ["PARTIAL"]
    flagged = result.rejects.set_index("key")["code"].to_dict()
    filled = dict.fromkeys(("NEAR", "FAR", "LATER"), "W_FILLED")
    assert flagged == {**filled, "NOTHING": "E_NO_VOL", "a6": "E_INSTRUMENT"}


def test_a_series_at_expiry_gives_its_vol_to_nobody() -> None:
    rows = [option(f"C{day}", "A", "C", 100.0, day) for day in (0, 28, 150)]
    quotes = [{"symbol": "C0", "vol": 9.0}, {"symbol": "C150", "vol": 0.3}]
    for first in (quotes, [{"symbol": "C0", "mark": 3.0}, quotes[1]]):
        result = sg.margin(book([("one", "C28", -1)]), market(rows, {"A": 100.0}, first), sg.tims())
        assert result.positions["vol"].item() == 0.3


def test_a_clamped_vol_is_at_the_end_it_points_to() -> None:
    """A call dearer than its forward has no vol: 500 %; one below its intrinsic value: 1 %."""
    rows = [option("DEAR", "A", "C", 100.0, 30), option("CHEAP", "A", "C", 50.0, 30)]
    quotes = [{"symbol": "DEAR", "mark": 150.0}, {"symbol": "CHEAP", "mark": 1.0}]
    result = sg.margin(
        book([("one", "DEAR", 1), ("one", "CHEAP", 1)]), market(rows, {"A": 100.0}, quotes), sg.tims()
    )
    vols = result.positions.set_index("symbol")["vol"].to_dict()
    assert vols == {"DEAR": 5.0, "CHEAP": 0.01}
