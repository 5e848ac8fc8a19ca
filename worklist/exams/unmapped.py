"""Lists what sources called exams that are not mapped, with how many items wait for it.

Words as sent may name people: row-level security shows them to the trust's own staff, everybody else sees counts
alone. Reading is an act: callers append the audit entry in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from worklist.intake.remapping import WAITING


@dataclass(frozen=True, slots=True)
class UnmappedView:
    """Exams that a trust's sources called the same and that are mapped for the same reason not.

    `code`, `scheme` and `description` None: not sent, or where `shown` is false not for this viewer.
    `oldest_due_at` is aware UTC. `noted` items will be worked out again by themselves.
    """

    trust: str
    code: str | None
    scheme: str | None
    description: str | None
    why: str
    shown: bool
    items: int
    noted: int
    oldest_due_at: datetime | None


def list_unmapped(connection: Connection, trust: str | None, *, limit: int) -> list[UnmappedView]:
    """Give the unmapped exams of a trust, or with None of all, those first that most items wait for."""
    rows = connection.execute(_UNMAPPED, {"trust": trust, "waiting": list(WAITING), "limit": limit})
    return [
        UnmappedView(
            row.trust_ods,
            row.code or None,
            row.scheme,
            row.description,
            row.mapped_by,
            row.shown,
            row.items,
            row.noted,
            row.oldest_due_at,
        )
        for row in rows
    ]


_UNMAPPED = text(
    "SELECT i.trust_ods, s.code, s.scheme, s.description, x.mapped_by, s.item_id IS NOT NULL AS shown,"
    " count(DISTINCT i.id) AS items, count(DISTINCT w.item_id) AS noted, min(i.due_at) AS oldest_due_at"
    " FROM item i JOIN item_exam x ON x.item_id = i.id"
    " LEFT JOIN exam_as_sent s ON s.item_id = x.item_id AND s.position = x.position"
    " LEFT JOIN item_to_work_out w ON w.item_id = i.id"
    " WHERE x.exam_code IS NULL AND i.state = ANY (:waiting) AND (CAST(:trust AS text) IS NULL OR i.trust_ods = :trust)"
    " GROUP BY i.trust_ods, s.code, s.scheme, s.description, x.mapped_by, s.item_id IS NOT NULL"
    " ORDER BY items DESC, i.trust_ods, s.code, s.description LIMIT :limit"
)
