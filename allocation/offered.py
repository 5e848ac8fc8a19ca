"""What a reporter is shown: what they hold, what is assigned to them, and what else they may claim.

Every row is judged by the rule on the item's own facts before it is shown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, text

from allocation.claims import due_in_words, session_of
from allocation.eligibility import judge
from allocation.judging import judge_reading
from allocation.pool import BUNDLED, POOL
from allocation.reporter import Reporter
from allocation.session import SessionKind
from allocation.workforce import index_new_profiles, load_item_row, load_reporters, work_of_item
from worklist.clock import now
from worklist.db.tables.claims import claim
from worklist.db.tables.people import reporting_session
from worklist.db.tables.work import item, reading
from worklist.reading import ClaimEnd, ReadingState
from worklist.turnaround.targets import NEEDED_BY_RULE_ID

#: So many of a bundle are told of with a claim.
_MOST_OF_A_BUNDLE = 12


@dataclass(frozen=True, slots=True)
class Offered:
    """One reading on a reporter's list: `holding` is `claimed`, `assigned` or `open`.

    `bundle` are the other items of the same patient and day that they hold or may claim.
    """

    reading_id: int
    item_id: int
    purpose: str
    holding: str
    rank: int | None = None
    why: str | None = None
    claim_id: int | None = None
    token: int | None = None
    expires_at: datetime | None = None
    bundle: tuple[int, ...] = ()


def offered_to(
    connection: Connection,
    reporter_id: int,
    *,
    limit: int = 100,
    trust: str | None = None,
    modality: str | None = None,
) -> list[Offered]:
    """Give a reporter's list: claimed first, then assigned in order, then the pool by due time.

    What is of one patient and day stands together, in the place of the first of it. `trust` and `modality` narrow the
    list.
    """
    reporter = load_reporters(connection, [reporter_id])[reporter_id]
    index_new_profiles(connection)
    held = held_by(connection, reporter)
    assigned = [
        Offered(row.reading_id, row.item_id, row.purpose, "assigned", row.rank, row.why)
        for row in connection.execute(_ASSIGNED, {"reporter": reporter_id, "most": limit})
    ]
    known = {one.reading_id for one in (*held, *assigned)}
    asked = _asked(reporter, trust, modality) | {"refused": sorted(known), "most": limit}
    pool = connection.scalars(text(POOL), asked).all()
    readings = _rows(connection, reading, [*(one.reading_id for one in assigned), *pool])
    shown = [*(one.item_id for one in (*held, *assigned)), *(readings[one].item_id for one in pool)]
    asked |= {"refused": sorted(known | set(pool)), "items": shown}
    bundled = connection.scalars(text(BUNDLED), asked).all()
    readings |= _rows(connection, reading, bundled)
    opened = [Offered(one, readings[one].item_id, readings[one].purpose, "open") for one in (*pool, *bundled)]
    items = _rows(connection, item, [one.item_id for one in (*held, *assigned, *opened)])
    moment = now(connection)
    free = [
        one
        for one in (*assigned, *opened)
        if judge_reading(connection, reporter, readings[one.reading_id], items[one.item_id], moment).eligible
    ]
    narrowed = [
        one
        for one in (*held, *free)
        if trust in (None, items[one.item_id].trust_ods) and modality in (None, items[one.item_id].modality)
    ]
    return _together(narrowed, items)[:limit]


def bundle_of(connection: Connection, reporter_id: int, item_id: int, session_id: int | None = None) -> list[Offered]:
    """Give what else waits of an item's patient and day and a reporter may claim now, the most urgent first.

    Judged by the rule, as all that is shown; the session narrows it to what it takes.
    """
    reporter = load_reporters(connection, [reporter_id])[reporter_id]
    session = None
    if session_id is not None:
        of_session = select(reporting_session).where(reporting_session.c.id == session_id)
        session = session_of(connection.execute(of_session).one())
    asked = _asked(reporter, None, None) | {"refused": [], "most": _MOST_OF_A_BUNDLE, "items": [item_id]}
    found = connection.scalars(text(BUNDLED), asked).all()
    readings = _rows(connection, reading, found)
    items = _rows(connection, item, [one.item_id for one in readings.values()])
    moment = now(connection)
    return [
        Offered(one, row.item_id, row.purpose, "open")
        for one in found
        if (row := readings[one])
        and (session is None or session.takes(items[row.item_id].trust_ods, items[row.item_id].modality))
        and judge_reading(connection, reporter, row, items[row.item_id], moment).eligible
    ]


def _asked(reporter: Reporter, trust: str | None, modality: str | None) -> dict[str, Any]:
    return {
        "reporter": reporter.id,
        "radiologist": reporter.profession == "radiologist",
        "purpose": None,
        "trusts": None if trust is None else [trust],
        "modalities": None if modality is None else [modality],
    }


def _together(offers: Sequence[Offered], items: Mapping[int, Row[Any]]) -> list[Offered]:
    """Put what is of one patient and day behind the first of it, and name the others with each.

    What nobody planned says why it stands where it does if a clinic or meeting needs it before its target.
    """
    bundles: dict[object, list[Offered]] = defaultdict(list)
    for one in offers:
        row = items[one.item_id]
        day = (row.trust_ods, row.patient_id, row.exam_date) if row.exam_date is not None else one.reading_id
        bundles[day].append(one)
    return [
        replace(
            one,
            why=one.why or _why(items[one.item_id]),
            bundle=tuple(sorted({other.item_id for other in members} - {one.item_id})),
        )
        for members in bundles.values()
        for one in members
    ]


def _why(row: Row[Any]) -> str | None:
    return due_in_words(row.due_at, row.target_rule) if row.target_rule == NEEDED_BY_RULE_ID else None


def held_by(connection: Connection, reporter: Reporter) -> list[Offered]:
    """Give what a reporter holds, the oldest first; what they may not report any more is not shown."""
    held = [
        Offered(
            row.reading_id,
            row.item_id,
            row.purpose,
            "claimed",
            claim_id=row.id,
            token=row.token,
            expires_at=row.expires_at,
        )
        for row in connection.execute(_HELD, {"reporter": reporter.id})
    ]
    items, moment = _rows(connection, item, [one.item_id for one in held]), now(connection)
    return [one for one in held if judge(reporter, work_of_item(connection, items[one.item_id]), moment).eligible]


def may_open(connection: Connection, reporter_id: int, item_id: int) -> bool:
    """Whether a reporter may open an item: they hold it, have reported it, or may claim it now.

    Judged by the rule in each case, so nobody opens what they may not report any more.
    """
    row = load_item_row(connection, item_id)
    reporter = load_reporters(connection, [reporter_id]).get(reporter_id)
    if row is None or reporter is None:
        return False
    moment = now(connection)
    if not judge(reporter, work_of_item(connection, row), moment).eligible:
        return False
    had = select(claim.c.id).where(
        claim.c.item_id == item_id,
        claim.c.reporter_id == reporter_id,
        or_(claim.c.ended_at.is_(None), claim.c.end_reason == ClaimEnd.REPORTED.value),
    )
    if connection.scalar(select(had.exists())):
        return True
    free = select(reading).where(
        reading.c.item_id == item_id, reading.c.state == ReadingState.OPEN.value, reading.c.free_from <= moment
    )
    return any(judge_reading(connection, reporter, one, row, moment).eligible for one in connection.execute(free).all())


def holds(connection: Connection, reporter_id: int, item_id: int) -> bool:
    """Whether a reporter has a live claim on a reading of an item."""
    live = select(claim.c.id).where(
        claim.c.item_id == item_id, claim.c.reporter_id == reporter_id, claim.c.ended_at.is_(None)
    )
    return bool(connection.scalar(select(live.exists())))


def on_duty(connection: Connection, reporter_id: int, item_id: int) -> bool:
    """Whether a reporter has a duty or on-call session now that takes the item, and may report it by the rule."""
    row = load_item_row(connection, item_id)
    reporter = load_reporters(connection, [reporter_id]).get(reporter_id)
    if row is None or reporter is None:
        return False
    moment = now(connection)
    sessions = connection.execute(
        select(reporting_session).where(
            reporting_session.c.reporter_id == reporter_id,
            reporting_session.c.kind.in_((SessionKind.DUTY.value, SessionKind.ON_CALL.value)),
            reporting_session.c.cancelled_at.is_(None),
        )
    )
    running = [one for one in map(session_of, sessions) if one.runs_at(moment)]
    takes = any(one.takes(row.trust_ods, row.modality) for one in running)
    return takes and judge(reporter, work_of_item(connection, row), moment).eligible


def _rows(connection: Connection, table: Any, ids: Sequence[int]) -> dict[int, Row[Any]]:
    return {row.id: row for row in connection.execute(select(table).where(table.c.id.in_(ids)))} if ids else {}


_HELD = text(
    "SELECT c.reading_id, c.item_id, r.purpose, c.id, c.token, c.expires_at FROM claim c"
    " JOIN reading r ON r.id = c.reading_id WHERE c.reporter_id = :reporter AND c.ended_at IS NULL"
    " ORDER BY c.claimed_at, c.id"
)
_ASSIGNED = text(
    "SELECT a.reading_id, a.item_id, r.purpose, a.rank, a.why FROM assignment a JOIN reading r ON r.id = a.reading_id"
    " WHERE a.reporter_id = :reporter AND a.valid_until > radpool_now() AND r.state = 'open'"
    " AND r.free_from <= radpool_now() AND NOT EXISTS (SELECT FROM item_exclusion x"
    " WHERE x.item_id = a.item_id AND x.reporter_id = a.reporter_id) ORDER BY a.rank LIMIT :most"
)
