"""Keeps that somebody reads an item in the home RIS: until it is said to have ended, nobody here is given it.

What the newest message says counts, so that order and repetition do not matter. It is about reading only
when it was said after the examination's end, and it is believed for some hours: a RIS that forgets to
unlock must not bury a study. It must not end a claim that is held here: a person is told instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, select, text
from sqlalchemy.dialects.postgresql import insert

from worklist.clock import now
from worklist.db.tables.claims import claim
from worklist.db.tables.delivery import delivery
from worklist.db.tables.home_reading import home_reading
from worklist.doubts import open_doubt
from worklist.home.kept import OF_ANOTHER_PATIENT, keep
from worklist.home.spoken_of import find_or_open
from worklist.home.told import DeliveryState, Notice
from worklist.intake.orders import Message, Outcome, made_at_of
from worklist.intake.patients import can_be_patient_of
from worklist.intake.study import PatientAsSent
from worklist.life.moves import append_item_event, lock_item
from worklist.local_time import CLOCK_SKEW
from worklist.log import audit
from worklist.patients.items import name_nameless, note_update

#: How long a lock is believed that nobody renews.
BELIEVED = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class HomeReading:
    """What a message of a home RIS says: that somebody there reads an accession, or no longer does."""

    message: Message
    accession_number: str
    patient: PatientAsSent
    being_read: bool


def receive_home_reading(connection: Connection, stated: HomeReading) -> Outcome:
    """Take note of who reads in the home RIS; the caller commits.

    A RIS that repeats our own lock says nothing of its people.
    """
    trust = stated.message.trust
    moment = now(connection)
    said_at = made_at_of(stated.message, moment)
    found = find_or_open(connection, stated.message, said_at, stated.accession_number, stated.patient)
    item_id, recorded, others = found.item_id, found.recorded, found.others
    actor = f"ris:{stated.message.facility}"
    row = lock_item(connection, item_id)
    if not can_be_patient_of(connection, item_id, stated.patient):
        detail = "PID-3: is not the patient of this accession"
        open_doubt(connection, OF_ANOTHER_PATIENT, trust=trust, item_id=item_id, detail=detail)
        keep(connection, row, "reading", stated)
        note_update(connection, actor, recorded, others)
        return Outcome.KEPT_OUT
    if recorded is not None:
        row = name_nameless(connection, row, recorded.id)
    if stated.being_read and _is_echo(connection, item_id, stated.message.facility, said_at):
        note_update(connection, actor, recorded, others)
        return Outcome.KEPT_OUT
    known = connection.execute(select(home_reading).where(home_reading.c.item_id == item_id)).one_or_none()
    # Of two messages of one instant the one that ends it is the newer.
    if known is not None and (known.said_at, not known.being_read) >= (said_at, not stated.being_read):
        note_update(connection, actor, recorded, others)
        same = (known.said_at, known.being_read) == (said_at, stated.being_read)
        return Outcome.REPEATED if same else Outcome.STALE
    values = {"being_read": stated.being_read, "said_at": said_at, "until": min(said_at, moment) + BELIEVED}
    connection.execute(
        insert(home_reading)
        .values(item_id=item_id, trust_ods=trust, **values)
        .on_conflict_do_update(index_elements=["item_id"], set_=values)
    )
    kind = "item.read-at-home" if stated.being_read else "item.no-longer-read-at-home"
    append_item_event(connection, row, kind, dimensions={"said_at": said_at.isoformat()})
    if stated.being_read and read_at_home_since(connection, item_id) is not None:
        _tell_of_claim(connection, row)
    act = "read at home" if stated.being_read else "no longer read at home"
    audit.append(connection, actor, act, items=[item_id, *others])
    return Outcome.APPLIED


def read_at_home_since(connection: Connection, item_id: int) -> datetime | None:
    """Say since when somebody reads an item in its home RIS (aware UTC); None where nobody is known to."""
    since: datetime | None = connection.scalar(_SINCE, {"item": item_id})
    return since


def _is_echo(connection: Connection, item_id: int, facility: str, said_at: datetime) -> bool:
    """Whether a RIS repeats the lock that it was told of, as it tells every change of a status to everybody."""
    locks = delivery.c.notice.in_((Notice.LOCK_TAKEN.value, Notice.LOCK_RELEASED.value))
    newest = connection.execute(
        select(delivery.c.notice, delivery.c.made_at, delivery.c.state, delivery.c.ended_at, delivery.c.last_attempt_at)
        .where(delivery.c.item_id == item_id, delivery.c.destination == facility, locks)
        .order_by(delivery.c.id.desc())
        .limit(1)
    ).one_or_none()
    if newest is None or newest.notice != Notice.LOCK_TAKEN or newest.state == DeliveryState.DEAD:
        return False
    if newest.last_attempt_at is None:
        return False  # it has not been told yet
    until = newest.ended_at or now(connection)
    return bool(newest.made_at - CLOCK_SKEW <= said_at <= until + CLOCK_SKEW)


def _tell_of_claim(connection: Connection, row: Row[Any]) -> None:
    held = select(claim.c.id).where(
        claim.c.item_id == row.id, claim.c.ended_at.is_(None), claim.c.expires_at > func.radpool_now()
    )
    if connection.scalar(held.limit(1)) is not None:
        detail = "somebody reads it in the home RIS while a reporter has it here: one of them is to stop"
        open_doubt(connection, "read-at-home-while-claimed", trust=row.trust_ods, item_id=row.id, detail=detail)


_SINCE = text(
    "SELECT h.said_at FROM home_reading h JOIN item i ON i.id = h.item_id WHERE h.item_id = :item AND h.being_read"
    " AND h.until > radpool_now() AND h.said_at >= coalesce(i.clock_start_at, '-infinity')"
)
