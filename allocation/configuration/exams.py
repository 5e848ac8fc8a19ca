"""The rows of a configuration document about exams: the catalogue, a trust's own words, what an exam is valued at.

Pure: no I/O, no clock, no settings. Dates are local (Europe/London), first and last day included.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from allocation.configuration.row import (
    Code,
    Modality,
    OdsCode,
    Region,
    Row,
    Words,
    in_order,
)
from worklist.exams.valuation import ModifierKind


class Exam(Row):
    """An exam of the catalogue; `reporting_minutes` is what one is valued at."""

    code: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,16}$")]
    description: Words
    modality: Modality
    body_region: Words
    subspecialty: Words
    laterality: Literal["none", "left", "right", "bilateral"] = "none"
    reporting_minutes: Annotated[Decimal, Field(gt=0, le=600, decimal_places=2)]
    snomed_code: str | None = None
    confidence: Literal["seen", "likely", "unsure", "confirmed"]
    source: Words
    confirmed_by: Words | None = None
    valid_from: date
    valid_to: date | None = None


class ExamAlias(Row):
    """A trust's own code, SNOMED code or exact description for an exam; without `trust` it is everyone's.

    One that takes another's place holds for examinations from `valid_from` on, without it from the day of the import.
    """

    kind: Literal["code", "snomed-code", "description"]
    value: Words
    exam: Code
    trust: OdsCode | None = None
    valid_from: date | None = None


class MinutesRule(Row):
    """Reporting minutes of the exams of a modality that have none of their own; the narrowest rule counts.

    `confidence` says how good the figure is, `confirmed_by` who in the network has taken it over.
    """

    id: Code
    modality: Modality
    exam_codes: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    body_regions: Annotated[tuple[Region, ...], Field(min_length=1)] | None = None
    minutes: Annotated[Decimal, Field(gt=0, le=600, decimal_places=2)]
    confidence: Literal["seen", "proposed", "unsure", "confirmed"]
    source: Words
    confirmed_by: Words | None = None
    valid_from: date
    valid_to: date | None = None


class MinutesModifier(Row):
    """What changes the value of work, in percent of it; `below_years` belongs to `paediatric`.

    `relevant-prior` is for an item of whose patient there is an exam of an earlier day, with a body region in common.
    """

    kind: ModifierKind
    percent: Annotated[Decimal, Field(ge=0, le=500, decimal_places=1)]
    below_years: Annotated[int, Field(ge=1, le=25)] | None = None
    source: Words
    confirmed_by: Words | None = None
    valid_from: date
    valid_to: date | None = None

    @model_validator(mode="after")
    def _of_children(self) -> Self:
        if (self.kind is ModifierKind.PAEDIATRIC) != (self.below_years is not None):
            raise ValueError("give `below_years` with kind `paediatric`, and with no other")
        in_order(self.valid_from, self.valid_to, "valid_from", "valid_to")
        return self
