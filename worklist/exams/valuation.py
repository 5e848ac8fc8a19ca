"""What work is valued at in reporting minutes: an exam, an accession of several, a reading of another purpose.

The figures are the network's dated configuration, each with its source and who confirmed it. A value is never a
reason to give or to refuse work. Pure: no I/O, no clock, no settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from worklist.exams.codes import Exam
from worklist.reading import Purpose

#: What an exam is valued at that nobody has classified yet, or that no rule gives minutes, in reporting minutes.
UNMAPPED_MINUTES = Decimal(15)


class ModifierKind(StrEnum):
    """What changes the value of work; each is a percentage of it."""

    FURTHER_EXAM = "further-exam"  # of its own minutes, for each exam of an accession after the longest
    PAEDIATRIC = "paediatric"  # of patients below `below_years`
    RELEVANT_PRIOR = "relevant-prior"  # there is an earlier exam of the same body region to compare with
    SECOND_OPINION = "second-opinion"  # a second reading, or for a meeting
    CHECK = "check"  # of a trainee's report


@dataclass(frozen=True, slots=True)
class MinutesRule:
    """Minutes of an exam that has none of its own, from `valid_from` to `valid_to`, local dates, both inclusive.

    `exam_codes` or `body_regions` (lower case) None: any of the modality.
    """

    code: str
    modality: str
    minutes: Decimal
    valid_from: date
    valid_to: date | None = None
    exam_codes: frozenset[str] | None = None
    body_regions: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Modifier:
    """A modifier and the local dates, both inclusive, on which it holds; `below_years` belongs to `paediatric`."""

    kind: ModifierKind
    percent: Decimal
    valid_from: date
    valid_to: date | None = None
    below_years: int | None = None


@dataclass(frozen=True, slots=True)
class Valued:
    """What one exam is valued at by itself; `by` is `network`, the code of a minutes rule, or `none`."""

    minutes: Decimal
    by: str


@dataclass(frozen=True, slots=True)
class ValuedExam:
    """An exam of an accession by its code in the catalogue (None: not mapped), and what it is valued at by itself."""

    code: str | None
    valued: Valued


@dataclass(frozen=True, slots=True)
class RelevantPrior:
    """An earlier exam to compare with; `exam_date` is local."""

    exam_code: str
    exam_date: date


@dataclass(frozen=True, slots=True)
class Derived:
    """A value in reporting minutes, and how it was worked out: a step in words each, the last is the value."""

    minutes: Decimal
    steps: tuple[str, ...]


def minutes_of_exam(exam: Exam | None, rules: Iterable[MinutesRule], on: date) -> Valued:
    """Value one exam on a local date: by its own minutes, else by the rule that names it most narrowly.

    A rule that names the exam goes before one of its region, that before one of its modality; of two alike the
    one in force the shorter time.
    """
    if exam is None:
        return Valued(UNMAPPED_MINUTES, "none")
    if exam.reporting_minutes is not None:
        return Valued(exam.reporting_minutes, "network")
    fitting = [rule for rule in rules if _fits(rule, exam, on)]
    if not fitting:
        return Valued(UNMAPPED_MINUTES, "none")
    best = max(fitting, key=lambda rule: (_narrowness(rule), rule.valid_from, rule.code))
    return Valued(best.minutes, best.code)


def value_accession(
    exams: Sequence[ValuedExam],
    modifiers: Sequence[Modifier],
    on: date,
    *,
    age_years: int | None = None,
    prior: RelevantPrior | None = None,
) -> Derived:
    """Value an accession on a local date: the longest exam whole, each further one at its percentage.

    What is paediatric, and what has a relevant prior, is multiplied after that. An age that is not known, or no prior
    that is known, changes nothing: a value is an estimate, and no door.
    """
    ordered = sorted(exams, key=lambda one: -one.valued.minutes)  # of two alike the one that stands first
    further = _in_force(modifiers, ModifierKind.FURTHER_EXAM, on)
    value, steps = Decimal(0), []
    for position, one in enumerate(ordered):
        step = f"{one.code or 'unmapped exam'}: {_plain(one.valued.minutes)} minutes ({one.valued.by})"
        if position and further is not None:
            value += one.valued.minutes * further.percent / 100
            step += f", a further exam: {_plain(further.percent)}%"
        else:
            value += one.valued.minutes
        steps.append(step)
    child = _in_force(modifiers, ModifierKind.PAEDIATRIC, on)
    if child is not None and age_years is not None and age_years < (child.below_years or 0):
        value *= child.percent / 100
        steps.append(f"below {child.below_years} years: {_plain(child.percent)}%")
    compared = _in_force(modifiers, ModifierKind.RELEVANT_PRIOR, on)
    if compared is not None and prior is not None:
        value *= compared.percent / 100
        steps.append(f"relevant prior, {prior.exam_code} of {prior.exam_date}: {_plain(compared.percent)}%")
    minutes = _rounded(value)
    return Derived(minutes, (*steps, f"{_plain(minutes)} minutes"))


def counts_priors(modifiers: Sequence[Modifier], on: date) -> bool:
    """Whether a relevant prior changes the value of work of a local date."""
    return _in_force(modifiers, ModifierKind.RELEVANT_PRIOR, on) is not None


def reading_minutes(item_minutes: Decimal, purpose: Purpose, modifiers: Sequence[Modifier], on: date) -> Decimal:
    """Value a reading of an item: a check and a second opinion at their percentages, all else whole."""
    kind = {Purpose.CHECK: ModifierKind.CHECK, Purpose.SECOND: ModifierKind.SECOND_OPINION}.get(purpose)
    return _rounded(item_minutes if kind is None else item_minutes * _factor(modifiers, kind, on))


def _fits(rule: MinutesRule, exam: Exam, on: date) -> bool:
    return (
        rule.modality == exam.modality
        and (rule.exam_codes is None or exam.code in rule.exam_codes)
        and (rule.body_regions is None or (exam.body_region or "").lower() in rule.body_regions)
        and rule.valid_from <= on
        and (rule.valid_to is None or on <= rule.valid_to)
    )


def _narrowness(rule: MinutesRule) -> int:
    return 2 * (rule.exam_codes is not None) + (rule.body_regions is not None)


def _in_force(modifiers: Sequence[Modifier], kind: ModifierKind, on: date) -> Modifier | None:
    """Give the modifier of a kind on a day, the newest of several; None: nothing is changed."""
    standing = [
        one
        for one in modifiers
        if one.kind is kind and one.valid_from <= on and (one.valid_to is None or on <= one.valid_to)
    ]
    return max(standing, key=lambda one: one.valid_from, default=None)


def _factor(modifiers: Sequence[Modifier], kind: ModifierKind, on: date) -> Decimal:
    found = _in_force(modifiers, kind, on)
    return Decimal(1) if found is None else found.percent / 100


def _rounded(minutes: Decimal) -> Decimal:
    return minutes.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
