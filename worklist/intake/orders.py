"""Takes orders of the home RIS into the worklist; one transaction each, which the caller commits.

The same message twice changes nothing, and messages in another order leave the same state: of each field what was
said last counts (`worklist.intake.order`). It must not parse messages or know their dialects.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import item_order, order_identity
from worklist.doubts import close_doubt, close_doubts, hold_doubt_open, open_doubt
from worklist.home.kept import keep
from worklist.intake.accessions import item_of_accession, lock_accession, open_item
from worklist.intake.completion import follow_images, open_while_arriving
from worklist.intake.exam_ends import note_exam_end, worked_out_from_images
from worklist.intake.item_doubts import settle_two_patients
from worklist.intake.items import note_reuse
from worklist.intake.order import (
    Message,
    Order,
    OrderControl,
    Outcome,
    Said,
    columns_of,
    pack,
    said_in,
    together,
    unpack,
    value_of,
)
from worklist.intake.patients import Recorded, can_be_patient_of, drop_nameless, record_patient
from worklist.intake.places import lock_named, note_spoken_of
from worklist.intake.priorities import note_ordered_urgency
from worklist.intake.working_out import hold_cut, work_out
from worklist.item import REPORTED, ItemState, Move, moves_from
from worklist.life.moves import append_item_event, lock_item, make_move
from worklist.life.withdrawal import withdraw_readings
from worklist.local_time import LONDON
from worklist.log import audit
from worklist.patients.items import follow, give_item, note_update

__all__ = ["Message", "Order", "OrderControl", "Outcome", "made_at_of", "outcome_of", "receive_order"]

#: A message stamped further ahead is from a clock that nobody can order by; it counts as made at receipt.
_BELIEVED_AHEAD = timedelta(days=1)
_BY = "intake"
#: It is of the item, whichever of its trust's RIS left it out.
_NO_PATIENT = ("missing-patient-id", "PID-3: missing")
_IMAGES_OF_CANCELLED = "images-of-cancelled-order"


def receive_order(connection: Connection, order: Order) -> Outcome:
    """Join an order to the item of its accession, or open one that waits for images.

    A cancel withdraws what is still unreported, also from the reporter who has it; an order that was made after the
    cancel brings it back. After a report neither changes anything. What an item's images had worked out is worked
    out anew.
    """
    message, trust, moment = order.message, order.message.trust, now(connection)
    view_as(connection, Viewer(trust=trust))
    lock_named(connection, [order.study_instance_uid] if order.study_instance_uid else [])
    lock_accession(connection, trust, order.accession_number)
    item_id = item_of_accession(connection, trust, order.accession_number)
    made_at = made_at_of(message, moment)
    row = connection.execute(select(item_order).where(item_order.c.item_id == item_id)).one_or_none()
    known = unpack(row.stated) if row is not None else {}
    said = said_in(order, made_at, _doubts_of(order, moment.astimezone(LONDON).date()))
    stated = together(known, said)
    recorded = None
    if item_id is None or order.patient.identifier is not None:
        recorded = record_patient(connection, trust, order.patient, made_at, message.control_id)
    if item_id is None:
        assert recorded is not None
        item_id = open_item(connection, trust, recorded.id, order.accession_number, ItemState.ORDERED)
    others = [one for one in follow(connection, recorded.settled if recorded else None) if one != item_id]
    hold_cut(connection)
    locked = lock_item(connection, item_id)
    if locked.state in REPORTED and not can_be_patient_of(connection, item_id, order.patient):
        note_reuse(connection, trust, item_id)
        keep(connection, locked, "order", order)
        note_update(connection, f"ris:{message.facility}", recorded, others)
        return Outcome.KEPT_OUT
    news = stated != known
    if news:
        patient_id = _whose(order, said, stated, recorded, row)
        _keep(connection, locked, stated, patient_id)
        locked = _name_patient(connection, locked, patient_id)
        _settle_doubts(connection, locked, known, stated)
        locked = _obey(connection, locked, stated, is_newest=stated["control"] == said["control"])
        uid = value_of(stated, "study_instance_uid")
        note_spoken_of(connection, trust, [order.accession_number], [uid] if uid else [])
    told = [
        note_exam_end(connection, locked, made_at, order.exam_ended, cleared="exam_ended" in order.cleared),
        note_ordered_urgency(connection, item_id, made_at, order.urgency, cleared="urgency" in order.cleared),
    ]
    if news or any(told):
        _work_out(connection, locked)
    acts = [f"order {order.control.value}", "exam end stated", "ordered urgency stated", "patient update"]
    did = [news, *told, recorded is not None and recorded.settled is not None]
    if any(did):
        touched = [item_id, *others] if any(did[:3]) else others
        audit.append(connection, f"ris:{message.facility}", acts[did.index(True)], items=touched)
    return outcome_of(known, said, stated)


def made_at_of(message: Message, moment: datetime) -> datetime:
    """Give when a message was made, as far as that is believed at this moment (both aware UTC)."""
    return message.made_at if message.made_at <= moment + _BELIEVED_AHEAD else moment


def outcome_of(known: Mapping[str, Said], said: Mapping[str, Said], stated: Mapping[str, Said]) -> Outcome:
    """Say what became of a message, by what was known of its accession before and counts now."""
    if stated["control"] == said["control"] and known.get("control") != said["control"]:
        return Outcome.APPLIED
    by = {(one.at, one.message) for one in known.values()}
    return Outcome.REPEATED if (said["control"].at, said["control"].message) in by else Outcome.STALE


def _whose(
    order: Order, said: Mapping[str, Said], stated: Mapping[str, Said], recorded: Recorded | None, row: Row[Any] | None
) -> int | None:
    """Give the record of whom the orders name; None while none names anybody."""
    if order.patient.identifier is not None and recorded is not None and stated["patient"] == said["patient"]:
        return recorded.id
    return row.patient_id if row is not None else None


def _keep(connection: Connection, row: Row[Any], stated: Mapping[str, Said], patient_id: int | None) -> None:
    """Write what counts of all that the accession's orders said."""
    values = {**columns_of(stated), "patient_id": patient_id, "stated": pack(stated)}
    connection.execute(
        insert(item_order)
        .values(item_id=row.id, trust_ods=row.trust_ods, **values)
        .on_conflict_do_update(index_elements=["item_id"], set_={**values, "received_at": func.radpool_now()})
    )
    numbers = {name: value_of(stated, name) for name in ("placer_order_number", "study_instance_uid") if name in stated}
    if numbers:
        connection.execute(update(order_identity).where(order_identity.c.item_id == row.id).values(numbers))


def _name_patient(connection: Connection, row: Row[Any], patient_id: int | None) -> Row[Any]:
    """Give the item to whom its order names, whatever the images named; after a report it stays whose it was."""
    if patient_id is None or row.state in REPORTED:
        return row
    given = give_item(connection, row, patient_id)
    if given.patient_id != row.patient_id:
        drop_nameless(connection, row.patient_id)
    return given


def _obey(connection: Connection, row: Row[Any], stated: Mapping[str, Said], *, is_newest: bool) -> Row[Any]:
    """Bring a locked item in step with what the newest of its orders does."""
    if stated["control"].value == OrderControl.CANCEL:
        return _cancel(connection, row, is_newest=is_newest)
    append_item_event(connection, row, "item.order-taken", dimensions={"control": stated["control"].value})
    if row.state != ItemState.CANCELLED or not is_newest:
        return row
    if row.state_reason is not None:
        detail = "an order came after a person had cancelled the item; a person decides what is wanted"
        open_doubt(connection, "order-after-cancel", trust=row.trust_ods, item_id=row.id, detail=detail)
        return row
    close_doubts(connection, row.id, _IMAGES_OF_CANCELLED, by=_BY, outcome="ordered again")
    return follow_images(connection, make_move(connection, row, Move.ORDERED_AGAIN, arriving=False))


def _cancel(connection: Connection, row: Row[Any], *, is_newest: bool) -> Row[Any]:
    if Move.CANCELLED in moves_from(ItemState(row.state)):
        ended = withdraw_readings(connection, row.id)
        dimensions = {"by": "home_ris", "claims_ended": list(ended)}
        moved = make_move(connection, row, Move.CANCELLED, dimensions=dimensions, arriving=False)
        if row.state != ItemState.ORDERED:
            detail = "the order was cancelled and there are images"
            open_doubt(connection, _IMAGES_OF_CANCELLED, trust=row.trust_ods, item_id=row.id, detail=detail)
        return moved
    if row.state in REPORTED and is_newest:
        append_item_event(connection, row, "item.cancelled-after-report")
    return row


def _work_out(connection: Connection, row: Row[Any]) -> None:
    if worked_out_from_images(connection, row):
        work_out(connection, row.id)
    elif row.state == ItemState.ARRIVING:
        open_while_arriving(connection, lock_item(connection, row.id))  # the order may tell that it is urgent


def _doubts_of(order: Order, today: date) -> list[tuple[str, str]]:
    """Give the exceptions that an order raises by itself: kind and reason, never a value."""
    found = [("unreadable-attribute", f"{place}: {reason}") for place, reason in order.faults]
    if order.patient.birth_date is not None and order.patient.birth_date > today:
        found.append(("birth-date-not-believed", "PID-7: in the future"))
    return sorted(found)


def _settle_doubts(
    connection: Connection, row: Row[Any], known: Mapping[str, Said], stated: Mapping[str, Said]
) -> None:
    """Tell people of what the newest order raises, and close what older ones did and it does not."""
    before = {tuple(one) for one in known["doubts"].value} if known else set()
    after = {tuple(one) for one in stated["doubts"].value}
    if not known or "patient" not in known:
        before |= {(*_NO_PATIENT, None)} if known else set()
        after |= {(*_NO_PATIENT, None)} if "patient" not in stated else set()
    for kind, detail, source in sorted(after - before):
        hold_doubt_open(connection, kind, trust=row.trust_ods, source=source, item_id=row.id, detail=detail)
    for kind, detail, source in sorted(before - after):
        close_doubt(
            connection, kind, source=source, item_id=row.id, detail=detail, by=_BY, outcome="a later order is right"
        )
    settle_two_patients(connection, row.id)
