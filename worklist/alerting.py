"""Raises alerts of reports, takes their acknowledgement, and escalates those that nobody acknowledges in time.

Unacknowledged alerts are the normal case: escalation runs by the clock, without anybody asking. It must not
judge how long an alert may wait (`worklist.alerts` does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, func, insert, select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from worklist import audit
from worklist.alerts import AlertKind, AlertTimer, acknowledge_by
from worklist.bank_holidays import england_bank_holidays
from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.alerts import alert, alert_timer
from worklist.db.tables.life import item_act
from worklist.doubts import close_doubt, open_doubt
from worklist.moves import append_item_event, lock_item
from worklist.span import Span

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


def raise_alerts(connection: Connection, row: Row[Any], report_id: int, kinds: Sequence[str]) -> None:
    """Raise what a report of a locked item alerts to, each with the time by which it must be acknowledged."""
    if not kinds:
        return
    moment = now(connection)
    holidays = england_bank_holidays((moment.year, moment.year + 1))
    timers = [
        AlertTimer(AlertKind(one.kind), one.trust_ods, Span.parse(one.within), one.valid_from, one.valid_to)
        for one in connection.execute(select(alert_timer))
    ]
    for kind in sorted({AlertKind(word) for word in kinds}):
        by = acknowledge_by(kind, row.trust_ods, moment, timers, holidays)
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
    UnknownAlert, AlertAcknowledged
    """
    row, found = _lock(connection, alert_id)
    if found.acknowledged_at is not None:
        raise AlertAcknowledged(found)
    view_as(connection, Viewer(trust=row.trust_ods))
    connection.execute(
        update(alert).where(alert.c.id == alert_id).values(acknowledged_at=func.radpool_now(), acknowledged_by=actor)
    )
    connection.execute(
        insert(item_act).values(
            item_id=row.id, trust_ods=row.trust_ods, act="acknowledge alert", actor=actor, reason=found.kind, note=note
        )
    )
    close_doubt(connection, NOT_ACKNOWLEDGED, item_id=row.id, detail=_detail(found), by=actor, outcome="acknowledged")
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
            .where(*_WAITING, alert.c.escalated_at.is_(None), alert.c.acknowledge_by <= func.radpool_now())
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
    """Give alerts of one trust or of all, those that must be acknowledged first at the head."""
    statement = select(alert, (alert.c.acknowledge_by <= func.radpool_now()).label("past"))
    if not every_trust:
        statement = statement.where(alert.c.trust_ods == trust)
    if open_only:
        statement = statement.where(*_WAITING)
    if kind is not None:
        statement = statement.where(alert.c.kind == kind)
    return [
        {
            "id": row.id,
            "item_id": row.item_id,
            "trust": row.trust_ods,
            "kind": row.kind,
            "raised_at": row.raised_at,
            "acknowledge_by": row.acknowledge_by,
            "overdue": row.acknowledged_at is None and row.past,
            "escalated_at": row.escalated_at,
            "acknowledged_at": row.acknowledged_at,
            "acknowledged_by": row.acknowledged_by,
        }
        for row in connection.execute(statement.order_by(alert.c.acknowledge_by, alert.c.id).limit(limit))
    ]


def trust_of_alert(connection: Connection, alert_id: int) -> str | None:
    """Give the trust whose alert it is; None where there is none."""
    found: str | None = connection.scalar(select(alert.c.trust_ods).where(alert.c.id == alert_id))
    return found


def _escalate(connection: Connection, alert_id: int) -> bool:
    row, found = _lock(connection, alert_id)
    if found.acknowledged_at is not None or found.escalated_at is not None:
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


_WAITING = (alert.c.acknowledged_at.is_(None),)
