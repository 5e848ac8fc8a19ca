"""Shapes of what people do with an item beside reading it. Notes stay private; reasons come from a list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.work import Body, Words
from worklist.exclusions.flags import FlagState
from worklist.reading import Discrepancy
from worklist.turnaround.targets import Urgency

Reason = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z-]{0,49}$"), Field(description="one of `GET /reasons` for the act")
]


class Reasoned(Body):
    """Why; the note stays private."""

    reason: Reason
    note: Words = ""


class Noted(Body):
    """What undoes another act needs no reason; the note stays private."""

    note: Words = ""


class Changed(Noted):
    """What the verified report changed of the one that went out before; `material` alerts the requester."""

    discrepancy: Discrepancy


class Priority(Reasoned):
    """The urgency that an item is to have, whatever its order states."""

    urgency: Urgency


class Flags(Noted):
    """What is so of the item, seen against its clinical question; `unknown` takes back what a person said."""

    flags: Annotated[dict[str, FlagState], Field(min_length=1, max_length=50)]


class ItemAct(BaseModel):
    """What a person did with an item beside reading it; `note` null: there is none, or it is not yours to see."""

    model_config = ConfigDict(from_attributes=True)

    act: str
    by: str
    at: datetime
    reason: str | None
    note: str | None
    detail: dict[str, str | None] | None = Field(
        description="of a priority: which was given, and which it had; of flags: what was said"
    )


class ItemActs(BaseModel):
    """What people did with an item, in the order in which they did it."""

    item_id: int
    acts: list[ItemAct]
