"""The shape of a network configuration document, and nothing of how it takes effect.

Every dated row says where it comes from (`source`) and who confirmed it (`confirmed_by`). Dates are
local (Europe/London) calendar dates, first and last day included.
"""

from __future__ import annotations

from datetime import UTC, date, time
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from allocation.configuration.row import (
    Code,
    Modality,
    Moment,
    OdsCode,
    Region,
    Row,
    SpanText,
    Words,
    Years,
)
from allocation.configuration.sources import Source
from worklist.turnaround import Setting, Urgency
from worklist.valuation import ModifierKind


class Trust(Row):
    """A trust of the network, by its ODS code."""

    ods_code: OdsCode
    name: Words


class Ris(Row):
    """A trust's home RIS: `sending_facility` is MSH-4 of its messages; `host` and `port` take ours."""

    trust: OdsCode
    sending_facility: Words
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    dialect: Annotated[dict[str, Any], Field(default_factory=dict)]


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

    `relevant-prior` can be stated and is not applied yet: whether a prior is relevant is not known when an item is
    worked out.
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
        _in_order(self.valid_from, self.valid_to, "valid_from", "valid_to")
        return self


class Target(Row):
    """A turnaround rule: conditions left out match everything; spans such as `4 hours`."""

    id: Code
    trust: OdsCode | None = None
    setting: Setting | None = None
    urgency: Urgency | None = None
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] | None = None
    exam_codes: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    target: SpanText
    hard_limit: SpanText | None = None
    valid_from: date
    valid_to: date | None = None
    source: Words
    confirmed_by: Words | None = None


class Scope(Row):
    """A standard scope of practice, network-wide.

    The exams are `exam_codes` and whatever `regions` name (modality with subspecialties of the
    catalogue; no subspecialties: the whole modality), expanded and frozen when imported. No
    `settings`: any, also unknown. Age limits in completed years at the exam date close the scope to
    patients of unknown age. `classifies_unmapped` opens unmapped work, to classify and report.
    """

    class Region(Row):
        """A part of the catalogue: a modality and, of it, some subspecialties."""

        modality: Modality
        subspecialties: tuple[Words, ...] | None = None

    code: Code
    version: Annotated[int, Field(ge=1)]
    name: Words
    exam_codes: tuple[Code, ...] = ()
    regions: tuple[Region, ...] = ()
    min_age_years: Years | None = None
    max_age_years: Years | None = None
    settings: Annotated[tuple[Setting, ...], Field(min_length=1)] | None = None
    excluded_flags: tuple[Words, ...] = ()
    classifies_unmapped: bool = False
    signed_by: Words
    valid_from: date
    valid_until: date

    @model_validator(mode="after")
    def _covers_something(self) -> Self:
        if not (self.exam_codes or self.regions or self.classifies_unmapped):
            raise ValueError("a scope needs `exam_codes`, `regions` or `classifies_unmapped`")
        _in_order(self.min_age_years, self.max_age_years, "min_age_years", "max_age_years")
        _in_order(self.valid_from, self.valid_until, "valid_from", "valid_until")
        return self


class Registration(Row):
    """Professional registration, good to the end of `valid_until`."""

    body: Literal["GMC", "HCPC"]
    number: Words
    valid_until: date


class Engagement(Row):
    """A post: who pays, under which assignment number and band."""

    code: Code
    payer: OdsCode
    kind: Literal["substantive", "bank", "agency", "company"]
    assignment_number: Words | None = None
    band: Words | None = None
    whole_time_equivalent: Annotated[Decimal, Field(gt=0, le=2)] | None = None
    valid_from: date
    valid_until: date | None = None


class Entitlement(Row):
    """One performing employer's written permission; `operator` covers ionising work (IR(ME)R 2017)."""

    trust: OdsCode
    basis: Literal["own_employer", "mutual_recognition", "staff_passport", "honorary_contract"]
    operator: bool
    system_access: bool
    valid_from: date
    valid_until: date
    signatory: Words


class Grant(Row):
    """A scope given to a reporter at a level; its own limits may only be narrower than the scope's."""

    scope: Code
    level: Literal["trainee", "preceptee", "autonomous"]
    signatory: Words
    min_age_years: Years | None = None
    max_age_years: Years | None = None
    settings: Annotated[tuple[Setting, ...], Field(min_length=1)] | None = None
    valid_from: date
    valid_until: date


class Reporter(Row):
    """Someone who reports. `subspecialties` give proficiency 1 to 5."""

    id: Code
    name: Words
    profession: Literal["radiologist", "radiographer", "sonographer", "breast_clinician"]
    grade: Literal["consultant", "sas", "trainee", "reporting", "advanced", "breast_clinician", "sonographer"]
    subspecialties: Annotated[dict[str, Annotated[int, Field(ge=1, le=5)]], Field(default_factory=dict)]
    registrations: tuple[Registration, ...]
    engagements: tuple[Engagement, ...]
    entitlements: tuple[Entitlement, ...] = ()
    grants: tuple[Grant, ...] = ()


class Session(Row):
    """A person's session of reporting. Times without an offset are Europe/London.

    `trusts` and `modalities` narrow what is worked; left out, everything eligible. Insourced
    sessions need `outside_job_plan = true`: the reporter's attestation.
    """

    id: Code
    reporter: Code
    engagement: Code
    kind: Literal["job_planned", "insourced", "on_call", "duty"]
    starts: Moment
    ends: Moment
    location: Literal["site", "home"] = "site"
    trusts: tuple[OdsCode, ...] | None = None
    modalities: tuple[Modality, ...] | None = None
    outside_job_plan: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ends.astimezone(UTC) <= self.starts.astimezone(UTC):
            raise ValueError("`ends` does not lie after `starts`")
        if self.kind == "insourced" and not self.outside_job_plan:
            raise ValueError("an insourced session needs `outside_job_plan = true`")
        return self


class Tariff(Row):
    """What one unit of one kind of work pays, in pence, before the window's multiplier."""

    code: Code
    unit: Literal["per_exam", "per_minute_value", "per_hour", "per_session", "per_programmed_activity"]
    amount_pence: Annotated[int, Field(ge=0, le=10_000_000)]
    purposes: Annotated[tuple[Literal["first", "check", "second", "sample", "addendum"], ...], Field(min_length=1)]
    exam_codes: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] | None = None


class Window(Row):
    """Hours by the Europe/London clock in which tariffs are multiplied; `ends` may pass midnight."""

    name: Code
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    starts: time
    ends: time
    bank_holidays: bool = False
    multiplier_percent: Annotated[int, Field(ge=100, le=500)]


class RateCard(Row):
    """The network's rates from a day on; never edited, a change is a new version."""

    code: Code
    version: Annotated[int, Field(ge=1)]
    name: Words
    valid_from: date
    valid_to: date | None = None
    approved_by: Annotated[tuple[Words, ...], Field(min_length=2)]
    additional_exam_percent: Annotated[int, Field(ge=0, le=100)] = 100
    tariffs: Annotated[tuple[Tariff, ...], Field(min_length=1)]
    windows: tuple[Window, ...] = ()

    @model_validator(mode="after")
    def _two_people(self) -> Self:
        if len(set(self.approved_by)) < 2:
            raise ValueError("`approved_by` needs two different people")
        return self


class OutsourcePrice(Row):
    """Reference price of one report bought outside, for comparison only."""

    modality: Modality
    amount_pence: Annotated[int, Field(gt=0, le=1_000_000)]
    valid_from: date
    source: Words


class Network(Row):
    """A whole configuration document; every table may be left out."""

    trust: tuple[Trust, ...] = ()
    source: tuple[Source, ...] = ()
    ris: tuple[Ris, ...] = ()
    exam: tuple[Exam, ...] = ()
    exam_alias: tuple[ExamAlias, ...] = ()
    minutes_rule: tuple[MinutesRule, ...] = ()
    minutes_modifier: tuple[MinutesModifier, ...] = ()
    target: tuple[Target, ...] = ()
    scope: tuple[Scope, ...] = ()
    reporter: tuple[Reporter, ...] = ()
    session: tuple[Session, ...] = ()
    rate_card: tuple[RateCard, ...] = ()
    outsource_price: tuple[OutsourcePrice, ...] = ()


def _in_order(first: Any, last: Any, first_name: str, last_name: str) -> None:
    if first is not None and last is not None and last < first:
        raise ValueError(f"`{last_name}` lies before `{first_name}`")
