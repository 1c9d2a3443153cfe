"""Fills in a book: the vectorised bookkeeping against a slow one, order by order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from desk_world import held, priced

from shockgrid.desk.fills import booked, read_fills
from shockgrid.desk.spans import account_starts

BOOK, MARKET = held(), priced()


def slowly(fills: pd.DataFrame) -> dict[tuple[str, str], float]:
    """(account, symbol) -> quantity, fill after fill."""
    held = BOOK.positions
    quantities = dict(zip(zip(held["account"], held["symbol"], strict=True), held["quantity"], strict=True))
    for fill in fills.itertuples():
        key = (fill.account, fill.symbol)
        quantities[key] = quantities.get(key, 0.0) + fill.quantity
    return quantities


@pytest.mark.parametrize("seed", range(8))
def test_fills_are_booked_one_after_another_and_new_positions_stand_in_order(seed: int) -> None:
    rng, count = np.random.default_rng(seed), 40
    symbols = MARKET.instruments.symbols
    fills = pd.DataFrame(
        {
            "account": rng.choice(BOOK.accounts["account"].to_numpy(object), count),
            "symbol": rng.choice(symbols[~(MARKET.instruments.inverse)], count),
            "quantity": rng.integers(-9, 9, count).astype(float),
            "price": 1.5,
        }
    )
    read = read_fills(fills, BOOK, MARKET)
    after = booked(BOOK, MARKET, read, account_starts(BOOK)).positions
    keys = list(zip(after["account"], after["symbol"], strict=True))
    assert keys == sorted(keys)
    traded = fills[fills["quantity"] != 0.0]
    expected = slowly(traded)
    assert dict(zip(keys, after["quantity"], strict=True)) == expected
    assert len(keys) == len(expected)


def test_no_fill_changes_nothing() -> None:
    none = pd.DataFrame({"account": ["A1"], "symbol": [MARKET.instruments.symbols[0]], "quantity": [0.0]})
    after = booked(BOOK, MARKET, read_fills(none.assign(price=1.0), BOOK, MARKET), account_starts(BOOK))
    pd.testing.assert_frame_equal(after.positions, BOOK.positions, check_exact=True)
    assert replace(after, positions=BOOK.positions).partial == BOOK.partial
