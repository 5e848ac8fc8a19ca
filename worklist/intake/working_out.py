"""Works an item out: its exams, due times and profile, and its first reading in step with them.

Done when its images are complete, and again whenever a person, an order or later evidence changes what is known of
it. It must not gather facts (`worklist.intake.item_facts` does) nor decide who reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, insert, select, text, update

from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import item, reading
from worklist.exams.catalogue import profile_id_of, rules_in_force
from worklist.intake.item_writing import write_facts
from worklist.intake.offering import may_come_under_rule, settle_offer
from worklist.item import REPORTED, ItemState
from worklist.life.moves import lock_item
from worklist.profile import profile_of
from worklist.reading import Purpose, ReadingState

#: Taken shared while work is cut into profiles, exclusively while the cut itself changes.
CUT_LOCK = 7223005
#: States in which nothing is read any more, or not here.
NOTHING_TO_READ = REPORTED | {ItemState.CANCELLED, ItemState.NOT_OFFERED}


def work_out(connection: Connection, item_id: int) -> None:
    """Work an item's exams, due times, profile and first reading out from all that is known now.

    Idempotent. The transaction sees the trust's identities (`view_as`).
    """
    hold_cut(connection)
    offer_first_reading(connection, write_facts(connection, lock_item(connection, item_id)))


def reconsider(connection: Connection, row: Row[Any]) -> None:
    """Take a locked item that was given back out of the pool where a rule has come to cover it while it was read.

    The transaction holds the profile cut; it sees the identities of the item's trust afterwards.
    """
    if row.state == ItemState.READY and may_come_under_rule(connection, row):
        view_as(connection, Viewer(trust=row.trust_ods))
        offer_first_reading(connection, write_facts(connection, row))


def hold_cut(connection: Connection) -> None:
    """Keep the profile cut as it is until the transaction ends; taken before any item is locked.

    An import of configuration takes it alone and then locks items: in the other order both would wait.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": CUT_LOCK})


def offer_first_reading(connection: Connection, row: Row[Any]) -> None:
    """Make a locked item's first reading, or bring it in step with the item; a claimed one keeps its claim.

    It is open while the item may be read and held before that or while a doubt stands. Where it is done, that goes
    for the check or amendment that follows it. Of an item that is reported, cancelled or kept back by a rule nothing
    is offered.
    """
    row = settle_offer(connection, row)
    if row.state in NOTHING_TO_READ:
        return
    found = connection.execute(
        select(reading)
        .where(
            reading.c.item_id == row.id,
            reading.c.purpose == Purpose.FIRST.value,
            reading.c.state != ReadingState.WITHDRAWN.value,
        )
        .with_for_update(key_share=True)
    ).one_or_none()
    on_offer = row.state in _ON_OFFER
    values = {
        "state": (ReadingState.OPEN if on_offer else ReadingState.HELD).value,
        "profile_id": row.profile_id,
        "due_at": row.due_at,
    }
    if found is not None and found.state == ReadingState.DONE.value:
        _offer_what_follows(connection, row.id, values)
        return
    values["reporting_minutes"] = row.reporting_minutes
    if found is None:
        connection.execute(
            insert(reading).values(item_id=row.id, purpose=Purpose.FIRST.value, trust_ods=row.trust_ods, **values)
        )
    else:
        connection.execute(update(reading).where(reading.c.id == found.id).values(values))


def _offer_what_follows(connection: Connection, item_id: int, values: Mapping[str, Any]) -> None:
    """Bring a check or an amendment in step with its item; one that went with a cancel comes back with the work."""
    follows = (reading.c.item_id == item_id) & _follows_the_first
    ids = connection.scalars(select(reading.c.id).where(follows, _waits)).all()
    if not ids:  # else somebody would find the work on the list that nobody can take
        newest = connection.execute(
            select(reading.c.id, reading.c.state).where(follows).order_by(reading.c.id.desc()).limit(1)
        ).one_or_none()
        ids = [newest.id] if newest is not None and newest.state == ReadingState.WITHDRAWN else []
    connection.execute(update(reading).where(reading.c.id.in_(ids)).values(values))


def reprofile(connection: Connection, item_id: int) -> None:
    """Give an item the profile that the cut in force makes of its facts; its facts stay."""
    row = lock_item(connection, item_id)
    exams = connection.execute(_EXAMS_OF_ITEM, {"id": item_id}).all()
    codes, cut = [one.code for one in exams], rules_in_force(connection).cut
    profile = profile_of(codes, row.age_years, row.setting, row.flags, row.cleared_flags, cut)
    profile_id = profile_id_of(connection, profile, [bool(e.ionising) for e in exams])
    connection.execute(update(item).where(item.c.id == item_id).values(profile_id=profile_id))
    connection.execute(update(reading).where(reading.c.item_id == item_id, _waits).values(profile_id=profile_id))


_ON_OFFER = (ItemState.READY, ItemState.IN_PROGRESS, ItemState.PRELIMINARY, ItemState.RECALLED)
#: A check or an amendment, which are read when the first reading is done.
_follows_the_first = reading.c.purpose.in_((Purpose.CHECK.value, Purpose.AMENDMENT.value))
_waits = reading.c.state.in_((ReadingState.OPEN.value, ReadingState.HELD.value))

_EXAMS_OF_ITEM = text(
    "SELECT e.code, e.ionising FROM item_exam ie LEFT JOIN exam e ON e.code = ie.exam_code WHERE ie.item_id = :id"
)
