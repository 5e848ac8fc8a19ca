"""Puts in line what home RIS are to be told, takes the next message out, and writes down what became of it.

Messages to one RIS about one item keep their order. A report is not held up by a notice that was given up, only
by an earlier report. It must not write messages or speak to anyone.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from hl7_listener.delivery.answer import Answer, Verdict, retry_after
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import report, report_text
from worklist.db.tables.delivery import delivery
from worklist.db.tables.network import ris
from worklist.db.tables.work import item, worklist_exception
from worklist.doubts import hold_doubt_open
from worklist.home.clock import AWAITED, UNDELIVERED, UNDELIVERED_WHY, ReportedSource, page_no_longer, stop_clock
from worklist.home.told import OF_REPORTS, DeliveryState, Locks, Notice, notice_of
from worklist.life.moves import lock_item
from worklist.log import audit, events
from worklist.log.events import Event
from worklist.reading import ReportStatus

#: The consumer's name: its checkpoint says up to which position messages are in line.
CONSUMER = "delivery"

_REPORTS = tuple(sorted(notice.value for notice in OF_REPORTS))


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken out of the line to be sent; `attempt` counts from 1."""

    id: int
    trust: str
    destination: str
    notice: Notice
    item_id: int
    report_id: int | None
    reporter_id: int | None
    control_id: str
    made_at: datetime
    attempt: int


def put_in_line(connection: Connection, one: Event) -> None:
    """Put in line what an event asks to be told, to each RIS of its trust that takes messages.

    An event that comes again, as it does after a restored backup, puts nothing in line twice.
    """
    if one.item_id is None or one.trust is None:
        return
    report_id = one.dimensions.get("report")
    view_as(connection, Viewer(trust=one.trust))
    has_words = report_id is not None and connection.scalar(
        select(exists().where(report_text.c.report_id == report_id))
    )
    for home in connection.execute(
        select(ris).where(ris.c.trust_ods == one.trust, ris.c.host.is_not(None)).order_by(ris.c.sending_facility)
    ):
        notice = notice_of(one.kind, one.dimensions, Locks(home.locks), has_words=bool(has_words))
        if notice is None or one.dimensions.get("told_by") == f"ris:{home.sending_facility}":
            continue
        connection.execute(
            insert(delivery)
            .values(
                trust_ods=one.trust,
                destination=home.sending_facility,
                notice=notice.value,
                item_id=one.item_id,
                report_id=report_id if notice.value in _REPORTS else None,
                reporter_id=one.dimensions.get("reporter"),
                event_position=one.position,
                control_id=uuid.uuid4().hex[:20],
                made_at=one.at,
            )
            .on_conflict_do_nothing(index_elements=["event_position", "destination"])
        )


def take_next(connection: Connection, destination: str, *, lease_seconds: float) -> Taken | None:
    """Take the next message of a RIS out of the line; if nobody says what became of it, it comes back.

    `lease_seconds` is how long it stays out. The caller commits before it is sent.
    """
    earlier = delivery.alias("earlier")
    held_up = exists().where(
        earlier.c.destination == delivery.c.destination,
        earlier.c.item_id == delivery.c.item_id,
        earlier.c.id < delivery.c.id,
        or_(
            earlier.c.state == DeliveryState.WAITING.value,
            (earlier.c.state == DeliveryState.DEAD.value) & earlier.c.notice.in_(_REPORTS),
        ),
    )
    row = connection.execute(
        select(delivery)
        .where(
            delivery.c.destination == destination,
            delivery.c.state == DeliveryState.WAITING.value,
            delivery.c.next_attempt_at <= func.radpool_now(),
            ~held_up,
        )
        .order_by(delivery.c.notice.in_(_REPORTS).desc(), delivery.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    connection.execute(
        update(delivery)
        .where(delivery.c.id == row.id)
        .values(
            attempts=row.attempts + 1,
            last_attempt_at=func.radpool_now(),
            next_attempt_at=func.radpool_now() + timedelta(seconds=lease_seconds),
        )
    )
    return Taken(
        row.id,
        row.trust_ods,
        row.destination,
        Notice(row.notice),
        row.item_id,
        row.report_id,
        row.reporter_id,
        row.control_id,
        row.made_at,
        row.attempts + 1,
    )


def is_anything_due(connection: Connection, destination: str) -> bool:
    """Whether a message of a RIS is due to be sent, one that another holds up included; costs one short statement."""
    due = exists().where(
        delivery.c.destination == destination,
        delivery.c.state == DeliveryState.WAITING.value,
        delivery.c.next_attempt_at <= func.radpool_now(),
    )
    return bool(connection.scalar(select(due)))


def note_answer(connection: Connection, taken: Taken, answer: Answer) -> DeliveryState:
    """Write down what a RIS answered; a verified report that it has taken with its words stops the item's clock."""
    view_as(connection, Viewer(trust=taken.trust))
    item_row = lock_item(connection, taken.item_id)
    row = connection.execute(select(delivery).where(delivery.c.id == taken.id).with_for_update()).one()
    if row.state != DeliveryState.WAITING:
        return DeliveryState(row.state)  # its lease ran out meanwhile, and somebody else was told
    actor = f"ris:{taken.destination}"
    dimensions = {"delivery": row.id, "notice": row.notice, "report": row.report_id, "answer": answer.codes}
    if answer.verdict is Verdict.TAKEN:
        _end(connection, row, DeliveryState.ACKNOWLEDGED, answer.codes, by=actor)
        if row.notice in _REPORTS:
            # Words that are at home it only heard of: there they are available when it sends them.
            if row.notice == Notice.REPORT and _is_final(connection, row.report_id):
                stop_clock(connection, item_row, None, ReportedSource.ACKNOWLEDGED, by=actor)
            page_no_longer(connection, row.item_id, by=actor, outcome="acknowledged")
        _tell(connection, row, "delivery.acknowledged", dimensions)
        audit.append(connection, actor, f"{row.notice} acknowledged", items=[row.item_id], detail={"delivery": row.id})
        return DeliveryState.ACKNOWLEDGED
    seconds = retry_after(taken.notice, row.attempts, answer.verdict)
    if seconds is None:
        _end(connection, row, DeliveryState.DEAD, answer.codes, by=actor)
        _tell(connection, row, "delivery.dead", dimensions)
        if row.notice in _REPORTS:
            _page(connection, row)
        return DeliveryState.DEAD
    connection.execute(
        update(delivery)
        .where(delivery.c.id == row.id)
        .values(next_attempt_at=func.radpool_now() + timedelta(seconds=seconds), last_answer=answer.codes)
    )
    return DeliveryState.WAITING


def page_undelivered(connection: Connection, *, after_seconds: float, limit: int = 200) -> int:
    """Open an exception for each report that has waited this long for its RIS, and give for how many it did.

    An addendum, a preliminary report or a recall that does not arrive is as much for a person as a verified report,
    and so is a verified report that the RIS heard of and does not send.
    """
    since = func.radpool_now() - timedelta(seconds=after_seconds)
    not_taken = select(delivery.c.trust_ods, delivery.c.item_id).where(
        delivery.c.state == DeliveryState.WAITING.value, delivery.c.notice.in_(_REPORTS), delivery.c.made_at < since
    )
    not_sent = select(item.c.trust_ods, item.c.id.label("item_id")).where(AWAITED, item.c.verified_at < since)
    late = not_taken.union(not_sent).subquery()
    paged = exists().where(
        worklist_exception.c.kind == UNDELIVERED,
        worklist_exception.c.item_id == late.c.item_id,
        worklist_exception.c.closed_at.is_(None),
    )
    found = connection.execute(select(late).where(~paged).order_by(late.c.item_id).limit(limit)).all()
    for row in found:
        _page(connection, row)
    return len(found)


def forget_words(connection: Connection, *, after_days: float, limit: int = 500) -> int:
    """Delete the words of reports that every RIS of their trust has had for this long; gives how many.

    What is not delivered, or was kept for a person to judge, stays.
    """
    outstanding = exists().where(
        delivery.c.item_id == report_text.c.item_id,
        or_(
            delivery.c.state.in_((DeliveryState.WAITING.value, DeliveryState.DEAD.value)),
            delivery.c.ended_at > func.radpool_now() - timedelta(days=after_days),
        ),
    )
    delivered = exists().where(
        delivery.c.report_id == report_text.c.report_id,
        delivery.c.state.in_((DeliveryState.ACKNOWLEDGED.value, DeliveryState.SETTLED.value)),
    )
    forgotten = 0
    for trust in connection.scalars(select(ris.c.trust_ods).distinct().order_by(ris.c.trust_ods)).all():
        view_as(connection, Viewer(trust=trust))
        ids = select(report_text.c.report_id).where(delivered, ~outstanding).limit(limit)
        gone = connection.execute(
            delete(report_text).where(report_text.c.report_id.in_(ids)).returning(report_text.c.item_id)
        ).all()
        if gone:
            audit.append(connection, "retention", "report words deleted", items=sorted({row.item_id for row in gone}))
        forgotten += len(gone)
    return forgotten


def line_up_again(connection: Connection, delivery_id: int, *, by: str) -> None:
    """Put a message that was given up in line again; it keeps its control id.

    Raises
    ------
    UnknownDelivery, NotDead
        If there is none, or it was not given up.
    """
    _, row = _dead(connection, delivery_id)
    connection.execute(
        update(delivery)
        .where(delivery.c.id == row.id)
        .values(
            state=DeliveryState.WAITING.value,
            attempts=0,
            next_attempt_at=func.radpool_now(),
            ended_at=None,
            ended_by=None,
        )
    )
    _tell(connection, row, "delivery.lined-up-again", {"delivery": row.id, "notice": row.notice})
    audit.append(connection, by, "delivery lined up again", items=[row.item_id], detail={"delivery": row.id})


def settle(connection: Connection, delivery_id: int, *, by: str) -> None:
    """Take note that a person saw to it in another way; for a verified report that its referrer has it.

    Raises
    ------
    UnknownDelivery, NotDead
        If there is none, or it was not given up.
    """
    item_row, row = _dead(connection, delivery_id)
    _end(connection, row, DeliveryState.SETTLED, row.last_answer, by=by)
    if row.notice in _REPORTS and _is_final(connection, row.report_id):
        stop_clock(connection, item_row, None, ReportedSource.PERSON, by=by)
    page_no_longer(connection, row.item_id, by=by, outcome="settled")
    _tell(connection, row, "delivery.settled", {"delivery": row.id, "notice": row.notice})
    audit.append(connection, by, "delivery settled", items=[row.item_id], detail={"delivery": row.id})


class UnknownDelivery(LookupError):
    """No such message, or none that is theirs to see."""

    def __init__(self, delivery_id: int) -> None:
        super().__init__(f"no message {delivery_id} to a home RIS")


class NotDead(RuntimeError):
    """A message that was not given up: it is on its way, or has ended."""

    def __init__(self, delivery_id: int, state: str) -> None:
        super().__init__(f"message {delivery_id} was not given up: it is {state}")


def list_deliveries(
    connection: Connection,
    *,
    trust: str | None,
    every_trust: bool,
    states: tuple[DeliveryState, ...],
    item_id: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Row[Any]]:
    """Give messages in the order in which they were put in line; no words and no identifiers."""
    statement = select(delivery).where(delivery.c.id > after, delivery.c.state.in_([one.value for one in states]))
    if not every_trust:
        statement = statement.where(delivery.c.trust_ods == trust)
    if item_id is not None:
        statement = statement.where(delivery.c.item_id == item_id)
    return list(connection.execute(statement.order_by(delivery.c.id).limit(limit)).all())


def read_delivery(connection: Connection, delivery_id: int) -> Row[Any]:
    """Give one message.

    Raises
    ------
    UnknownDelivery
        If there is none.
    """
    row = connection.execute(select(delivery).where(delivery.c.id == delivery_id)).one_or_none()
    if row is None:
        raise UnknownDelivery(delivery_id)
    return row


def _dead(connection: Connection, delivery_id: int) -> tuple[Row[Any], Row[Any]]:
    """Give a message that was given up with its item, both locked."""
    item_row = lock_item(connection, read_delivery(connection, delivery_id).item_id)
    row = connection.execute(select(delivery).where(delivery.c.id == delivery_id).with_for_update()).one()
    if row.state != DeliveryState.DEAD:
        raise NotDead(delivery_id, row.state)
    return item_row, row


def _end(connection: Connection, row: Row[Any], state: DeliveryState, answer: str | None, *, by: str) -> None:
    connection.execute(
        update(delivery)
        .where(delivery.c.id == row.id)
        .values(state=state.value, last_answer=answer, ended_at=func.radpool_now(), ended_by=by)
    )


def _is_final(connection: Connection, report_id: int | None) -> bool:
    """Whether a report is verified and stands: one that was recalled meanwhile stops no clock."""
    stands = select(report.c.status).where(report.c.id == report_id, report.c.recalled_at.is_(None))
    return connection.scalar(stands) == ReportStatus.VERIFIED


def _page(connection: Connection, row: Row[Any]) -> None:
    hold_doubt_open(connection, UNDELIVERED, trust=row.trust_ods, item_id=row.item_id, detail=UNDELIVERED_WHY)


def _tell(connection: Connection, row: Row[Any], kind: str, dimensions: dict[str, Any]) -> None:
    version = connection.scalar(select(item.c.version).where(item.c.id == row.item_id))
    events.append(
        connection, kind, trust=row.trust_ods, item_id=row.item_id, item_version=version, dimensions=dimensions
    )
