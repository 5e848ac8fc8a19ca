"""Scopes of practice and grants of them: which exams, ages, settings; deny by default.

Pure: no I/O, no clock, no settings. It must not look at employers; `allocation.entitlement` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum


class Level(IntEnum):
    """How far a grant goes; a higher level needs less checking."""

    TRAINEE = 1  # every report is checked
    PRECEPTEE = 2  # a falling share of reports is sampled
    AUTONOMOUS = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """A standard scope: its exam list is expanded and frozen. `settings` None: any, also unknown.

    Age limits are completed years at the exam date, inclusive; a limit closes the scope to patients
    of unknown age. Dates are local, first and last day included.
    """

    code: str
    version: int
    exam_codes: frozenset[str]
    min_age_years: int | None
    max_age_years: int | None
    settings: frozenset[str] | None
    excluded_flags: frozenset[str]
    classifies_unmapped: bool
    valid_from: date
    valid_until: date


@dataclass(frozen=True, slots=True)
class Grant:
    """A scope given to one reporter; its own limits only ever narrow the scope's."""

    id: int
    scope: Scope
    level: Level
    min_age_years: int | None
    max_age_years: int | None
    settings: frozenset[str] | None
    valid_from: date
    valid_until: date
    suspended_at: datetime | None = None

    @property
    def lowest_age_years(self) -> int | None:
        """The age from which it applies: the higher of the two limits."""
        return max(_known(self.min_age_years, self.scope.min_age_years), default=None)

    @property
    def highest_age_years(self) -> int | None:
        """The age up to which it applies: the lower of the two limits."""
        return min(_known(self.max_age_years, self.scope.max_age_years), default=None)

    @property
    def first_day(self) -> date:
        """The first local date on which it is in force."""
        return max(self.valid_from, self.scope.valid_from)

    @property
    def last_day(self) -> date:
        """The last local date on which it is in force."""
        return min(self.valid_until, self.scope.valid_until)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The facts of a piece of work that limit a scope; None is not known.

    `flags` are the exclusion flags that are so of it, `cleared_flags` those that are not; any other is not known.
    """

    age_years: int | None
    setting: str | None
    flags: frozenset[str]
    cleared_flags: frozenset[str]


def why_not(grant: Grant, exam_code: str | None, work: Circumstances, on: date) -> str | None:
    """Say why a grant does not cover an exam on a local date, or None where it does.

    `exam_code` None is unmapped work. The first failing condition is given, the list of exams first.
    """
    scope = grant.scope
    checks = (
        (not _lists(scope, exam_code), f"{exam_code or 'unmapped work'} is not in it"),
        (grant.suspended_at is not None, "the grant is suspended"),
        (not grant.first_day <= on <= grant.last_day, f"not in force on {on}"),
        *_age_checks(grant, work.age_years),
        *_setting_checks(grant, work.setting),
        *_flag_checks(scope, work),
    )
    return next((reason for failed, reason in checks if failed), None)


def _lists(scope: Scope, exam_code: str | None) -> bool:
    return scope.classifies_unmapped if exam_code is None else exam_code in scope.exam_codes


def _age_checks(grant: Grant, age_years: int | None) -> tuple[tuple[bool, str], ...]:
    lowest, highest = grant.lowest_age_years, grant.highest_age_years
    if lowest is None and highest is None:
        return ()
    if age_years is None:
        return ((True, "it is limited by age and the patient's age is not known"),)
    return (
        (lowest is not None and age_years < lowest, f"it begins at {lowest} years"),
        (highest is not None and age_years > highest, f"it ends at {highest} years"),
    )


def _setting_checks(grant: Grant, setting: str | None) -> tuple[tuple[bool, str], ...]:
    limits = [limit for limit in (grant.settings, grant.scope.settings) if limit is not None]
    if not limits:
        return ()
    if setting is None:
        return ((True, "it is limited by referral setting and the setting is not known"),)
    return tuple((setting not in limit, f"it does not cover the setting {setting}") for limit in limits)


def _flag_checks(scope: Scope, work: Circumstances) -> tuple[tuple[bool, str], ...]:
    return tuple(
        (flag not in work.cleared_flags, f"it excludes {flag}; whether it is so is not known")
        if flag not in work.flags
        else (True, f"it excludes {flag}")
        for flag in sorted(scope.excluded_flags, key=lambda flag: (flag not in work.flags, flag))
    )


def _known(*values: int | None) -> list[int]:
    return [value for value in values if value is not None]
