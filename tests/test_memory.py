"""What does not fit into memory is refused before it is taken; how much is free is asked of the system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from small_firm import laid

import shockgrid as sg
from shockgrid.backends import NumpyBackend
from shockgrid.engine import Plan
from shockgrid.errors import InputError
from shockgrid.market_states import MarketStates
from shockgrid.whole_firm import worst_by_tile, worst_losses


@pytest.fixture
def small_firm() -> Plan:
    return laid()


class Crowded(NumpyBackend):
    """A machine with a kilobyte left."""

    def free_bytes(self) -> int:
        return 10**3


def test_what_does_not_fit_is_refused_before_it_is_taken(small_firm: Plan) -> None:
    scenarios, backend = sg.house().scenarios, Crowded()
    with pytest.raises(InputError, match=r"leaves of [\d,]+ series need .* GB, 0.0 GB are free"):
        worst_losses(small_firm, MarketStates.of(scenarios, small_firm.market), backend)
    with pytest.raises(InputError, match=r"a book of [\d,]+ positions need"):
        next(worst_by_tile([small_firm.book], small_firm.market, scenarios, backend))


def test_free_memory_where_the_system_says_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc all that is installed is taken for free; without either nothing is refused."""
    told = NumpyBackend().free_bytes()
    monkeypatch.setattr("shockgrid.backends._numpy.MEMINFO", tmp_path / "none")
    assert NumpyBackend().free_bytes() >= told > 0
    monkeypatch.setattr("os.sysconf_names", {})
    assert NumpyBackend().free_bytes() == sys.maxsize
