"""Reads the exam catalogue, turnaround rules and profile cut in force; writes only new profile rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, or_, select
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.network import exam, exam_alias, exam_group, profile, profile_cut, target_rule
from worklist.exam_codes import Catalogue, Exam
from worklist.profile import Cut, Profile
from worklist.span import Span
from worklist.turnaround import Setting, TargetRule, Urgency


def catalogue_for(connection: Connection, trust: str, on: date) -> Catalogue:
    """Give the catalogue in force on a local date with the trust's own words for exams."""
    rows = connection.execute(
        select(exam).where(exam.c.valid_from <= on, or_(exam.c.valid_to.is_(None), exam.c.valid_to >= on))
    )
    exams = {
        row.code: Exam(
            row.code,
            row.description,
            row.modality,
            row.subspecialty,
            row.reporting_minutes,
            row.ionising,
            row.snomed_code,
        )
        for row in rows
    }
    aliases = connection.execute(
        select(exam_alias)
        .where(or_(exam_alias.c.trust_ods.is_(None), exam_alias.c.trust_ods == trust))
        .order_by(exam_alias.c.trust_ods.asc().nulls_first())
    )
    return Catalogue(exams, {(row.kind, row.value): row.exam_code for row in aliases})


def target_rules(connection: Connection) -> list[TargetRule]:
    """Give every turnaround rule that the network has; the rule itself knows its dates."""
    return [
        TargetRule(
            id=row.code,
            trust=row.trust_ods,
            setting=Setting(row.setting) if row.setting else None,
            urgency=Urgency(row.urgency) if row.urgency else None,
            modalities=frozenset(row.modalities) if row.modalities else None,
            exam_codes=frozenset(row.exam_codes) if row.exam_codes else None,
            target=Span.parse(row.target),
            hard_limit=Span.parse(row.hard_limit) if row.hard_limit else None,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            source=row.source,
            confirmed_by=row.confirmed_by,
        )
        for row in connection.execute(select(target_rule).order_by(target_rule.c.code))
    ]


def cut_in_force(connection: Connection) -> Cut:
    """Give the newest profile cut; before the first configuration nothing is cut and all is unmapped."""
    row = connection.execute(select(profile_cut).order_by(profile_cut.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return Cut((0,), {})
    return Cut(tuple(row.age_cuts), row.group_of_exam)


def profile_id_of(connection: Connection, wanted: Profile, ionising: Sequence[bool]) -> int:
    """Give the id of a profile, adding its row where it is new.

    `ionising` has one entry per exam of the work; unmapped work counts as ionising, the stricter.
    """
    found: int | None = connection.scalar(select(profile.c.id).where(profile.c.key == wanted.key))
    if found is not None:
        return found
    connection.execute(
        insert(profile)
        .values(
            key=wanted.key,
            exam_groups=list(wanted.exam_groups),
            unmapped=wanted.unmapped,
            age_from=wanted.age_from,
            age_to=wanted.age_to,
            setting=wanted.setting,
            flags=list(wanted.flags),
            ionising=wanted.unmapped or any(ionising),
        )
        .on_conflict_do_nothing()
    )
    return int(connection.execute(select(profile.c.id).where(profile.c.key == wanted.key)).scalar_one())


def exam_group_codes(connection: Connection) -> dict[int, tuple[str, ...]]:
    """Give the exam codes of every group there ever was."""
    return {row.id: tuple(row.exam_codes) for row in connection.execute(select(exam_group))}
