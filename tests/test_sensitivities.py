"""Slopes on the grid, sticky strike beside sticky delta."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log, sqrt

import numpy as np
import pytest
from books import book, market, option, requirement
from closed_form import call
from scipy.special import ndtr

import shockgrid as sg
from shockgrid.research.grids import Grid
from shockgrid.research.sensitivities import greeks, sticky_sides


def test_greeks_of_a_call_by_hand() -> None:
    priced = market([option("C", "XYZ", "C", 100.0, 60)], {"XYZ": 100.0}, [{"symbol": "C", "vol": 0.3}])
    grid = Grid(np.linspace(-0.1, 0.1, 201), np.linspace(-0.2, 0.2, 41))
    surface = sg.pnl_surface(book([("A", "C", 1.0)]), priced, grid, account="A", method="direct")
    found = greeks(surface)
    deviation = 0.3 * sqrt(60 / 365)
    upper = (0.05 * 60 / 365) / deviation + deviation / 2
    density = exp(-upper * upper / 2) / sqrt(2 * np.pi)
    assert found.delta[100, 20] == pytest.approx(100.0 * ndtr(upper), rel=1e-4)  # 1 % of 100 is 1
    assert found.gamma[100, 20] == pytest.approx(100.0 * density / (100.0 * deviation), rel=1e-3)
    vega = 100.0 * 100.0 * density * sqrt(60 / 365) * 0.3 * 0.01  # a relative vol shock of 1 %
    assert found.vega is not None
    assert found.vega[100, 20] == pytest.approx(vega, rel=1e-4)
    assert greeks(replace(surface, pnl=surface.pnl[:, :1], grid=Grid(grid.spots, np.zeros(1)))).vega is None


def test_sticky_strike_and_sticky_delta() -> None:
    """On a flat smile they agree. On a falling one a 100 call after +10 % has the vol of strike 90.909."""
    strikes = [80.0, 90.0, 100.0, 110.0, 120.0]
    rows = [option(f"C{k:.0f}", "XYZ", "C", k, 60) for k in strikes]
    held, grid = book([("A", "C100", 1.0)]), Grid(np.array([-0.05, 0.0, 0.1]), np.zeros(1))
    flat, skew = (
        market(
            rows, {"XYZ": 100.0}, [{"symbol": f"C{k:.0f}", "vol": 0.3 - s * log(k / 100)} for k in strikes]
        )
        for s in (0.0, 0.4)
    )
    same = sticky_sides(held, flat, grid, account="A")
    assert same["sticky delta"].pnl == pytest.approx(same["sticky strike"].pnl, abs=1e-9)
    sides = sticky_sides(held, skew, grid, account="A")
    vol = float(np.interp(log(100 / 1.1), np.log(strikes), [0.3 - 0.4 * log(k / 100) for k in strikes]))
    expected = 100.0 * (call(110.0, 100.0, vol, 60) - call(100.0, 100.0, 0.3, 60))
    assert sides["sticky delta"].pnl[2, 0] == pytest.approx(expected, abs=1e-6)
    assert sides["sticky delta"].pnl[1, 0] == pytest.approx(0.0, abs=1e-9)
    assert sides["sticky delta"].pnl[2, 0] > sides["sticky strike"].pnl[2, 0]
    assert requirement(sg.margin(held, skew, sg.tims())) > 0.0
