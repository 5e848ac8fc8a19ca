"""Shapes of items, claims and reports. Instants are RFC 3339 in UTC; null is not known."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from allocation.claims import Claimed
from allocation.leases import SkipReason
from allocation.offered import Offered
from worklist.exclusions.flags import FlagState
from worklist.feeds.heard import FeedKind
from worklist.home.clock import ReportedSource
from worklist.home.told import Locks
from worklist.item_view import ItemView
from worklist.life.settle import CompletionReason
from worklist.reading import Discrepancy, Purpose, ReportStatus

Alert = Literal["critical", "urgent", "cancer", "unexpected-significant"]
Words = Annotated[str, StringConstraints(max_length=500)]


class Body(BaseModel):
    """A request's body: nothing that the schema does not know."""

    model_config = ConfigDict(extra="forbid")


class Exam(BaseModel):
    """An exam; `code` null: not mapped, the description is as sent, for those who may see it."""

    model_config = ConfigDict(from_attributes=True)

    code: str | None
    description: str | None
    mapped_by: str = Field(description="which statement mapped it, or why none did")
    version: int | None = Field(description="version of the catalogue's row that it was mapped by")
    mapping_id: int | None = Field(description="the trust's own word that mapped it")
    minutes_by: str | None = Field(description="whose minutes it is valued at: `network`, a minutes rule, or `none`")


class ItemException(BaseModel):
    """What a person must look at."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    kind: str
    detail: str
    opened_at: datetime


class Pause(BaseModel):
    """A time in which the turnaround clock stood still; `ended_at` null: it still does, and only the 28 days run."""

    model_config = ConfigDict(from_attributes=True)

    rule: str
    reason: str
    by: str
    began_at: datetime
    ended_at: datetime | None


class Flag(BaseModel):
    """What is known of an exclusion flag. Unknown is not no: it closes the scopes that exclude it."""

    model_config = ConfigDict(from_attributes=True)

    flag: str
    state: FlagState
    by: str | None = Field(description="the rule's id, or `person`; null where it is not known")


class Patient(BaseModel):
    """Who the patient is; given to those who may see it."""

    model_config = ConfigDict(from_attributes=True)

    identifier: str | None
    nhs_number: str | None
    nhs_number_status: str = Field(
        description="`verified` where the home RIS says that it was traced; `present-untraced` passes the check alone"
    )
    family_name: str | None
    given_name: str | None
    birth_date: date | None
    sex: str | None


class Order(BaseModel):
    """What the order says beside the item's facts; given to those who may see the patient."""

    model_config = ConfigDict(from_attributes=True)

    clinical_question: str | None
    requester: str | None
    call_back: str | None
    needed_by_at: datetime | None = Field(description="clinic or meeting; it pulls `due_at` forward, never back")
    referral_date: date | None = Field(description="from which the faster diagnosis standard counts")


class Offer(BaseModel):
    """Why an item is on this reporter's list: `holding` is `claimed`, `assigned` or `open`."""

    purpose: Purpose
    holding: Literal["claimed", "assigned", "open"]
    rank: int | None
    why: str | None
    claim_id: int | None
    token: int | None
    expires_at: datetime | None


class Item(BaseModel):
    """A worklist item: one accession of one trust."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    trust: str
    accession_number: str | None
    exams: list[Exam]
    flags: list[Flag] = Field(description="exclusion flags that somebody tells, or that close a scope while unknown")
    modality: str | None
    age_years: int | None
    setting: str | None
    urgency: str | None
    due_at: datetime | None
    report_due_at: datetime | None = Field(description="when the report was due, where `due_at` is when its check is")
    hard_limit_at: datetime | None
    clock_start_at: datetime | None
    clock_start_source: str | None
    state: str
    version: int
    reporting_minutes: float | None
    minutes_derivation: list[str] = Field(description="how `reporting_minutes` were worked out, step by step")
    ready_at: datetime | None
    verified_at: datetime | None = Field(description="when a report was verified here")
    reported_at: datetime | None = Field(description="when a final report was available at home; stops the clock")
    reported_source: ReportedSource | None = Field(description="what says so")
    home_locks: Locks | None = Field(description="what the home RIS does while it is read here; null: there is none")
    read_at_home_since: datetime | None = Field(description="somebody reads it in the home RIS: it is given to nobody")
    arriving: bool = Field(description="its images still come: only a preliminary report may be given")
    completed_by: str | None = Field(description="what made its last study complete; null before")
    not_offered_rule: str | None = Field(description="the rule that keeps it from network reporting, without a clock")
    not_offered_reason: str | None
    state_reason: str | None = Field(description="why a person brought it into this state")
    target_rule: str | None = Field(description="the target that makes it due then, or `needed-by`: clinic or meeting")
    exceptions: list[ItemException]
    pauses: list[Pause]
    bundle: list[int] = Field(
        default=[],
        description="in lists and where one item is read: what else waits of the same patient and day; of it, to a"
        " reporter, what they hold or may claim",
    )
    patient: Patient | None = None
    order: Order | None = None
    offer: Offer | None = None


class QuietFeed(BaseModel):
    """A source or home RIS that has been quiet for longer than is usual at this time of the week."""

    model_config = ConfigDict(from_attributes=True)

    kind: FeedKind
    name: str = Field(description="AE title of a source, or sending facility of a RIS")
    trust: str
    since: datetime


class ItemPage(BaseModel):
    """Items, the most urgent first; ask again with `cursor` = `next_cursor` for more."""

    items: list[Item]
    next_cursor: str | None = None
    quiet_feeds: list[QuietFeed] = Field(
        default=[],
        description="what feeds this list and has sent nothing for longer than is usual: work may be missing",
    )


class ClaimWish(Body):
    """What to claim: nothing given is the next best that you may report, unpaid."""

    session_id: str | None = Field(default=None, description="the session that the work belongs to; none is unpaid")
    item_id: int | None = Field(default=None, description="one given item instead of the next best")
    purpose: Purpose | None = None


class Bundled(BaseModel):
    """What else waits of the same patient and day, and is yours to claim next."""

    model_config = ConfigDict(from_attributes=True)

    item_id: int
    purpose: Purpose


class Claim(BaseModel):
    """A claim: carry `token` in every act on it. The next claim goes on with the `bundle` where nothing presses."""

    claim_id: int
    token: int
    expires_at: datetime
    purpose: Purpose
    level: str
    session_id: str | None
    why: list[str]
    item: Item
    bundle: list[Bundled] = []


class Token(Body):
    """The fencing token that the claim answered."""

    token: int


class Skip(Token):
    """Why a reading is declined; the note stays with the claim."""

    reason: SkipReason
    note: Words = ""


class Refer(Token):
    """Why a reading goes on to a radiologist."""

    note: Words = ""


class Report(Token):
    """A report under a claim; leave `text` out where the words are written in the home RIS."""

    status: ReportStatus
    text: Annotated[str, StringConstraints(max_length=100_000)] | None = None
    alerts: Annotated[list[Alert], Field(max_length=4)] = []
    discrepancy: Discrepancy | None = Field(
        default=None,
        description="what a verified report changes of the preliminary or recalled one that went out before it;"
        " `material` alerts the requester",
    )

    @model_validator(mode="after")
    def _changes_as_verified(self) -> Self:
        if self.discrepancy is not None and self.status is not ReportStatus.VERIFIED:
            raise ValueError("`discrepancy` goes with a verified report")
        return self


class Renewed(BaseModel):
    """The lease's new end."""

    claim_id: int
    expires_at: datetime


class Filed(BaseModel):
    """What became of a report. `check_needed`: a colleague has to check it before it is final."""

    report_id: int
    item_id: int
    status: ReportStatus
    check_needed: bool
    repeated: bool
    discrepancy: Discrepancy | None = Field(description="null: no report went out before it, or nobody has said it")


class Classify(Body):
    """The exams that an item has, by catalogue code."""

    exam_codes: Annotated[list[Annotated[str, StringConstraints(max_length=16)]], Field(min_length=1, max_length=12)]

    @field_validator("exam_codes")
    @classmethod
    def _each_once(cls, codes: list[str]) -> list[str]:
        if len(set(codes)) != len(codes):
            raise ValueError("each exam once; what is done twice is another accession")
        return codes


class Complete(Body):
    """Why an item's images are held to be complete although the source has not said so; the note stays private."""

    reason: CompletionReason
    note: Words = ""


class Accession(Body):
    """The accession number that the images lacked."""

    accession_number: Annotated[
        str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True, pattern=r"^[\x20-\x5B\x5D-\x7E]+$")
    ]


def item_of(view: ItemView, offer: Offered | None = None, bundle: Iterable[int] = ()) -> Item:
    """Render an item as people see it, with what else waits of its patient and day."""
    item = Item.model_validate(view)
    item.bundle = list(bundle if offer is None else offer.bundle)
    if offer is not None:
        item.offer = Offer(
            purpose=Purpose(offer.purpose),
            holding=offer.holding,  # type: ignore[arg-type]
            rank=offer.rank,
            why=offer.why,
            claim_id=offer.claim_id,
            token=offer.token,
            expires_at=offer.expires_at,
        )
    return item


def claim_of(made: Claimed, session_code: str | None, view: ItemView, bundle: Iterable[Offered]) -> Claim:
    """Render a claim with its item and what it may go on with."""
    return Claim(
        claim_id=made.claim_id,
        token=made.token,
        expires_at=made.expires_at,
        purpose=made.purpose,
        level=made.level.name.lower(),
        session_id=session_code,
        why=list(made.why),
        item=item_of(view),
        bundle=[Bundled.model_validate(one) for one in bundle],
    )
