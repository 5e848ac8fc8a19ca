"""Gathers what is known of an item from a person's classification, the order, the headers and the catalogue.

Reads only; it must not write, and decides nothing beyond which statement counts. The order of trust
is the same throughout: a person, then the order, then the headers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, select

from worklist.catalogue import Rules, exam_of
from worklist.db.tables.network import exam, source
from worklist.db.tables.work import item_exam, item_order, item_study, patient, study, study_identity
from worklist.exam_codes import Catalogue, MappedExam, map_exams, normal, uk_modality
from worklist.identity import age_at
from worklist.intake.evidence import step_ends
from worklist.intake.facts import codes, merge_all
from worklist.intake.study import Code
from worklist.local_time import LONDON, LocalTime
from worklist.turnaround import ClockStart, Setting, Urgency, clock_start

#: What stands in `item_exam.mapped_by` where a person said which exam it is.
PERSON = "person"

#: DICOM RequestedProcedurePriority (0040,1003) in terms of urgency.
_PRIORITY = {
    "STAT": Urgency.EMERGENCY,
    "HIGH": Urgency.URGENT,
    "MEDIUM": Urgency.ROUTINE,
    "ROUTINE": Urgency.ROUTINE,
    "LOW": Urgency.ROUTINE,
}


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known of an item; None is not known.

    `exams_written` are the exams as they stand with the item. `exam_date` is the local date of the examination,
    `clock_start_at` aware UTC. `birth_dates_differ` says that the sources contradict each other, for which
    reason no age is known.
    """

    exams: tuple[MappedExam, ...]
    exams_written: tuple[MappedExam, ...]
    modality: str | None
    age_years: int | None
    exam_date: date
    setting: Setting | None
    urgency: Urgency | None
    clock_start_at: datetime
    clock_start_source: str
    birth_dates_differ: bool


def facts_of_item(connection: Connection, row: Row[Any], rules: Rules) -> ItemFacts:
    """Gather the facts of an item (a row of `item`), whatever order they came in, by the rules in force.

    The transaction sees the trust's identities (`view_as`): without them no age and no order is known.
    """
    studies = _studies(connection, row.id)
    order = connection.execute(select(item_order).where(item_order.c.item_id == row.id)).one_or_none()
    facts = merge_all(one.facts for one in studies)
    received_at = min((one.first_received_at for one in studies), default=row.created_at)
    start = _clock_start(connection, studies, received_at)
    # one in the future would make a child an adult; a source's own date may be a day ahead of ours
    latest = received_at.astimezone(LONDON).date() + timedelta(days=1)
    believed = [stated for stated in facts.get("study_date", ()) if stated <= latest.isoformat()]
    exam_date = date.fromisoformat(min(believed)) if believed else start.at.astimezone(LONDON).date()
    written = _written(connection, row.id)
    classified = tuple(one for one in written if one.mapped_by == PERSON)
    exams = classified or _mapped(rules.catalogue(row.trust_ods, exam_date), order, facts)
    birth_dates = _birth_dates(connection, row, order, studies)
    return ItemFacts(
        exams=exams,
        exams_written=written,
        modality=_modality(exams, facts.get("modality", ())),
        age_years=_age(birth_dates, exam_date, facts),
        exam_date=exam_date,
        setting=_setting(order, facts, studies),
        urgency=_urgency(order, facts, studies),
        clock_start_at=start.at,
        clock_start_source=start.source,
        birth_dates_differ=len(birth_dates) > 1,
    )


def _studies(connection: Connection, item_id: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(study, source.c.services)
        .join(item_study, item_study.c.study_id == study.c.id)
        .join(source, source.c.ae_title == study.c.source_ae_title)
        .where(item_study.c.item_id == item_id)
        .order_by(study.c.source_ae_title, study.c.id)
    ).all()


def _clock_start(connection: Connection, studies: Sequence[Row[Any]], received_at: datetime) -> ClockStart:
    """Give the latest end of acquisition: of each study what its performed steps say, else what its headers do.

    A step's end was judged when it was heard of; the headers' are judged by the last object.
    """
    ended = step_ends(connection, [one.id for one in studies])
    stated = [ended.get(one.id) or _stated_by_headers(one) for one in studies]
    known = [one for one in stated if one is not None]
    # Of two that are alike the same one counts, whichever came first.
    latest = max(known, key=lambda one: (one.at, one.source, one.as_sent), default=None)
    heard = [*(one.last_received_at for one in studies), *(one.at for one in ended.values())]
    return clock_start([latest, *ended.values()], received_at, heard_at=max(heard, default=None))


def _stated_by_headers(row: Row[Any]) -> LocalTime | None:
    if row.acquisition_ended_at is None:
        return None
    return LocalTime(
        row.acquisition_ended_as_sent,
        row.acquisition_ended_zone,
        row.acquisition_ended_fold,
        row.acquisition_ended_source,
        row.acquisition_ended_at,
    )


def _written(connection: Connection, item_id: int) -> tuple[MappedExam, ...]:
    """Give the exams as they stand with the item; those of a person may be of any age of the catalogue."""
    rows = connection.execute(
        select(item_exam, exam)
        .outerjoin(exam, exam.c.code == item_exam.c.exam_code)
        .where(item_exam.c.item_id == item_id)
        .order_by(item_exam.c.position)
    )
    return tuple(
        MappedExam(exam_of(row) if row.code else None, row.code_as_sent, row.description_as_sent, row.mapped_by)
        for row in rows
    )


def _mapped(catalogue: Catalogue, order: Row[Any] | None, facts: Mapping[str, Any]) -> tuple[MappedExam, ...]:
    ordered = [Code(*packed) for packed in order.exams] if order else []
    in_words = [code.meaning for code in ordered if not code.value and code.meaning]
    return map_exams(
        [code for code in ordered if code.value] or codes(facts, "requested"),
        codes(facts, "performed"),
        min(in_words, default=None) or min(facts.get("description", ()), default=None),
        facts.get("modality", ()),
        catalogue,
    )


def _birth_dates(
    connection: Connection, row: Row[Any], order: Row[Any] | None, studies: Sequence[Row[Any]]
) -> set[date]:
    """Give the different birth dates of all whom item, order and studies name, and those that the studies state.

    A study's own may differ from what counts of its patient: other studies may state the same identifier for another.
    """
    named = {row.patient_id, row.merged_from_id, *(one.patient_id for one in studies)}
    named |= {order.patient_id} if order else set()
    counting = connection.scalars(
        select(patient.c.birth_date)
        .where(patient.c.id.in_(named - {None}), patient.c.birth_date.is_not(None))
        .distinct()
    )
    stated = connection.scalars(
        select(study_identity.c.stated["PatientBirthDate"].astext).where(
            study_identity.c.study_id.in_([one.id for one in studies])
        )
    )
    return {*counting, *(date.fromisoformat(one) for one in stated if one is not None)}


def _age(birth_dates: Collection[date], exam_date: date, facts: Mapping[str, Any]) -> int | None:
    if len(birth_dates) > 1:
        return None
    return age_at(next(iter(birth_dates), None), exam_date, min(facts.get("age", ()), default=None))


def _setting(order: Row[Any] | None, facts: Mapping[str, Any], studies: Sequence[Row[Any]]) -> Setting | None:
    word = (order.setting if order else None) or _from_services(facts, studies, "setting")
    return Setting(word) if word else None


def _urgency(order: Row[Any] | None, facts: Mapping[str, Any], studies: Sequence[Row[Any]]) -> Urgency | None:
    word = (order.urgency if order else None) or _from_services(facts, studies, "urgency")
    return Urgency(word) if word else _from_priority(facts)


def _from_services(facts: Mapping[str, Any], studies: Sequence[Row[Any]], what: str) -> str | None:
    """Give what the first known department or service name of the headers means, in order of the names."""
    services = {normal(rule["name"]): rule for one in studies for rule in one.services}
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
