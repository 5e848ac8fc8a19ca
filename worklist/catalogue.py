"""Reads the rules that work is worked out by: exams, turnaround, what is not offered, profile cut; writes new profiles.

The rules are kept in the process under their version, which the database renews with each change of them
(`rules_version`); what was read of them is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, select
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.network import (
    exam,
    exam_alias,
    exam_group,
    not_offered_rule,
    profile,
    profile_cut,
    rules_version,
    target_rule,
)
from worklist.exam_codes import Catalogue, Exam
from worklist.not_offered import NotOfferedReason, NotOfferedRule
from worklist.profile import Cut, Profile
from worklist.span import Span
from worklist.turnaround import Setting, TargetClock, TargetRule, Urgency


@dataclass(frozen=True, slots=True)
class DatedExam:
    """An exam with the local dates, both inclusive, on which it is in the catalogue; no last date: it stays."""

    exam: Exam
    valid_from: date
    valid_to: date | None


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules under one version. `aliases` are by trust, None those of all; rules know their own dates."""

    version: str
    exams: tuple[DatedExam, ...]
    aliases: Mapping[str | None, Mapping[tuple[str, str], str]]
    targets: tuple[TargetRule, ...]
    not_offered: tuple[NotOfferedRule, ...]
    cut: Cut

    def catalogue(self, trust: str, on: date) -> Catalogue:
        """Give the catalogue in force on a local date with the trust's own words for exams."""
        return _catalogue(self, trust, on)


def rules_in_force(connection: Connection) -> Rules:
    """Give the rules in force; read only where their version is another than at the last look."""
    version = connection.scalar(select(rules_version.c.version))
    assert version is not None
    kept = _KEPT.get(connection.engine)
    if kept is None or kept.version != version:
        kept = _KEPT[connection.engine] = _read(connection, version)
    return kept


#: By engine: two databases may have anything in common but their rules.
_KEPT: WeakKeyDictionary[Engine, Rules] = WeakKeyDictionary()


@lru_cache(maxsize=256)
def _catalogue(rules: Rules, trust: str, on: date) -> Catalogue:
    exams = {
        one.exam.code: one.exam
        for one in rules.exams
        if one.valid_from <= on and (one.valid_to is None or one.valid_to >= on)
    }
    return Catalogue(exams, {**rules.aliases.get(None, {}), **rules.aliases.get(trust, {})})


def _read(connection: Connection, version: str) -> Rules:
    exams = tuple(DatedExam(exam_of(row), row.valid_from, row.valid_to) for row in connection.execute(select(exam)))
    aliases: dict[str | None, dict[tuple[str, str], str]] = {}
    for row in connection.execute(select(exam_alias)):
        aliases.setdefault(row.trust_ods, {})[row.kind, row.value] = row.exam_code
    return Rules(
        version, exams, aliases, tuple(_targets(connection)), tuple(_not_offered(connection)), _cut(connection)
    )


def exam_of(row: Row[Any]) -> Exam:
    """Give the exam that a row has, with the columns of `exam`."""
    return Exam(
        row.code,
        row.description,
        row.modality,
        row.subspecialty,
        row.reporting_minutes,
        row.ionising,
        row.snomed_code,
    )


def _targets(connection: Connection) -> list[TargetRule]:
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
            clock=TargetClock(row.clock),
        )
        for row in connection.execute(select(target_rule).order_by(target_rule.c.code))
    ]


def _not_offered(connection: Connection) -> list[NotOfferedRule]:
    return [
        NotOfferedRule(
            id=row.code,
            trust=row.trust_ods,
            modalities=frozenset(row.modalities) if row.modalities is not None else None,
            exam_codes=frozenset(row.exam_codes) if row.exam_codes is not None else None,
            settings=frozenset(map(Setting, row.settings)) if row.settings is not None else None,
            reason=NotOfferedReason(row.reason),
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            source=row.source,
            confirmed_by=row.confirmed_by,
        )
        for row in connection.execute(select(not_offered_rule).order_by(not_offered_rule.c.code))
    ]


def _cut(connection: Connection) -> Cut:
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
