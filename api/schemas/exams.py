"""Shapes of unmapped exams and of a trust's own words for exams. Instants are RFC 3339 in UTC; null is not known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.schemas.work import Body

Sent = Annotated[str, StringConstraints(max_length=300)]


class UnmappedExam(BaseModel):
    """Exams that a trust's sources call the same; what they are called is given to the trust's own staff."""

    model_config = ConfigDict(from_attributes=True)

    trust: str
    code: str | None = Field(description="as sent; null: none was")
    scheme: str | None
    description: str | None
    why: str = Field(description="`unmapped`, `not-yet-valid`, `no-longer-valid`, `ambiguous` or `contradicts-images`")
    shown: bool = Field(description="whether code and description are this viewer's to see")
    items: int = Field(description="how many items wait with it")
    noted: int = Field(description="how many of them are about to be worked out again by themselves")
    oldest_due_at: datetime | None


class UnmappedExams(BaseModel):
    """What is not mapped, those first that most items wait for."""

    exams: list[UnmappedExam]


class MapExam(Body):
    """What a trust calls an exam, as the list of unmapped exams gives it, and which exam it is from now on."""

    trust: str
    code: Sent | None = None
    scheme: Sent | None = None
    description: Sent | None = Field(default=None, description="counts only where no code was sent")
    exam: str = Field(description="code of the catalogue")
    reason: Annotated[str, StringConstraints(min_length=3, max_length=300, strip_whitespace=True)]
    valid_from: date | None = Field(
        default=None, description="first local exam date; null: that of the oldest waiting item called so, else today"
    )
    exception_id: int | None = Field(default=None, description="the exception that led to it")


class MappedExam(BaseModel):
    """What mapping did. Items that are still to be worked out are noted, and follow by themselves."""

    model_config = ConfigDict(from_attributes=True)

    mapping_id: int
    closed_mapping_id: int | None = Field(description="the mapping that it takes the place of")
    valid_from: date
    worked_out: int
    still_to_work_out: int


class Mapping(BaseModel):
    """A trust's own word for an exam, standing or closed; `trust` null: everyone's."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    trust: str | None
    kind: str
    value: str
    exam_code: str
    valid_from: date
    valid_to: date | None
    opened_at: datetime
    opened_by: str
    reason: str
    exception_id: int | None
    closed_at: datetime | None
    closed_by: str | None


class Mappings(BaseModel):
    """Words for exams, the newest first."""

    mappings: list[Mapping]
