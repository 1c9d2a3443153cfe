"""A book drawn on a real chain: both sides of every series, who is drawn how often, and a run under it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chains import invoke

from shockgrid.errors import InputError
from shockgrid.io.chain_book import draw_book, interest
from shockgrid.io.tables import read_book, read_market, read_tables, write_market_toml, write_tables
from shockgrid.market import Market

ACCOUNTS = 200
SMALLEST_CORRELATION = 0.2  # of ranks: 3,000 rows over 20,000 series leave most of them undrawn


@pytest.fixture(scope="module")
def chain(cboe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    dividends = folder / "dividends.csv"
    dividends.write_text("underlying,ex_date,amount\nSPY,2023-09-15,1.58\n")
    files = [cboe / f"{name}_quotedata_2023-09-14.csv" for name in ("spx", "xsp", "spy")]
    done = invoke("convert", "cboe", *files, "--out", folder / "market", "--dividends", dividends)
    assert done.exit_code == 0, done.output
    return folder / "market"


@pytest.fixture(scope="module")
def drawn(chain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("drawn") / "book"
    done = invoke("synth", chain, "--accounts", str(ACCOUNTS), "--seed", "7", "--out", out)
    assert done.exit_code == 0, done.output
    assert f"{ACCOUNTS} accounts" in done.stdout
    return out


@pytest.fixture(scope="module")
def held(chain: Path, drawn: Path) -> pd.DataFrame:
    """Every position with its instrument and what was traded in it."""
    market, quotes = read_market(chain), read_tables(chain, ["quotes"])["quotes"]
    table = market.instruments
    listed = pd.DataFrame(
        {
            "symbol": table.symbols,
            "type": table.types,
            "years": table.years,
            "name": market.underlyings.names[table.underlyings],
            "interest": interest(table.symbols, quotes),
        }
    )
    rows = read_tables(drawn, ["positions"])["positions"].merge(listed, on="symbol", how="left")
    assert rows["type"].notna().all(), "only what can be priced is held"
    return rows


def test_every_series_sums_to_zero(held: pd.DataFrame) -> None:
    options = held[held["type"] == "option"]
    assert len(options) > 10 * ACCOUNTS
    assert (options["years"] > 0).all()
    assert (options["interest"] > 0).all()
    assert (options.groupby("symbol")["quantity"].sum() == 0).all()
    assert set(options["name"]) == {"SPX", "SPY", "XSP"}


def test_rows_are_distinct_and_whole(drawn: Path, held: pd.DataFrame) -> None:
    assert not held.duplicated(["account", "symbol"]).any()
    assert held["quantity"].dtype == np.int64
    assert (held["quantity"] != 0).all()
    accounts = read_tables(drawn, ["accounts"])["accounts"]
    assert accounts["account"].tolist() == [f"{number:06}" for number in range(1, ACCOUNTS + 1)]
    assert set(held["account"]) <= set(accounts["account"])
    book = read_book(drawn)
    assert len(book.rejects) == 0
    assert held.groupby("account")["name"].nunique().max() <= 3
    gross = held["quantity"].abs().groupby(held["account"]).sum()
    assert gross.max() > 5 * gross.median(), "sizes are far apart"


def test_shares_cover_and_hedge(held: pd.DataFrame) -> None:
    shares = held[held["type"] != "option"]
    assert set(shares["symbol"]) == {"SPY"}
    options = held[(held["type"] == "option") & (held["name"] == "SPY")]
    calls = options[options["symbol"].str.contains("[0-9]C[0-9]", regex=True)]
    short = (-100 * calls.groupby("account")["quantity"].sum()).clip(lower=0)
    covered = shares["quantity"] == short.reindex(shares["account"]).fillna(0).to_numpy()
    assert covered.sum() > 3
    assert set(shares["account"]) <= set(options["account"]), "nobody holds shares without options"


def test_series_are_drawn_by_open_interest_and_volume(chain: Path, held: pd.DataFrame) -> None:
    market, quotes = read_market(chain), read_tables(chain, ["quotes"])["quotes"]
    table = market.instruments
    names = pd.Series(market.underlyings.names[table.underlyings], index=table.symbols)
    weights = pd.Series(interest(table.symbols, quotes), index=table.symbols)
    weights = weights[table.is_option & (table.years > 0) & (weights > 0).to_numpy(bool)]
    options = held[held["type"] == "option"]
    sides = options["symbol"].value_counts().reindex(weights.index).fillna(0)
    contracts = options["quantity"].abs().groupby(options["symbol"]).sum().reindex(weights.index).fillna(0)
    names = names[weights.index]
    for name in ("SPX", "SPY"):
        listed = weights[names == name]
        for figure in (sides, contracts):
            ranks = np.corrcoef(listed.rank(), figure[listed.index].rank())[0, 1]
            assert ranks > SMALLEST_CORRELATION, name
        fifths = np.minimum(5 * listed.rank(method="first") / len(listed), 4.5).astype(int)
        drawn = sides[listed.index].groupby(fifths).sum() / sides[listed.index].sum()
        assert (drawn - listed.groupby(fifths).sum() / listed.sum()).abs().max() < 0.05, name
    by_name = sides.groupby(names).sum() / sides.sum()
    assert (by_name - weights.groupby(names).sum() / weights.sum()).abs().max() < 0.1


def test_a_seed_is_a_book(chain: Path, drawn: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again", tmp_path / "other"
    for seed, out in (("7", again), ("8", other), ("7", again)):
        done = invoke("synth", chain, "--accounts", str(ACCOUNTS), "--seed", seed, "--out", out)
        assert done.exit_code == 0, "a drawn book is replaced"
    names = sorted(path.name for path in drawn.iterdir())
    assert names == ["accounts.parquet", "policy.toml", "positions.parquet"]
    for name in names:
        assert (again / name).read_bytes() == (drawn / name).read_bytes()
    assert (other / "positions.parquet").read_bytes() != (drawn / "positions.parquet").read_bytes()


def test_the_book_runs_under_both_regimes(chain: Path, drawn: Path, tmp_path: Path) -> None:
    inputs = ("run", "--market", chain, "--book", drawn)
    done = invoke(*inputs, "--policy", drawn / "policy.toml", "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    accounts = pd.read_parquet(tmp_path / "run" / "accounts.parquet")
    assert len(accounts) == ACCOUNTS
    assert set(accounts["binding"]) == {"exchange", "house"}
    short = accounts["excess"] < 0
    assert 0.01 <= short.mean() <= 0.03
    assert (accounts.loc[short, "requirement"] > 0).all()
    for regime in ("tims", "house"):
        alone = invoke(*inputs, "--regime", regime, "--out", tmp_path / regime)
        assert alone.exit_code == 0, alone.output


def tiny(folder: Path, kinds: tuple[str, ...] = ("stock", "option", "option")) -> Path:
    symbols = ["XYZ", "XYZ261218C00100000", "XYZ261218P00090000"]
    instruments = pd.DataFrame(
        {
            "symbol": symbols[: len(kinds)],
            "underlying": "XYZ",
            "type": kinds,
            "right": ["", "C", "P"][: len(kinds)],
            "strike": [np.nan, 100.0, 90.0][: len(kinds)],
            "expiry_utc": ["", "2026-12-18T21:00Z", "2026-12-18T21:00Z"][: len(kinds)],
        }
    )
    tables = {
        "instruments": instruments,
        "underlyings": pd.DataFrame({"underlying": ["XYZ"], "spot": [95.0]}),
        "quotes": pd.DataFrame({"symbol": symbols[1:], "vol": [0.3, 0.35]}),
        "curve": pd.DataFrame({"currency": ["USD"], "days": [30.0], "zero_rate_dec": [0.05]}),
    }
    write_tables(tables, folder)
    write_market_toml(folder / "market.toml", "2026-11-20T21:00Z")
    return folder


def test_a_market_without_open_interest(tmp_path: Path) -> None:
    market, out = tiny(tmp_path / "market"), tmp_path / "book"
    done = invoke("synth", market, "--accounts", "100", "--out", out)
    assert done.exit_code == 0, done.output
    rows = read_tables(out, ["positions"])["positions"]
    options = rows[rows["symbol"] != "XYZ"]
    assert (options.groupby("symbol")["quantity"].sum() == 0).all()
    assert options["symbol"].nunique() == 2, "both series weigh the same"
    run = invoke(
        "run", "--market", market, "--book", out, "--policy", out / "policy.toml", "--out", tmp_path / "r"
    )
    assert run.exit_code == 0, run.output


def test_two_accounts_trade_with_each_other(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "market")
    market, quotes = read_market(folder), read_tables(folder, ["quotes"])["quotes"]
    positions, accounts = draw_book(market, quotes, accounts=2, seed=3)
    assert accounts["account"].tolist() == ["000001", "000002"]
    both = positions[positions["symbol"] != "XYZ"].pivot_table(
        index="symbol", columns="account", values="quantity"
    )
    assert (both["000001"] == -both["000002"]).all()
    with pytest.raises(InputError, match="at least two accounts"):
        draw_book(market, quotes, accounts=1, seed=3)


def test_a_series_without_interest_is_not_drawn(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "market")
    market = read_market(folder)
    quotes = pd.DataFrame({"symbol": ["XYZ   261218C00100000"], "open_interest": ["12"], "volume": [""]})
    assert interest(market.instruments.symbols, quotes).sum() == 12.0
    positions, _ = draw_book(market, quotes, accounts=50, seed=3)
    assert set(positions["symbol"]) <= {"XYZ", "XYZ261218C00100000"}


def test_refusals(tmp_path: Path) -> None:
    bare = tiny(tmp_path / "bare", ("stock",))
    refused = invoke("synth", bare, "--out", tmp_path / "book")
    assert refused.exit_code == 2
    assert str(bare) in refused.stderr
    assert "no option can be priced" in refused.stderr
    market = tiny(tmp_path / "market")
    taken = invoke("synth", market, "--accounts", "10", "--out", market)
    assert taken.exit_code == 2
    assert "no drawn book" in taken.stderr
    assert isinstance(read_market(market), Market)
    assert invoke("synth", tmp_path / "none", "--out", tmp_path / "book").exit_code == 2
    assert invoke("synth", market, "--accounts", "1", "--out", tmp_path / "book").exit_code == 2
    assert not (tmp_path / "book").exists()
