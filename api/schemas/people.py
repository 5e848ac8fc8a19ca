"""Shapes of acts on the workforce."""

from __future__ import annotations

from pydantic import BaseModel, Field

from allocation.suspension import SuspensionReason
from api.schemas.work import Body


class Suspend(Body):
    """Why somebody, or one scope of theirs, is suspended."""

    reason: SuspensionReason


class Suspended(BaseModel):
    """What a suspension took back: those items wait for others, in their place."""

    items: list[int] = Field(description="that were held, and are not any more")
