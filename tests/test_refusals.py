"""What the tables take in as columns and types, and what they refuse as a whole, by name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from books import AS_OF, expiry

import shockgrid as sg

ACCOUNTS = pd.DataFrame({"account": ["000123", "1E5", "NA"], "cash": [1.0, 2.0, 3.0]})
POSITIONS = pd.DataFrame(
    {"account": ["000123", "1E5", "NA"], "symbol": ["NA", "X", "S"], "quantity": [1, -2, 3]}
)
TABLES: dict[str, pd.DataFrame] = {
    "instruments": pd.DataFrame(
        {
            "symbol": ["X", "NA", "S"],
            "underlying": ["X", "NA", "X"],
            "type": ["stock", "stock", "option"],
            "right": ["", "", "call"],
            "strike": [np.nan, np.nan, 100.0],
            "expiry_utc": ["", "", expiry(30)],
        }
    ),
    "underlyings": pd.DataFrame({"underlying": ["X", "NA"], "spot": [100, 50]}),
    "quotes": pd.DataFrame({"symbol": ["S"], "vol": [0.25]}),
    "curve": pd.DataFrame({"currency": ["USD"], "days": [365], "zero_rate_dec": [0.05]}),
}


def market(as_of: Any = AS_OF, **changed: Any) -> sg.Market:
    return sg.Market.from_frames(**{**TABLES, **changed}, as_of=as_of)


def accounts(world: sg.Market, held: sg.Book) -> pd.DataFrame:
    result = sg.margin(held, world, sg.tims())
    assert result.rejects.empty, result.rejects
    return result.accounts


CLEAN = accounts(market(), sg.Book.from_frames(POSITIONS, ACCOUNTS))


def as_objects(frame: pd.DataFrame) -> pd.DataFrame:
    whole = frame.astype(object)
    return whole.where(frame.notna(), None)


def as_decimals(frame: pd.DataFrame) -> pd.DataFrame:
    def read(cell: Any) -> Any:
        return Decimal(str(cell)) if isinstance(cell, int | float) and not pd.isna(cell) else cell

    return frame.astype(object).map(read)


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype(object).where(frame.notna(), "").astype(str)


KINDS = {
    "arrow": lambda frame: pa.Table.from_pandas(frame),
    "arrow dictionary": lambda frame: pa.Table.from_pandas(frame.astype({frame.columns[0]: "category"})),
    "objects": as_objects,
    "decimals": as_decimals,
    "text": as_text,
    "floats": lambda frame: frame.astype({name: float for name in frame.select_dtypes("number")}),
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "other index": lambda frame: frame.set_axis([7] * len(frame)),
    "spaces": lambda frame: frame.map(lambda cell: f" {cell} " if isinstance(cell, str) else cell),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_frame_gives_the_same(kind: str) -> None:
    turn = KINDS[kind]
    world = market(**{name: turn(frame) for name, frame in TABLES.items()})
    held = sg.Book.from_frames(turn(POSITIONS), turn(ACCOUNTS))
    pd.testing.assert_frame_equal(accounts(world, held), CLEAN, check_exact=True)
    assert held.accounts["account"].tolist() == ["000123", "1E5", "NA"]


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        (POSITIONS.assign(account=[123, 5, 6]), "lost leading zeros"),
        (POSITIONS.assign(account=pd.Series([123, 5, 6], dtype=object)), "lost leading zeros"),
        (POSITIONS.assign(symbol=[1.5, 2.5, 3.5]), "symbol"),
        (POSITIONS.rename(columns={"quantity": "quantitiy"}), "did you mean quantity"),
        (POSITIONS.assign(notes="x"), "unknown column"),
        (POSITIONS.drop(columns="quantity"), "required column is missing"),
        (pd.concat([POSITIONS, POSITIONS["symbol"]], axis=1), "twice"),
        (POSITIONS.to_dict(), "expected a DataFrame"),
        (None, "expected a DataFrame"),
        (pa.array(["A"]), "expected a DataFrame"),
        (pa.chunked_array([["A"]]), "expected a DataFrame"),
    ],
)
def test_positions_that_are_refused(positions: Any, words: str) -> None:
    with pytest.raises(sg.InputError, match=words):
        sg.Book.from_frames(positions, ACCOUNTS)


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("quotes", {"vol": 25.0}, "quotes, column vol: looks like per cent"),
        ("curve", {"zero_rate_dec": 4.5}, "curve, column zero_rate_dec: looks like per cent"),
        ("fx", {"currency": "USD", "rate": 1.1}, "worth 1 by definition"),
        ("underlyings", {"sopt": 1}, "did you mean spot"),
    ],
)
def test_market_tables_that_are_refused(table: str, change: dict[str, Any], words: str) -> None:
    frame = TABLES.get(table, pd.DataFrame({"currency": ["USD"]})).assign(**change)
    with pytest.raises(sg.InputError, match=words):
        market(**{table: frame})


@pytest.mark.parametrize(
    "as_of", ["2026-11-20T16:00:00", "soon", "", None, 5, [1], "9999-12-31T00:00:00Z", datetime(2026, 11, 20)]
)
def test_an_instant_without_a_zone_is_refused(as_of: Any) -> None:
    with pytest.raises(sg.InputError, match="as_of"):
        market(as_of)


def test_instants_with_a_zone() -> None:
    for as_of in (
        "2026-11-20T16:00:00-05:00",
        "2026-11-20T21:00:00.000000999Z",
        datetime(2026, 11, 20, 21, tzinfo=UTC),
    ):
        assert market(as_of).as_of == datetime(2026, 11, 20, 21, tzinfo=UTC)


STRANGE = [7, 1.5, True, b"A", ["A"], {"A": 1}, "\ud800", 10**5000, object]


@pytest.mark.parametrize("cell", STRANGE, ids=lambda cell: type(cell).__name__)
def test_a_strange_object_in_a_cell_is_rejected(cell: Any) -> None:
    for column, good in (("account", "1E5"), ("symbol", "X"), ("quantity", 2)):
        if (
            column == "quantity"
            and isinstance(cell, int | float)
            and not isinstance(cell, bool)
            and cell < 1e9
        ):
            continue
        cells = np.empty(3, object)
        cells[:] = POSITIONS[column].tolist()
        cells[1] = cell
        held = sg.Book.from_frames(POSITIONS.assign(**{column: pd.Series(cells, dtype=object)}), ACCOUNTS)
        assert good not in held.positions[column].tolist()
        assert held.rejects[["line", "column"]].to_numpy().tolist() == [[3, column]]
        assert len(sg.margin(held, market(), sg.tims()).accounts) == 3


def test_one_enormous_cell_does_not_fill_the_memory() -> None:
    """100,000 rows as wide as the widest cell would take 400 GB."""
    names = [f"A{row}" for row in range(100_000)]
    rows = pd.DataFrame({"account": names, "symbol": "X", "quantity": "1"})
    rows.loc[5, ["symbol", "quantity"]] = "9" * 1_000_000
    held = sg.Book.from_frames(rows, pd.DataFrame({"account": names, "cash": 0.0}))
    assert len(held.positions) == len(rows) - 1
    assert held.rejects["value"].str.len().tolist() == [200]
    wide = TABLES["instruments"].assign(type=["stock", "stock", "o" * 1_000_000])
    assert market(instruments=wide).rejects["code"].tolist() == ["E_CHOICE"]
