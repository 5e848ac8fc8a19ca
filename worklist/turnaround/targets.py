"""When a report is due: dated target rules as data, judged strictly where facts are unknown.

Pure: no I/O, no clock, no settings. It must not hold a target of its own but the backstop.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple, TypeVar

from worklist.local_time import CLOCK_SKEW, LONDON, LocalTime
from worklist.turnaround.pauses import Pause, paused
from worklist.turnaround.span import Span, ends_at

#: From image acquisition; NHS England's reporting turnaround times, in force from 9 August 2023.
BACKSTOP = Span(28, "calendar_days")

#: `Due.rule_id` and `Due.hard_rule_id` where no rule binds but the backstop.
BACKSTOP_RULE_ID = "backstop-28-calendar-days"

#: `Due.rule_id` where the report is needed before any rule would have it.
NEEDED_BY_RULE_ID = "needed-by"

#: `ClockStart.source` where no source gave a believable end of acquisition.
RECEIPT = "receipt"


class Setting(StrEnum):
    """Where the referral came from; an unknown setting is None, never `OTHER`."""

    EMERGENCY = "emergency"
    INPATIENT = "inpatient"
    OUTPATIENT = "outpatient"
    GP = "gp"
    THEATRE = "theatre"
    CRITICAL_CARE = "critical_care"
    DAY_CASE = "day_case"
    OTHER = "other"


class Urgency(StrEnum):
    """How soon the report is needed; an unknown urgency is None, never `ROUTINE`."""

    STROKE = "stroke"
    MAJOR_TRAUMA = "major_trauma"
    EMERGENCY = "emergency"
    URGENT = "urgent"
    SUSPECTED_CANCER = "suspected_cancer"
    ROUTINE = "routine"


class TargetClock(StrEnum):
    """What a rule's spans are counted for."""

    REPORT = "report"  # from the end of acquisition to a verified report
    CHECK = "check"  # from a preliminary report to the verified one


def due(facts: TurnaroundFacts, rules: Sequence[TargetRule], bank_holidays: Container[date]) -> Due:
    """Work out when the report of an item is due, and the limit it may never pass.

    Rules count that are in force on the Europe/London date of the clock start. Among those that
    match, a rule gives way only to one that refines it: one that states every condition it states,
    and more, or a narrower set of modalities or exams. Where neither of two rules refines the
    other (stroke at every trust, everything at one trust) the earlier instant binds. So a trust
    that loosens a network's target has to name the conditions of the very rule that it loosens.

    Targets and hard limits are chosen apart: a refinement that states no hard limit leaves the
    wider rule's in force. An unknown setting, urgency, modality or exam is tried with every value
    that it could have, and the earliest instants are taken; so it is with the exams of an item that
    has several. No hard limit lies later than 28 calendar days after the clock start, and nothing
    is due later than its hard limit. When the report is needed pulls the target forward and never back; a time before
    the clock start says nothing of a report. Pauses put off target and hard limit, but neither the 28 days nor when the
    report is needed. `bank_holidays` are local dates.
    """
    backstop = _Bound(ends_at(BACKSTOP, facts.clock_start_at, bank_holidays), BACKSTOP_RULE_ID)
    of_reports = [rule for rule in rules if rule.clock is TargetClock.REPORT]
    return _work_out(facts, facts.clock_start_at, of_reports, bank_holidays, backstop)


def check_due(
    facts: TurnaroundFacts,
    preliminary_at: datetime,
    rules: Sequence[TargetRule],
    bank_holidays: Container[date],
    report: Due,
) -> Due:
    """Work out when the check of a preliminary report is due, by the rules of checks, from when it was given (aware).

    The report's hard limit stays the last that a check may take. Where no rule of checks could match, the
    report's own due time (`report`) goes on.
    """
    day = preliminary_at.astimezone(LONDON).date()
    of_checks = [rule for rule in rules if rule.clock is TargetClock.CHECK]
    in_force = [rule for rule in of_checks if rule.in_force_on(day) and rule.trust in {None, facts.trust}]
    if not any(rule.matches(case) for case in _cases(facts, in_force) for rule in in_force):
        return report
    last = _Bound(report.hard_limit_at, report.hard_rule_id)
    return _work_out(facts, preliminary_at, of_checks, bank_holidays, last)


def _work_out(
    facts: TurnaroundFacts,
    start_at: datetime,
    rules: Sequence[TargetRule],
    bank_holidays: Container[date],
    last: _Bound,
) -> Due:
    """Work a due time out from a start; nothing lies later than `last`."""
    day = start_at.astimezone(LONDON).date()
    in_force = [rule for rule in rules if rule.in_force_on(day) and rule.trust in {None, facts.trust}]
    targets, limits = {}, {}
    for rule in in_force:
        targets[rule] = ends_at(rule.target, start_at, bank_holidays)
        if rule.hard_limit is not None:
            limits[rule] = ends_at(rule.hard_limit, start_at, bank_holidays)

    all_targets, all_limits = [], []
    for case in _cases(facts, in_force):
        matching = [rule for rule in in_force if rule.matches(case)]
        limit = min([*_binding(matching, limits), last], key=_AT)
        all_limits.append(limit)
        all_targets.append(min([*_binding(matching, targets), limit], key=_AT))
    target, limit = min(all_targets), min(all_limits)
    if facts.pauses:
        limit = min(_Bound(paused(limit.at, start_at, facts.pauses, last.at), limit.rule_id), last, key=_AT)
        target = min(_Bound(paused(target.at, start_at, facts.pauses, last.at), target.rule_id), limit, key=_AT)
    needed_at = facts.needed_by_at
    if needed_at is not None and start_at < needed_at < target.at:
        target = _Bound(needed_at.astimezone(UTC), NEEDED_BY_RULE_ID)
    return Due(target.at, limit.at, target.rule_id, limit.rule_id)


def clock_start(
    candidates: Sequence[LocalTime | None], received_at: datetime, *, heard_at: datetime | None = None
) -> ClockStart:
    """Choose the start of the turnaround clock: the end of acquisition, as well as it is known.

    The candidates come in the order of trust in their sources. The first one that was sent and is
    not in the future counts; more than `CLOCK_SKEW` after `received_at` (aware) is the future, and
    believing it would hide a delay. Where none is left the clock starts at receipt. `heard_at` is when the
    last of what tells the candidates was received, if that was later: acquisition goes on while images come.
    """
    until = max(received_at, heard_at or received_at) + CLOCK_SKEW
    for candidate in candidates:
        if candidate is not None and candidate.at <= until:
            return ClockStart(candidate.at, candidate.source)
    return ClockStart(received_at.astimezone(UTC), RECEIPT)


@dataclass(frozen=True, slots=True)
class TurnaroundFacts:
    """What the due time of an item depends on; None is unknown.

    `trust` is the ODS code of the performing trust. `exam_codes` has one entry per exam, None for
    an unmapped one; an item without exams counts as one unknown exam. `clock_start_at` and
    `needed_by_at` are aware.
    """

    trust: str
    setting: Setting | None
    urgency: Urgency | None
    modality: str | None
    exam_codes: tuple[str | None, ...]
    clock_start_at: datetime
    needed_by_at: datetime | None = None
    pauses: tuple[Pause, ...] = ()

    def __post_init__(self) -> None:
        if self.clock_start_at.tzinfo is None:
            raise ValueError("the clock start has no time zone")


@dataclass(frozen=True, slots=True)
class TargetRule:
    """One row of a network's targets; a condition that is None holds for every item.

    `valid_from` and `valid_to` are the first and the last local date of the clock starts that it
    covers; `source` says where the figure comes from, `confirmed_by` who in the network agreed.
    """

    id: str
    trust: str | None
    setting: Setting | None
    urgency: Urgency | None
    modalities: frozenset[str] | None
    exam_codes: frozenset[str] | None
    target: Span
    hard_limit: Span | None
    valid_from: date
    valid_to: date | None
    source: str
    confirmed_by: str | None
    clock: TargetClock = TargetClock.REPORT

    def __post_init__(self) -> None:
        if self.modalities is not None and not self.modalities:
            raise ValueError(f"target {self.id} has an empty set of modalities: it can match nothing")
        if self.exam_codes is not None and not self.exam_codes:
            raise ValueError(f"target {self.id} has an empty set of exams: it can match nothing")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError(f"target {self.id} ends before it begins")

    def in_force_on(self, day: date) -> bool:
        """Whether it covers clock starts on this local date; the first and the last day count."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def matches(self, case: Case) -> bool:
        """Whether each condition holds that it states on setting, urgency, modality and exam."""
        return (
            (self.setting is None or self.setting == case.setting)
            and (self.urgency is None or self.urgency == case.urgency)
            and (self.modalities is None or case.modality in self.modalities)
            and (self.exam_codes is None or case.exam_code in self.exam_codes)
        )

    def refines(self, wider: TargetRule) -> bool:
        """Whether it states every condition of the wider rule, and more or more narrowly."""
        pairs = list(zip(self._conditions(), wider._conditions(), strict=True))
        states_all = all(theirs is None or (ours is not None and ours <= theirs) for ours, theirs in pairs)
        return states_all and any(ours != theirs for ours, theirs in pairs)

    def _conditions(self) -> tuple[frozenset[str] | None, ...]:
        single = (self.trust, self.setting, self.urgency)
        named = (None if value is None else frozenset({str(value)}) for value in single)
        return (*named, self.modalities, self.exam_codes)


class Due(NamedTuple):
    """When the report is due and the limit it may never pass (UTC), and the rules that say so."""

    due_at: datetime
    hard_limit_at: datetime
    rule_id: str
    hard_rule_id: str


class ClockStart(NamedTuple):
    """The start of the turnaround clock (UTC) and the field that gave it, or `RECEIPT`."""

    at: datetime
    source: str


class Case(NamedTuple):
    """One way the facts could be; None is a value that no rule in force names."""

    setting: Setting | None
    urgency: Urgency | None
    modality: str | None
    exam_code: str | None


class _Bound(NamedTuple):
    at: datetime
    rule_id: str


_AT = attrgetter("at")
_Member = TypeVar("_Member", bound=StrEnum)


def _binding(matching: Sequence[TargetRule], instants: Mapping[TargetRule, datetime]) -> list[_Bound]:
    """Drop the rules that another one refines; earliest first, so that the choice is repeatable."""
    stating = [rule for rule in matching if rule in instants]
    return sorted(
        _Bound(instants[rule], rule.id) for rule in stating if not any(other.refines(rule) for other in stating)
    )


def _cases(facts: TurnaroundFacts, rules: Sequence[TargetRule]) -> Iterator[Case]:
    """Give every way the facts could be, one for all the values that the rules do not tell apart."""
    settings = [facts.setting] if facts.setting else _members(Setting, {rule.setting for rule in rules})
    urgencies = [facts.urgency] if facts.urgency else _members(Urgency, {rule.urgency for rule in rules})
    modalities = [facts.modality] if facts.modality else _codes({rule.modalities for rule in rules})
    exams: list[str | None] = [code for code in facts.exam_codes if code is not None]
    if None in facts.exam_codes or not facts.exam_codes:
        exams += _codes({rule.exam_codes for rule in rules})
    return itertools.starmap(Case, itertools.product(settings, urgencies, modalities, exams))


def _members(kind: type[_Member], named: Set[_Member | None]) -> list[_Member | None]:
    """Give the members that rules name, and None for the others if there are any."""
    members: list[_Member | None] = [member for member in kind if member in named]
    return members if len(members) == len(kind) else [*members, None]


def _codes(named: Set[frozenset[str] | None]) -> list[str | None]:
    """Give one code of each kind that the named sets tell apart, and None for any other code."""
    sets = [codes for codes in named if codes is not None]
    kinds = {tuple(code in codes for codes in sets): code for codes in sets for code in codes}
    return [*kinds.values(), None]
