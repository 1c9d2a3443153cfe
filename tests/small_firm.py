"""A synthetic firm of 30 accounts, laid out; and arrays compared byte by byte."""

from __future__ import annotations

from functools import cache

import shockgrid as sg
from shockgrid.arrays import Floats
from shockgrid.engine import Plan, plan
from shockgrid.io.synthetic import synthetic_tables


@cache
def laid() -> Plan:
    """30 accounts over 40 names with levered products, indexes, dividends and American options."""
    tables = synthetic_tables(accounts=30, underlyings=40, seed=3)
    market = dict(tables.market)
    first = [market.pop(name) for name in ("instruments", "underlyings", "quotes", "curve")]
    priced = sg.Market.from_frames(*first, **market, as_of=tables.as_of)
    return plan(sg.Book.from_frames(tables.book["positions"], tables.book["accounts"]), priced)


def same_bytes(left: Floats, right: Floats) -> bool:
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
