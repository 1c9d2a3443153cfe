"""The desk and time: sequences, late rows, ages, rolling."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from books import AS_OF, book, market, stock
from desk_world import held, priced
from small_desk import BACKEND, CENT, PLAIN, desk, row

import shockgrid as sg


def test_older_updates_are_dropped_and_counted() -> None:
    live = desk()
    for sequence, spot in ((5, 101.0), (5, 102.0), (4, 103.0), (8, 104.0)):
        live.tick(pd.DataFrame([{"underlying": "X", "spot": spot}]), sequence=sequence)
    assert live.market.underlyings.spots[0] == 104.0
    assert (live.dropped, live.gaps, live.sequence) == (2, 3 + 2, 8)  # 4 was dropped, so it is not missing
    late = AS_OF + pd.Timedelta(minutes=5)
    for minutes, spot in ((5, 105.0), (4, 106.0)):
        live.tick(
            pd.DataFrame(
                [{"underlying": "X", "spot": spot, "quote_utc": AS_OF + pd.Timedelta(minutes=minutes)}]
            )
        )
    assert live.market.underlyings.spots[0] == 105.0
    assert live.dropped == 3
    assert live.time == late
    assert live.stale(timedelta(minutes=4))["underlying"].tolist() == ["Y"]


def test_an_update_that_is_late_by_its_time_is_dropped_and_not_missing() -> None:
    """Numbers 1, 2, 5 and 3: 2 comes with an older time, 3 after 5; 4 alone never comes."""
    live = desk()
    for sequence, minutes in ((1, 5), (2, 4), (5, 6), (3, 7), (3, 7)):
        at = (AS_OF + pd.Timedelta(minutes=minutes)).to_pydatetime()
        live.tick(pd.DataFrame([{"underlying": "X", "spot": 100.0 + sequence}]), sequence=sequence, at=at)
    assert live.market.underlyings.spots[0] == 105.0
    assert (live.dropped, live.gaps, live.sequence) == (3, 1, 5)
    assert live.time == (AS_OF + pd.Timedelta(minutes=6)).to_pydatetime()
    with pytest.raises(sg.InputError):
        live.tick("nonsense", sequence=9)
    assert (live.dropped, live.gaps, live.sequence) == (3, 1, 5)


def test_a_row_from_the_future_is_named_and_does_not_move_the_time() -> None:
    live, late = desk(), AS_OF + pd.Timedelta(days=900)
    rows = [{"underlying": "X", "spot": 1.0, "quote_utc": late}, {"underlying": "Y", "spot": 51.0}]
    live.tick(pd.DataFrame(rows), at=AS_OF.to_pydatetime())
    assert live.rejects["code"].tolist() == ["E_AHEAD"]
    assert live.time == AS_OF
    assert live.market.underlyings.spots.tolist() == [100.0, 51.0]


def test_a_spot_that_is_fresh_again_takes_the_flag_away() -> None:
    old = market(
        [stock("X")],
        {"X": {"spot": 100.0, "spot_utc": (AS_OF - pd.Timedelta(days=2)).isoformat()}},
        max_age=timedelta(hours=12),
    )
    live = sg.Desk(book([("A", "X", 1.0)]), old, sg.tims(), backend=BACKEND)
    assert row(live)["reliability"] == "STALE"
    told = live.tick(pd.DataFrame([{"underlying": "X", "spot": 100.0, "quote_utc": AS_OF}]))
    assert told["reliability_after"].tolist() == ["OK"]


def test_rolling_takes_time_and_nothing_else() -> None:
    """A week later the call is worth what one of 23 days is; past an ex-date only a new market will do."""
    live = desk()
    live.roll(PLAIN.as_of + timedelta(days=7))
    years, factor = 23.0 / 365.0, np.exp(-0.05 * 23.0 / 365.0)
    model = sg.price_european(
        forwards=100.0 / factor,
        strikes=100.0,
        expiries=years,
        vols=0.3,
        discount_factors=factor,
        is_call=True,
    )
    assert row(live)["equity_at_model"] == pytest.approx(11_000.0 - 100.0 * float(model), abs=CENT)
    with pytest.raises(sg.InputError, match="later than"):
        live.roll(PLAIN.as_of)
    with pytest.raises(sg.InputError, match="zone"):
        live.roll(PLAIN.as_of.replace(tzinfo=None))
    paying = sg.Desk(held(), priced(), sg.tims(), backend=BACKEND)
    with pytest.raises(sg.InputError, match="D goes ex"):
        paying.roll(PLAIN.as_of + timedelta(days=25))


def test_the_zone_of_an_instant_does_not_matter() -> None:
    """Four in the afternoon in New York is nine in the evening in Greenwich."""
    later = PLAIN.as_of + timedelta(days=7)
    desks = [desk(), desk()]
    for live, instant in zip(desks, (later, later.astimezone(ZoneInfo("America/New_York"))), strict=True):
        live.roll(instant)
        live.tick(pd.DataFrame([{"underlying": "X", "spot": 101.0}]), at=instant)
        assert (live.market.as_of.utcoffset(), live.time) == (timedelta(0), later)
        old = live.stale(timedelta(days=1))
        assert old[["underlying", "age"]].to_numpy().tolist() == [["Y", timedelta(days=7)]]
    pd.testing.assert_frame_equal(desks[0].accounts, desks[1].accounts, check_exact=True)
