"""Shapes of alerts. Instants are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, StringConstraints

from api.schemas.work import Body


class AlertRow(BaseModel):
    """What a report alerts to; `overdue`: nobody has acknowledged it in time."""

    id: int
    item_id: int
    trust: str
    kind: str
    raised_at: datetime
    acknowledge_by: datetime
    overdue: bool
    escalated_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class AlertPage(BaseModel):
    """Alerts, those that must be acknowledged first at the head."""

    alerts: list[AlertRow]


class Acknowledgement(Body):
    """Who was told what, in words that stay private."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
