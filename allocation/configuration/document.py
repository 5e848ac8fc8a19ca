"""The shape of a network configuration document, and nothing of how it takes effect.

Every dated row says where it comes from (`source`) and who confirmed it (`confirmed_by`). Dates are
local (Europe/London) calendar dates, first and last day included.
"""

from __future__ import annotations

from datetime import UTC, date, time
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from allocation.configuration.exams import Exam, ExamAlias, MinutesModifier, MinutesRule
from allocation.configuration.row import Code, Modality, Moment, OdsCode, Region, Row, SpanText, Words, Years, in_order
from allocation.configuration.sources import DistinguishedName, PeerAddress, Source
from worklist.alerts.rules import AlertKind
from worklist.exams.not_offered import NotOfferedReason
from worklist.home.told import Locks
from worklist.life.reasons import ReasonedAct
from worklist.turnaround.targets import Setting, TargetClock, Urgency

FlagName = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,49}$"),
    Field(description="an exclusion flag, in small letters, such as `major_trauma`"),
]


class Trust(Row):
    """A trust of the network, by its ODS code.

    `known_as` are other words by which headers name it as issuer of accession numbers or as institution.
    """

    ods_code: OdsCode
    name: Words
    known_as: tuple[Words, ...] = ()


class Ris(Row):
    """A trust's home RIS: `sending_facility` is MSH-4 of its messages; `host` and `port` take ours.

    `locks` is what it does about an item that is read here. With `sends_reports` it sends the reports that are
    written in it: such a report is available when it does, and not before. Its messages are believed from `address`
    (an address or network) and with the certificate whose subject is `certificate_subject` (RFC 4514), where they are
    given. With `tls` it takes ours over TLS.
    """

    trust: OdsCode
    sending_facility: Words
    address: PeerAddress | None = None
    certificate_subject: DistinguishedName | None = None
    host: str | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    tls: bool = False
    locks: Locks = Locks.UNPROTECTED
    sends_reports: bool = False
    dialect: Annotated[dict[str, Any], Field(default_factory=dict)]

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if (self.host is None) != (self.port is None):
            raise ValueError("`host` and `port` go together: give both, or neither where it takes no messages")
        if self.tls and self.host is None:
            raise ValueError("`tls` is how it takes messages: give the `host` and `port` that take them")
        if self.locks is not Locks.UNPROTECTED and self.host is None:
            raise ValueError("`locks` are told by messages: give the `host` and `port` that take them")
        return self


class Target(Row):
    """A turnaround rule: conditions left out match everything; spans such as `4 hours`.

    `clock` `check`: counted from a preliminary report to the verified one that follows its check.
    """

    id: Code
    trust: OdsCode | None = None
    setting: Setting | None = None
    urgency: Urgency | None = None
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] | None = None
    exam_codes: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    target: SpanText
    hard_limit: SpanText | None = None
    clock: TargetClock = TargetClock.REPORT
    valid_from: date
    valid_to: date | None = None
    source: Words
    confirmed_by: Words | None = None


class NotOffered(Row):
    """What is not offered for network reporting: no reading, no clock; an unknown fact meets no condition.

    `valid_from` and `valid_to` are dates of the examination. Without `trust` it is every trust's rule.
    """

    id: Code
    trust: OdsCode | None = None
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] | None = None
    exam_codes: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    settings: Annotated[tuple[Setting, ...], Field(min_length=1)] | None = None
    reason: NotOfferedReason
    valid_from: date
    valid_to: date | None = None
    source: Words
    confirmed_by: Words | None = None

    @model_validator(mode="after")
    def _says_what(self) -> Self:
        if not (self.modalities or self.exam_codes or self.settings):
            raise ValueError("what is not offered needs `modalities`, `exam_codes` or `settings`")
        in_order(self.valid_from, self.valid_to, "valid_from", "valid_to")
        return self


class Flag(Row):
    """What tells whether an exclusion flag is so of an item; conditions left out match everything.

    An unknown fact meets no condition. That a flag is so, one exam tells; that it is not so, all exams have to. `words`
    are looked for in the clinical question and can only tell that it is so. Ages in completed years at the exam date;
    `valid_from` and `valid_to` are dates of the examination. What nobody tells is not known, and closes every scope
    that excludes it.
    """

    id: Code
    flag: FlagName
    state: Literal["yes", "no"]
    trust: OdsCode | None = None
    exam_codes: Annotated[tuple[Code, ...], Field(min_length=1)] | None = None
    modalities: Annotated[tuple[Modality, ...], Field(min_length=1)] | None = None
    settings: Annotated[tuple[Setting, ...], Field(min_length=1)] | None = None
    urgencies: Annotated[tuple[Urgency, ...], Field(min_length=1)] | None = None
    min_age_years: Years | None = None
    max_age_years: Years | None = None
    words: Annotated[tuple[Words, ...], Field(min_length=1)] | None = None
    valid_from: date
    valid_to: date | None = None
    source: Words
    confirmed_by: Words | None = None

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        several = (self.exam_codes, self.modalities, self.settings, self.urgencies, self.words)
        if not any(several) and self.min_age_years is None and self.max_age_years is None:
            raise ValueError(
                "a rule needs `exam_codes`, `modalities`, `settings`, `urgencies`, `min_age_years`, `max_age_years` or"
                " `words`"
            )
        if self.words and self.state == "no":
            raise ValueError("`words` of the clinical question can only tell that a flag is so: leave them out")
        in_order(self.min_age_years, self.max_age_years, "min_age_years", "max_age_years")
        in_order(self.valid_from, self.valid_to, "valid_from", "valid_to")
        return self


class ActReason(Row):
    """A network's own reason for an act on an item, beside the fixed ones."""

    act: ReasonedAct
    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,49}$")]
    description: Words
    valid_from: date
    valid_to: date | None = None
    source: Words
    confirmed_by: Words | None = None


class PauseAllowed(Row):
    """For which act and reasons the turnaround clock may stand still; the 28 days never do. Dates are of the act."""

    id: Code
    trust: OdsCode | None = None
    act: Literal["hold", "return-to-site"]
    reasons: Annotated[tuple[Words, ...], Field(min_length=1)]
    valid_from: date
    valid_to: date | None = None
    source: Words
    confirmed_by: Words | None = None


class AlertTimerRow(Row):
    """Within what time an alert of one kind must be acknowledged; the earliest that is in force counts."""

    kind: AlertKind
    trust: OdsCode | None = None
    within: SpanText
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
    excluded_flags: tuple[FlagName, ...] = ()
    classifies_unmapped: bool = False
    signed_by: Words
    valid_from: date
    valid_until: date

    @model_validator(mode="after")
    def _covers_something(self) -> Self:
        if not (self.exam_codes or self.regions or self.classifies_unmapped):
            raise ValueError("a scope needs `exam_codes`, `regions` or `classifies_unmapped`")
        in_order(self.min_age_years, self.max_age_years, "min_age_years", "max_age_years")
        in_order(self.valid_from, self.valid_until, "valid_from", "valid_until")
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
    purposes: Annotated[
        tuple[Literal["first", "check", "second", "sample", "addendum", "amendment"], ...], Field(min_length=1)
    ]
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
    not_offered: tuple[NotOffered, ...] = ()
    flag: tuple[Flag, ...] = ()
    act_reason: tuple[ActReason, ...] = ()
    pause: tuple[PauseAllowed, ...] = ()
    alert_timer: tuple[AlertTimerRow, ...] = ()
    scope: tuple[Scope, ...] = ()
    reporter: tuple[Reporter, ...] = ()
    session: tuple[Session, ...] = ()
    rate_card: tuple[RateCard, ...] = ()
    outsource_price: tuple[OutsourcePrice, ...] = ()
