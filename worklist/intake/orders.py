"""Takes orders of the home RIS into the worklist; one transaction each, which the caller commits.

The same message twice changes nothing, and messages in another order leave the same state: what an
order says is what its newest message says. It must not parse messages or know their dialects.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from worklist import audit
from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import item_order, order_identity
from worklist.doubts import open_doubt
from worklist.intake.accessions import item_of_accession, lock_accession, open_item
from worklist.intake.completion import hold_cut, open_while_arriving, work_out
from worklist.intake.exam_ends import note_exam_end, worked_out_from_images
from worklist.intake.patients import can_be_patient_of, record_patient
from worklist.intake.priorities import note_ordered_urgency
from worklist.intake.study import Code, PatientAsSent
from worklist.item import REPORTED, ItemState, Move, moves_from
from worklist.local_time import LONDON, LocalTime
from worklist.moves import append_item_event, lock_item, make_move
from worklist.patients.items import follow, give_item
from worklist.turnaround import Setting, Urgency
from worklist.withdrawal import withdraw_readings

#: A message stamped further ahead is from a clock that nobody can order by; it counts as made at receipt.
_BELIEVED_AHEAD = timedelta(days=1)


class OrderControl(StrEnum):
    """What an order message does; of two messages of one instant the later in this list is the newer."""

    NEW = "new"
    CHANGE = "change"
    CANCEL = "cancel"


class Outcome(StrEnum):
    """What became of a message."""

    APPLIED = "applied"
    REPEATED = "repeated"  # it had been taken before
    STALE = "stale"  # a newer message of the accession had been taken before
    KEPT_OUT = "kept-out"  # it ends nothing here: our own report stands, or a person must look first


@dataclass(frozen=True, slots=True)
class Message:
    """Whose message it is and when its sender made it: ODS code of the trust, aware UTC, the sender's own id."""

    facility: str
    trust: str
    made_at: datetime
    control_id: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an order message says of one accession; None is not said.

    An exam without a code has an empty `Code.value` and its words in `meaning`. `faults` names fields
    that could not be read, and why, never the value.
    """

    message: Message
    accession_number: str
    control: OrderControl
    patient: PatientAsSent
    setting: Setting | None = None
    urgency: Urgency | None = None
    exams: tuple[Code, ...] = ()
    clinical_question: str | None = None
    placer_order_number: str | None = None
    exam_ended: LocalTime | None = None
    requester: str | None = None
    call_back: str | None = None
    needed_by: LocalTime | None = None
    referral_date: date | None = None
    faults: tuple[tuple[str, str], ...] = ()


def receive_order(connection: Connection, order: Order) -> Outcome:
    """Join an order to the item of its accession, or open one that waits for images.

    A cancel withdraws what is still unreported, also from the reporter who has it; after a report it
    changes nothing. A change of an item whose images are complete works it out anew.
    """
    trust, moment = order.message.trust, now(connection)
    view_as(connection, Viewer(trust=trust))
    lock_accession(connection, trust, order.accession_number)
    item_id = item_of_accession(connection, trust, order.accession_number)
    made_at = made_at_of(order.message, moment)
    known = connection.execute(select(item_order).where(item_order.c.item_id == item_id)).one_or_none()
    standing = Outcome.APPLIED if known is None else _standing(known, order, made_at)
    if standing is Outcome.REPEATED:
        return standing
    if standing is Outcome.STALE and item_id is not None and order.patient.identifier is None:
        return _take_stale(connection, item_id, order, made_at)
    recorded = record_patient(connection, trust, order.patient, made_at, order.message.control_id)
    patient_id = recorded.id
    others = [one for one in follow(connection, recorded.settled) if one != item_id]
    if item_id is None:
        item_id = open_item(connection, trust, patient_id, order.accession_number, ItemState.ORDERED)
    if standing is Outcome.STALE:  # what it says of the patient may still be news
        _take_stale(connection, item_id, order, made_at)
        if recorded.settled is not None:
            audit.append(connection, f"ris:{order.message.facility}", "patient update", items=others)
        return standing
    hold_cut(connection)
    row = lock_item(connection, item_id)
    _keep(connection, item_id, order, patient_id, made_at, known=known)
    row = _name_patient(connection, row, order, patient_id)
    note_ordered_urgency(connection, item_id, made_at, order.urgency)
    note_exam_end(connection, row, made_at, order.exam_ended)
    _note_doubts(connection, row, order, moment.astimezone(LONDON).date())
    if order.control is OrderControl.CANCEL:
        _cancel(connection, row)
    else:
        _note_change(connection, row, order)
    if worked_out_from_images(connection, row):
        work_out(connection, item_id)
    elif row.state == ItemState.ARRIVING:
        open_while_arriving(connection, lock_item(connection, item_id))  # the order may tell that it is urgent
    audit.append(connection, f"ris:{order.message.facility}", f"order {order.control.value}", items=[item_id, *others])
    return Outcome.APPLIED


def made_at_of(message: Message, moment: datetime) -> datetime:
    """Give when a message was made, as far as that is believed at this moment (both aware UTC)."""
    return message.made_at if message.made_at <= moment + _BELIEVED_AHEAD else moment


def _take_stale(connection: Connection, item_id: int, order: Order, made_at: datetime) -> Outcome:
    """Take of an older message what newer ones need not say: when the examination ended, how urgent it is."""
    hold_cut(connection)
    row = lock_item(connection, item_id)
    noted = {
        "ordered urgency stated": note_ordered_urgency(connection, item_id, made_at, order.urgency),
        "exam end stated": note_exam_end(connection, row, made_at, order.exam_ended),
    }
    if any(noted.values()) and worked_out_from_images(connection, row):
        work_out(connection, item_id)
    for what, is_news in noted.items():
        if is_news:
            audit.append(connection, f"ris:{order.message.facility}", what, items=[item_id])
    return Outcome.STALE


def _standing(known: Row[Any], order: Order, made_at: datetime) -> Outcome:
    """Say whether an order message is newer than the newest one taken of its accession."""
    if made_at == known.message_at and order.message.control_id in known.message_ids:
        return Outcome.REPEATED
    rank = list(OrderControl)
    newest = (known.message_at, rank.index(OrderControl(known.control)))
    return Outcome.STALE if (made_at, rank.index(order.control)) < newest else Outcome.APPLIED


def _keep(
    connection: Connection, item_id: int, order: Order, patient_id: int, made_at: datetime, *, known: Row[Any] | None
) -> None:
    """Write what the order says; it takes the place of what older messages said."""
    same_instant = known.message_ids if known is not None and known.message_at == made_at else []
    values = {
        "patient_id": patient_id,
        "control": order.control.value,
        "setting": order.setting,
        "urgency": order.urgency,
        "exams": [[code.value, code.scheme, code.meaning] for code in order.exams],
        "clinical_question": order.clinical_question,
        "requester": order.requester,
        "call_back": order.call_back,
        "referral_date": order.referral_date,
        **_needed_by(order.needed_by),
        "message_at": made_at,
        "message_ids": [*same_instant, order.message.control_id],
    }
    connection.execute(
        insert(item_order)
        .values(item_id=item_id, trust_ods=order.message.trust, **values)
        .on_conflict_do_update(index_elements=["item_id"], set_={**values, "received_at": func.radpool_now()})
    )
    connection.execute(
        update(order_identity)
        .where(order_identity.c.item_id == item_id)
        .values(placer_order_number=order.placer_order_number)
    )


def _needed_by(stated: LocalTime | None) -> dict[str, Any]:
    names = ("at", "as_sent", "zone", "fold", "source")
    return {f"needed_by_{name}": getattr(stated, name) if stated else None for name in names}


def _name_patient(connection: Connection, row: Row[Any], order: Order, patient_id: int) -> Row[Any]:
    """Give the item to whom its order names, whatever the images named; after a report it stays whose it was."""
    if order.patient.identifier is None or row.state in REPORTED:
        return row
    return give_item(connection, row, patient_id)


def _cancel(connection: Connection, row: Row[Any]) -> None:
    if Move.CANCELLED in moves_from(ItemState(row.state)):
        ended = withdraw_readings(connection, row.id)
        make_move(connection, row, Move.CANCELLED, dimensions={"by": "home_ris", "claims_ended": list(ended)})
        if row.state != ItemState.ORDERED:
            _doubt(connection, row, "images-of-cancelled-order", "the order was cancelled and there are images")
    elif row.state in REPORTED:
        append_item_event(connection, row, "item.cancelled-after-report")


def _note_change(connection: Connection, row: Row[Any], order: Order) -> None:
    append_item_event(connection, row, "item.order-taken", dimensions={"control": order.control.value})
    if row.state == ItemState.CANCELLED:
        _doubt(connection, row, "order-after-cancel", "an order came after its cancel; a person decides what is wanted")


def _note_doubts(connection: Connection, row: Row[Any], order: Order, today: date) -> None:
    facility = order.message.facility
    for place, reason in order.faults:
        _doubt(connection, row, "unreadable-attribute", f"{place}: {reason}", facility)
    if order.patient.identifier is None:
        _doubt(connection, row, "missing-patient-id", "PID-3: missing", facility)
    if order.patient.birth_date is not None and order.patient.birth_date > today:
        _doubt(connection, row, "birth-date-not-believed", "PID-7: in the future", facility)
    if not can_be_patient_of(connection, row.id, order.patient):
        _doubt(connection, row, "accession-of-two-patients", "ORC-3: already used for another PatientID", facility)


def _doubt(connection: Connection, row: Row[Any], kind: str, detail: str, facility: str | None = None) -> None:
    open_doubt(connection, kind, trust=row.trust_ods, source=facility, item_id=row.id, detail=detail)
