"""Shapes of what people do with an item beside reading it. Notes stay private; reasons come from a list."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.work import Body, Words
from worklist.reading import Discrepancy
from worklist.turnaround import Urgency

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
