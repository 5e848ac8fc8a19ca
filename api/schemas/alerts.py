"""Shapes of alerts. Instants are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from api.schemas.work import Body
from worklist.alerts.rules import AlertKind


class AlertRow(BaseModel):
    """What a report alerts to; `overdue`: nobody has acknowledged it in time.

    `material-change`: the verified report says something else than what went out before it; `report-recalled`: an
    acknowledged alert is of a report that was taken back since. `requester` and `call_back` are given to those who may
    see the patient.
    """

    id: int
    item_id: int
    trust: str
    report_id: int
    kind: AlertKind
    raised_at: datetime
    acknowledge_by: datetime
    overdue: bool
    report_recalled_at: datetime | None = Field(description="its report stands no longer; it waits all the same")
    requester: str | None
    call_back: str | None
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    settled_at: datetime | None = Field(description="when a report in place of the recalled one settled it")
    settled_by_report_id: int | None


class AlertPage(BaseModel):
    """Alerts, those that must be acknowledged first at the head."""

    alerts: list[AlertRow]


class Acknowledgement(Body):
    """Who was told what, in words that stay private."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
