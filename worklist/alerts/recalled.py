"""What becomes of a report's alerts when it is recalled, and when another report takes its place.

A recall leaves an alert that nobody has acknowledged where it is: it goes on waiting and says that its report was
recalled. Who had acknowledged one is told that it was taken back. The report in place of the recalled one raises
again what still holds and settles the rest (docs/decisions/0021-what-a-check-changed.md). It must not decide
whether a finding holds; the new report says it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from worklist.alerts.acts import WAITING, close_escalation, raise_alerts
from worklist.alerts.rules import OF_REPORTS, AlertKind
from worklist.db.tables.alerts import alert
from worklist.db.tables.claims import report
from worklist.life.moves import append_item_event

#: A requester who was told one of these must hear that the report was taken back.
_TOLD = (*OF_REPORTS, AlertKind.MATERIAL_CHANGE)


def note_recall(connection: Connection, row: Row[Any], report_ids: Collection[int], newest: int) -> None:
    """Alert to a recall where somebody has acknowledged an alert of these reports of a locked item.

    `newest` is the verified report that was recalled.
    """
    told = select(alert.c.id).where(
        alert.c.report_id.in_(report_ids), alert.c.kind.in_(_TOLD), alert.c.acknowledged_at.is_not(None)
    )
    if connection.scalar(select(told.exists())):
        raise_alerts(connection, row, newest, (AlertKind.REPORT_RECALLED,))


def settle_alerts_of_recalled(
    connection: Connection, row: Row[Any], report_id: int, kinds: Collection[str], *, by: str
) -> list[int]:
    """Settle what still waits of recalled reports of a locked item, which a verified report takes the place of.

    What it raises again (`kinds`) goes on with its own alert, and a flag that it does not raise no longer holds. That
    a report had changed materially, or that one was recalled, stays to be acknowledged. Gives the alerts settled.
    """
    raised_again = alert.c.kind.in_(list(kinds))
    flag = alert.c.kind.in_([kind.value for kind in OF_REPORTS])
    recalled = select(report.c.id).where(report.c.item_id == row.id, report.c.recalled_at.is_not(None))
    settled = connection.execute(
        update(alert)
        .where(*WAITING, alert.c.item_id == row.id, alert.c.report_id.in_(recalled), or_(raised_again, flag))
        .values(settled_at=func.radpool_now(), settled_by_report_id=report_id)
        .returning(alert)
    ).all()
    for one in sorted(settled, key=lambda found: found.id):
        again = one.kind in kinds
        outcome = "raised again by the report in its place" if again else "the report in its place does not raise it"
        close_escalation(connection, one, by=by, outcome=outcome)
        told = {"alert": one.id, "alert_kind": one.kind, "report": report_id, "raised_again": again}
        append_item_event(connection, row, "alert.settled", dimensions=told)
    return sorted(one.id for one in settled)
