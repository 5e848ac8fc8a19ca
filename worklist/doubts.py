"""Opens and closes exceptions: what a person must look at, with the reason and never a header value.

The same doubt met again counts on the open row instead of making another.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, func, select, update
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.announced import announced_study
from worklist.db.tables.work import worklist_exception


def open_doubt(
    connection: Connection,
    kind: str,
    *,
    trust: str | None = None,
    source: str | None = None,
    item_id: int | None = None,
    announced_study_id: int | None = None,
    detail: str = "",
    occurrences: int = 1,
) -> None:
    """Open an exception, or count the occurrences on the open one of the same kind and place."""
    row: dict[str, Any] = {
        "kind": kind,
        "trust_ods": trust,
        "source_ae_title": source,
        "item_id": item_id,
        "announced_study_id": announced_study_id,
        "detail": detail[:300],
        "occurrences": occurrences,
    }
    connection.execute(
        insert(worklist_exception)
        .values(row)
        .on_conflict_do_update(
            index_elements=["kind", "source_ae_title", "item_id", "detail"],
            index_where=worklist_exception.c.closed_at.is_(None),
            set_={"occurrences": worklist_exception.c.occurrences + occurrences, "last_seen_at": func.radpool_now()},
        )
    )


def hold_doubt_open(
    connection: Connection,
    kind: str,
    *,
    trust: str,
    source: str | None = None,
    item_id: int | None = None,
    detail: str,
) -> None:
    """Open an exception that holds by itself, unless it is open: whoever finds that it still holds counts nothing."""
    connection.execute(
        insert(worklist_exception)
        .values(kind=kind, trust_ods=trust, source_ae_title=source, item_id=item_id, detail=detail[:300])
        .on_conflict_do_nothing(
            index_elements=["kind", "source_ae_title", "item_id", "detail"],
            index_where=worklist_exception.c.closed_at.is_(None),
        )
    )


def close_doubt(
    connection: Connection,
    kind: str,
    *,
    source: str | None = None,
    item_id: int | None = None,
    detail: str,
    by: str,
    outcome: str,
) -> None:
    """Close the open exception of one kind, place and reason, if there is one."""
    connection.execute(
        update(worklist_exception)
        .where(
            worklist_exception.c.kind == kind,
            worklist_exception.c.source_ae_title.is_not_distinct_from(source),
            worklist_exception.c.item_id.is_not_distinct_from(item_id),
            worklist_exception.c.detail == detail[:300],
            worklist_exception.c.closed_at.is_(None),
        )
        .values(closed_at=func.radpool_now(), closed_by=by, outcome=outcome)
    )


def close_doubts(connection: Connection, item_id: int, kind: str, *, by: str, outcome: str) -> int:
    """Close an item's open exceptions of one kind and give how many there were."""
    return connection.execute(
        update(worklist_exception)
        .where(
            worklist_exception.c.item_id == item_id,
            worklist_exception.c.kind == kind,
            worklist_exception.c.closed_at.is_(None),
        )
        .values(closed_at=func.radpool_now(), closed_by=by, outcome=outcome)
    ).rowcount


def close_other_doubts(
    connection: Connection, item_id: int, kind: str, details: Collection[str], *, by: str, outcome: str
) -> None:
    """Close an item's open exceptions of one kind whose reasons are none of `details`."""
    connection.execute(
        update(worklist_exception)
        .where(
            worklist_exception.c.item_id == item_id,
            worklist_exception.c.kind == kind,
            worklist_exception.c.detail.not_in([detail[:300] for detail in details]),
            worklist_exception.c.closed_at.is_(None),
        )
        .values(closed_at=func.radpool_now(), closed_by=by, outcome=outcome)
    )


def list_doubts(
    connection: Connection, *, trust: str | None, every_trust: bool, kind: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Give open exceptions, the oldest first: of one trust, or of all with those of no trust.

    Of a study that never came `study` names it, where row-level security shows it.
    """
    statement = (
        select(worklist_exception, announced_study.c.study_instance_uid, announced_study.c.accession_number)
        .outerjoin(announced_study, announced_study.c.id == worklist_exception.c.announced_study_id)
        .where(worklist_exception.c.closed_at.is_(None))
    )
    if not every_trust:
        statement = statement.where(worklist_exception.c.trust_ods == trust)
    if kind is not None:
        statement = statement.where(worklist_exception.c.kind == kind)
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "trust": row.trust_ods,
            "source": row.source_ae_title,
            "item_id": row.item_id,
            "study": _study(row),
            "detail": row.detail,
            "occurrences": row.occurrences,
            "opened_at": row.opened_at,
            "last_seen_at": row.last_seen_at,
        }
        for row in connection.execute(statement.order_by(worklist_exception.c.opened_at).limit(limit))
    ]


def _study(row: Row[Any]) -> dict[str, str | None] | None:
    if row.study_instance_uid is None:
        return None
    return {"study_instance_uid": row.study_instance_uid, "accession_number": row.accession_number}
