"""Counts the work that waits behind exclusion flags which are not known; reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, text

from worklist.db.tables.network import profile
from worklist.db.tables.work import item
from worklist.item import UNREPORTED


@dataclass(frozen=True, slots=True)
class UnknownFlagView:
    """A flag that is not known of a trust's waiting items, which scopes of practice exclude.

    `minutes` are their reporting minutes, `oldest_due_at` is aware UTC.
    """

    trust: str
    flag: str
    items: int
    minutes: float
    oldest_due_at: datetime | None


def unknown_flags_of(connection: Connection, item_id: int) -> list[str]:
    """Give the flags of an item that are not known and that some scope of its exams excludes."""
    found = select(profile.c.unknown_flags).join(item, item.c.profile_id == profile.c.id).where(item.c.id == item_id)
    return connection.scalar(found) or []


def list_unknown_flags(connection: Connection, trust: str | None) -> list[UnknownFlagView]:
    """Give the unknown flags of a trust's waiting items, or with None of all trusts', those of most minutes first."""
    rows = connection.execute(_UNKNOWN, {"trust": trust, "states": [state.value for state in UNREPORTED]})
    return [UnknownFlagView(row.trust_ods, row.flag, row.items, float(row.minutes), row.oldest_due_at) for row in rows]


_UNKNOWN = text(
    "SELECT i.trust_ods, u.flag, count(*) AS items, coalesce(sum(i.reporting_minutes), 0) AS minutes,"
    " min(i.due_at) AS oldest_due_at"
    " FROM item i JOIN profile p ON p.id = i.profile_id CROSS JOIN LATERAL unnest(p.unknown_flags) AS u(flag)"
    " WHERE i.state = ANY (:states) AND (CAST(:trust AS text) IS NULL OR i.trust_ods = :trust)"
    " GROUP BY i.trust_ods, u.flag ORDER BY minutes DESC, i.trust_ods, u.flag"
)
