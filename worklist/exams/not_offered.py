"""What is not offered for network reporting: dated rules as data, which take nothing away on an unknown fact.

Pure: no I/O, no clock, no settings. It must not say what becomes of an item that is not offered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from worklist.exams.codes import NOT_MAPPED, CodedExam
from worklist.turnaround.targets import Setting


class NotOfferedReason(StrEnum):
    """Why nobody of the network is to report it."""

    EVALUATED_LOCALLY = "evaluated-locally"  # by who asked for it, as their employer's procedures say (IR(ME)R 2017)
    REPORTED_BY_OPERATOR = "reported-by-operator"  # at the scan, as ultrasound is
    SCREENING = "screening"  # read in a programme of its own


def not_offered(facts: OfferFacts, rules: Sequence[NotOfferedRule]) -> NotOfferedRule | None:
    """Give the rule by which an item is not offered, or None: it is.

    Every exam must be under a rule in force on the exam date; that of the first exam is given, of several the
    first by id. A condition is met by a known fact alone: what is unknown might be work that waits for a report.
    An item without exams counts as one unknown exam.
    """
    in_force = sorted(
        (rule for rule in rules if rule.in_force_on(facts.exam_date) and rule.trust in (None, facts.trust)),
        key=lambda rule: rule.id,
    )
    found = [
        next((rule for rule in in_force if rule.covers(exam, facts.setting)), None)
        for exam in facts.exams or (NOT_MAPPED,)
    ]
    return found[0] if all(rule is not None for rule in found) else None


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What it depends on whether an item is offered. `trust` performed it; `exam_date` is local."""

    trust: str
    setting: Setting | None
    exam_date: date
    exams: tuple[CodedExam, ...]


@dataclass(frozen=True, slots=True)
class NotOfferedRule:
    """One row of what is not offered; a condition that is None holds for every item.

    `valid_from` and `valid_to` are the first and the last local date of the examinations that it covers; `source`
    says where it stands, `confirmed_by` who agreed.
    """

    id: str
    trust: str | None
    modalities: frozenset[str] | None
    exam_codes: frozenset[str] | None
    settings: frozenset[Setting] | None
    reason: NotOfferedReason
    valid_from: date
    valid_to: date | None
    source: str
    confirmed_by: str | None

    def __post_init__(self) -> None:
        conditions = (self.modalities, self.exam_codes, self.settings)
        if not any(conditions) or any(one is not None and not one for one in conditions):
            raise ValueError(f"rule {self.id} needs modalities, exams or settings, and none of them empty")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError(f"rule {self.id} ends before it begins")

    def in_force_on(self, day: date) -> bool:
        """Whether it covers examinations of this local date; the first and the last day count."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def covers(self, exam: CodedExam, setting: Setting | None) -> bool:
        """Whether each condition that it states is met by what is known."""
        return (
            (self.modalities is None or exam.modality in self.modalities)
            and (self.exam_codes is None or exam.code in self.exam_codes)
            and (self.settings is None or setting in self.settings)
        )
