"""Shapes of exclusion flags that are not known. Instants are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class UnknownFlag(BaseModel):
    """A flag that is not known of a trust's waiting items, and so closes the scopes that exclude it."""

    model_config = ConfigDict(from_attributes=True)

    trust: str
    flag: str
    items: int = Field(description="`GET /worklist?unknown_flag=` lists them")
    minutes: float = Field(description="their reporting minutes")
    oldest_due_at: datetime | None


class UnknownFlags(BaseModel):
    """What is not known, those first behind which most minutes wait."""

    flags: list[UnknownFlag]
