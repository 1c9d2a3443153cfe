"""Deribit's risk matrix beyond its range, and the shock of a large delta, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from test_counter_examples import ROUNDING, lines, vector
from test_deribit import coin_option, future
from test_deribit import world as coin_world
from test_venue_properties import COIN_MARKET

import shockgrid as sg


def test_dampener_offset_and_end_of_range_in_coin() -> None:
    """Deribit: for a linear position every extended value is that of the end of the range (its weights)."""
    pnl = vector({"PERP": 600.0}, COIN_MARKET, sg.regimes.deribit())
    lowest, highest, extended = pnl[0], pnl[26], pnl[27:]
    assert extended[:2] == pytest.approx([lowest] * 2)
    assert extended[2:] == pytest.approx([highest] * 6)
    wing = coin_option("WING", "C", 200_000.0, 20.0)
    priced = coin_world(
        [wing, future("PERP", "perpetual")], 60_000.0, [{"symbol": "WING", "vol": 0.8}], {20: 60_500.0}
    )
    raw = vector({"WING": -10.0}, priced, sg.regimes.deribit())
    row = lines({"WING": -10.0}, priced, sg.regimes.deribit())
    moves = np.array([-0.66, -0.33, 0.5, 1, 2, 3, 4, 5])
    damp = (np.abs(moves) / 0.16 - 1) * 100_000 / (1 + np.sign(moves) * 0.16)
    worst = max(-raw[:27].min(), (np.abs(raw[27:]) - damp)[raw[27:] < 0].max(), 0.0)
    scan = row[["stand_alone_sum", "hedge_benefit", "offset_benefit", "minimum"]].sum()
    assert scan == pytest.approx(worst, abs=ROUNDING)


def test_delta_shock_above_the_threshold() -> None:
    """30 million of futures, threshold 20: 5e-5 a coin above it, at most 10 %, on the whole delta."""
    row = lines({"PERP": 3_000_000.0}, COIN_MARKET, sg.regimes.deribit())
    coins = 10e6 / 60_000.0
    assert row["delta_shock"] == pytest.approx(30e6 * 5e-5 * coins, rel=1e-6)
    hedged = lines({"PERP": -3_000_000.0, "C50000_90": 400.0}, COIN_MARKET, sg.regimes.deribit())
    assert 0.0 <= hedged["delta_shock"] < row["delta_shock"]
