"""Shapes of messages to home RIS. Instants are RFC 3339 in UTC; null is not known. No words, no identifiers."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from worklist.home.told import DeliveryState, Notice


class Delivery(BaseModel):
    """A message to a home RIS and where it stands."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    trust_ods: str = Field(serialization_alias="trust")
    destination: str = Field(description="the sending facility of the RIS")
    notice: Notice
    item_id: int
    report_id: int | None
    control_id: str = Field(description="MSH-10; a message sent again keeps it")
    made_at: datetime = Field(description="when what it tells happened")
    state: DeliveryState
    attempts: int = Field(description="how often it was sent since it was last put in line")
    next_attempt_at: datetime
    last_attempt_at: datetime | None
    last_answer: str | None = Field(description="what the RIS answered, by codes")
    ended_at: datetime | None
    ended_by: str | None


class Deliveries(BaseModel):
    """Messages in the order in which they were put in line; ask again with `after` = `next_after` for more."""

    deliveries: list[Delivery]
    next_after: int | None = None
