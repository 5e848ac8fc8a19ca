"""What a reporter is shown: what they hold, what is assigned to them, and what else they may claim.

Every row is judged by the rule on the item's own facts before it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text

from allocation.claims import POOL, judge_reading
from allocation.workforce import index_new_profiles, load_reporters
from worklist.clock import now
from worklist.db.tables.work import item, reading


@dataclass(frozen=True, slots=True)
class Offered:
    """One reading on a reporter's list: `holding` is `claimed`, `assigned` or `open`."""

    reading_id: int
    item_id: int
    purpose: str
    holding: str
    rank: int | None
    why: str | None
    claim_id: int | None
    token: int | None
    expires_at: datetime | None


def offered_to(connection: Connection, reporter_id: int, *, limit: int = 100) -> list[Offered]:
    """Give a reporter's list: claimed first, then assigned in order, then the pool by due time."""
    reporter = load_reporters(connection, [reporter_id])[reporter_id]
    index_new_profiles(connection)
    moment = now(connection)
    held = [
        Offered(row.reading_id, row.item_id, row.purpose, "claimed", None, None, row.id, row.token, row.expires_at)
        for row in connection.execute(_HELD, {"reporter": reporter_id})
    ]
    assigned = [
        Offered(row.reading_id, row.item_id, row.purpose, "assigned", row.rank, row.why, None, None, None)
        for row in connection.execute(_ASSIGNED, {"reporter": reporter_id, "most": limit})
    ]
    known = {one.reading_id for one in (*held, *assigned)}
    pool = connection.execute(
        text(POOL),
        {
            "reporter": reporter_id,
            "radiologist": reporter.profession == "radiologist",
            "purpose": None,
            "trusts": None,
            "modalities": None,
            "refused": sorted(known),
            "most": limit,
        },
    ).scalars()
    open_ids = list(pool)
    purposes = {
        row.id: row
        for row in connection.execute(
            select(reading.c.id, reading.c.item_id, reading.c.purpose).where(reading.c.id.in_(open_ids))
        )
    }
    opened = [
        Offered(one, purposes[one].item_id, purposes[one].purpose, "open", None, None, None, None, None)
        for one in open_ids
    ]
    candidates = [*assigned, *opened]
    rows = {
        row.id: row
        for row in connection.execute(select(reading).where(reading.c.id.in_([c.reading_id for c in candidates])))
    }
    items = {
        row.id: row for row in connection.execute(select(item).where(item.c.id.in_([c.item_id for c in candidates])))
    }
    shown = [
        one
        for one in candidates
        if judge_reading(connection, reporter, rows[one.reading_id], items[one.item_id], moment).eligible
    ]
    return [*held, *shown][:limit]


_HELD = text(
    "SELECT c.reading_id, c.item_id, r.purpose, c.id, c.token, c.expires_at FROM claim c"
    " JOIN reading r ON r.id = c.reading_id WHERE c.reporter_id = :reporter AND c.ended_at IS NULL"
    " ORDER BY c.claimed_at"
)
_ASSIGNED = text(
    "SELECT a.reading_id, a.item_id, r.purpose, a.rank, a.why FROM assignment a JOIN reading r ON r.id = a.reading_id"
    " WHERE a.reporter_id = :reporter AND a.valid_until > radpool_now() AND r.state = 'open'"
    " AND r.free_from <= radpool_now() ORDER BY a.rank LIMIT :most"
)
