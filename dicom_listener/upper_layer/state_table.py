"""The acceptor's part of the upper-layer state machine as a table (PS3.8, 9.2, Table 9-10).

Pure: states, events, actions and what follows from what. It must not touch a socket. States that
only an association requestor reaches, and release collisions, which need us to ask for a release
first, are not in it.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """States of an association acceptor (PS3.8, Tables 9-1 to 9-5)."""

    STA1 = "idle"
    STA2 = "transport connection open, awaiting A-ASSOCIATE-RQ"
    STA3 = "awaiting local A-ASSOCIATE response"
    STA6 = "association established"
    STA8 = "awaiting local A-RELEASE response"
    STA13 = "awaiting transport connection close"


class Event(Enum):
    """Events that reach an acceptor (PS3.8, Table 9-10, first column)."""

    EVT3 = "A-ASSOCIATE-AC PDU received"
    EVT4 = "A-ASSOCIATE-RJ PDU received"
    EVT6 = "A-ASSOCIATE-RQ PDU received"
    EVT7 = "A-ASSOCIATE response primitive, accept"
    EVT8 = "A-ASSOCIATE response primitive, reject"
    EVT10 = "P-DATA-TF PDU received"
    EVT12 = "A-RELEASE-RQ PDU received"
    EVT13 = "A-RELEASE-RP PDU received"
    EVT14 = "A-RELEASE response primitive"
    EVT15 = "A-ABORT request primitive"
    EVT16 = "A-ABORT PDU received"
    EVT17 = "transport connection closed"
    EVT18 = "ARTIM timer expired"
    EVT19 = "unrecognized or invalid PDU received"


class Action(Enum):
    """Actions of the acceptor (PS3.8, Tables 9-6 to 9-9)."""

    AE_6 = "judge the A-ASSOCIATE-RQ"
    AE_7 = "send A-ASSOCIATE-AC"
    AE_8 = "send A-ASSOCIATE-RJ, start ARTIM"
    DT_2 = "take the P-DATA"
    AR_2 = "note the A-RELEASE request"
    AR_4 = "send A-RELEASE-RP, start ARTIM"
    AR_5 = "stop ARTIM"
    AA_1 = "send A-ABORT as service user, start ARTIM"
    AA_2 = "close the transport connection"
    AA_3 = "note the peer's abort, close the transport connection"
    AA_4 = "note the loss of the transport connection"
    AA_5 = "stop ARTIM, nothing was agreed"
    AA_6 = "ignore the PDU"
    AA_7 = "send A-ABORT"
    AA_8 = "send A-ABORT as service provider, start ARTIM"


#: The PDU types of PS3.8, 9.3.1 as events.
PDU_EVENTS = {
    0x01: Event.EVT6,
    0x02: Event.EVT3,
    0x03: Event.EVT4,
    0x04: Event.EVT10,
    0x05: Event.EVT12,
    0x06: Event.EVT13,
    0x07: Event.EVT16,
}

_PDUS = tuple(PDU_EVENTS.values())
_ABORT_AS_PROVIDER = (Action.AA_8, State.STA13)
_ABORT_AS_USER = (Action.AA_1, State.STA13)


def _row(default: tuple[Action, State], **others: tuple[Action, State]) -> dict[Event, tuple[Action, State]]:
    row = dict.fromkeys((*_PDUS, Event.EVT19), default)
    row.update({Event[name.upper()]: outcome for name, outcome in others.items()})
    return row


_ROWS = {
    State.STA2: _row(
        _ABORT_AS_USER,
        evt6=(Action.AE_6, State.STA3),
        evt16=(Action.AA_2, State.STA1),
        evt17=(Action.AA_5, State.STA1),
        evt18=(Action.AA_2, State.STA1),
    ),
    State.STA3: _row(
        _ABORT_AS_PROVIDER,
        evt7=(Action.AE_7, State.STA6),
        evt8=(Action.AE_8, State.STA13),
        evt15=_ABORT_AS_USER,
        evt16=(Action.AA_3, State.STA1),
        evt17=(Action.AA_4, State.STA1),
    ),
    State.STA6: _row(
        _ABORT_AS_PROVIDER,
        evt10=(Action.DT_2, State.STA6),
        evt12=(Action.AR_2, State.STA8),
        evt15=_ABORT_AS_USER,
        evt16=(Action.AA_3, State.STA1),
        evt17=(Action.AA_4, State.STA1),
    ),
    State.STA8: _row(
        _ABORT_AS_PROVIDER,
        evt14=(Action.AR_4, State.STA13),
        evt15=_ABORT_AS_USER,
        evt16=(Action.AA_3, State.STA1),
        evt17=(Action.AA_4, State.STA1),
    ),
    State.STA13: _row(
        (Action.AA_6, State.STA13),
        evt6=(Action.AA_7, State.STA13),
        evt16=(Action.AA_2, State.STA1),
        evt17=(Action.AR_5, State.STA1),
        evt18=(Action.AA_2, State.STA1),
        evt19=(Action.AA_7, State.STA13),
    ),
}

#: What each event does in each state, and the state that follows.
TRANSITIONS = {(state, event): outcome for state, row in _ROWS.items() for event, outcome in row.items()}
