"""Reads items as people see them: facts, exams, exceptions, and identity as far as row-level security shows it.

Reading is an act: callers append the audit entry in the same transaction. It must not choose which
items; callers give ids they may show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, any_, case, func, or_, select

from worklist.db.tables.catalogue import exam_as_sent
from worklist.db.tables.home_reading import home_reading
from worklist.db.tables.life import clock_pause
from worklist.db.tables.network import exam, profile, ris
from worklist.db.tables.work import item, item_exam, item_order, order_identity, patient, worklist_exception
from worklist.exclusions.flags import FlagState
from worklist.home.told import Locks
from worklist.item import UNREPORTED, ItemState


@dataclass(frozen=True, slots=True)
class PatientView:
    """Who the patient is, for those who may see it."""

    identifier: str | None
    nhs_number: str | None
    nhs_number_status: str
    family_name: str | None
    given_name: str | None
    birth_date: date | None
    sex: str | None


@dataclass(frozen=True, slots=True)
class OrderView:
    """What the order says beside the item's facts, for those who may see the patient; instants are aware UTC."""

    clinical_question: str | None
    requester: str | None
    call_back: str | None
    needed_by_at: datetime | None
    referral_date: date | None


@dataclass(frozen=True, slots=True)
class ExamView:
    """An exam as the catalogue knows it; `code` None: not mapped, the description as sent if the viewer may see it.

    `mapped_by` says which statement mapped it, or why none did; `version` by which version of the catalogue's row,
    `mapping_id` by which of the trust's own words. `minutes_by` says whose minutes it is valued at.
    """

    code: str | None
    description: str | None
    mapped_by: str
    version: int | None
    mapping_id: int | None
    minutes_by: str | None


@dataclass(frozen=True, slots=True)
class PauseView:
    """A time in which the turnaround clock stood still (aware UTC); no end: it still does. `by` saw to it."""

    rule: str
    reason: str
    by: str
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class FlagView:
    """What is known of an exclusion flag; `by` is the rule's id, or `person`, or None: it is not known."""

    flag: str
    state: str
    by: str | None


@dataclass(frozen=True, slots=True)
class ExceptionView:
    """An open exception of an item."""

    id: int
    kind: str
    detail: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item; instants are aware UTC, None is not known.

    `reported_at` is when a final report was available at home, `reported_source` what says so; `home_locks` is what
    the home RIS does about an item that is read here, None where there is no home RIS.
    `patient` and `order` None: not for this viewer, or there is no order. `arriving`: its images still come, whether or
    not it is offered already. `completed_by` says what made its last study complete, `target_rule` which rule makes it
    due at `due_at`. `flags` are the exclusion flags that somebody tells, and those that would open a scope if cleared.
    """

    id: int
    trust: str
    accession_number: str | None
    exams: tuple[ExamView, ...]
    flags: tuple[FlagView, ...]
    modality: str | None
    age_years: int | None
    setting: str | None
    urgency: str | None
    due_at: datetime | None
    report_due_at: datetime | None
    hard_limit_at: datetime | None
    clock_start_at: datetime | None
    clock_start_source: str | None
    state: str
    version: int
    reporting_minutes: float | None
    minutes_derivation: tuple[str, ...]
    ready_at: datetime | None
    verified_at: datetime | None
    reported_at: datetime | None
    reported_source: str | None
    home_locks: str | None
    read_at_home_since: datetime | None
    arriving: bool
    completed_by: str | None
    not_offered_rule: str | None
    not_offered_reason: str | None
    state_reason: str | None
    target_rule: str | None
    exceptions: tuple[ExceptionView, ...]
    pauses: tuple[PauseView, ...]
    patient: PatientView | None
    order: OrderView | None


@dataclass(frozen=True, slots=True)
class Page:
    """Which items to list: filters, and where the last page ended (due time and id of its last item)."""

    trust: str | None = None
    modality: str | None = None
    setting: str | None = None
    states: tuple[ItemState, ...] = tuple(UNREPORTED)
    after: tuple[datetime | None, int] | None = None
    limit: int = 100
    unknown_flag: str | None = None

    def takes(self, view: ItemView) -> bool:
        """Whether an item passes the filters."""
        wanted = ((self.trust, view.trust), (self.modality, view.modality), (self.setting, view.setting))
        unknown = [one.flag for one in view.flags if one.state == FlagState.UNKNOWN]
        return (
            view.state in self.states
            and all(one in (None, other) for one, other in wanted)
            and (self.unknown_flag is None or self.unknown_flag in unknown)
        )


def list_item_ids(connection: Connection, page: Page) -> list[int]:
    """Give the ids of a page of items, the most urgent first; items without a due time come last."""
    conditions: list[ColumnElement[bool]] = [item.c.state.in_([state.value for state in page.states])]
    for column, wanted in (
        (item.c.trust_ods, page.trust),
        (item.c.modality, page.modality),
        (item.c.setting, page.setting),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    if page.unknown_flag is not None:
        closed = select(profile.c.id).where(any_(profile.c.unknown_flags) == page.unknown_flag)
        conditions.append(item.c.profile_id.in_(closed))
    if page.after is not None:
        due_at, item_id = page.after
        if due_at is None:
            conditions.append(and_(item.c.due_at.is_(None), item.c.id > item_id))
        else:
            conditions.append(
                or_(
                    item.c.due_at > due_at,
                    and_(item.c.due_at == due_at, item.c.id > item_id),
                    item.c.due_at.is_(None),
                )
            )
    return list(
        connection.scalars(
            select(item.c.id).where(*conditions).order_by(item.c.due_at.asc().nulls_last(), item.c.id).limit(page.limit)
        )
    )


def read_items(connection: Connection, ids: Sequence[int]) -> list[ItemView]:
    """Give items in the order of `ids`; ids that do not exist are left out."""
    if not ids:
        return []
    rows = connection.execute(
        select(
            item,
            profile.c.unknown_flags,
            order_identity.c.accession_number,
            _HOME_LOCKS.label("home_locks"),
            _READ_AT_HOME_SINCE.label("read_at_home_since"),
            patient.c.id.label("seen_patient"),
            patient.c.identifier,
            patient.c.nhs_number,
            patient.c.nhs_number_status,
            patient.c.family_name,
            patient.c.given_name,
            patient.c.birth_date,
            patient.c.sex,
            item_order.c.item_id.label("ordered"),
            item_order.c.clinical_question,
            item_order.c.requester,
            item_order.c.call_back,
            item_order.c.needed_by_at,
            item_order.c.referral_date,
        )
        .outerjoin(order_identity, order_identity.c.item_id == item.c.id)
        .outerjoin(item_order, item_order.c.item_id == item.c.id)
        .outerjoin(profile, profile.c.id == item.c.profile_id)
        .outerjoin(patient, patient.c.id == item.c.patient_id)
        .where(item.c.id.in_(ids))
    )
    found = {row.id: row for row in rows}
    exams, exceptions, pauses = _exams(connection, ids), _exceptions(connection, ids), _pauses(connection, ids)
    return [_view(found[one], exams[one], exceptions[one], pauses[one]) for one in ids if one in found]


def _exams(connection: Connection, ids: Sequence[int]) -> dict[int, list[ExamView]]:
    found: dict[int, list[ExamView]] = defaultdict(list)
    rows = connection.execute(
        select(item_exam, exam.c.description, exam_as_sent.c.description.label("words"), exam_as_sent.c.code)
        .outerjoin(exam, exam.c.code == item_exam.c.exam_code)
        .outerjoin(
            exam_as_sent,
            (exam_as_sent.c.item_id == item_exam.c.item_id) & (exam_as_sent.c.position == item_exam.c.position),
        )
        .where(item_exam.c.item_id.in_(ids))
        .order_by(item_exam.c.item_id, item_exam.c.position)
    )
    for row in rows:
        found[row.item_id].append(
            ExamView(
                row.exam_code,
                row.description or row.words or row.code,
                row.mapped_by,
                row.exam_version,
                row.alias_id,
                row.minutes_by,
            )
        )
    return found


def _flags(row: Row[Any]) -> Iterator[FlagView]:
    known = {**dict.fromkeys(row.flags, FlagState.YES), **dict.fromkeys(row.cleared_flags, FlagState.NO)}
    for flag in sorted({*known, *(row.unknown_flags or ())}):
        yield FlagView(flag, known.get(flag, FlagState.UNKNOWN).value, row.flags_by.get(flag))


def _exceptions(connection: Connection, ids: Sequence[int]) -> dict[int, list[ExceptionView]]:
    found: dict[int, list[ExceptionView]] = defaultdict(list)
    rows = connection.execute(
        select(worklist_exception)
        .where(worklist_exception.c.item_id.in_(ids), worklist_exception.c.closed_at.is_(None))
        .order_by(worklist_exception.c.id)
    )
    for row in rows:
        found[row.item_id].append(ExceptionView(row.id, row.kind, row.detail, row.opened_at))
    return found


_READ_AT_HOME_SINCE = (
    select(home_reading.c.said_at)
    .where(
        home_reading.c.item_id == item.c.id,
        home_reading.c.being_read,
        home_reading.c.until > func.radpool_now(),
        or_(item.c.clock_start_at.is_(None), home_reading.c.said_at >= item.c.clock_start_at),
    )
    .scalar_subquery()
)
#: Of several RIS of a trust the one that protects least: no item is said to be safer than it is.
_HOME_LOCKS = (
    select(ris.c.locks)
    .where(ris.c.trust_ods == item.c.trust_ods)
    .order_by(case({one.value: rank for rank, one in enumerate(reversed(Locks))}, value=ris.c.locks))
    .limit(1)
    .scalar_subquery()
)


def _pauses(connection: Connection, ids: Sequence[int]) -> dict[int, list[PauseView]]:
    found: dict[int, list[PauseView]] = defaultdict(list)
    rows = connection.execute(
        select(clock_pause)
        .where(clock_pause.c.item_id.in_(ids))
        .order_by(clock_pause.c.item_id, clock_pause.c.began_at)
    )
    for row in rows:
        found[row.item_id].append(PauseView(row.rule, row.reason, row.actor, row.began_at, row.ended_at))
    return found


def _view(
    row: Row[Any], exams: Sequence[ExamView], exceptions: Sequence[ExceptionView], pauses: Sequence[PauseView]
) -> ItemView:
    seen = row.seen_patient is not None
    return ItemView(
        id=row.id,
        trust=row.trust_ods,
        accession_number=row.accession_number,
        exams=tuple(exams),
        flags=tuple(_flags(row)),
        modality=row.modality,
        age_years=row.age_years,
        setting=row.setting,
        urgency=row.urgency,
        due_at=row.due_at,
        report_due_at=row.report_due_at,
        hard_limit_at=row.hard_limit_at,
        clock_start_at=row.clock_start_at,
        clock_start_source=row.clock_start_source,
        state=row.state,
        version=row.version,
        reporting_minutes=None if row.reporting_minutes is None else float(row.reporting_minutes),
        minutes_derivation=tuple(row.minutes_derivation or ()),
        ready_at=row.ready_at,
        verified_at=row.verified_at,
        reported_at=row.reported_at,
        reported_source=row.reported_source,
        home_locks=row.home_locks,
        read_at_home_since=row.read_at_home_since,
        arriving=row.arriving or row.state == ItemState.ARRIVING,
        completed_by=row.completed_by,
        not_offered_rule=row.not_offered_rule,
        not_offered_reason=row.not_offered_reason,
        state_reason=row.state_reason,
        target_rule=row.target_rule,
        exceptions=tuple(exceptions),
        pauses=tuple(pauses),
        patient=PatientView(
            row.identifier,
            row.nhs_number,
            row.nhs_number_status,
            row.family_name,
            row.given_name,
            row.birth_date,
            row.sex,
        )
        if seen
        else None,
        order=OrderView(row.clinical_question, row.requester, row.call_back, row.needed_by_at, row.referral_date)
        if row.ordered is not None
        else None,
    )
