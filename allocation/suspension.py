"""Suspends and resumes reporters and grants, and takes back what is held by who may not report it any more.

Each act has its effect in its own transaction: claims end, assignments go, and what was held waits for others in its
place. It must not judge by a rule of its own, nor decide who may suspend; the edge does.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, delete, func, select, update

from allocation.eligibility import Verdict
from allocation.judging import judge_reading
from allocation.leases import hold, take_away
from allocation.reporter import Reporter
from allocation.workforce import UnknownReporter, load_reporters, reindex_reporters
from worklist.clock import now
from worklist.db.tables.claims import assignment, claim
from worklist.db.tables.people import reporter, scope_grant, scope_of_practice
from worklist.db.tables.work import item, reading
from worklist.intake.working_out import hold_cut
from worklist.log import audit, events


class SuspensionReason(StrEnum):
    """Why a clinical lead suspends; it stands in the audit and the event."""

    AUDIT = "audit"  # of their reports
    CONCERN = "concern"
    REGISTRATION = "registration"
    ABSENCE = "absence"
    OWN_REQUEST = "own-request"
    OTHER = "other"


class UnknownGrant(LookupError):
    """No grant of that number."""

    def __init__(self, grant_id: int) -> None:
        super().__init__(f"no grant {grant_id}; `GET /api/v1/grants` lists them")


class SuspensionStands(ValueError):
    """It is suspended already, or it is not suspended."""


def suspend_reporter(connection: Connection, actor: str, code: str, reason: SuspensionReason) -> list[int]:
    """Suspend a reporter; nothing of theirs is written from then on. Gives the items that go back to the list.

    Raises
    ------
    UnknownReporter, SuspensionStands
    """
    row = _lock_reporter(connection, code)
    _change(connection, reporter, row, code, suspended=True)
    about = {"reporter": row.id, "reason": reason.value}
    return _take_effect(connection, actor, row.id, "reporter.suspended", about)


def resume_reporter(connection: Connection, actor: str, code: str) -> None:
    """Let a suspended reporter report again; what waits for them is on their list at once.

    Raises
    ------
    UnknownReporter, SuspensionStands
    """
    row = _lock_reporter(connection, code)
    _change(connection, reporter, row, code, suspended=False)
    _take_effect(connection, actor, row.id, "reporter.resumed", {"reporter": row.id})


def suspend_grant(connection: Connection, actor: str, grant_id: int, reason: SuspensionReason) -> list[int]:
    """Suspend one scope of a reporter; what they may report by another grant stays theirs. Gives the items given back.

    Raises
    ------
    UnknownGrant, SuspensionStands
    """
    row = _lock_grant(connection, grant_id)
    _change(connection, scope_grant, row, "the grant", suspended=True)
    about = {"reporter": row.reporter_id, "grant": grant_id, "scope": row.code, "reason": reason.value}
    return _take_effect(connection, actor, row.reporter_id, "grant.suspended", about)


def resume_grant(connection: Connection, actor: str, grant_id: int) -> None:
    """Put a suspended grant in force again.

    Raises
    ------
    UnknownGrant, SuspensionStands
    """
    row = _lock_grant(connection, grant_id)
    _change(connection, scope_grant, row, "the grant", suspended=False)
    about = {"reporter": row.reporter_id, "grant": grant_id, "scope": row.code}
    _take_effect(connection, actor, row.reporter_id, "grant.resumed", about)


def take_back_ended(engine: Engine, actor: str) -> int:
    """Take back what is held by who may not report it any more because a date has passed; gives how many items.

    A registration, an entitlement, a scope or a grant has ended, or a fact of the item has become known since.
    """
    with engine.connect() as connection:
        holders = _holders(connection)
    taken = 0
    for reporter_id in holders:
        with engine.begin() as connection:
            hold_cut(connection)
            connection.execute(select(reporter.c.id).where(reporter.c.id == reporter_id).with_for_update(read=True))
            taken += len(take_back(connection, actor, reporter_id))
    return taken


def take_back_all(connection: Connection, actor: str) -> list[int]:
    """Take back what anybody holds and may not report any more, as after an import; gives the items held.

    The transaction holds the profile cut.
    """
    return [each for reporter_id in _holders(connection) for each in take_back(connection, actor, reporter_id)]


def take_back(connection: Connection, actor: str, reporter_id: int) -> list[int]:
    """End those claims and assignments of a reporter that the rule does not allow any more; gives the items held.

    The transaction holds the profile cut and the reporter.
    """
    who, moment = load_reporters(connection, [reporter_id])[reporter_id], now(connection)
    live = select(claim).where(claim.c.reporter_id == reporter_id, claim.c.ended_at.is_(None)).order_by(claim.c.item_id)
    closed = {
        one.reading_id
        for one, verdict in _judged(connection, who, connection.execute(live).all(), moment)
        if not verdict.eligible
    }
    lost = []
    for one in connection.execute(live.where(claim.c.reading_id.in_(closed))).all():
        held = hold(connection, reporter_id, one.id)
        if held.claim.ended_at is None:
            lost.append((held, judge_reading(connection, who, held.reading, held.item, moment)))
    planned = connection.execute(select(assignment).where(assignment.c.reporter_id == reporter_id)).all()
    gone = [one.reading_id for one, verdict in _judged(connection, who, planned, moment) if not verdict.eligible]
    connection.execute(
        delete(assignment).where(assignment.c.reporter_id == reporter_id, assignment.c.reading_id.in_(gone))
    )
    for held, verdict in lost:  # the audit of each comes when all are locked
        take_away(connection, actor, held, f"you may not report it any more: {'; '.join(verdict.failures)}")
    return [held.item.id for held, _ in lost]


def _judged(
    connection: Connection, who: Reporter, rows: Sequence[Row[Any]], moment: datetime
) -> list[tuple[Row[Any], Verdict]]:
    """Judge what each row (a claim or an assignment) is about."""
    items = {row.id: row for row in connection.execute(select(item).where(item.c.id.in_([r.item_id for r in rows])))}
    readings = {
        row.id: row for row in connection.execute(select(reading).where(reading.c.id.in_([r.reading_id for r in rows])))
    }
    return [(one, judge_reading(connection, who, readings[one.reading_id], items[one.item_id], moment)) for one in rows]


def _holders(connection: Connection) -> Sequence[int]:
    """Give who has a live claim or anything assigned."""
    claiming = select(claim.c.reporter_id).where(claim.c.ended_at.is_(None))
    return sorted(connection.scalars(claiming.union(select(assignment.c.reporter_id))).all())


def _take_effect(connection: Connection, actor: str, reporter_id: int, kind: str, about: dict[str, Any]) -> list[int]:
    reindex_reporters(connection, [reporter_id])
    items = take_back(connection, actor, reporter_id)
    events.append(connection, kind, dimensions={**about, "items": items})
    audit.append(connection, actor, kind, items=items, detail=about)
    return items


def _lock_reporter(connection: Connection, code: str) -> Row[Any]:
    hold_cut(connection)
    row = connection.execute(select(reporter).where(reporter.c.code == code).with_for_update()).one_or_none()
    if row is None:
        raise UnknownReporter(code)
    return row


def _lock_grant(connection: Connection, grant_id: int) -> Row[Any]:
    """Lock a grant and, before it, its reporter: claim and report lock them in that order."""
    hold_cut(connection)
    whose = select(scope_grant.c.reporter_id).where(scope_grant.c.id == grant_id).scalar_subquery()
    connection.execute(select(reporter.c.id).where(reporter.c.id == whose).with_for_update())
    row = connection.execute(
        select(scope_grant, scope_of_practice.c.code)
        .join(scope_of_practice, scope_of_practice.c.id == scope_grant.c.scope_id)
        .where(scope_grant.c.id == grant_id)
        .with_for_update(of=scope_grant)
    ).one_or_none()
    if row is None:
        raise UnknownGrant(grant_id)
    return row


def _change(connection: Connection, table: Table, row: Row[Any], name: str, *, suspended: bool) -> None:
    """Suspend or resume what a locked row is of; one that stands so already is refused."""
    if suspended and row.suspended_at is not None:
        raise SuspensionStands(f"{name} is suspended since {row.suspended_at:%Y-%m-%d %H:%M} UTC")
    if not suspended and row.suspended_at is None:
        raise SuspensionStands(f"{name} is not suspended")
    at = func.radpool_now() if suspended else None
    connection.execute(update(table).where(table.c.id == row.id).values(suspended_at=at))
