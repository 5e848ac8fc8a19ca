"""Reads the rules that work is worked out by: catalogue, minutes, turnaround, offering, cut; writes new profile rows.

The rules are kept in the process under their version, which the database renews with each change of them
(`rules_version`); what was read of them is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, select, text
from sqlalchemy.dialects.postgresql import insert

from worklist.db.tables.catalogue import minutes_modifier, minutes_rule
from worklist.db.tables.exclusions import flag_rule
from worklist.db.tables.network import (
    exam,
    exam_group,
    not_offered_rule,
    profile,
    profile_cut,
    rules_version,
    target_rule,
)
from worklist.exams.codes import Alias, Catalogue, Exam
from worklist.exams.not_offered import NotOfferedReason, NotOfferedRule
from worklist.exams.valuation import MinutesRule, Modifier, ModifierKind
from worklist.exclusions.flags import FlagRule, FlagState
from worklist.profile import Cut, Profile
from worklist.turnaround.span import Span
from worklist.turnaround.targets import Setting, TargetClock, TargetRule, Urgency


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """The rules under one version; each knows its own dates. `aliases` are by trust, None those of all."""

    version: str
    exams: tuple[Exam, ...]
    aliases: Mapping[str | None, Mapping[tuple[str, str], tuple[Alias, ...]]]
    targets: tuple[TargetRule, ...]
    not_offered: tuple[NotOfferedRule, ...]
    cut: Cut
    minutes: tuple[MinutesRule, ...]
    modifiers: tuple[Modifier, ...]
    flags: tuple[FlagRule, ...]

    def catalogue(self, trust: str) -> Catalogue:
        """Give the catalogue of a trust: everyone's exams and its own, its own words before everyone's."""
        return _catalogue(self, trust)


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


@lru_cache(maxsize=64)
def _catalogue(rules: Rules, trust: str) -> Catalogue:
    own, common = rules.aliases.get(trust, {}), rules.aliases.get(None, {})
    return Catalogue(
        {one.code: one for one in rules.exams if one.trust in (None, trust)},
        {key: (*own.get(key, ()), *common.get(key, ())) for key in own.keys() | common.keys()},
    )


def _read(connection: Connection, version: str) -> Rules:
    return Rules(
        version,
        tuple(exam_of(row) for row in connection.execute(select(exam))),
        _aliases(connection),
        tuple(_targets(connection)),
        tuple(_not_offered(connection)),
        _cut(connection),
        tuple(_minutes(connection)),
        tuple(_modifiers(connection)),
        tuple(_flags(connection)),
    )


def _aliases(connection: Connection) -> dict[str | None, dict[tuple[str, str], tuple[Alias, ...]]]:
    """Give every word by trust, the newest of one word first."""
    found: dict[str | None, dict[tuple[str, str], tuple[Alias, ...]]] = {}
    for row in connection.execute(_ALIASES):
        words = found.setdefault(row.trust_ods, {})
        one = Alias(row.exam_code, row.valid_from, row.valid_to, row.id)
        words[row.kind, row.value] = (one, *words.get((row.kind, row.value), ()))
    return found


def _minutes(connection: Connection) -> list[MinutesRule]:
    return [
        MinutesRule(
            code=row.code,
            modality=row.modality,
            minutes=row.minutes,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            exam_codes=frozenset(row.exam_codes) if row.exam_codes else None,
            body_regions=frozenset(row.body_regions) if row.body_regions else None,
        )
        for row in connection.execute(select(minutes_rule).order_by(minutes_rule.c.code, minutes_rule.c.valid_from))
    ]


def _modifiers(connection: Connection) -> list[Modifier]:
    return [
        Modifier(ModifierKind(row.kind), row.percent, row.valid_from, row.valid_to, row.below_years)
        for row in connection.execute(
            select(minutes_modifier).order_by(minutes_modifier.c.kind, minutes_modifier.c.valid_from)
        )
    ]


def exam_of(row: Row[Any]) -> Exam:
    """Give the exam that a row has, with the columns of `exam`."""
    return Exam(
        code=row.code,
        description=row.description,
        modality=row.modality,
        subspecialty=row.subspecialty,
        reporting_minutes=row.reporting_minutes,
        ionising=row.ionising,
        snomed_code=row.snomed_code,
        snomed_description=row.snomed_description,
        body_region=row.body_region,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        trust=row.trust_ods,
        version=row.version,
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


def _flags(connection: Connection) -> list[FlagRule]:
    return [
        FlagRule(
            id=row.code,
            flag=row.flag,
            state=FlagState(row.state),
            trust=row.trust_ods,
            exam_codes=frozenset(row.exam_codes) if row.exam_codes is not None else None,
            modalities=frozenset(row.modalities) if row.modalities is not None else None,
            settings=frozenset(map(Setting, row.settings)) if row.settings is not None else None,
            urgencies=frozenset(map(Urgency, row.urgencies)) if row.urgencies is not None else None,
            min_age_years=row.min_age_years,
            max_age_years=row.max_age_years,
            words=tuple(row.words) if row.words is not None else None,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            source=row.source,
            confirmed_by=row.confirmed_by,
        )
        for row in connection.execute(select(flag_rule).order_by(flag_rule.c.code))
    ]


def _cut(connection: Connection) -> Cut:
    """Give the newest profile cut; before the first configuration nothing is cut and all is unmapped."""
    row = connection.execute(select(profile_cut).order_by(profile_cut.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return Cut((0,), {})
    flags = {int(group) if group else None: frozenset(names) for group, names in row.flags_of_group.items()}
    return Cut(tuple(row.age_cuts), row.group_of_exam, flags)


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
            cleared_flags=list(wanted.cleared_flags),
            unknown_flags=list(wanted.unknown_flags),
            ionising=wanted.unmapped or any(ionising),
        )
        .on_conflict_do_nothing()
    )
    return int(connection.execute(select(profile.c.id).where(profile.c.key == wanted.key)).scalar_one())


def exam_group_codes(connection: Connection) -> dict[int, tuple[str, ...]]:
    """Give the exam codes of every group there ever was."""
    return {row.id: tuple(row.exam_codes) for row in connection.execute(select(exam_group))}


_ALIASES = text("SELECT id, trust_ods, kind, value, exam_code, valid_from, valid_to FROM exam_aliases()")
