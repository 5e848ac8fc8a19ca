"""Gathers what is known of an item from a person's classification, the order, the headers and the catalogue.

Reads only; it must not write, and decides nothing beyond which statement counts. The order of trust
is the same throughout: a person, then the order, then the headers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, any_, select, text

from worklist.db.tables.announced import exam_end
from worklist.db.tables.catalogue import exam_as_sent
from worklist.db.tables.network import exam, source
from worklist.db.tables.work import item_exam, item_order, item_study, patient, study, study_identity
from worklist.exams.catalogue import Rules, exam_of
from worklist.exams.codes import NOT_MAPPED, Catalogue, CodedExam, Exam, MappedExam, map_exams, normal, uk_modality
from worklist.exams.valuation import Valued
from worklist.exclusions.flags import FlagFacts
from worklist.identity import age_at
from worklist.intake.evidence import step_ends
from worklist.intake.facts import codes, merge_all
from worklist.intake.priorities import priority_of
from worklist.intake.study import Code
from worklist.local_time import LONDON, LocalTime
from worklist.turnaround.clock_pauses import pauses_of
from worklist.turnaround.pauses import Pause
from worklist.turnaround.targets import ClockStart, Setting, Urgency, clock_start

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

    `image_modalities` are those of the images, by their UK labels. `exams_written` are the exams as they stand with
    the item, `values_written` what each is valued at. `exam_date` is the local date of the examination,
    `clock_start_at` and `needed_by_at` aware UTC, `preliminary_at` is when the first preliminary report was given that
    still stands. `birth_dates_differ` says that the sources contradict each other, for which reason no age is known.
    """

    exams: tuple[MappedExam, ...]
    exams_written: tuple[MappedExam, ...]
    values_written: tuple[Valued | None, ...]
    modality: str | None
    image_modalities: tuple[str, ...]
    age_years: int | None
    exam_date: date
    setting: Setting | None
    urgency: Urgency | None
    clock_start_at: datetime
    clock_start_source: str
    needed_by_at: datetime | None
    preliminary_at: datetime | None
    pauses: tuple[Pause, ...]
    birth_dates_differ: bool
    clinical_question: str | None

    def to_flag(self, trust: str) -> FlagFacts:
        """Give what rules of exclusion flags look at, of an item that `trust` performed."""
        exams = tuple(CodedExam(e.code, e.modality) if (e := one.exam) else NOT_MAPPED for one in self.exams)
        return FlagFacts(
            trust, self.exam_date, exams, self.age_years, self.setting, self.urgency, self.clinical_question
        )


def facts_of_item(connection: Connection, row: Row[Any], rules: Rules) -> ItemFacts:
    """Gather the facts of an item (a row of `item`), whatever order they came in, by the rules in force.

    The transaction sees the trust's identities (`view_as`): without them no age and no order is known.
    """
    studies = _studies(connection, row.id)
    order = connection.execute(select(item_order).where(item_order.c.item_id == row.id)).one_or_none()
    facts = merge_all(one.facts for one in studies)
    received_at = min((one.first_received_at for one in studies), default=row.created_at)
    start = _clock_start(connection, row.id, studies, received_at)
    # one in the future would make a child an adult; a source's own date may be a day ahead of ours
    latest = received_at.astimezone(LONDON).date() + timedelta(days=1)
    believed = [stated for stated in facts.get("study_date", ()) if stated <= latest.isoformat()]
    exam_date = date.fromisoformat(min(believed)) if believed else start.at.astimezone(LONDON).date()
    written = _written(connection, row.id)
    classified = tuple(one for one, _ in written if one.mapped_by == PERSON)
    exams = classified or _mapped(rules.catalogue(row.trust_ods), exam_date, order, facts)
    birth_dates = _birth_dates(connection, row, order, studies)
    return ItemFacts(
        exams=exams,
        exams_written=tuple(one for one, _ in written),
        values_written=tuple(value for _, value in written),
        modality=_modality(exams, facts.get("modality", ())),
        image_modalities=tuple(sorted({uk_modality(one) for one in facts.get("modality", ())})),
        age_years=_age(birth_dates, exam_date, facts),
        exam_date=exam_date,
        setting=_setting(order, facts, studies),
        urgency=priority_of(connection, row.id) or _urgency(order, facts, studies),
        clock_start_at=start.at,
        clock_start_source=start.source,
        needed_by_at=order.needed_by_at if order else None,
        pauses=pauses_of(connection, row.id),
        preliminary_at=connection.scalar(_PRELIMINARY_AT, {"item": row.id}),
        birth_dates_differ=len(birth_dates) > 1,
        clinical_question=order.clinical_question if order else None,
    )


def _studies(connection: Connection, item_id: int) -> Sequence[Row[Any]]:
    return connection.execute(
        select(study, source.c.services)
        .join(item_study, item_study.c.study_id == study.c.id)
        .join(source, source.c.ae_title == study.c.source_ae_title)
        .where(item_study.c.item_id == item_id)
        .order_by(study.c.source_ae_title, study.c.id)
    ).all()


def _clock_start(
    connection: Connection, item_id: int, studies: Sequence[Row[Any]], received_at: datetime
) -> ClockStart:
    """Give the end of the examination that the home RIS states, else the latest end of acquisition.

    The latter is of each study what its performed steps say, else what its headers do. What RIS and steps say was
    judged when it was heard of; the headers' are judged by the last object.
    """
    by_ris = _stated_by_ris(connection, item_id)
    ended = step_ends(connection, [one.id for one in studies])
    stated = [ended.get(one.id) or _stated_by_headers(one) for one in studies]
    known = [one for one in stated if one is not None]
    # Of two that are alike the same one counts, whichever came first.
    latest = max(known, key=lambda one: (one.at, one.source, one.as_sent), default=None)
    judged = [*([by_ris] if by_ris else []), *ended.values()]
    heard = [*(one.last_received_at for one in studies), *(one.at for one in judged)]
    return clock_start([by_ris, latest, *ended.values()], received_at, heard_at=max(heard, default=None))


def _stated_by_ris(connection: Connection, item_id: int) -> LocalTime | None:
    row = connection.execute(select(exam_end).where(exam_end.c.item_id == item_id)).one_or_none()
    if row is None or row.ended_at is None:
        return None
    return LocalTime(row.as_sent, row.zone, row.fold, row.source, row.ended_at)


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


def _written(connection: Connection, item_id: int) -> list[tuple[MappedExam, Valued | None]]:
    """Give the exams as they stand with the item; those of a person may be of any age of the catalogue."""
    rows = connection.execute(
        select(
            exam,
            exam_as_sent.c.code.label("code_as_sent"),
            exam_as_sent.c.scheme.label("scheme_as_sent"),
            exam_as_sent.c.description.label("description_as_sent"),
            item_exam.c.mapped_by,
            item_exam.c.alias_id,
            item_exam.c.exam_version,
            item_exam.c.reporting_minutes.label("valued_at"),
            item_exam.c.minutes_by,
        )
        .select_from(item_exam)
        .outerjoin(exam, exam.c.code == item_exam.c.exam_code)
        .outerjoin(
            exam_as_sent,
            (exam_as_sent.c.item_id == item_exam.c.item_id) & (exam_as_sent.c.position == item_exam.c.position),
        )
        .where(item_exam.c.item_id == item_id)
        .order_by(item_exam.c.position)
    )
    return [
        (
            MappedExam(
                _as_mapped(row) if row.code else None,
                row.code_as_sent,
                row.description_as_sent,
                row.mapped_by,
                row.scheme_as_sent,
                row.alias_id,
            ),
            None if row.valued_at is None else Valued(row.valued_at, row.minutes_by),
        )
        for row in rows
    ]


def _as_mapped(row: Row[Any]) -> Exam:
    """Give the exam under the version that it was mapped by; one that a person said is always the newest."""
    known = exam_of(row)
    by_person = row.mapped_by == PERSON
    return known if by_person or row.exam_version is None else replace(known, version=row.exam_version)


def _mapped(catalogue: Catalogue, on: date, order: Row[Any] | None, facts: Mapping[str, Any]) -> tuple[MappedExam, ...]:
    ordered = [Code(*packed) for packed in order.exams] if order else []
    in_words = [code.meaning for code in ordered if not code.value and code.meaning]
    return map_exams(
        [code for code in ordered if code.value] or codes(facts, "requested"),
        codes(facts, "performed"),
        min(in_words, default=None) or min(facts.get("description", ()), default=None),
        facts.get("modality", ()),
        catalogue,
        on,
    )


def _birth_dates(
    connection: Connection, row: Row[Any], order: Row[Any] | None, studies: Sequence[Row[Any]]
) -> set[date | None]:
    """Give the different birth dates of all whom item, order and studies name, and those that the studies state.

    A study's own may differ from what counts of its patient: other studies may state the same identifier for another.
    None is among them where the home RIS says that it is not known any more.
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
    cleared = connection.scalars(
        select(patient.c.birth_date).where(
            patient.c.id.in_(named - {None}),
            patient.c.merged_into.is_(None),
            patient.c.birth_date.is_(None),
            any_(patient.c.stated_by_ris) == "birth_date",
        )
    )
    return {*counting, *(date.fromisoformat(one) for one in stated if one is not None), *cleared}


def _age(birth_dates: Collection[date | None], exam_date: date, facts: Mapping[str, Any]) -> int | None:
    if len(birth_dates) > 1 or None in birth_dates:
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


_PRELIMINARY_AT = text(
    "SELECT min(received_at) FROM report"
    " WHERE item_id = :item AND status = 'preliminary' AND NOT superseded AND recalled_at IS NULL"
)
