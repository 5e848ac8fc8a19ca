"""The life of a worklist item: its states and the table of moves allowed between them.

An item is one accession of one trust. The table is borrowed in form from the DICOM Unified
Procedure Step (PS3.4, Annex CC). Pure: no I/O, no clock, no settings. It must not decide who may
report; that is `allocation.eligibility`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ItemState(StrEnum):
    """Where a piece of work stands."""

    ORDERED = "ordered"  # an order is known, no image yet
    ARRIVING = "arriving"  # images come in; the study is not yet held to be complete
    READY = "ready"  # with a reading that may be claimed; complete, or offered while its images still come
    ON_HOLD = "on_hold"  # complete, but a fact that reporting needs is missing; a person must settle it
    IN_PROGRESS = "in_progress"  # a reading is claimed
    PRELIMINARY = "preliminary"  # a report went out that still awaits its check; the clock runs
    VERIFIED = "verified"  # reported
    ADDENDUM = "addendum"  # reported, and added to
    REPORTED_ELSEWHERE = "reported_elsewhere"  # the home RIS has a final report of its own
    CANCELLED = "cancelled"  # withdrawn by order or by a person
    RECALLED = "recalled"  # a verified report was taken back; an amended one is awaited, and the clock runs
    OUTSOURCED = "outsourced"  # a company reports it; the clock runs until the home RIS has its report
    RETURNED = "returned"  # an error of the exam that only its site can mend; the clock runs
    NOT_OFFERED = "not_offered"  # a rule of its trust keeps it from network reporting; it has no clock


class Move(StrEnum):
    """Why an item changes state; also the kind of the event that the move writes."""

    IMAGES_ARRIVED = "item.images-arrived"
    IMAGES_LEFT = "item.images-left"  # they turned out to be another item's
    OPENED_WHILE_ARRIVING = "item.opened-while-arriving"
    COMPLETED = "item.completed"
    COMPLETED_WITH_DOUBT = "item.completed-with-doubt"
    HELD = "item.held"
    DOUBT_SETTLED = "item.doubt-settled"
    CLAIMED = "item.claimed"
    GIVEN_BACK = "item.given-back"
    REPORTED_PRELIMINARY = "item.reported-preliminary"
    VERIFIED = "item.verified"
    ADDED_TO = "item.added-to"
    REPORTED_AT_HOME = "item.reported-at-home"
    CANCELLED = "item.cancelled"
    RELEASED = "item.released"  # a person ends the hold of a person
    RETURNED_TO_SITE = "item.returned-to-site"
    CORRECTED = "item.corrected"  # its site has mended what it was returned for
    OUTSOURCED = "item.outsourced"
    TAKEN_BACK = "item.taken-back"  # from the company
    RECALLED = "item.recalled"
    RECALL_GIVEN_BACK = "item.recall-given-back"
    RECALL_RESUMED = "item.recall-resumed"  # released, corrected or taken back: an amended report is awaited still
    NOT_OFFERED = "item.not-offered"
    OFFERED = "item.offered"  # the rule that kept it back holds no longer
    ORDERED_AGAIN = "item.ordered-again"  # by an order that was made after the cancel


class Mover(StrEnum):
    """Who may cause a move."""

    INTAKE = "intake"
    REPORTER = "reporter"
    PERSON = "person"  # PACS manager, coordinator or clinical lead, by name
    HOME_RIS = "home_ris"
    RULE = "rule"  # a dated rule of the configuration that comes to hold, or no longer holds
    LEASE = "lease"  # the database's clock, when a claim's lease runs out


@dataclass(frozen=True, slots=True)
class Transition:
    """One allowed move: from which states, to which state, and who may cause it."""

    move: Move
    sources: frozenset[ItemState]
    target: ItemState
    movers: frozenset[Mover]


class ForbiddenMove(ValueError):
    """The item's state does not allow the move; names both and says what would be allowed."""

    def __init__(self, state: ItemState, move: Move | str) -> None:
        allowed = sorted(other.value for other in moves_from(state))
        super().__init__(
            f"an item that is {state.value!r} cannot take {str(move)!r};"
            f" allowed here: {', '.join(allowed) or 'nothing'}"
        )
        self.state = state
        self.move = move


def move_item(state: ItemState, move: Move) -> ItemState:
    """Give the state that `move` leads to from `state`.

    Raises
    ------
    ForbiddenMove
        If the table has no such transition.
    """
    transition = TRANSITIONS[move]
    if state not in transition.sources:
        raise ForbiddenMove(state, move)
    return transition.target


def moves_from(state: ItemState) -> frozenset[Move]:
    """Give every move that the table allows from `state`."""
    return frozenset(t.move for t in TRANSITIONS.values() if state in t.sources)


_OPEN = frozenset({ItemState.ORDERED, ItemState.ARRIVING, ItemState.READY, ItemState.ON_HOLD})
_WITH_REPORTER = frozenset({ItemState.IN_PROGRESS, ItemState.PRELIMINARY})
_ELSEWHERE = frozenset({ItemState.RECALLED, ItemState.OUTSOURCED, ItemState.RETURNED})
#: A report under a lease that ran out may come in each of these.
_READABLE = frozenset({ItemState.IN_PROGRESS, ItemState.READY, ItemState.PRELIMINARY, ItemState.RECALLED})
_STOPPABLE = frozenset({ItemState.READY, ItemState.ON_HOLD, ItemState.IN_PROGRESS, ItemState.RECALLED})
_REPORTED = frozenset({ItemState.VERIFIED, ItemState.ADDENDUM, ItemState.REPORTED_ELSEWHERE})

#: States in which an item still waits for a final report.
UNREPORTED = _OPEN | _WITH_REPORTER | _ELSEWHERE
#: States in which a report stands.
REPORTED = _REPORTED


def _t(move: Move, sources: frozenset[ItemState] | set[ItemState], target: ItemState, *movers: Mover) -> Transition:
    return Transition(move, frozenset(sources), target, frozenset(movers))


S, W = ItemState, Mover
TRANSITIONS: dict[Move, Transition] = {
    t.move: t
    for t in (
        _t(Move.IMAGES_ARRIVED, {S.ORDERED}, S.ARRIVING, W.INTAKE),
        _t(Move.IMAGES_LEFT, {S.ARRIVING, S.READY, S.ON_HOLD, S.NOT_OFFERED}, S.ORDERED, W.INTAKE),
        _t(Move.OPENED_WHILE_ARRIVING, {S.ARRIVING}, S.READY, W.INTAKE),
        _t(Move.COMPLETED, {S.ARRIVING}, S.READY, W.INTAKE, W.PERSON, W.REPORTER),
        _t(Move.COMPLETED_WITH_DOUBT, {S.ARRIVING}, S.ON_HOLD, W.INTAKE, W.PERSON, W.REPORTER),
        _t(Move.HELD, {S.READY, S.IN_PROGRESS, S.RECALLED}, S.ON_HOLD, W.PERSON, W.RULE),
        _t(Move.RELEASED, {S.ON_HOLD}, S.READY, W.PERSON),
        _t(Move.DOUBT_SETTLED, {S.ON_HOLD}, S.READY, W.PERSON, W.HOME_RIS),
        _t(Move.CLAIMED, {S.READY, S.RECALLED}, S.IN_PROGRESS, W.REPORTER),
        _t(Move.GIVEN_BACK, {S.IN_PROGRESS}, S.READY, W.REPORTER, W.LEASE),
        _t(Move.RECALL_GIVEN_BACK, {S.IN_PROGRESS}, S.RECALLED, W.REPORTER, W.LEASE),
        _t(
            Move.REPORTED_PRELIMINARY,
            _READABLE,
            S.PRELIMINARY,
            W.REPORTER,
            W.HOME_RIS,
        ),
        _t(Move.VERIFIED, _READABLE, S.VERIFIED, W.REPORTER, W.HOME_RIS),
        _t(Move.ADDED_TO, _REPORTED, S.ADDENDUM, W.REPORTER, W.HOME_RIS),
        _t(Move.REPORTED_AT_HOME, UNREPORTED | {S.CANCELLED, S.NOT_OFFERED}, S.REPORTED_ELSEWHERE, W.HOME_RIS),
        _t(Move.CANCELLED, UNREPORTED | {S.NOT_OFFERED}, S.CANCELLED, W.PERSON, W.HOME_RIS),
        _t(Move.RETURNED_TO_SITE, _STOPPABLE, S.RETURNED, W.PERSON, W.REPORTER),
        _t(Move.CORRECTED, {S.RETURNED}, S.READY, W.PERSON),
        _t(Move.OUTSOURCED, _STOPPABLE, S.OUTSOURCED, W.PERSON),
        _t(Move.TAKEN_BACK, {S.OUTSOURCED}, S.READY, W.PERSON),
        _t(Move.RECALLED, {S.VERIFIED, S.ADDENDUM}, S.RECALLED, W.PERSON, W.REPORTER),
        _t(Move.RECALL_RESUMED, {S.ON_HOLD, S.RETURNED, S.OUTSOURCED}, S.RECALLED, W.PERSON),
        _t(Move.NOT_OFFERED, {S.READY, S.ON_HOLD}, S.NOT_OFFERED, W.RULE),
        _t(Move.OFFERED, {S.NOT_OFFERED}, S.READY, W.RULE),
        _t(Move.ORDERED_AGAIN, {S.CANCELLED}, S.ORDERED, W.HOME_RIS),
    )
}
del S, W
