"""What is known of an item's exclusion flags: by a person first, then by dated rules; else it is not known.

Pure: no I/O, no clock, no settings. It must not say what a flag closes; scopes of practice do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from worklist.exams.codes import NOT_MAPPED, CodedExam
from worklist.turnaround.targets import Setting, Urgency

#: Who says so where a person does.
PERSON = "person"


class FlagState(StrEnum):
    """Whether what a flag names is so of an item. Unknown is not no."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


_YES = FlagState.YES


@dataclass(frozen=True, slots=True)
class FlagFacts:
    """What rules look at; None is not known.

    `trust` performed it, `exam_date` is local, `age_years` are completed years on it. `clinical_question` is in the
    words of who asked.
    """

    trust: str
    exam_date: date
    exams: tuple[CodedExam, ...]
    age_years: int | None
    setting: Setting | None
    urgency: Urgency | None
    clinical_question: str | None


class Statement(NamedTuple):
    """What a person said of a flag; `holds` False: what they looked at is not what is known now."""

    state: FlagState
    holds: bool


class Told(NamedTuple):
    """The state of a flag, yes or no, and who says so: a rule's id, or `PERSON`."""

    state: FlagState
    by: str


@dataclass(frozen=True, slots=True)
class FlagRule:
    """One row of what tells a flag; a condition that is None holds for every item.

    `words` are looked for in the clinical question, whole and in any case; they can only tell that a flag is so.
    Ages are completed years, inclusive. `valid_from` and `valid_to` are the first and the last local date of the
    examinations that it covers; `source` says where it stands, `confirmed_by` who agreed.
    """

    id: str
    flag: str
    state: FlagState
    trust: str | None
    exam_codes: frozenset[str] | None
    modalities: frozenset[str] | None
    settings: frozenset[Setting] | None
    urgencies: frozenset[Urgency] | None
    min_age_years: int | None
    max_age_years: int | None
    words: tuple[str, ...] | None
    valid_from: date
    valid_to: date | None
    source: str
    confirmed_by: str | None

    def __post_init__(self) -> None:
        several = (self.exam_codes, self.modalities, self.settings, self.urgencies, self.words)
        if any(one is not None and not one for one in several):
            raise ValueError(f"rule {self.id} has a condition that nothing meets")
        if not any((*several, self.min_age_years is not None, self.max_age_years is not None)):
            raise ValueError(f"rule {self.id} needs a condition")
        if self.state is FlagState.UNKNOWN:
            raise ValueError(f"rule {self.id} says yes or no; without a rule a flag is unknown")
        if self.words is not None and self.state is not FlagState.YES:
            raise ValueError(f"rule {self.id}: words of the clinical question can only tell that a flag is so")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError(f"rule {self.id} ends before it begins")

    def tells(self, facts: FlagFacts) -> bool:
        """Whether each condition is met by what is known.

        That a flag is so, one exam tells; that it is not so, all exams have to.
        """
        enough = any if self.state is FlagState.YES else all
        return (
            self.valid_from <= facts.exam_date
            and (self.valid_to is None or facts.exam_date <= self.valid_to)
            and self.trust in (None, facts.trust)
            and enough(map(self._covers, facts.exams or (NOT_MAPPED,)))
            and (self.settings is None or facts.setting in self.settings)
            and (self.urgencies is None or facts.urgency in self.urgencies)
            and self._covers_age(facts.age_years)
            and (self.words is None or _names(facts.clinical_question or "", self.words))
        )

    def _covers(self, exam: CodedExam) -> bool:
        return (self.exam_codes is None or exam.code in self.exam_codes) and (
            self.modalities is None or exam.modality in self.modalities
        )

    def _covers_age(self, age_years: int | None) -> bool:
        if self.min_age_years is None and self.max_age_years is None:
            return True
        return (
            age_years is not None
            and (self.min_age_years is None or age_years >= self.min_age_years)
            and (self.max_age_years is None or age_years <= self.max_age_years)
        )


def flags_of(
    facts: FlagFacts, rules: Sequence[FlagRule], statements: Mapping[str, Statement] = MappingProxyType({})
) -> dict[str, Told]:
    """Tell of each flag that somebody tells, by name, whether it is so of an item; any other is not known.

    What a person said counts before rules; that a flag is not so only while what they looked at is what is known now.
    Of rules that differ the one counts that says yes; of several alike the first by id.
    """
    telling = sorted((rule for rule in rules if rule.tells(facts)), key=lambda rule: (rule.state is not _YES, rule.id))
    told = {flag: Told(one.state, PERSON) for flag, one in statements.items() if one.holds or one.state is _YES}
    for rule in telling:
        told.setdefault(rule.flag, Told(rule.state, rule.id))
    return dict(sorted(told.items()))


def looked_at(facts: FlagFacts) -> str:
    """Give a digest of what a person looks at who says of a flag that it is not so: exams and clinical question."""
    exams = sorted(exam.code or "" for exam in facts.exams)
    return sha256(json.dumps([exams, _plain(facts.clinical_question or "")]).encode()).hexdigest()


def _names(text: str, words: Sequence[str]) -> bool:
    said = _plain(text)
    return any(re.search(rf"(?<!\w){re.escape(_plain(word))}(?!\w)", said) for word in words)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
