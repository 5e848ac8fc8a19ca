"""Keeps when the home RIS says that an examination ended: of all its messages the newest that says so counts.

The same message twice, or messages in another order, leave the same end. It must not read messages, nor
judge what starts the turnaround clock (`worklist.turnaround.targets` does).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from worklist.clock import now
from worklist.db.tables.announced import exam_end
from worklist.db.tables.work import item_study
from worklist.intake.working_out import work_out
from worklist.item import ItemState
from worklist.life.moves import append_item_event, lock_item
from worklist.local_time import CLOCK_SKEW, LocalTime
from worklist.turnaround.clock_pauses import pauses_of

#: How far ahead a sender's clock is believed to be, where messages are put in order.
BELIEVED_AHEAD = timedelta(days=1)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def note_exam_end(
    connection: Connection, row: Row[Any], made_at: datetime, ended: LocalTime | None, *, cleared: bool = False
) -> bool:
    """Write down for a locked item when its examination ended, and give whether that was news.

    `made_at` (aware) is when the message was made that says so, or (`cleared`) that no end is known any more. An end in
    the future is no end. The caller works the item out.
    """
    moment = now(connection)
    if not cleared and (ended is None or ended.at > moment + CLOCK_SKEW):
        return False
    values = {
        "message_at": min(made_at, moment + BELIEVED_AHEAD),
        "ended_at": ended.at if ended else None,
        "as_sent": ended.as_sent if ended else None,
        "zone": ended.zone if ended else None,
        "fold": ended.fold if ended else None,
        "source": ended.source if ended else None,
    }
    # Of two messages of one instant the same one counts, whichever came first: one that clears it before all.
    statement = insert(exam_end).values(item_id=row.id, trust_ods=row.trust_ods, **values)
    newer = tuple_(*_rank(statement.excluded)) > tuple_(*_rank(exam_end.c))
    written = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["item_id"], set_={**values, "heard_at": func.radpool_now()}, where=newer
        ).returning(exam_end.c.item_id)
    ).one_or_none()
    if written is None:
        return False
    told = {"source": ended.source if ended else None}
    append_item_event(connection, row, "item.exam-end-stated", dimensions=told)
    return True


def _rank(columns: Any) -> list[ColumnElement[Any]]:
    texts = (func.coalesce(columns[name], "") for name in ("as_sent", "source", "zone"))
    return [columns.message_at, func.coalesce(columns.ended_at, _NEVER), *texts, func.coalesce(columns.fold, 0)]


def work_out_after_pause(connection: Connection, item_id: int) -> None:
    """Work an item out again whose clock had stood still when a report of the home RIS came; others stay."""
    row = lock_item(connection, item_id)
    if pauses_of(connection, item_id) and worked_out_from_images(connection, row):
        work_out(connection, item_id)


def worked_out_from_images(connection: Connection, row: Row[Any]) -> bool:
    """Whether the item was worked out from images already; what we reported ourselves stays as it was reported."""
    if row.state in (ItemState.ORDERED, ItemState.ARRIVING, ItemState.VERIFIED, ItemState.ADDENDUM):
        return False
    joined = select(item_study.c.study_id).where(item_study.c.item_id == row.id).limit(1)
    return connection.scalar(joined) is not None
