"""The state table agrees with the standard, as pynetdicom has it."""

from __future__ import annotations

from pynetdicom.fsm import TRANSITION_TABLE

from dicom_listener.upper_layer.state_table import PDU_EVENTS, TRANSITIONS, Event, State


def test_every_transition_has_the_action_that_the_standard_names() -> None:
    ours = {
        (event.name.capitalize(), state.name.capitalize()): action.name.replace("_", "-")
        for (state, event), (action, _) in TRANSITIONS.items()
    }
    assert ours == {key: TRANSITION_TABLE[key] for key in ours}


def test_every_pdu_and_a_bad_one_and_the_end_of_the_connection_are_answered_in_every_state() -> None:
    waiting = set(State) - {State.STA1}
    events = {*PDU_EVENTS.values(), Event.EVT17, Event.EVT19}
    assert {(state, event) for state in waiting for event in events} <= set(TRANSITIONS)
