"""When a study is complete: policies over what its source said of it, and what a person must be told.

Pure: no I/O, no clock, no settings. It must not gather what was said (`worklist.intake.evidence` does) nor
act on the judgement (docs/decisions/0016-completeness-as-policy.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from worklist.intake.study import StepStatus
from worklist.turnaround.targets import Setting, Urgency

#: How long a source's word is waited for after the last object, where the source states no wait of its own.
LONGEST_WAIT = timedelta(minutes=30)


class CompletedBy(StrEnum):
    """What made a study complete."""

    FORCED = "forced"  # a person said so
    PROCEDURE_STEP = "procedure-step"  # its performed steps ended and what they made is here
    AVAILABILITY_NOTICE = "availability-notice"  # the source notified that it is whole, and it is here
    EXPECTED_COUNT = "expected-count"  # the source, when asked, told no more objects than are here
    QUIET = "quiet-period"  # nothing came for the quiet period, and nothing was said against it
    LONGEST_WAIT = "longest-wait"  # something was said against it, but no more came


class Signal(StrEnum):
    """What of a source is listened to beside its silence, in the configuration's words."""

    PROCEDURE_STEP = "procedure_step"
    AVAILABILITY_NOTICE = "availability_notice"
    EXPECTED_COUNT = "expected_count"


@dataclass(frozen=True, slots=True)
class Step:
    """A performed step of the study: where it stands, how many objects it counted, how many of those are missing."""

    status: StepStatus
    performed: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a study's completeness; instants are aware UTC, counts are of distinct objects.

    `quiet_at` is when its quiet period ends. `available` is what the fullest notice named, and whether that
    was all. `answered` says that the source was asked for its count and answered; `expected` None then means
    that it tells none.
    """

    instances: int
    last_received_at: datetime
    quiet_at: datetime
    steps: tuple[Step, ...] = ()
    available: tuple[int, bool] | None = None
    answered: bool = False
    expected: int | None = None
    forced: bool = False


class Standing(StrEnum):
    """What one policy makes of the evidence."""

    SILENT = "silent"  # it knows nothing, or nothing yet
    WAIT = "wait"  # it knows that the study is not complete
    COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Finding:
    """One policy's standing; `at_instances` is the number of objects with which it would be another."""

    standing: Standing
    at_instances: int | None = None


_SILENT, _COMPLETE = Finding(Standing.SILENT), Finding(Standing.COMPLETE)


class Policy(Protocol):
    """One way to tell that a study is complete."""

    @property
    def completed_by(self) -> CompletedBy:
        """What a study is complete by when this policy says so."""

    def judge(self, evidence: Evidence, *, quiet: bool) -> Finding:
        """Judge the evidence; `quiet` says whether the quiet period is over."""


@dataclass(frozen=True, slots=True)
class ProcedureStepPolicy:
    """Complete when every step has ended and what they made is here; without counts, once it is quiet too.

    A step that was discontinued has ended as well: no more will come of it.
    """

    completed_by: CompletedBy = CompletedBy.PROCEDURE_STEP

    def judge(self, evidence: Evidence, *, quiet: bool) -> Finding:
        """Judge by the steps known."""
        if not evidence.steps:
            return _SILENT
        if any(step.status is StepStatus.IN_PROGRESS for step in evidence.steps):
            return Finding(Standing.WAIT)
        missing = sum(step.missing for step in evidence.steps)
        if missing:
            return Finding(Standing.WAIT, evidence.instances + missing)
        counted = all(step.performed for step in evidence.steps)
        return _COMPLETE if counted or quiet else _SILENT


@dataclass(frozen=True, slots=True)
class AvailabilityNoticePolicy:
    """Complete when the source notified that the whole study is available and as much is here."""

    completed_by: CompletedBy = CompletedBy.AVAILABILITY_NOTICE

    def judge(self, evidence: Evidence, *, quiet: bool) -> Finding:  # noqa: ARG002  (a notice waits for no quiet)
        """Judge by the fullest notice."""
        if evidence.available is None:
            return _SILENT
        named, whole = evidence.available
        if evidence.instances < named:
            return Finding(Standing.WAIT, named)
        return _COMPLETE if whole else Finding(Standing.WAIT)


@dataclass(frozen=True, slots=True)
class ExpectedCountPolicy:
    """Complete when it is quiet and at least as much is here as the source told when asked.

    A quiet study waits for the answer. A source that tells no count says nothing.
    """

    completed_by: CompletedBy = CompletedBy.EXPECTED_COUNT

    def judge(self, evidence: Evidence, *, quiet: bool) -> Finding:
        """Judge by the count told."""
        if not evidence.answered:
            return Finding(Standing.WAIT) if quiet else _SILENT
        if evidence.expected is None:
            return _SILENT
        if evidence.instances < evidence.expected:
            return Finding(Standing.WAIT, evidence.expected)
        return _COMPLETE if quiet else _SILENT


_POLICIES: dict[Signal, Policy] = {
    Signal.PROCEDURE_STEP: ProcedureStepPolicy(),
    Signal.AVAILABILITY_NOTICE: AvailabilityNoticePolicy(),
    Signal.EXPECTED_COUNT: ExpectedCountPolicy(),
}


@dataclass(frozen=True, slots=True)
class Completeness:
    """A source's completeness policy: the signals listened to, in order, and the longest wait for them.

    Without signals the quiet period alone decides.
    """

    signals: tuple[Signal, ...] = ()
    longest_wait: timedelta = LONGEST_WAIT

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies of the signals, in order."""
        return tuple(_POLICIES[signal] for signal in self.signals)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a study is complete, by what; else when to judge again.

    `look_at` None is the end of the quiet period; with `at_instances` objects it is judged whatever the time.
    """

    completed_by: CompletedBy | None = None
    look_at: datetime | None = None
    at_instances: int | None = None


def judge(completeness: Completeness, evidence: Evidence, now: datetime) -> Judgement:
    """Judge whether a study is complete at an aware instant.

    A person's word counts before all. Of the policies the first that says complete wins. While any knows
    that something is to come the study waits, but no longer than the longest wait after its last object.
    When none knows anything the quiet period decides.
    """
    if evidence.forced:
        return Judgement(CompletedBy.FORCED)
    quiet = now >= evidence.quiet_at
    findings = [(policy.completed_by, policy.judge(evidence, quiet=quiet)) for policy in completeness.policies]
    for completed_by, finding in findings:
        if finding.standing is Standing.COMPLETE:
            return Judgement(completed_by)
    counts = [finding.at_instances for _, finding in findings if finding.at_instances is not None]
    if any(finding.standing is Standing.WAIT for _, finding in findings):
        until = max(evidence.quiet_at, evidence.last_received_at + completeness.longest_wait)
        if now >= until:
            return Judgement(CompletedBy.LONGEST_WAIT)
        return Judgement(look_at=until, at_instances=min(counts, default=None))
    return Judgement(CompletedBy.QUIET) if quiet else Judgement()


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a person must look at of a study that is held to be complete: an exception's kind and its words."""

    kind: str
    detail: str


#: The kinds of doubt that `doubts_about` raises; what it no longer raises is settled.
DOUBTS = ("acquisition-discontinued", "instance-count-mismatch", "completeness-not-confirmed")


def doubts_about(completeness: Completeness, evidence: Evidence) -> frozenset[Doubt]:
    """Give the doubts about a study that is held to be complete.

    They follow from what is known now, whatever made the study complete and in whatever order it was heard.
    Where a person said that it is complete only a discontinued acquisition is told.
    """
    found = set()
    if any(step.status is StepStatus.DISCONTINUED for step in evidence.steps):
        found.add(Doubt(DOUBTS[0], "a performed procedure step was discontinued; images may be missing for good"))
    if evidence.forced:
        return frozenset(found)
    for policy in completeness.policies:
        finding = policy.judge(evidence, quiet=True)
        if finding.standing is Standing.WAIT and finding.at_instances is not None:
            found.add(Doubt(DOUBTS[1], f"fewer objects came than its source tells of ({policy.completed_by.value})"))
        elif finding.standing is Standing.WAIT:
            found.add(Doubt(DOUBTS[2], f"its source never said that it is whole ({policy.completed_by.value})"))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class ClaimWhileArriving:
    """Which work of a source may be claimed while its images still come; an unknown fact opens nothing."""

    settings: frozenset[Setting] = field(default=frozenset({Setting.EMERGENCY, Setting.CRITICAL_CARE}))
    urgencies: frozenset[Urgency] = field(default=frozenset({Urgency.STROKE, Urgency.MAJOR_TRAUMA, Urgency.EMERGENCY}))

    def opens(self, setting: Setting | None, urgency: Urgency | None) -> bool:
        """Whether work of this setting or this urgency is opened; None is not known."""
        return setting in self.settings or urgency in self.urgencies

    @property
    def opens_any(self) -> bool:
        """Whether it opens anything at all."""
        return bool(self.settings or self.urgencies)
