"""Writes what is known of an item: its facts, exams, due times and profile, and the doubts that they raise.

It must not gather facts (`worklist.intake.item_facts` does) nor move the item.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, update

from worklist.bank_holidays import england_bank_holidays
from worklist.catalogue import Rules, profile_id_of, rules_in_force
from worklist.db.tables.work import item, item_exam
from worklist.doubts import close_doubts, open_doubt
from worklist.exam_codes import MappedExam, accession_minutes
from worklist.intake.item_facts import ItemFacts, facts_of_item
from worklist.profile import profile_of
from worklist.turnaround import TurnaroundFacts, due

#: What an exam that nobody has classified yet is valued at, in reporting minutes.
UNMAPPED_MINUTES = Decimal(15)
BIRTH_DATES_DIFFER = "this study, its order and the patient's other studies state different birth dates"


def write_facts(connection: Connection, row: Row[Any], facts: ItemFacts | None = None) -> Row[Any]:
    """Write what is known of a locked item, with the doubts it raises, and give the new row.

    `facts` are gathered where the caller has not. The transaction sees the trust's identities (`view_as`).
    """
    rules = rules_in_force(connection)
    facts = facts or facts_of_item(connection, row, rules)
    changed = connection.execute(
        update(item).where(item.c.id == row.id).values(_values(connection, row, facts, rules)).returning(item)
    ).one()
    if facts.exams != facts.exams_written:
        _write_exams(connection, row.id, facts)
    _doubt_exams(connection, row, facts.exams)
    _doubt_birth_date(connection, row, facts)
    return changed


def _values(connection: Connection, row: Row[Any], facts: ItemFacts, rules: Rules) -> dict[str, Any]:
    mapped = [one.exam for one in facts.exams]
    exam_codes = tuple(exam.code if exam else None for exam in mapped)
    year = facts.clock_start_at.year
    when = due(
        TurnaroundFacts(row.trust_ods, facts.setting, facts.urgency, facts.modality, exam_codes, facts.clock_start_at),
        rules.targets,
        england_bank_holidays((year, year + 1)),
    )
    profile = profile_of(exam_codes, facts.age_years, facts.setting, row.flags, rules.cut)
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


def _write_exams(connection: Connection, item_id: int, facts: ItemFacts) -> None:
    if facts.exams_written:
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
            for position, one in enumerate(facts.exams)
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


def _doubt_birth_date(connection: Connection, row: Row[Any], facts: ItemFacts) -> None:
    if facts.birth_dates_differ:
        open_doubt(
            connection,
            "birth-date-not-believed",
            trust=row.trust_ods,
            item_id=row.id,
            detail=BIRTH_DATES_DIFFER,
        )
