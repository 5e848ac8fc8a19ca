"""Raises alerts of reports, takes their acknowledgement, and escalates those that nobody acknowledges in time.

Unacknowledged alerts are the normal case: escalation runs by the clock, without anybody asking. It must not
judge how long an alert may wait (`worklist.alerts.rules` does), nor what a recall does (`worklist.alerts.recalled`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, func, insert, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from worklist.alerts.rules import AlertKind, AlertTimer, acknowledge_by
from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.alerts import alert, alert_timer
from worklist.db.tables.claims import report
from worklist.db.tables.life import item_act
from worklist.db.tables.work import item_order
from worklist.doubts import close_doubt, open_doubt
from worklist.life.moves import append_item_event, lock_item
from worklist.log import audit
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.span import Span

NOT_ACKNOWLEDGED = "alert-not-acknowledged"

log = structlog.get_logger(__name__)


class UnknownAlert(LookupError):
    """No such alert, or none that the viewer may know of."""

    def __init__(self, alert_id: int) -> None:
        super().__init__(f"no alert {alert_id}")


class AlertAcknowledged(RuntimeError):
    """Somebody has acknowledged the alert already."""

    def __init__(self, row: Row[Any]) -> None:
        super().__init__(
            f"alert {row.id} was acknowledged by {row.acknowledged_by} at {row.acknowledged_at:%F %H:%M} UTC"
        )


class AlertSettled(RuntimeError):
    """A report in place of the recalled one has settled the alert: there is nothing to acknowledge."""

    def __init__(self, row: Row[Any]) -> None:
        super().__init__(
            f"alert {row.id} is of a report that was recalled; report {row.settled_by_report_id} stands in its place"
        )


def raise_alerts(connection: Connection, row: Row[Any], report_id: int, kinds: Sequence[str]) -> None:
    """Raise what a report of a locked item alerts to, each with the time by which it must be acknowledged.

    One that a recalled report had raised, and that nobody has acknowledged, gets no new time by being raised again.
    """
    if not kinds:
        return
    moment, waiting_since = now(connection), _due_of_recalled(connection, row.id)
    holidays = england_bank_holidays((moment.year, moment.year + 1))
    timers = [
        AlertTimer(AlertKind(one.kind), one.trust_ods, Span.parse(one.within), one.valid_from, one.valid_to)
        for one in connection.execute(select(alert_timer))
    ]
    for kind in sorted({AlertKind(word) for word in kinds}):
        by = acknowledge_by(kind, row.trust_ods, moment, timers, holidays)
        by = min(by, waiting_since.get(kind, by))
        alert_id = connection.execute(
            insert(alert)
            .values(
                trust_ods=row.trust_ods,
                item_id=row.id,
                report_id=report_id,
                kind=kind.value,
                raised_at=moment,
                acknowledge_by=by,
            )
            .returning(alert.c.id)
        ).scalar_one()
        told = {"alert": alert_id, "alert_kind": kind.value, "report": report_id, "acknowledge_by": by.isoformat()}
        append_item_event(connection, row, "alert.raised", dimensions=told)


def acknowledge(connection: Connection, actor: str, alert_id: int, note: str) -> None:
    """Note that a named person has acknowledged an alert; the note stays in a table under row-level security.

    Raises
    ------
    UnknownAlert, AlertAcknowledged, AlertSettled
    """
    row, found = _lock(connection, alert_id)
    if found.acknowledged_at is not None:
        raise AlertAcknowledged(found)
    if found.settled_at is not None:
        raise AlertSettled(found)
    view_as(connection, Viewer(trust=row.trust_ods))
    connection.execute(
        update(alert).where(alert.c.id == alert_id).values(acknowledged_at=func.radpool_now(), acknowledged_by=actor)
    )
    connection.execute(
        insert(item_act).values(
            item_id=row.id, trust_ods=row.trust_ods, act="acknowledge alert", actor=actor, reason=found.kind, note=note
        )
    )
    close_escalation(connection, found, by=actor, outcome="acknowledged")
    told = {"alert": alert_id, "alert_kind": found.kind, "late": found.escalated_at is not None}
    append_item_event(connection, row, "alert.acknowledged", dimensions=told)
    audit.append(connection, actor, "acknowledge alert", items=[row.id], detail={"alert": alert_id})


def escalate_overdue(engine: Engine, *, limit: int = 100) -> int:
    """Put alerts before people that nobody acknowledged in time, once each, and give how many.

    Each is a transaction of its own; one that cannot be escalated stops none behind it.
    """
    with engine.connect() as connection:
        overdue = connection.scalars(
            select(alert.c.id)
            .where(*WAITING, alert.c.escalated_at.is_(None), alert.c.acknowledge_by <= func.radpool_now())
            .order_by(alert.c.acknowledge_by, alert.c.id)
            .limit(limit)
        ).all()
    done = 0
    for alert_id in overdue:
        try:
            with engine.begin() as connection:
                done += _escalate(connection, alert_id)
        except (OperationalError, InterfaceError):
            raise  # the database's fault, not the alert's
        except Exception as error:
            log.error("alert not escalated", alert=alert_id, error=type(error).__name__)
    return done


def list_alerts(
    connection: Connection, *, trust: str | None, every_trust: bool, open_only: bool, kind: str | None, limit: int
) -> list[dict[str, Any]]:
    """Give alerts of one trust or of all, those that must be acknowledged first at the head.

    Who asked for the exam, and how they are reached, comes as far as row-level security shows it.
    """
    statement = (
        select(
            alert,
            (alert.c.acknowledge_by <= func.radpool_now()).label("past"),
            report.c.recalled_at,
            item_order.c.requester,
            item_order.c.call_back,
        )
        .join(report, report.c.id == alert.c.report_id)
        .outerjoin(item_order, item_order.c.item_id == alert.c.item_id)
    )
    if not every_trust:
        statement = statement.where(alert.c.trust_ods == trust)
    if open_only:
        statement = statement.where(*WAITING)
    if kind is not None:
        statement = statement.where(alert.c.kind == kind)
    return [
        {
            "id": row.id,
            "item_id": row.item_id,
            "trust": row.trust_ods,
            "report_id": row.report_id,
            "kind": row.kind,
            "raised_at": row.raised_at,
            "acknowledge_by": row.acknowledge_by,
            "overdue": row.acknowledged_at is None and row.settled_at is None and row.past,
            "report_recalled_at": row.recalled_at,
            "requester": row.requester,
            "call_back": row.call_back,
            "escalated_at": row.escalated_at,
            "acknowledged_at": row.acknowledged_at,
            "acknowledged_by": row.acknowledged_by,
            "settled_at": row.settled_at,
            "settled_by_report_id": row.settled_by_report_id,
        }
        for row in connection.execute(statement.order_by(alert.c.acknowledge_by, alert.c.id).limit(limit))
    ]


def trust_of_alert(connection: Connection, alert_id: int) -> str | None:
    """Give the trust whose alert it is; None where there is none."""
    found: str | None = connection.scalar(select(alert.c.trust_ods).where(alert.c.id == alert_id))
    return found


def close_escalation(connection: Connection, found: Row[Any], *, by: str, outcome: str) -> None:
    """Close the exception of an alert that had not been acknowledged in time, if there is one."""
    close_doubt(connection, NOT_ACKNOWLEDGED, item_id=found.item_id, detail=_detail(found), by=by, outcome=outcome)


def _due_of_recalled(connection: Connection, item_id: int) -> dict[str, datetime]:
    """Give, by kind, by when the alerts of recalled reports were due that still wait."""
    rows = connection.execute(
        select(alert.c.kind, func.min(alert.c.acknowledge_by).label("due"))
        .join(report, report.c.id == alert.c.report_id)
        .where(*WAITING, alert.c.item_id == item_id, report.c.recalled_at.is_not(None))
        .group_by(alert.c.kind)
    )
    return {row.kind: row.due for row in rows}


def _escalate(connection: Connection, alert_id: int) -> bool:
    row, found = _lock(connection, alert_id)
    if any(at is not None for at in (found.acknowledged_at, found.settled_at, found.escalated_at)):
        return False  # somebody was quicker
    connection.execute(update(alert).where(alert.c.id == alert_id).values(escalated_at=func.radpool_now()))
    open_doubt(connection, NOT_ACKNOWLEDGED, trust=row.trust_ods, item_id=row.id, detail=_detail(found))
    told = {"alert": alert_id, "alert_kind": found.kind, "report": found.report_id}
    append_item_event(connection, row, "alert.escalated", dimensions=told)
    audit.append(connection, "radpool", "escalate alert", items=[row.id], detail={"alert": alert_id})
    return True


def _lock(connection: Connection, alert_id: int) -> tuple[Row[Any], Row[Any]]:
    """Lock the item of an alert, then the alert, and give both."""
    item_id = connection.scalar(select(alert.c.item_id).where(alert.c.id == alert_id))
    if item_id is None:
        raise UnknownAlert(alert_id)
    row = lock_item(connection, item_id)
    return row, connection.execute(select(alert).where(alert.c.id == alert_id).with_for_update(key_share=True)).one()


def _detail(found: Row[Any]) -> str:
    return f"alert {found.id} ({found.kind}) was not acknowledged in time"


#: What makes an alert one that still waits to be acknowledged.
WAITING = (alert.c.acknowledged_at.is_(None), alert.c.settled_at.is_(None))
