"""Turns studies that have gone quiet into work: exams, due times, profile and a reading to claim.

Also works an item out again when a person or an order changes what is known of it. It must not
decide who reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, text, update

from worklist.bank_holidays import england_bank_holidays
from worklist.catalogue import catalogue_for, cut_in_force, profile_id_of, target_rules
from worklist.clock import now
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.network import source
from worklist.db.tables.work import item, item_exam, item_study, order_identity, patient, reading, study
from worklist.doubts import close_doubts, open_doubt
from worklist.exam_codes import MappedExam, accession_minutes, map_exams, normal, uk_modality
from worklist.facts import codes, merge_all
from worklist.identity import age_at
from worklist.item import ItemState, Move
from worklist.local_time import LONDON, LocalTime
from worklist.moves import append_item_event, lock_item, make_move
from worklist.profile import profile_of
from worklist.reading import Purpose, ReadingState
from worklist.turnaround import Setting, TurnaroundFacts, Urgency, clock_start, due

#: What an exam that nobody has classified yet is valued at, in reporting minutes.
UNMAPPED_MINUTES = Decimal(15)

#: DICOM RequestedProcedurePriority (0040,1003) in terms of urgency.
_PRIORITY = {
    "STAT": Urgency.EMERGENCY,
    "HIGH": Urgency.URGENT,
    "MEDIUM": Urgency.ROUTINE,
    "ROUTINE": Urgency.ROUTINE,
    "LOW": Urgency.ROUTINE,
}

#: Taken shared while work is cut into profiles, exclusively while the cut itself changes.
CUT_LOCK = 7223005


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known of an item, from headers and orders; None is not known."""

    exams: tuple[MappedExam, ...]
    modality: str | None
    age_years: int | None
    exam_date: date
    setting: Setting | None
    urgency: Urgency | None
    clock_start_at: Any
    clock_start_source: str


def complete_quiet_studies(engine: Engine, *, limit: int = 100) -> int:
    """Complete studies whose quiet period is over and give how many; each in its own transaction."""
    done = 0
    while done < limit:
        with engine.begin() as connection:
            row = connection.execute(_NEXT_QUIET).one_or_none()
            if row is None:
                break
            _complete_study(connection, row)
            done += 1
    return done


def work_out(connection: Connection, item_id: int) -> None:
    """Work an item's exams, due times, profile and first reading out from all that is known now.

    Idempotent. The transaction sees the trust's identities (`view_as`).
    """
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:key)"), {"key": CUT_LOCK})
    row = lock_item(connection, item_id)
    facts = _facts_of_item(connection, row)
    values = _values(connection, row, facts)
    connection.execute(update(item).where(item.c.id == item_id).values(values))
    _write_exams(connection, item_id, facts.exams)
    _doubt_exams(connection, row, facts.exams)
    _write_reading(connection, lock_item(connection, item_id))


def reprofile(connection: Connection, item_id: int) -> None:
    """Give an item the profile that the cut in force makes of its facts; its facts stay."""
    row = lock_item(connection, item_id)
    exams = connection.execute(
        text("SELECT e.code, e.ionising FROM item_exam ie LEFT JOIN exam e ON e.code = ie.exam_code WHERE ie.item_id = :id"),
        {"id": item_id},
    ).all()
    profile = profile_of([e.code for e in exams], row.age_years, row.setting, row.flags, cut_in_force(connection))
    profile_id = profile_id_of(connection, profile, [bool(e.ionising) for e in exams])
    connection.execute(update(item).where(item.c.id == item_id).values(profile_id=profile_id))
    connection.execute(
        update(reading)
        .where(reading.c.item_id == item_id, reading.c.state.in_((ReadingState.OPEN.value, ReadingState.HELD.value)))
        .values(profile_id=profile_id)
    )


def _complete_study(connection: Connection, row: Row[Any]) -> None:
    view_as(connection, Viewer(trust=row.trust_ods))
    connection.execute(
        update(study).where(study.c.id == row.id).values(quiet_until=None, completed_at=func.radpool_now())
    )
    for item_id in connection.scalars(select(item_study.c.item_id).where(item_study.c.study_id == row.id)).all():
        if _still_arriving(connection, item_id):
            continue
        work_out(connection, item_id)
        held = _has_accession(connection, item_id) is False
        now_row = lock_item(connection, item_id)
        if now_row.state == ItemState.ARRIVING:
            move = Move.COMPLETED_WITH_DOUBT if held else Move.COMPLETED
            make_move(connection, now_row, move, ready_at=func.radpool_now())
        else:
            append_item_event(connection, now_row, "item.images-added")
        _write_reading(connection, lock_item(connection, item_id))


def _still_arriving(connection: Connection, item_id: int) -> bool:
    """Whether another study of the item is yet to go quiet; the item is locked, so one of two decides."""
    lock_item(connection, item_id)
    waiting = (
        select(study.c.id)
        .join(item_study, item_study.c.study_id == study.c.id)
        .where(item_study.c.item_id == item_id, study.c.completed_at.is_(None))
        .limit(1)
    )
    return connection.scalar(waiting) is not None


def _has_accession(connection: Connection, item_id: int) -> bool:
    return (
        connection.scalar(select(order_identity.c.accession_number).where(order_identity.c.item_id == item_id))
        is not None
    )


def _facts_of_item(connection: Connection, row: Row[Any]) -> ItemFacts:
    studies = connection.execute(
        select(study, source.c.services)
        .join(item_study, item_study.c.study_id == study.c.id)
        .join(source, source.c.ae_title == study.c.source_ae_title)
        .where(item_study.c.item_id == row.id)
        .order_by(study.c.id)
    ).all()
    facts = merge_all(one.facts for one in studies)
    received_at = min((one.first_received_at for one in studies), default=row.created_at)
    start = clock_start([_latest_acquisition(studies)], received_at)
    exam_date = date.fromisoformat(min(facts["study_date"])) if facts.get("study_date") else start.at.astimezone(LONDON).date()
    images = [str(modality) for modality in facts.get("modality", ())]
    catalogue = catalogue_for(connection, row.trust_ods, exam_date)
    classified = _classified(connection, row.id)
    exams = classified or map_exams(
        codes(facts, "requested"), codes(facts, "performed"), min(facts.get("description", ()), default=None), images, catalogue
    )
    birth_date = connection.scalar(select(patient.c.birth_date).where(patient.c.id == row.patient_id))
    services = {normal(rule["name"]): rule for one in studies for rule in one.services}
    ordered_setting, ordered_urgency = row.setting, row.urgency
    setting = ordered_setting or _from_services(facts, services, "setting")
    urgency = ordered_urgency or _from_services(facts, services, "urgency") or _from_priority(facts)
    return ItemFacts(
        exams=exams,
        modality=_modality(exams, images),
        age_years=age_at(birth_date, exam_date, min(facts.get("age", ()), default=None)),
        exam_date=exam_date,
        setting=Setting(setting) if setting else None,
        urgency=Urgency(urgency) if urgency else None,
        clock_start_at=start.at,
        clock_start_source=start.source,
    )


def _classified(connection: Connection, item_id: int) -> tuple[MappedExam, ...]:
    """Give the exams as a person classified them, which no header overrules; empty where nobody has."""
    rows = connection.execute(
        select(item_exam).where(item_exam.c.item_id == item_id, item_exam.c.mapped_by == "person")
    ).all()
    if not rows:
        return ()
    known = catalogue_for(connection, "", now(connection).date()).exams
    return tuple(
        MappedExam(known.get(row.exam_code), row.code_as_sent, row.description_as_sent, "person") for row in rows
    )


def _latest_acquisition(studies: Sequence[Row[Any]]) -> LocalTime | None:
    timed = [one for one in studies if one.acquisition_ended_at is not None]
    if not timed:
        return None
    last = max(timed, key=lambda one: one.acquisition_ended_at)
    return LocalTime(
        last.acquisition_ended_as_sent,
        last.acquisition_ended_zone,
        last.acquisition_ended_fold,
        last.acquisition_ended_source,
        last.acquisition_ended_at,
    )


def _from_services(facts: Mapping[str, Any], services: Mapping[str, Any], what: str) -> str | None:
    """Give what the first known department or service name of the headers means, in order of the names."""
    for name in facts.get("service", ()):
        rule = services.get(normal(name))
        if rule and rule.get(what):
            return str(rule[what])
    return None


def _from_priority(facts: Mapping[str, Any]) -> Urgency | None:
    """Give the most urgent of the priorities stated."""
    order = list(Urgency)
    known = [_PRIORITY[word.upper()] for word in facts.get("priority", ()) if word.upper() in _PRIORITY]
    return min(known, key=order.index, default=None)


def _modality(exams: Sequence[MappedExam], images: Sequence[str]) -> str | None:
    mapped = next((one.exam.modality for one in exams if one.exam), None)
    return mapped or (uk_modality(images[0]) if images else None)


def _values(connection: Connection, row: Row[Any], facts: ItemFacts) -> dict[str, Any]:
    mapped = [one.exam for one in facts.exams]
    exam_codes = tuple(exam.code if exam else None for exam in mapped)
    year = facts.clock_start_at.year
    when = due(
        TurnaroundFacts(
            row.trust_ods, facts.setting, facts.urgency, facts.modality, exam_codes, facts.clock_start_at
        ),
        target_rules(connection),
        england_bank_holidays((year, year + 1)),
    )
    profile = profile_of(exam_codes, facts.age_years, facts.setting, row.flags, cut_in_force(connection))
    return {
        "modality": facts.modality,
        "age_years": facts.age_years,
        "exam_date": facts.exam_date,
        "setting": facts.setting,
        "urgency": facts.urgency,
        "clock_start_at": facts.clock_start_at,
        "clock_start_source": facts.clock_start_source,
        "due_at": when.due_at,
        "hard_limit_at": when.hard_limit_at,
        "target_rule": when.rule_id,
        "reporting_minutes": accession_minutes(facts.exams, unmapped_minutes=UNMAPPED_MINUTES),
        "profile_id": profile_id_of(connection, profile, [exam.ionising for exam in mapped if exam]),
    }


def _write_exams(connection: Connection, item_id: int, exams: Sequence[MappedExam]) -> None:
    connection.execute(delete(item_exam).where(item_exam.c.item_id == item_id))
    connection.execute(
        insert(item_exam),
        [
            {
                "item_id": item_id,
                "position": position,
                "exam_code": one.exam.code if one.exam else None,
                "code_as_sent": one.code_as_sent,
                "description_as_sent": one.description_as_sent,
                "mapped_by": one.mapped_by,
            }
            for position, one in enumerate(exams)
        ],
    )


def _doubt_exams(connection: Connection, row: Row[Any], exams: Sequence[MappedExam]) -> None:
    unmapped = [one for one in exams if one.exam is None]
    if not unmapped:
        close_doubts(connection, row.id, "unmapped-exam", by="intake", outcome="mapped")
        return
    for one in unmapped:
        reason = (
            "the code's exam needs other images than those that came"
            if one.mapped_by == "contradicts-images"
            else "no code or exact description of the catalogue; a duty radiologist classifies it"
        )
        open_doubt(connection, "unmapped-exam", trust=row.trust_ods, item_id=row.id, detail=reason)


def _write_reading(connection: Connection, row: Row[Any]) -> None:
    """Make the item's first reading, or bring it in step with the item; a claimed one keeps its claim."""
    found = connection.execute(
        select(reading)
        .where(
            reading.c.item_id == row.id,
            reading.c.purpose == Purpose.FIRST.value,
            reading.c.state != ReadingState.WITHDRAWN.value,
        )
        .with_for_update()
    ).one_or_none()
    if found is not None and found.state == ReadingState.DONE.value:
        return
    on_offer = row.state in (ItemState.READY, ItemState.IN_PROGRESS, ItemState.PRELIMINARY)
    values = {
        "state": (ReadingState.OPEN if on_offer else ReadingState.HELD).value,
        "profile_id": row.profile_id,
        "due_at": row.due_at,
        "reporting_minutes": row.reporting_minutes,
    }
    if found is None:
        connection.execute(
            insert(reading).values(item_id=row.id, purpose=Purpose.FIRST.value, trust_ods=row.trust_ods, **values)
        )
    else:
        connection.execute(update(reading).where(reading.c.id == found.id).values(values))


_NEXT_QUIET = (
    select(study)
    .where(study.c.quiet_until <= func.radpool_now())
    .order_by(study.c.quiet_until)
    .limit(1)
    .with_for_update(skip_locked=True)
)
