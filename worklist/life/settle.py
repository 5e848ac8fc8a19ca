"""What a person settles about an item: its exams, its missing accession number, that images or report are there.

Each is one transaction with its event and audit entry. It must not decide who may settle; the edge does.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.announced import forced_completion
from worklist.db.tables.catalogue import exam_as_sent
from worklist.db.tables.work import item, item_study, order_identity, patient, reading, study
from worklist.doubts import close_doubts
from worklist.exams.catalogue import rules_in_force
from worklist.exams.codes import MappedExam
from worklist.home.clock import ReportedSource, is_awaited, page_no_longer, stop_clock
from worklist.intake.accessions import item_of_accession, lock_accession
from worklist.intake.completeness import CompletedBy
from worklist.intake.completion import complete_study
from worklist.intake.item_facts import PERSON
from worklist.intake.item_writing import write_exams
from worklist.intake.patients import can_be_patient_of
from worklist.intake.working_out import hold_cut, work_out
from worklist.item import ForbiddenMove, ItemState, Move
from worklist.life.moves import UnknownItem, append_item_event, lock_item, make_move
from worklist.life.withdrawal import withdraw_readings
from worklist.log import audit
from worklist.reading import ReadingState


class UnknownExam(LookupError):
    """A code that the catalogue does not have."""

    def __init__(self, code: str) -> None:
        super().__init__(f"no exam {code!r} in the catalogue")
        self.code = code


class NothingArriving(RuntimeError):
    """No images of the item are arriving: it has none, or they are held to be complete already."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"no images of item {item_id} are arriving; it has none, or they are complete already")


class NotAwaited(RuntimeError):
    """No verified report of the item is awaited at home: none stands, or it is known to be there."""

    def __init__(self, item_id: int) -> None:
        super().__init__(
            f"no verified report of item {item_id} is awaited in its home RIS; none stands, or it is known to be there"
        )


class CompletionReason(StrEnum):
    """Why a person says that an item's images are complete."""

    SEEN_COMPLETE = "seen-complete"  # they looked at the images in the PACS
    NO_MORE_WILL_COME = "no-more-will-come"  # the source has told them, or has failed
    CANNOT_WAIT = "cannot-wait"  # the patient needs the report on what there is
    OTHER = "other"


class AccessionTaken(ValueError):
    """The accession number belongs to another item of the trust."""

    def __init__(self) -> None:
        super().__init__("another item of this trust has this accession number")


def classify(connection: Connection, actor: str, item_id: int, exam_codes: Sequence[str]) -> None:
    """Say which exams an item has; no header overrules it. Due times and profile follow.

    Raises
    ------
    UnknownItem, UnknownExam
        If there is no such item or exam.
    """
    hold_cut(connection)
    row = lock_item(connection, item_id)
    view_as(connection, Viewer(trust=row.trust_ods))
    known = {one.code: one for one in rules_in_force(connection).exams if one.trust in (None, row.trust_ods)}
    for code in exam_codes:
        if code not in known:
            raise UnknownExam(code)
    sent = connection.execute(
        select(exam_as_sent).where(exam_as_sent.c.item_id == item_id).order_by(exam_as_sent.c.position).limit(1)
    ).one_or_none()
    as_sent = (sent.code, sent.description, PERSON, sent.scheme) if sent else (None, None, PERSON)
    write_exams(connection, row, [MappedExam(known[code], *as_sent) for code in exam_codes])
    if row.state not in (ItemState.ORDERED, ItemState.ARRIVING):  # no clock runs before its images are here
        work_out(connection, item_id)
    append_item_event(
        connection, lock_item(connection, item_id), "item.classified", dimensions={"exams": list(exam_codes)}
    )
    audit.append(connection, actor, "classify", items=[item_id], detail={"exams": list(exam_codes)})


def give_accession(connection: Connection, actor: str, item_id: int, accession_number: str) -> int:
    """Give an item the accession number that its images lacked; gives the id of the item that now stands.

    It is offered to reporters then. Where an order has opened the accession and waits for images,
    the images become that item's and this one is cancelled; completion works it out at once.

    Raises
    ------
    UnknownItem, AccessionTaken, ForbiddenMove
        If there is no such item, the number is that of an item that is no waiting order of this
        patient, or the item has a number or is cancelled.
    """
    trust = connection.scalar(select(item.c.trust_ods).where(item.c.id == item_id))
    if trust is None:
        raise UnknownItem(item_id)
    view_as(connection, Viewer(trust=trust))
    _lock_studies(connection, item_id)
    lock_accession(connection, trust, accession_number)
    other = item_of_accession(connection, trust, accession_number)
    rows = {one: lock_item(connection, one) for one in sorted({item_id, other or item_id})}
    named = select(order_identity.c.accession_number).where(order_identity.c.item_id == item_id)
    # a number of cancelled work would hide what comes under it
    if connection.scalar(named) is not None or rows[item_id].state == ItemState.CANCELLED:
        raise ForbiddenMove(ItemState(rows[item_id].state), Move.DOUBT_SETTLED)
    if other is None:
        _name(connection, actor, rows[item_id], accession_number)
    else:
        _join(connection, actor, rows[item_id], rows[other])
    audit.append(connection, actor, "give accession number", items=sorted(rows))
    return item_id if other is None else other


def complete(
    connection: Connection, actor: str, item_id: int, reason: CompletionReason, note: str | None = None
) -> None:
    """Hold an item's images to be complete because a person says so; no signal of the source undoes it.

    `note` stands in a table under row-level security alone: free words stay out of events and audit.

    Raises
    ------
    UnknownItem, NothingArriving
        If there is no such item, or none of its images are arriving.
    """
    trust = connection.scalar(select(item.c.trust_ods).where(item.c.id == item_id))
    if trust is None:
        raise UnknownItem(item_id)
    view_as(connection, Viewer(trust=trust))
    arriving = [row for row in _lock_studies(connection, item_id) if row.completed_at is None]
    if not arriving:
        raise NothingArriving(item_id)
    hold_cut(connection)  # before the item, which the row below refers to
    connection.execute(
        insert(forced_completion).values(
            item_id=item_id, trust_ods=trust, actor=actor, reason=reason.value, note=note or None
        )
    )
    for row in arriving:
        complete_study(connection, row, CompletedBy.FORCED, dimensions={"reason": reason.value})
    audit.append(connection, actor, "complete by hand", items=[item_id], detail={"reason": reason.value})


def say_available(connection: Connection, actor: str, item_id: int) -> None:
    """Take note that a person saw an item's verified report in its home RIS, which has not said so itself.

    The turnaround clock stops now. Messages that were given up are settled by themselves.

    Raises
    ------
    UnknownItem, NotAwaited
        If there is no such item, or its report is not awaited.
    """
    row = lock_item(connection, item_id)
    view_as(connection, Viewer(trust=row.trust_ods))
    if not is_awaited(row) or not stop_clock(connection, row, None, ReportedSource.PERSON, by=actor):
        raise NotAwaited(item_id)
    page_no_longer(connection, item_id, by=actor, outcome="seen there by a person")
    audit.append(connection, actor, "report available", items=[item_id])


def _lock_studies(connection: Connection, item_id: int) -> Sequence[Row[Any]]:
    """Lock the item's studies, which everyone does before they lock an item, and give them."""
    return connection.execute(
        select(study)
        .where(study.c.id.in_(select(item_study.c.study_id).where(item_study.c.item_id == item_id)))
        .order_by(study.c.id)
        .with_for_update(key_share=True)
    ).all()


def _name(connection: Connection, actor: str, row: Row[Any], accession_number: str) -> None:
    connection.execute(
        update(order_identity).where(order_identity.c.item_id == row.id).values(accession_number=accession_number)
    )
    close_doubts(connection, row.id, "missing-accession-number", by=actor, outcome="given by a person")
    if row.state == ItemState.ON_HOLD and row.state_reason is None:  # no person holds it for another reason
        make_move(connection, row, Move.DOUBT_SETTLED)
        connection.execute(
            update(reading)
            .where(reading.c.item_id == row.id, reading.c.state == ReadingState.HELD.value)
            .values(state=ReadingState.OPEN.value, free_from=func.radpool_now())
        )


def _join(connection: Connection, actor: str, row: Row[Any], order: Row[Any]) -> None:
    """Give an item's images to the order that waits for them, and let them be completed anew."""
    identified = connection.execute(select(patient).where(patient.c.id == row.patient_id)).one()
    if order.state != ItemState.ORDERED or not can_be_patient_of(connection, order.id, identified):
        raise AccessionTaken
    studies = select(item_study.c.study_id).where(item_study.c.item_id == row.id)
    connection.execute(
        update(study)
        .where(study.c.id.in_(studies))
        .values(completed_at=None, quiet_until=func.radpool_now(), look_at=None)
    )
    connection.execute(update(item_study).where(item_study.c.item_id == row.id).values(item_id=order.id))
    close_doubts(connection, row.id, "missing-accession-number", by=actor, outcome=f"images are of item {order.id}")
    withdraw_readings(connection, row.id)
    make_move(connection, row, Move.CANCELLED, dimensions={"joined_to": order.id}, arriving=False)
    make_move(connection, order, Move.IMAGES_ARRIVED, dimensions={"joined_from": row.id})
