"""What a person settles about an item: its exams, or the accession number that did not come.

Each is one transaction with its event and audit entry. It must not decide who may settle; the edge does.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select, update

from worklist import audit
from worklist.accessions import lock_accession
from worklist.completion import hold_cut, work_out
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.network import exam
from worklist.db.tables.work import item, item_exam, order_identity, reading
from worklist.doubts import close_doubts
from worklist.item import ForbiddenMove, ItemState, Move
from worklist.moves import UnknownItem, append_item_event, lock_item, make_move
from worklist.reading import ReadingState


class UnknownExam(LookupError):
    """A code that the catalogue does not have."""

    def __init__(self, code: str) -> None:
        super().__init__(f"no exam {code!r} in the catalogue")
        self.code = code


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
    known = set(connection.scalars(select(exam.c.code).where(exam.c.code.in_(exam_codes))))
    for code in exam_codes:
        if code not in known:
            raise UnknownExam(code)
    sent = connection.execute(
        select(item_exam.c.code_as_sent, item_exam.c.description_as_sent)
        .where(item_exam.c.item_id == item_id)
        .order_by(item_exam.c.position)
        .limit(1)
    ).one_or_none()
    connection.execute(delete(item_exam).where(item_exam.c.item_id == item_id))
    connection.execute(
        insert(item_exam),
        [
            {
                "item_id": item_id,
                "position": position,
                "exam_code": code,
                "code_as_sent": sent.code_as_sent if sent else None,
                "description_as_sent": sent.description_as_sent if sent else None,
                "mapped_by": "person",
            }
            for position, code in enumerate(exam_codes)
        ],
    )
    work_out(connection, item_id)
    append_item_event(
        connection, lock_item(connection, item_id), "item.classified", dimensions={"exams": list(exam_codes)}
    )
    audit.append(connection, actor, "classify", items=[item_id], detail={"exams": list(exam_codes)})


def give_accession(connection: Connection, actor: str, item_id: int, accession_number: str) -> None:
    """Give an item the accession number that its images lacked; it is offered to reporters then.

    Raises
    ------
    UnknownItem, AccessionTaken, ForbiddenMove
        If there is no such item, the number is another item's, or the item has one.
    """
    trust = connection.scalar(select(item.c.trust_ods).where(item.c.id == item_id))
    if trust is None:
        raise UnknownItem(item_id)
    view_as(connection, Viewer(trust=trust))
    lock_accession(connection, trust, accession_number)
    row = lock_item(connection, item_id)
    named = select(order_identity.c.accession_number).where(order_identity.c.item_id == item_id)
    if connection.scalar(named) is not None:
        raise ForbiddenMove(ItemState(row.state), Move.DOUBT_SETTLED)
    taken = select(order_identity.c.item_id).where(
        order_identity.c.trust_ods == row.trust_ods, order_identity.c.accession_number == accession_number
    )
    if connection.scalar(taken) is not None:
        raise AccessionTaken
    connection.execute(
        update(order_identity).where(order_identity.c.item_id == item_id).values(accession_number=accession_number)
    )
    close_doubts(connection, item_id, "missing-accession-number", by=actor, outcome="given by a person")
    if row.state == ItemState.ON_HOLD:
        make_move(connection, row, Move.DOUBT_SETTLED)
        connection.execute(
            update(reading)
            .where(reading.c.item_id == item_id, reading.c.state == ReadingState.HELD.value)
            .values(state=ReadingState.OPEN.value, free_from=func.radpool_now())
        )
    audit.append(connection, actor, "give accession number", items=[item_id])

