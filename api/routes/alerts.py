"""Routes of alerts: what reports alert to, and that somebody has acknowledged it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Connection

from api.acts import Permitted
from api.schemas.alerts import Acknowledgement, AlertPage, AlertRow
from worklist.alerts.acts import UnknownAlert, acknowledge, list_alerts, trust_of_alert
from worklist.alerts.rules import AlertKind
from worklist.log import audit

router = APIRouter(tags=["alerts"])


@router.get("/alerts")
def alerts(
    act: Permitted,
    kind: AlertKind | None = None,
    acknowledged: Annotated[bool, Query(description="also those that were acknowledged or settled")] = False,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AlertPage:
    """List alerts that wait to be acknowledged, the most pressing first."""
    with act.transaction() as connection:
        rows = list_alerts(
            connection,
            trust=act.principal.trust,
            every_trust=act.principal.network_wide,
            open_only=not acknowledged,
            kind=kind,
            limit=limit,
        )
        items = sorted({row["item_id"] for row in rows})
        audit.append(connection, act.principal.name, "alerts read", items=items, detail={"listed": len(rows)})
    return AlertPage(alerts=[AlertRow(**row) for row in rows])


@router.post("/alerts/{alert_id}/acknowledge", status_code=204)
def acknowledge_alert(act: Permitted, alert_id: int, body: Acknowledgement) -> Response:
    """Say that the alert was acknowledged, by whom of the referrer's people; what was escalated is settled."""

    def do(connection: Connection) -> tuple[int, Any]:
        if not act.principal.sees_trust(trust_of_alert(connection, alert_id)):
            raise UnknownAlert(alert_id)
        acknowledge(connection, act.principal.name, alert_id, body.note)
        return 204, None

    return act.once(do, body)
