"""Writes what is known of an item: its facts, exams, due times and profile, and the doubts that they raise.

It must not gather facts (`worklist.intake.item_facts` does) nor move the item.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, update

from worklist.db.tables.catalogue import exam_as_sent
from worklist.db.tables.work import item, item_exam
from worklist.doubts import close_doubt, close_doubts, close_other_doubts, open_doubt
from worklist.exams.catalogue import Rules, profile_id_of, rules_in_force
from worklist.exams.codes import CodedExam, MappedExam, Unmapped
from worklist.exams.not_offered import NotOfferedRule, OfferFacts, not_offered
from worklist.exams.valuation import Derived, Valued, ValuedExam, counts_priors, minutes_of_exam, value_accession
from worklist.exclusions.flags import FlagState, flags_of, looked_at
from worklist.exclusions.statements import statements_of
from worklist.intake.item_facts import ItemFacts, facts_of_item
from worklist.intake.offering import is_out_of_hand
from worklist.item import ItemState
from worklist.patients.stating import STATED_OTHERWISE
from worklist.profile import profile_of
from worklist.relevant_priors import ask_for_what_came_later, relevant_prior
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.targets import TurnaroundFacts, check_due, due

BIRTH_DATES_DIFFER = "this study, its order and the patient's other studies state different birth dates"


def write_facts(connection: Connection, row: Row[Any], facts: ItemFacts | None = None) -> Row[Any]:
    """Write what is known of a locked item, with the doubts it raises, and give the new row.

    `facts` are gathered where the caller has not. The transaction sees the trust's identities (`view_as`).
    """
    rules = rules_in_force(connection)
    facts = facts or facts_of_item(connection, row, rules)
    valued = tuple(minutes_of_exam(one.exam, rules.minutes, facts.exam_date) for one in facts.exams)
    changed = connection.execute(
        update(item).where(item.c.id == row.id).values(_values(connection, row, facts, rules, valued)).returning(item)
    ).one()
    if (facts.exams, valued) != (facts.exams_written, facts.values_written):
        write_exams(connection, row, facts.exams, valued)
    if counts_priors(rules.modifiers, facts.exam_date) and (
        (row.exam_date, facts.exams_written) != (facts.exam_date, facts.exams)
    ):
        ask_for_what_came_later(connection, changed)
    _doubt_exams(connection, row, facts.exams)
    _doubt_birth_date(connection, row, facts)
    return changed


def clear_facts(connection: Connection, row: Row[Any]) -> None:
    """Take from a locked item what its images had worked out: it waits for images again."""
    worked_out = (
        "modality age_years exam_date setting urgency clock_start_at clock_start_source due_at hard_limit_at"
        " target_rule report_due_at not_offered_rule not_offered_reason reporting_minutes profile_id ready_at"
        " completed_by"
    )
    values: dict[str, Any] = {**dict.fromkeys(worked_out.split()), "arriving": False}
    values |= {"flags": [], "cleared_flags": [], "flags_by": {}}
    connection.execute(update(item).where(item.c.id == row.id).values(values))
    for table in (item_exam, exam_as_sent):
        connection.execute(delete(table).where(table.c.item_id == row.id))
    for kind in ("unmapped-exam", STATED_OTHERWISE):
        close_doubts(connection, row.id, kind, by="intake", outcome="its images left")


def kept_back(row: Row[Any], facts: ItemFacts, rules: Rules) -> NotOfferedRule | None:
    """Give the rule by which an item is not offered for network reporting; None also where its report is begun."""
    if is_out_of_hand(row):
        return None
    only = facts.image_modalities[0] if len(facts.image_modalities) == 1 else None
    exams = tuple(
        CodedExam(one.exam.code, one.exam.modality) if one.exam else CodedExam(None, only) for one in facts.exams
    )
    return not_offered(OfferFacts(row.trust_ods, facts.setting, facts.exam_date, exams), rules.not_offered)


def write_exams(
    connection: Connection, row: Row[Any], exams: Sequence[MappedExam], valued: Sequence[Valued] | None = None
) -> None:
    """Write a locked item's exams in the place of those that stand: as mapped, and what they were called."""
    for table in (item_exam, exam_as_sent):
        connection.execute(delete(table).where(table.c.item_id == row.id))
    connection.execute(
        insert(item_exam),
        [
            {
                "item_id": row.id,
                "position": position,
                "exam_code": one.exam.code if one.exam else None,
                "mapped_by": one.mapped_by,
                "exam_version": one.exam.version if one.exam else None,
                "alias_id": one.alias_id,
                "reporting_minutes": valued[position].minutes if valued else None,
                "minutes_by": valued[position].by if valued else None,
            }
            for position, one in enumerate(exams)
        ],
    )
    connection.execute(
        insert(exam_as_sent),
        [
            {
                "item_id": row.id,
                "position": position,
                "trust_ods": row.trust_ods,
                "code": one.code_as_sent,
                "scheme": one.scheme_as_sent,
                "description": one.description_as_sent,
            }
            for position, one in enumerate(exams)
        ],
    )


def _values(
    connection: Connection, row: Row[Any], facts: ItemFacts, rules: Rules, valued: Sequence[Valued]
) -> dict[str, Any]:
    mapped = [one.exam for one in facts.exams]
    exam_codes = tuple(exam.code if exam else None for exam in mapped)
    known = TurnaroundFacts(
        row.trust_ods,
        facts.setting,
        facts.urgency,
        facts.modality,
        exam_codes,
        facts.clock_start_at,
        facts.needed_by_at,
        facts.pauses,
    )
    holidays = england_bank_holidays(range(facts.clock_start_at.year, facts.clock_start_at.year + 3))
    of_report = when = due(known, rules.targets, holidays)
    checked = row.state == ItemState.PRELIMINARY and facts.preliminary_at is not None
    if checked and facts.preliminary_at is not None:
        when = check_due(known, facts.preliminary_at, rules.targets, holidays, of_report)
    rule = kept_back(row, facts, rules)
    derived = _value(connection, row, facts, rules, valued)
    flagged = facts.to_flag(row.trust_ods)
    told = flags_of(flagged, rules.flags, statements_of(connection, row.id, looked_at(flagged)))
    flags = [flag for flag, one in told.items() if one.state is FlagState.YES]
    cleared = [flag for flag, one in told.items() if one.state is FlagState.NO]
    profile = profile_of(exam_codes, facts.age_years, facts.setting, flags, cleared, rules.cut)
    return {
        "modality": facts.modality,
        "age_years": facts.age_years,
        "exam_date": facts.exam_date,
        "setting": facts.setting,
        "urgency": facts.urgency,
        "clock_start_at": None if rule else facts.clock_start_at,
        "clock_start_source": None if rule else facts.clock_start_source,
        "due_at": None if rule else when.due_at,
        "hard_limit_at": None if rule else when.hard_limit_at,
        "target_rule": None if rule else when.rule_id,
        "report_due_at": of_report.due_at if checked else None,
        "not_offered_rule": rule.id if rule else None,
        "not_offered_reason": rule.reason.value if rule else None,
        "reporting_minutes": derived.minutes,
        "minutes_derivation": list(derived.steps),
        "flags": flags,
        "cleared_flags": cleared,
        "flags_by": {flag: one.by for flag, one in told.items()},
        "profile_id": profile_id_of(connection, profile, [exam.ionising for exam in mapped if exam]),
    }


def _value(connection: Connection, row: Row[Any], facts: ItemFacts, rules: Rules, valued: Sequence[Valued]) -> Derived:
    exams = [
        ValuedExam(one.exam.code if one.exam else None, value) for one, value in zip(facts.exams, valued, strict=True)
    ]
    prior = None
    if counts_priors(rules.modifiers, facts.exam_date):
        regions = {(one.exam.body_region or "").lower() for one in facts.exams if one.exam}
        prior = relevant_prior(connection, row, facts.exam_date, regions - {""})
    return value_accession(exams, rules.modifiers, facts.exam_date, age_years=facts.age_years, prior=prior)


def _doubt_exams(connection: Connection, row: Row[Any], exams: Sequence[MappedExam]) -> None:
    reasons = sorted({_why_unmapped(one) for one in exams if one.exam is None})
    if not reasons:
        close_doubts(connection, row.id, "unmapped-exam", by="intake", outcome="mapped")
        return
    close_other_doubts(connection, row.id, "unmapped-exam", reasons, by="intake", outcome="unmapped for another reason")
    for reason in reasons:
        open_doubt(connection, "unmapped-exam", trust=row.trust_ods, item_id=row.id, detail=reason)


def _why_unmapped(one: MappedExam) -> str:
    """Say why in words of the catalogue: never what was sent."""
    named = one.named.code if one.named else ""
    if one.mapped_by == Unmapped.NOT_YET_VALID and one.named:
        return f"{named} is in the catalogue from {one.named.valid_from}, and the examination was before that"
    if one.mapped_by == Unmapped.NO_LONGER_VALID and one.named:
        return f"{named} was in the catalogue to {one.named.valid_to}, and the examination was after that"
    return _WHY.get(one.mapped_by, _WHY[Unmapped.UNKNOWN])


_WHY: dict[str, str] = {
    Unmapped.UNKNOWN: "no code or exact description of the catalogue; a duty radiologist classifies it",
    Unmapped.CONTRADICTS_IMAGES: "the code's exam needs other images than those that came",
    Unmapped.AMBIGUOUS: "the catalogue has two exams of this SNOMED code or description; map it to one of them",
}


def _doubt_birth_date(connection: Connection, row: Row[Any], facts: ItemFacts) -> None:
    if facts.birth_dates_differ:
        open_doubt(
            connection,
            "birth-date-not-believed",
            trust=row.trust_ods,
            item_id=row.id,
            detail=BIRTH_DATES_DIFFER,
        )
    elif row.profile_id is not None and row.age_years is None:  # it was worked out before, and no age was known
        close_doubt(
            connection,
            "birth-date-not-believed",
            item_id=row.id,
            detail=BIRTH_DATES_DIFFER,
            by="intake",
            outcome="what is known of it agrees",
        )
