"""Who may report what: a hard filter that answers with reasons.

Every condition is evaluated and told, pass or fail, with the record that decided it. An unknown
fact is never a harmless one. Pure: no I/O, no clock, no settings. Urgency and shortage must not
enter: they change costs, never eligibility.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from allocation import entitlement as entitlements
from allocation import scope as scopes
from allocation.reporter import REGISTER, Reporter
from allocation.scope import Circumstances, Grant, Level
from worklist.local_time import LONDON


@dataclass(frozen=True, slots=True)
class Exam:
    """An exam of the work: its catalogue code (None: unmapped) and whether it is ionising."""

    code: str | None
    ionising: bool


@dataclass(frozen=True, slots=True)
class Work:
    """What eligibility looks at: performing trust (ODS), exams, age, setting, exclusion flags; None is not known.

    `flags` are so of the work, `cleared_flags` are not; any other flag is not known.
    """

    trust: str
    exams: tuple[Exam, ...]
    age_years: int | None
    setting: str | None
    flags: frozenset[str] = frozenset()
    cleared_flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reason:
    """One condition: its name, whether it passed, what decided it, in words a reporter understands."""

    condition: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a reporter may report the work, at what level, until when (aware UTC), and every reason."""

    eligible: bool
    level: Level | None
    valid_until: datetime | None
    reasons: tuple[Reason, ...]

    @property
    def failures(self) -> tuple[str, ...]:
        """What stands in the way, in words."""
        return tuple(reason.detail for reason in self.reasons if not reason.passed)


def judge(reporter: Reporter, work: Work, at: datetime) -> Verdict:
    """Judge whether a reporter may report the work at an aware instant; every condition must pass."""
    on = at.astimezone(LONDON).date()
    ionising = any(exam.ionising for exam in _exams(work))
    trust_reasons, trust_until = judge_trust(reporter, work.trust, ionising=ionising, on=on)
    clinical_reasons, level, clinical_until = judge_clinical(reporter, work, on)
    reasons = (*standing(reporter, on), *trust_reasons, *clinical_reasons)
    eligible = all(reason.passed for reason in reasons)
    if not eligible:
        return Verdict(False, None, None, reasons)
    last_day = min(day for day in (_registered_until(reporter), trust_until, clinical_until) if day is not None)
    return Verdict(True, level, end_of(last_day), reasons)


def standing(reporter: Reporter, on: date) -> tuple[Reason, ...]:
    """Judge the reporter's own standing on a local date: not suspended, on the register."""
    register = REGISTER.get(reporter.profession, "")
    until = _registered_until(reporter)
    if until is None:
        registered = Reason("registration", False, f"no {register} registration is recorded")
    elif until < on:
        registered = Reason("registration", False, f"{register} registration ended on {until}")
    else:
        registered = Reason("registration", True, f"{register} registration to {until}")
    suspended = reporter.suspended_at is not None
    not_suspended = Reason("suspension", not suspended, "suspended" if suspended else "not suspended")
    return not_suspended, registered


def judge_trust(reporter: Reporter, trust: str, *, ionising: bool, on: date) -> tuple[tuple[Reason, ...], date | None]:
    """Judge entitlement for a performing trust on a local date; gives the reasons and the last good day."""
    held = [one for one in reporter.entitlements if one.trust == trust]
    good = [one for one in held if entitlements.why_not(one, ionising=ionising, on=on) is None]
    if good:
        best = max(good, key=lambda one: one.valid_until)
        return (Reason("entitlement", True, f"{best.basis} for {trust} to {best.valid_until}"),), best.valid_until
    if not held:
        return (Reason("entitlement", False, f"no entitlement for {trust}"),), None
    why = sorted({str(entitlements.why_not(one, ionising=ionising, on=on)) for one in held})
    return (Reason("entitlement", False, f"{trust}: " + "; ".join(why)),), None


def judge_clinical(reporter: Reporter, work: Work, on: date) -> tuple[tuple[Reason, ...], Level | None, date | None]:
    """Judge scope of practice for every exam; gives the reasons, the lowest level and the last good day."""
    circumstances = Circumstances(work.age_years, work.setting, work.flags, work.cleared_flags)
    reasons, levels, days = [], [], []
    for exam in _exams(work):
        grant = _best_grant(reporter.grants, exam, circumstances, on)
        name = exam.code or "unmapped exam"
        if grant is None:
            reasons.append(Reason("scope", False, f"{name}: {_why_none(reporter.grants, exam, circumstances, on)}"))
        else:
            reasons.append(
                Reason("scope", True, f"{name}: {grant.scope.code} as {grant.level.name.lower()} to {grant.last_day}")
            )
            levels.append(grant.level)
            days.append(grant.last_day)
    return tuple(reasons), min(levels, default=None), min(days, default=None)


def next_change(reporter: Reporter, on: date) -> date | None:
    """Give the first local date after `on` from which a verdict about the reporter may be another; None: no such."""
    changes = [_day_after(one.valid_until) for one in reporter.registrations]
    for held in reporter.entitlements:
        changes += [held.valid_from, _day_after(held.valid_until)]
    for grant in reporter.grants:
        changes += [grant.first_day, _day_after(grant.last_day)]
    return min((day for day in changes if day > on), default=None)


def end_of(day: date) -> datetime:
    """Give the instant (UTC) at which a local date is over."""
    return datetime.combine(_day_after(day), time(0), LONDON).astimezone(UTC)


def _day_after(day: date) -> date:
    """Give the next day; what is valid to the end of the calendar is over a year early."""
    return min(day, _LAST_DAY) + timedelta(days=1)


def _exams(work: Work) -> tuple[Exam, ...]:
    """Give the exams; work of which none is known is unmapped work, and ionising for all we know."""
    return work.exams or (Exam(None, ionising=True),)


def _best_grant(grants: Iterable[Grant], exam: Exam, circumstances: Circumstances, on: date) -> Grant | None:
    covering = [grant for grant in grants if scopes.why_not(grant, exam.code, circumstances, on) is None]
    return max(covering, key=lambda grant: (grant.level, grant.last_day, -grant.id), default=None)


def _why_none(grants: Iterable[Grant], exam: Exam, circumstances: Circumstances, on: date) -> str:
    """Say why no grant covers: from the grants that name the exam, or that none does."""
    naming = [
        grant
        for grant in grants
        if (grant.scope.classifies_unmapped if exam.code is None else exam.code in grant.scope.exam_codes)
    ]
    if not naming:
        return "no scope of theirs covers it"
    return "; ".join(f"{grant.scope.code}: {scopes.why_not(grant, exam.code, circumstances, on)}" for grant in naming)


def _registered_until(reporter: Reporter) -> date | None:
    register = REGISTER.get(reporter.profession)
    return max((one.valid_until for one in reporter.registrations if one.body == register), default=None)


_LAST_DAY = date(9998, 12, 31)
