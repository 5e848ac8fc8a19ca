"""Recalls a verified report: it no longer stands, and a new reading opens for an amended one.

The earlier report stays as history. It must not decide who may recall; the edge does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from worklist.alerts.recalled import note_recall
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import item_exclusion, report
from worklist.db.tables.life import item_act
from worklist.db.tables.work import reading
from worklist.intake.item_writing import write_facts
from worklist.intake.working_out import hold_cut
from worklist.item import ForbiddenMove, ItemState, Move
from worklist.life.act_reasons import require_reason
from worklist.life.moves import lock_item, make_move
from worklist.life.reasons import ReasonedAct
from worklist.log import audit
from worklist.reading import Purpose, ReadingState, ReportStatus


def recall(connection: Connection, actor: str, item_id: int, reason: str, note: str | None = None) -> None:
    """Take back the verified report of an item, with its addenda; the caller commits.

    The item waits again, under the due time that its report had, by what is known of it now. Who read it may amend
    it: that they have read it bars nobody any longer; a conflict of interest does. Its alerts:
    `worklist.alerts.recalled`.

    Raises
    ------
    UnknownItem, UnknownReason, ForbiddenMove
    """
    require_reason(connection, ReasonedAct.RECALL, reason)
    hold_cut(connection)
    row = lock_item(connection, item_id)
    view_as(connection, Viewer(trust=row.trust_ods))
    recalled = connection.execute(
        update(report)
        .where(
            report.c.item_id == item_id,
            ~report.c.superseded,
            report.c.recalled_at.is_(None),
        )
        .values(recalled_at=func.radpool_now())
        .returning(report.c.id, report.c.status)
    ).all()
    if all(one.status != ReportStatus.VERIFIED for one in recalled):
        raise ForbiddenMove(ItemState(row.state), Move.RECALLED)  # an addendum to a report of the home RIS
    report_ids = sorted(one.id for one in recalled)
    newest = max(one.id for one in recalled if one.status == ReportStatus.VERIFIED)
    dimensions = {"by": "person", "reason": reason, "reports": report_ids}
    row = write_facts(connection, row)  # its due time may have been that of a check
    row = make_move(
        connection,
        row,
        Move.RECALLED,
        dimensions=dimensions,
        state_reason=reason,
        reported_at=None,
        reported_source=None,
        verified_at=None,
    )
    connection.execute(
        delete(item_exclusion).where(item_exclusion.c.item_id == item_id, item_exclusion.c.kind == "has-read")
    )
    _open_amendment(connection, row)
    note_recall(connection, row, report_ids, newest)
    connection.execute(
        insert(item_act).values(
            item_id=row.id,
            trust_ods=row.trust_ods,
            act=ReasonedAct.RECALL.value,
            actor=actor,
            reason=reason,
            note=note or None,
        )
    )
    detail = {"reason": reason, "reports": report_ids}
    audit.append(connection, actor, ReasonedAct.RECALL.value, items=[item_id], detail=detail)


def reported_by(connection: Connection, reporter_id: int, item_id: int) -> bool:
    """Whether the verified report that stands on an item is this reporter's; its preliminary may be another's."""
    own = select(report.c.id).where(
        report.c.item_id == item_id,
        report.c.reporter_id == reporter_id,
        report.c.status == ReportStatus.VERIFIED.value,
        ~report.c.superseded,
        report.c.recalled_at.is_(None),
    )
    return bool(connection.scalar(select(own.exists())))


def _open_amendment(connection: Connection, row: Row[Any]) -> None:
    connection.execute(
        insert(reading).values(
            item_id=row.id,
            purpose=Purpose.AMENDMENT.value,
            state=ReadingState.OPEN.value,
            trust_ods=row.trust_ods,
            profile_id=row.profile_id,
            due_at=row.due_at,
            reporting_minutes=row.reporting_minutes,
        )
    )
