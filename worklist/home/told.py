"""What a home RIS is told of an item, and where such a message stands.

Pure: no I/O, no clock, no settings. It must not know in which words it is told; that is the edge's.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from worklist.item import ItemState, Move


class Notice(StrEnum):
    """What a message tells."""

    LOCK_TAKEN = "lock-taken"  # somebody here reads it: nobody at home should
    LOCK_RELEASED = "lock-released"
    REPORTED = "reported"  # it was reported here; the words are not here
    REPORT = "report"  # the report with its words
    RECALLED = "recalled"  # the report no longer stands; an amended one follows


#: What tells of a report: more than a lock, it must arrive.
OF_REPORTS = frozenset({Notice.REPORT, Notice.REPORTED, Notice.RECALLED})


class DeliveryState(StrEnum):
    """Where a message stands."""

    WAITING = "waiting"
    ACKNOWLEDGED = "acknowledged"
    DEAD = "dead"  # given up: a person sends it again, or settles it
    SETTLED = "settled"  # a person saw to it in another way


class Locks(StrEnum):
    """What a home RIS does about an item that is read here."""

    HONOURED = "honoured"  # it keeps its own people out while a lock stands
    DIVERTED = "diverted"  # it puts what is offered here into a queue of its own that nobody reads from
    UNPROTECTED = "unprotected"  # it does nothing: the item says so to whoever opens it


#: Item states in which the work is offered here or in somebody's hands.
_OFFERED = frozenset(
    {ItemState.READY.value, ItemState.IN_PROGRESS.value, ItemState.PRELIMINARY.value, ItemState.RECALLED.value}
)
_TAKEN = frozenset({Move.CLAIMED.value, "reading.claimed"})
_GIVEN_BACK = frozenset({Move.GIVEN_BACK.value, Move.RECALL_GIVEN_BACK.value, "reading.given-back"})
_OPENED = frozenset(
    move.value
    for move in (
        Move.COMPLETED,
        Move.OPENED_WHILE_ARRIVING,
        Move.DOUBT_SETTLED,
        Move.RELEASED,
        Move.CORRECTED,
        Move.TAKEN_BACK,
        Move.RECALL_RESUMED,
        Move.RECALLED,
        Move.OFFERED,
    )
)
_ENDED = frozenset(
    move.value
    for move in (
        Move.CANCELLED,
        Move.REPORTED_AT_HOME,
        Move.HELD,
        Move.RETURNED_TO_SITE,
        Move.OUTSOURCED,
        Move.NOT_OFFERED,
    )
)
#: Of a report that was told already: what it changed materially was stated later, and goes with it again.
MATERIAL_CHANGE = "report.material-change"
_REPORTED = frozenset({Move.REPORTED_PRELIMINARY.value, Move.VERIFIED.value, Move.ADDED_TO.value, MATERIAL_CHANGE})
#: Kinds of events that a home RIS may have to be told of: of no other need anything be read.
MAY_BE_TOLD = _TAKEN | _GIVEN_BACK | _OPENED | _ENDED | _REPORTED


def notice_of(kind: str, dimensions: Mapping[str, Any], locks: Locks, *, has_words: bool) -> Notice | None:
    """Say what an event asks to be told to a home RIS, if anything.

    A report ends the lock by itself. What the home RIS reported itself is not told back to it, nor a
    preliminary report whose words are there already.
    """
    if kind == Move.RECALLED.value:
        return Notice.RECALLED
    if kind in _REPORTED and dimensions.get("report") is not None:
        if has_words:
            return Notice.REPORT
        return None if kind == Move.REPORTED_PRELIMINARY.value else Notice.REPORTED
    if locks is Locks.HONOURED and _is_lock(kind, dimensions):
        return Notice.LOCK_TAKEN if kind in _TAKEN else Notice.LOCK_RELEASED
    if locks is Locks.DIVERTED and _is_diversion(kind, dimensions):
        return Notice.LOCK_TAKEN if kind in _OPENED else Notice.LOCK_RELEASED
    return None


def _is_lock(kind: str, dimensions: Mapping[str, Any]) -> bool:
    return kind in _TAKEN | _GIVEN_BACK or (kind in _ENDED and bool(dimensions.get("claims_ended")))


def _is_diversion(kind: str, dimensions: Mapping[str, Any]) -> bool:
    """Whether an item came into what is offered here, or left it; `was` is its state before a move."""
    return (kind in _OPENED and "was" in dimensions) or (kind in _ENDED and dimensions.get("was") in _OFFERED)
