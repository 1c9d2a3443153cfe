"""Every file of the vendors' folders, against what the notes beside them describe."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from chains import RATE, inside, nothing_is_lost

from shockgrid.errors import InputError
from shockgrid.expiries import new_york
from shockgrid.io.vendors import Converted, convert
from shockgrid.symbols import parsed


@pytest.fixture(scope="session")
def spx(cboe: Path) -> Converted:
    return convert("cboe", [cboe / "spx_quotedata_2023-09-14.csv"])


@pytest.mark.parametrize(
    ("file", "underlying", "as_of", "bar", "judged"),
    [
        ("spx_quotedata_2023-09-14.csv", "SPX", "2023-09-14T20:00", 0.98, 17_172),
        ("spx_quotedata_2022-03-23_es-locale.csv", "SPX", "2022-03-23T14:11", 0.93, 17_947),
        ("spx_quotedata_2023-08-20.csv", "SPX", "2023-08-18T20:00", 0.90, 16_761),
        ("spx_quotedata_2023-09-04.csv", "SPX", "2023-09-04T18:56", 0.98, 16_558),
        ("xsp_quotedata_2023-09-14.csv", "XSP", "2023-09-14T20:00", 0.88, 8_750),
    ],
)
def test_cboe_vols_reprice_at_the_moment_chosen(
    cboe: Path, file: str, underlying: str, as_of: str, bar: float, judged: int
) -> None:
    found = convert("cboe", [cboe / file])
    nothing_is_lost(found)
    assert found.as_of == pd.Timestamp(as_of, tz="UTC")
    share, count = inside(found, underlying)
    assert share >= bar
    assert count == judged
    assert found.files["share"].tolist() == pytest.approx([share], abs=1e-4)


@pytest.mark.parametrize(
    ("file", "rows", "rejected", "accepted_codes"),
    [
        ("amd_quotedata_2023-08-20.csv", 1738, {"E_DELIVERABLE": 80}, {}),
        ("spx_quotedata_2022-03-23_es-locale.csv", 19_002, {}, {"W_NO_BID": 723, "W_NO_VOL": 333}),
        ("spx_quotedata_2023-08-20.csv", 20_342, {"E_EXPIRED": 738}, {"W_AT_EXPIRY": 738}),
        (
            "spx_quotedata_2023-09-04.csv", 19_158, {},
            {"W_CROSSED": 1, "W_NO_BID": 1000, "W_NO_QUOTE": 210, "W_NO_VOL": 1600},
        ),
        (
            "spx_quotedata_2023-09-14.csv", 19_920, {},
            {"W_CROSSED": 1, "W_NO_BID": 1252, "W_NO_QUOTE": 228, "W_NO_VOL": 1447},
        ),
        ("spy_quotedata_2023-09-14.csv", 7292, {}, {"W_NO_BID": 788, "W_NO_VOL": 1635}),
        ("tsla_quotedata_2023-08-20.csv", 236, {}, {"W_NO_BID": 53, "W_NO_QUOTE": 6, "W_NO_VOL": 22}),
        ("xsp_quotedata_2023-09-14.csv", 10_882, {}, {"W_NO_BID": 951, "W_NO_QUOTE": 332, "W_NO_VOL": 1321}),
    ],
)  # fmt: skip
def test_cboe_rows_by_code(
    cboe: Path, file: str, rows: int, rejected: dict[str, int], accepted_codes: dict[str, int]
) -> None:
    found = convert("cboe", [cboe / file], rate=0.055)
    nothing_is_lost(found)
    counts = found.counts()
    assert found.files["rows"].tolist() == [rows]
    assert {code: n for code, n in counts.items() if code.startswith("E_")} == rejected
    assert {code: counts.get(code) for code in accepted_codes} == accepted_codes


def test_am_and_pm_series_of_one_date_stay_apart(spx: Converted) -> None:
    options = spx.tables["instruments"]
    osi = parsed(options["symbol"].to_numpy(object))
    keys = pd.DataFrame({"date": osi["expiry"], "strike": osi["strike"], "right": osi["right"]})
    shared_keys = int(keys.duplicated(keep=False).sum()) // 2
    assert 2862 <= shared_keys <= 3586
    assert options["symbol"].is_unique
    morning = options["settlement_time"] == "am"
    assert (morning == (osi["root"] == "SPX")).all()
    times = options["expiry_utc"].str[11:16]
    assert set(times[morning]) == {"13:30", "14:30"}
    assert set(times[~morning]) == {"20:00", "21:00"}
    assert set(options["style"]) == {"european"}
    assert set(options["underlying"]) == {"SPX"}


def test_parity_gives_the_interest_of_the_day(spx: Converted) -> None:
    # the notes beside the data: about 5.7 % for 2023-09-14, between 0.1 and 0.8 years
    curve = spx.tables["curve"]
    middle = curve[curve["days"].between(36.5, 292)]["zero_rate_dec"]
    assert len(middle) > 10
    assert middle.median() == pytest.approx(0.057, abs=0.002)
    assert (spx.parity["reason"] == "").all()


def test_after_hours_spot_is_noticed(cboe: Path) -> None:
    files = [cboe / f"{name}_quotedata_2023-08-20.csv" for name in ("spx", "amd", "tsla")]
    found = convert("cboe", files)
    assert found.as_of == new_york("2023-08-18")
    assert (found.files["share"] > 4 * found.files["other_share"]).iloc[1:].all()
    # TSLA closed at 215.49; the file's 218.80 is the last trade after hours
    spots = [note for note in found.notes if "spot" in note and "parity says" in note]
    assert len(spots) == 1
    assert "parity says 215." in spots[0]
    assert set(found.tables["forwards"]["underlying"]) == {"SPX"}
    own = found.tables["instruments"].set_index("symbol").loc[["AMD", "TSLA"]]
    assert own["type"].tolist() == ["stock", "stock"]


def test_a_market_without_a_rate_is_refused(cboe: Path) -> None:
    with pytest.raises(InputError, match="--curve FILE or --rate"):
        convert("cboe", [cboe / "amd_quotedata_2023-08-20.csv"])
    with pytest.raises(InputError, match="per cent"):
        convert("cboe", [cboe / "amd_quotedata_2023-08-20.csv"], rate=5.5)


def test_files_of_two_days_need_as_of(cboe: Path) -> None:
    files = [cboe / "amd_quotedata_2023-08-20.csv", cboe / "spx_quotedata_2023-09-14.csv"]
    with pytest.raises(InputError, match="--as-of"):
        convert("cboe", files)
    mixed = convert("cboe", files, as_of=new_york("2023-09-14"))
    assert mixed.as_of == new_york("2023-09-14")
    assert mixed.counts()["E_EXPIRED"] > 0
    with pytest.raises(InputError, match="SPX too"):
        convert("cboe", [files[1], cboe / "spx_quotedata_2023-09-04.csv"])


@pytest.mark.parametrize("day", ["20190430", "20190513", "20190524", "20190527", "20190607"])
def test_spx_eod(shared: Path, day: str) -> None:
    found = convert("spx-eod", [shared / "data" / "spx-eod-2019" / f"SPX_{day}.csv.gz"])
    nothing_is_lost(found)
    facts = {
        "20190430": (13_600, 2943.15, 986, 1330, 422),
        "20190513": (13_522, 2812.98, 1018, 918, 294),
        "20190524": (13_752, 2826.06, 948, 932, 428),
        "20190527": (13_324, 2826.06, 753, 1120, None),
        "20190607": (14_426, 2877.26, 785, 764, 448),
    }
    rows, spot, no_bid, no_vol, at_expiry = facts[day]
    counts = found.counts()
    assert found.as_of == new_york(pd.Timestamp(day))
    assert (found.files["rows"].item(), found.files["spot"].item()) == (rows, spot)
    assert found.files["rejected"].item() == 0
    assert [counts.get(code) for code in ("W_NO_BID", "W_NO_VOL", "W_AT_EXPIRY")] == [
        no_bid,
        no_vol,
        at_expiry,
    ]
    assert "W_NO_QUOTE" not in counts
    if day == "20190513":
        assert inside(found, "SPX")[0] >= 0.98
    rates = found.tables["curve"]
    years = rates[rates["days"].between(90, 700)]["zero_rate_dec"]
    assert (
        0.024 < years.median() < 0.029
    )  # the notes beside the data: 2.6 to 2.8 %, less after the rally of June
    assert any("no session" in note for note in found.notes) == (day == "20190527")


@pytest.mark.parametrize("suffix", ["", "_2", "_3", "_4"])
def test_yahoo_snapshots(shared: Path, suffix: str) -> None:
    names = ["AAPL", "AMZN", "IBIT", "NVDA", "QQQ", "SPY", "TSLA"]
    files = [shared / "data" / "yahoo-chains-2026-02" / f"{name}_options{suffix}.csv.gz" for name in names]
    found = convert("yahoo", files, rate=RATE)
    nothing_is_lost(found)
    latest = {"": "02-11T17:27", "_2": "02-12T15:10", "_3": "02-12T17:59", "_4": "02-13T15:50"}
    apple = {"": 279.51, "_2": 271.36, "_3": 262.15, "_4": 259.48}
    assert f"{found.as_of:%m-%dT%H:%M}" == latest[suffix]
    spots = found.tables["underlyings"].set_index("underlying")["spot"]
    assert spots["AAPL"] == pytest.approx(apple[suffix], abs=0.01)
    assert 31_000 < found.files["rows"].sum() < 34_000
    assert found.files["rejected"].sum() == 0
    assert "vol" not in found.tables["quotes"].columns
    counts = found.counts()
    assert 1_500 < counts["W_NO_BID"] < 2_200
    own = found.rejects[found.rejects["table"] == f"AAPL_options{suffix}.csv.gz"]
    assert (own["code"] == "W_CROSSED").sum() == 8
    qqq = found.rejects[found.rejects["table"] == f"QQQ_options{suffix}.csv.gz"]
    assert (qqq["code"] == "W_NO_QUOTE").sum() == 95
    shares = found.tables["instruments"].set_index("symbol").loc[names]
    assert shares["type"].tolist() == ["stock", "stock", "etf", "stock", "etf", "etf", "stock"]


@pytest.mark.parametrize("day", ["12", "13", "14", "18", "19", "20"])
def test_yahoo_sessions_take_the_live_spot(shared: Path, day: str) -> None:
    folder = shared / "data" / "yahoo-etf-chains-2026-08"
    found = convert("yahoo", sorted(folder.glob(f"2026-08-{day}_*.csv.gz")), rate=RATE)
    nothing_is_lost(found)
    meta = json.loads((folder / f"2026-08-{day}_meta.json").read_text())
    assert found.as_of == pd.Timestamp(meta["utc"])
    for row in found.files.to_dict("records"):
        told = meta["tickers"][row["underlying"]]
        assert (row["spot"], row["rows"]) == (told["spot_live"], told["contracts"])
    assert found.files["rejected"].sum() == 0
    assert set(found.counts()) <= {"W_NO_BID", "W_NO_QUOTE", "W_NO_ASK"}


def test_a_session_without_its_meta_file_is_refused(shared: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "yahoo-etf-chains-2026-08"
    chain, meta = tmp_path / "IWM.csv.gz", tmp_path / "elsewhere.json"
    chain.write_bytes((folder / "2026-08-12_IWM.csv.gz").read_bytes())
    with pytest.raises(InputError, match=r"2026-08-12_meta\.json"):
        convert("yahoo", [chain], rate=RATE)
    meta.write_bytes((folder / "2026-08-12_meta.json").read_bytes())
    assert convert("yahoo", [chain, meta], rate=RATE).files["spot"].item() == pytest.approx(302.92, abs=0.01)
    meta.write_text(meta.read_text().replace("spot_live", "spot_dead"))
    with pytest.raises(InputError, match="spot_live"):
        convert("yahoo", [chain, meta], rate=RATE)
