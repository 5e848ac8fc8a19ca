"""What people do with an item beside reading it: hold, return to site, outsource, cancel, change its priority.

Each is one transaction with its event and audit entry, which the caller commits. Where an act ends work, whoever
holds a claim holds it no longer, and the claim says why. The clock goes on but where a dated rule pauses it. It must
not decide who may act; the edge does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, func, insert, null, select, update

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.life import item_act
from worklist.db.tables.work import order_identity, reading
from worklist.intake.completion import open_while_arriving
from worklist.intake.priorities import give_priority
from worklist.intake.working_out import hold_cut, work_out
from worklist.item import UNREPORTED, ForbiddenMove, ItemState, Move, move_item
from worklist.life.act_reasons import require_reason
from worklist.life.moves import append_item_event, lock_item, make_move
from worklist.life.reasons import ReasonedAct
from worklist.life.withdrawal import hold_readings, withdraw_readings
from worklist.log import audit
from worklist.reading import Purpose, ReadingState
from worklist.turnaround.clock_pauses import begin_pause, pauses_of
from worklist.turnaround.targets import Urgency


class AccessionMissing(RuntimeError):
    """An item without an accession number cannot be offered: no report of it would find its way home."""

    def __init__(self, item_id: int) -> None:
        super().__init__(
            f"item {item_id} has no accession number; give it one by `POST /api/v1/items/{{id}}/accession`"
        )


class PriorityStands(ValueError):
    """The item has this urgency already."""

    def __init__(self, urgency: Urgency) -> None:
        super().__init__(f"its urgency is {urgency.value} already")


def hold(connection: Connection, actor: str, item_id: int, reason: str, note: str | None = None) -> None:
    """Take an item out of the pool until a person releases it; a claim of its reading ends.

    Raises
    ------
    UnknownItem, UnknownReason, ForbiddenMove
    """
    _stop(connection, actor, item_id, ReasonedAct.HOLD, Move.HELD, reason, note)


def release_hold(connection: Connection, actor: str, item_id: int, note: str | None = None) -> None:
    """Offer an item that a person held.

    Raises
    ------
    UnknownItem, ForbiddenMove, AccessionMissing
    """
    _resume(connection, actor, item_id, "release", Move.RELEASED, note)


def return_to_site(connection: Connection, actor: str, item_id: int, reason: str, note: str | None = None) -> None:
    """Send an exam back to who performed it, for an error that only they can mend.

    Raises
    ------
    UnknownItem, UnknownReason, ForbiddenMove
    """
    _stop(connection, actor, item_id, ReasonedAct.RETURN_TO_SITE, Move.RETURNED_TO_SITE, reason, note)


def take_corrected(connection: Connection, actor: str, item_id: int, note: str | None = None) -> None:
    """Offer an exam that its site has corrected, by what is known of it now.

    Raises
    ------
    UnknownItem, ForbiddenMove, AccessionMissing
    """
    _resume(connection, actor, item_id, "corrected", Move.CORRECTED, note)


def outsource(connection: Connection, actor: str, item_id: int, reason: str, note: str | None = None) -> None:
    """Note that a company reports an item: nobody here is offered it; the home RIS's final report ends it.

    Raises
    ------
    UnknownItem, UnknownReason, ForbiddenMove
    """
    _stop(connection, actor, item_id, ReasonedAct.OUTSOURCE, Move.OUTSOURCED, reason, note)


def take_back(connection: Connection, actor: str, item_id: int, note: str | None = None) -> None:
    """Offer an item here again that was outsourced.

    Raises
    ------
    UnknownItem, ForbiddenMove, AccessionMissing
    """
    _resume(connection, actor, item_id, "take back", Move.TAKEN_BACK, note)


def cancel(connection: Connection, actor: str, item_id: int, reason: str, note: str | None = None) -> None:
    """End an item for good; only a report of the home RIS comes after that.

    Raises
    ------
    UnknownItem, UnknownReason, ForbiddenMove
    """
    require_reason(connection, ReasonedAct.CANCEL, reason)
    row = lock_for_act(connection, item_id)
    ended = withdraw_readings(connection, item_id, f"cancel: {reason}")
    dimensions = {"by": "person", "reason": reason, "claims_ended": list(ended)}
    make_move(connection, row, Move.CANCELLED, dimensions=dimensions, state_reason=reason, arriving=False)
    note_act(connection, actor, row, ReasonedAct.CANCEL.value, reason, note)


def change_priority(
    connection: Connection, actor: str, item_id: int, urgency: Urgency, reason: str, note: str | None = None
) -> None:
    """Give an item another urgency than its order states; its due time follows.

    It stands until an order that is made later states another urgency than the order of now.

    Raises
    ------
    UnknownItem, UnknownReason, PriorityStands, ForbiddenMove
    """
    require_reason(connection, ReasonedAct.CHANGE_PRIORITY, reason)
    row = lock_for_act(connection, item_id)
    if row.state not in UNREPORTED:
        raise ForbiddenMove(ItemState(row.state), "change its priority")
    if row.urgency == urgency:
        raise PriorityStands(urgency)
    give_priority(connection, row.trust_ods, item_id, actor, urgency, reason)
    if row.state == ItemState.ARRIVING:
        open_while_arriving(connection, row)
    elif row.state != ItemState.ORDERED:
        work_out(connection, item_id)
    changed = lock_item(connection, item_id)
    dimensions = {"given": urgency.value, "was": row.urgency, "reason": reason}
    append_item_event(connection, changed, "item.priority-changed", dimensions=dimensions)
    detail = {"urgency": urgency.value, "was": row.urgency}
    note_act(connection, actor, row, ReasonedAct.CHANGE_PRIORITY.value, reason, note, detail)


def _stop(
    connection: Connection, actor: str, item_id: int, act: ReasonedAct, move: Move, reason: str, note: str | None
) -> None:
    require_reason(connection, act, reason)
    row = lock_for_act(connection, item_id)
    ended = hold_readings(connection, item_id, f"{act.value}: {reason}")
    dimensions = {"by": "person", "reason": reason, "claims_ended": list(ended)}
    moved = make_move(connection, row, move, dimensions=dimensions, state_reason=reason)
    begin_pause(connection, moved, act, reason, actor)
    if pauses_of(connection, item_id):  # one began, or the move has ended one
        work_out(connection, item_id)
    note_act(connection, actor, row, act.value, reason, note)


def _resume(connection: Connection, actor: str, item_id: int, act: str, move: Move, note: str | None) -> None:
    row = lock_for_act(connection, item_id)
    named = select(order_identity.c.accession_number).where(order_identity.c.item_id == item_id)
    if connection.scalar(named) is None:
        raise AccessionMissing(item_id)
    move_item(ItemState(row.state), move)  # refuses an act that undoes another than was done
    held = (reading.c.item_id == item_id) & (reading.c.state == ReadingState.HELD.value)
    amendment = select(reading.c.id).where(held, reading.c.purpose == Purpose.AMENDMENT.value)
    recalled = connection.scalar(select(amendment.exists()))
    make_move(connection, row, Move.RECALL_RESUMED if recalled else move, dimensions={"by": "person", "act": act})
    connection.execute(update(reading).where(held).values(state=ReadingState.OPEN.value, free_from=func.radpool_now()))
    work_out(connection, item_id)
    note_act(connection, actor, row, act, None, note)


def lock_for_act(connection: Connection, item_id: int) -> Row[Any]:
    """Lock an item, the profile cut before it, and see the identities of its trust from then on.

    Raises
    ------
    UnknownItem
    """
    hold_cut(connection)
    row = lock_item(connection, item_id)
    view_as(connection, Viewer(trust=row.trust_ods))
    return row


def note_act(
    connection: Connection,
    actor: str,
    row: Row[Any],
    act: str,
    reason: str | None,
    note: str | None,
    detail: Mapping[str, str | None] | None = None,
) -> None:
    """Write down what a person did with an item, and audit it."""
    connection.execute(
        insert(item_act).values(
            item_id=row.id,
            trust_ods=row.trust_ods,
            act=act,
            actor=actor,
            reason=reason,
            note=note or None,
            detail=null() if detail is None else dict(detail),
        )
    )
    audit.append(connection, actor, act, items=[row.id], detail={"reason": reason, **(detail or {})})
