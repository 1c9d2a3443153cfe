"""tims for customers and dealers, own ranges, one class for an index and its futures; imported arrays."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pandas as pd
import pytest
from books import book, expiry, market, option, requirement, stock

import shockgrid as sg
from shockgrid.io.unit_pnl import read_unit_pnl
from shockgrid.regimes import load_regime

ROUNDING = 1e-9  #: relative
SHIPPED = (resources.files("shockgrid.regimes") / "parameters" / "tims-2026-06-04.toml").read_text()


@pytest.mark.parametrize(
    ("account", "long", "short"),
    [("customer", 4_000.0, 3_000.0), ("broker_dealer", 5_000.0, 5_000.0), ("market_maker", 4_000.0, 3_000.0)],
)
def test_50_000_of_an_index_fund(account: str, long: float, short: float) -> None:
    """An S&P 500 ETF worth 50,000: a broker-dealer at 10 %, everybody else at 8 % down and 6 % up."""
    spy = {"SPY": {"spot": 500.0, "portfolio_type": "broad_index_high_cap"}}
    priced, regime = market([stock("SPY", "etf")], spy), sg.tims(account=account)  # type: ignore[arg-type]
    result = sg.margin(book([("L", "SPY", 100), ("S", "SPY", -100)]), priced, regime)
    assert requirement(result, "L") == pytest.approx(long)
    assert requirement(result, "S") == pytest.approx(short)


def test_the_minimum_of_a_dealer_is_25_dollars() -> None:
    priced = market([option("O", "X", "C", 300.0, 5.0)], {"X": 100.0}, [{"symbol": "O", "vol": 0.2}])
    held = book([("A", "O", -4)])
    for name, expected in (("tims", 150.0), ("rbh_bd", 100.0), ("rbh_mm", 100.0)):
        regime = load_regime(name)
        assert (regime.name, regime.side) == (name, "exchange")
        assert requirement(sg.margin(held, priced, regime)) == pytest.approx(expected)


def test_foreign_cash_and_positions_are_classes_of_their_own() -> None:
    """By hand, market maker: EUR 1,000 and 2,000 of stock at 1.1, 4.5 %; TRY -50,000 at 0.03, 20 %."""
    fx = pd.DataFrame({"currency": ["EUR", "TRY"], "rate": [1.1, 0.03]})
    spots = {"SAP": {"spot": 100.0, "currency": "EUR"}}
    priced = market([stock("SAP")], spots, fx=fx)
    accounts = [
        {"account": "E", "cash": 1_000.0, "currency": "EUR", "margin_group": "M"},
        {"account": "T", "cash": -50_000.0, "currency": "TRY", "margin_group": "M"},
        {"account": "U", "cash": 7.0, "currency": "USD", "margin_group": "M"},
        {"account": "H", "cash": 900.0, "currency": "EUR", "margin_group": "H"},
    ]
    held = book([("E", "SAP", 20), ("H", "SAP", 20)], accounts)
    result = sg.margin(held, priced, load_regime("rbh_mm"))
    rows = result.accounts.set_index("margin_group")
    assert rows.loc["M", "currency"] == "USD"
    scan = 0.15 * 2_000 * 1.1
    assert rows.loc["M", "requirement"] == pytest.approx(scan + 0.045 * 3_300 + 0.20 * 1_500)
    assert rows.loc["H", "requirement"] == pytest.approx(0.15 * 2_000)  # kept in EUR: nothing foreign
    shown = result.explain("E").query("level == 'currency'").set_index("name")
    assert shown["amount"].to_dict() == pytest.approx({"EUR": 0.045 * 3_300, "TRY": 0.20 * 1_500})
    assert shown.loc["TRY", "words"] == "exposure -1,500.00, moved -0.2 .. +0.2"
    assert len(result.explain("H").query("level == 'currency'")) == 0


def vix_market() -> sg.Market:
    """VIX at 15, its options on forwards of 18 and 20."""
    near, far = option("V1", "VIX", "C", 18.0, 30.0), option("V2", "VIX", "C", 20.0, 90.0)
    forwards = pd.DataFrame(
        {"underlying": ["VIX", "VIX"], "expiry_utc": [expiry(30.0), expiry(90.0)], "forward": [18.0, 20.0]}
    )
    quotes = [{"symbol": "V1", "vol": 0.9}, {"symbol": "V2", "vol": 0.8}]
    return market([near, far], {"VIX": 15.0}, quotes, rate=0.0, forwards=forwards)


def test_options_on_a_volatility_index_have_forwards_and_ranges_of_their_own(tmp_path: Path) -> None:
    """At +40 % the forwards are 25.2 and 28; by hand from Black's formula."""
    path = tmp_path / "tims.toml"
    own = '\n[own_ranges.VIX]\ndown = 0.30\nup = 0.40\nsource = "a firm of one"\nconfidence = "unconfirmed"\n'
    path.write_text(SHIPPED + own)
    regime = sg.tims(path)
    terms = {"discount_factors": 1.0, "is_call": True}
    loss = 0.0
    for quantity, forward, strike, days, vol in ((1, 18.0, 18.0, 30, 0.9), (2, 20.0, 20.0, 90, 0.8)):
        values = [
            float(sg.price_european(forwards=price, strikes=strike, expiries=days / 365, vols=vol, **terms))
            for price in (forward, forward * 1.4)
        ]
        loss += quantity * 100 * (values[1] - values[0])
    held = book([("A", "V1", -1), ("A", "V2", -2)])
    assert requirement(sg.margin(held, vix_market(), regime)) == pytest.approx(loss, rel=ROUNDING)
    usual = requirement(sg.margin(held, vix_market(), sg.tims()))
    assert usual < loss
    assert regime.fingerprint() != sg.tims().fingerprint()
    path.write_text(SHIPPED + own.replace("VIX", "VXI"))
    assert "own range of VXI: the market has none" in sg.margin(held, vix_market(), sg.tims(path)).notes
    path.write_text(SHIPPED + own.replace("0.40", "-1.0"))
    with pytest.raises(sg.errors.ParameterError, match=r"own_ranges\.VIX\.up"):
        sg.tims(path)


def index_family() -> sg.Market:
    """SPX, a fund on it, a future of one month and an option on that future, in one class."""
    kind = {"portfolio_type": "broad_index_high_cap"}
    future = {
        "symbol": "ESZ",
        "underlying": "ESZ",
        "type": "future",
        "multiplier": 50.0,
        "expiry_utc": expiry(30.0),
    }
    rows = [
        stock("SPY", "etf"), future, option("SPXP", "SPX", "P", 4900.0, 30.0),
        option("ESP", "ESZ", "P", 4900.0, 30.0, multiplier=50.0),
    ]  # fmt: skip
    quotes = [{"symbol": name, "vol": 0.2} for name in ("SPXP", "ESP")]
    spots = {"SPX": {"spot": 5000.0, **kind}, "SPY": {"spot": 500.0, **kind}, "ESZ": {"spot": 5000.0, **kind}}
    names = ["SPX", "SPY", "ESZ"]
    groups = pd.DataFrame({"underlying": names, "class_group": ["SPX"] * 3})
    return market(rows, spots, quotes, rate=0.0, groups=groups)


def test_an_index_its_futures_and_its_funds_net_in_one_class() -> None:
    """A future of 50 x 5,000 short against 500 shares at 500: the same money either way."""
    priced, regime = index_family(), sg.tims()
    result = sg.margin(book([("A", "ESZ", -1), ("A", "SPY", 500), ("B", "SPY", 500)]), priced, regime)
    assert requirement(result) == pytest.approx(0.0, abs=1e-6)
    assert requirement(result, "B") == pytest.approx(0.08 * 250_000)
    rules = result.rules.set_index("margin_group")
    assert list(rules.index) == ["A"]
    assert "needs a cross-margin agreement" in rules.loc["A", "words"]
    assert not rules.loc["A", "passed"]


def test_an_option_on_a_future_is_a_future_too() -> None:
    priced, regime = index_family(), sg.tims()
    alone = sg.margin(book([("A", "ESP", -1), ("A", "ESZ", -1)]), priced, regime)
    assert len(alone.rules) == 0
    beside = sg.margin(book([("A", "ESP", -2), ("A", "SPXP", 1)]), priced, regime)
    assert len(beside.rules) == 1
    assert requirement(beside) == pytest.approx(
        75.0
    )  # they cancel; the minimum of 2 x 18.75 and 37.50 is left


UNIT = market([stock("X"), option("O", "X", "C", 100.0, 60.0)], {"X": 100.0}, [{"symbol": "O", "vol": 0.3}])
ROWS = [("A", "O", -2), ("A", "X", 100), ("B", "X", -10)]


def arrays() -> pd.DataFrame:
    """What the model itself says of one call, so that importing it changes nothing."""
    regime = sg.tims()
    pnl = sg.margin(book([("A", "O", 1)]), UNIT, regime).scenarios("A")["pnl"]
    return pd.DataFrame([{"symbol": "O", **{f"pnl_{place + 1}": value for place, value in enumerate(pnl)}}])


def test_imported_arrays_of_the_model_give_the_model_s_figures() -> None:
    held = book(ROWS)
    one, other = (sg.margin(held, UNIT, regime) for regime in (sg.regimes.imported(arrays()), sg.tims()))
    assert one.accounts["requirement"].to_numpy() == pytest.approx(other.accounts["requirement"].to_numpy())
    counts = one.rules[one.rules["name"] == "not_imported"].set_index("margin_group")["value"]
    assert counts.to_dict() == {"A": 1.0, "B": 1.0}


def test_imported_arrays_replace_the_model() -> None:
    """Two short calls that lose 5 x point each, by hand: the last point costs 100; stock hedges at +15 %."""
    table = pd.DataFrame([{"symbol": "O", **{f"pnl_{k}": 5.0 * k for k in range(1, 11)}}])
    assert requirement(sg.margin(book([("A", "O", -2)]), UNIT, sg.regimes.imported(table))) == pytest.approx(
        100.0
    )


def test_a_file_of_another_layout_comes_in_through_a_column_map(tmp_path: Path) -> None:
    """Losses are positive in it, most up first, and another record type stands between."""
    file, path = tmp_path / "array.csv", tmp_path / "map.toml"
    columns = [f"L{k}" for k in range(1, 11)]
    lines = [",".join(["kind", "ticker", *columns])]
    lines += ["P,O," + ",".join(str(-5.0 * k) for k in range(10, 0, -1)), "H,x," + ",".join(["0"] * 10)]
    file.write_text("\n".join(lines) + "\n")
    renames = [f'L{k} = "pnl_{11 - k}"' for k in range(1, 11)]
    scales = [f"pnl_{k} = -1.0" for k in range(1, 11)]
    path.write_text(
        '[unit_pnl]\nfilter = { kind = "P" }\nrename = { ticker = "symbol", '
        + ", ".join(renames) + " }\nscale = { " + ", ".join(scales) + " }\n"
    )  # fmt: skip
    regime = sg.regimes.imported(read_unit_pnl(file, path))
    assert requirement(sg.margin(book([("A", "O", -2)]), UNIT, regime)) == pytest.approx(100.0)


def test_bad_arrays_are_refused_by_line() -> None:
    good = arrays().astype(object)
    for column, value in (("pnl_3", "x"), ("pnl_3", None), ("symbol", "")):
        spoilt = pd.concat([good, good.assign(**{"symbol": "P", column: value})], ignore_index=True)
        with pytest.raises(sg.InputError, match=f"line 3, column {column}"):
            sg.regimes.imported(spoilt)
    with pytest.raises(sg.InputError, match="pnl_10"):
        sg.regimes.imported(good.drop(columns="pnl_10"))
