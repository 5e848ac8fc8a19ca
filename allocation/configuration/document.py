"""The shape of a network configuration document, and nothing of how it takes effect.

Every dated row says where it comes from (`source`) and who confirmed it (`confirmed_by`). Dates are
local (Europe/London) calendar dates, first and last day included.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from worklist.intake.completeness import LONGEST_WAIT, Signal
from worklist.local_time import LONDON
from worklist.span import Span
from worklist.turnaround import Setting, Urgency

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
OdsCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{3,6}$")]
_AE_TITLE = r"^[\x21-\x5B\x5D-\x7E]([\x20-\x5B\x5D-\x7E]*[\x21-\x5B\x5D-\x7E])?$"
AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=_AE_TITLE)]
Modality = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,4}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Years = Annotated[int, Field(ge=0, le=130)]


def _span(text: str) -> str:
    return str(Span.parse(text))


SpanText = Annotated[str, AfterValidator(_span)]


def _with_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=LONDON)


Moment = Annotated[datetime, AfterValidator(_with_zone)]


class Row(BaseModel):
    """A row of the document: no key that the schema does not know, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Trust(Row):
    """A trust of the network, by its ODS code."""

    ods_code: OdsCode
    name: Words


class Service(Row):
    """What a requesting service, department or location name of a source means for the item."""

    name: Words
    setting: Setting | None = None
    urgency: Urgency | None = None


class Completeness(Row):
    """When a study of a source is complete.

    `signals` are what of the source is listened to, in order: `procedure_step` (MPPS), `availability_notice`
    (IAN), `expected_count` (C-FIND). The first that says complete counts. While one says that more is to come
    the study waits, `longest_wait_seconds` after its last object at most; when none says anything, nothing new
    for `quiet_seconds` makes it complete.
    """

    signals: tuple[Signal, ...] = ()
    quiet_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    longest_wait_seconds: Annotated[int, Field(ge=0, le=604800)] | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(set(self.signals)) < len(self.signals):
            raise ValueError("`signals` names one twice; give each once")
        if self.longest_wait_seconds is not None and not self.signals:
            raise ValueError("`longest_wait_seconds` waits for `signals`; name some, or leave it out")
        longest = LONGEST_WAIT.total_seconds() if self.longest_wait_seconds is None else self.longest_wait_seconds
        if self.signals and longest < (self.quiet_seconds or 0):
            raise ValueError("`longest_wait_seconds` is shorter than `quiet_seconds`; a wait begins when it is quiet")
        return self


class ClaimWhileArriving(Row):
    """Which work of a source may be claimed while its images still come; both empty: none."""

    settings: tuple[Setting, ...] = ()
    urgencies: tuple[Urgency, ...] = ()


class Query(Row):
    """Where a source takes our associations: queries (C-FIND), C-ECHO, reports of storage commitment.

    Between `from` and `to`, London times of day, it may be asked about whole days, for studies that it never
    sent; without them it is asked only about studies that it began to send. With `tls` the connection is protected.
    """

    host: Words
    port: Annotated[int, Field(ge=1, le=65535)]
    ae_title: AeTitle
    from_: Annotated[time | None, Field(alias="from")] = None
    to: time | None = None
    tls: bool = False

    @model_validator(mode="after")
    def _window(self) -> Self:
        if (self.from_ is None) != (self.to is None):
            raise ValueError("give `from` and `to` together, or neither")
        return self


def _peer_address(address: str) -> str:
    try:
        network = ip_network(address, strict=False)
    except ValueError:
        raise ValueError(
            "`address` is no IP address or network: give where its connections come from (10.20.30.40, 10.20.30.0/24)"
        ) from None
    if not network.prefixlen:
        raise ValueError("`address` is every address there is, and so binds to nothing")
    return address


PeerAddress = Annotated[str, AfterValidator(_peer_address)]


class Source(Row):
    """A PACS or modality that may send; its AE title is bound to an address or a certificate.

    `quiet_seconds` is the simple form of its completeness policy: how long without a new object makes a study
    complete. Without `claim_while_arriving` that is work of the settings emergency and critical care, or of the
    urgencies stroke, major trauma and emergency.
    """

    ae_title: AeTitle
    trust: OdsCode
    address: PeerAddress | None = None
    certificate_subject: str | None = None
    quiet_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    completeness: Completeness | None = None
    claim_while_arriving: ClaimWhileArriving | None = None
    query: Query | None = None
    services: tuple[Service, ...] = ()

    @model_validator(mode="after")
    def _bound(self) -> Self:
        if self.quiet_seconds is not None and self.completeness and self.completeness.quiet_seconds is not None:
            raise ValueError("give `quiet_seconds` once: by itself or within `completeness`")
        if self.address is None and self.certificate_subject is None:
            raise ValueError("give `address` or `certificate_subject`: an AE title alone proves nothing")
        return self


class Ris(Row):
    """A trust's home RIS: `sending_facility` is MSH-4 of its messages; `host` and `port` take ours."""

    trust: OdsCode
    sending_facility: Words
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    dialect: dict[str, Any] = {}


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
    """A trust's own code or exact description for an exam; without `trust` it is everyone's."""

    kind: Literal["code", "description"]
    value: Words
    exam: Code
    trust: OdsCode | None = None


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
    subspecialties: dict[str, Annotated[int, Field(ge=1, le=5)]] = {}
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
    target: tuple[Target, ...] = ()
    scope: tuple[Scope, ...] = ()
    reporter: tuple[Reporter, ...] = ()
    session: tuple[Session, ...] = ()
    rate_card: tuple[RateCard, ...] = ()
    outsource_price: tuple[OutsourcePrice, ...] = ()


def _in_order(first: Any, last: Any, first_name: str, last_name: str) -> None:
    if first is not None and last is not None and last < first:
        raise ValueError(f"`{last_name}` lies before `{first_name}`")
