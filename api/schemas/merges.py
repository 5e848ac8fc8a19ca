"""Shapes of merges of patients and of their ends. Instants are RFC 3339 in UTC; null is not known, or not yet."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.work import Body, Words


class Merge(BaseModel):
    """That the home RIS held two identifiers to be one patient's, and what became of it."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: Literal["merge", "change"] = Field(description="`change`: the patient got another identifier (A47)")
    retired_identifier: str
    retired_issuer: str
    surviving_identifier: str
    surviving_issuer: str
    said_at: datetime = Field(description="when the home RIS said it")
    stated_by: str
    message_id: str | None
    recorded_at: datetime
    standing: bool = Field(description="whether it merges the two now")
    unmerged_at: datetime | None
    unmerged_by: str | None


class Merges(BaseModel):
    """The merges of an item's patient, the newest first."""

    item_id: int
    merges: list[Merge]


class Unmerge(Body):
    """Why a merge is ended; the note stays private."""

    note: Words = ""


class Unmerged(BaseModel):
    """The merge that was ended."""

    merge_id: int
