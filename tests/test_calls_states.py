"""The life of one call: every state with every event, and amounts that make sense whatever happens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shockgrid as sg
from shockgrid.desk.calls_states import Call, Calls, Event, advanced
from shockgrid.desk.calls_transitions import EVENTS, OPEN, STATES, TRANSITIONS

DUE, LATER = "2026-11-24T21:00:00.000000+00:00", "2026-11-27T18:00:00.000000+00:00"
HOUSE = "house/2026-11-20/A"


def event(name: str, **more: Any) -> Event:
    usual = {"issue": 100, "propose": 100, "amend": 100, "promise": 10, "cure": 10, "correct": 0}
    return Event("k", name, DUE, HOUSE, "A", "house", "2026-11-20", more.pop("units", usual.get(name, 0)),
                 due_utc=LATER if name == "extend" else DUE, **more)  # fmt: skip


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", EVENTS)
def test_every_pair_of_state_and_event(state: str, name: str) -> None:
    """What is not in the table is refused, what is leads to one of its two states."""
    call = Call(HOUSE, "A", "house", "2026-11-20", DUE, DUE, state, 100, cured_units=20)
    if name not in TRANSITIONS[state]:
        with pytest.raises(sg.InputError, match=f"'{name}' cannot follow state '{state}'"):
            advanced(call, event(name))
        return
    assert advanced(call, event(name)).state == TRANSITIONS[state][name][0]
    if name in ("cure", "amend"):
        done = advanced(call, event(name, units=80 if name == "cure" else 20))
        assert (done.state, done.outstanding_units) == (TRANSITIONS[state][name][1], 0)


def test_the_table_is_whole() -> None:
    reached = {state for row in TRANSITIONS.values() for pair in row.values() for state in pair}
    assert reached == set(STATES) == set(TRANSITIONS) - {""}
    with pytest.raises(sg.InputError, match="cannot follow state 'no call'"):
        advanced(None, event("cure"))


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(-50, 150)), max_size=12))
def test_whatever_happens_amounts_make_sense(steps: list[tuple[str, int]]) -> None:
    calls = Calls()
    calls.apply(event("issue"))
    for name, cents in steps:
        try:
            calls.apply(event(name, units=cents))
        except sg.InputError:
            continue
        call = calls.by_id[HOUSE]
        assert call.cured_units >= 0
        assert call.promised_units >= 0
        assert call.outstanding_units == max(0, call.called_units - call.cured_units)
        if call.state in OPEN:
            assert call.outstanding_units > 0
        if call.state == "met":
            assert call.outstanding_units == 0
