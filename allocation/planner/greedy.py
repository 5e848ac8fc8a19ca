"""A plan by one pass in order of due time: each reading to the session where it costs least.

Pure and deterministic: the same problem gives the same plan. It must not leave a reading out for
whom some session in the horizon has minutes; it does not look ahead for scarce skills.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta

from allocation.planner.problem import Assigned, Plan, Problem, WaitingReading, Worker, may_read
from allocation.session import ReportingSession, SessionKind

#: Cost of a kind of session, in minutes of lateness: job-planned time comes before paid time.
KIND_MINUTES = {
    SessionKind.JOB_PLANNED: 0.0,
    SessionKind.DUTY: 5.0,
    SessionKind.ON_CALL: 30.0,
    SessionKind.INSOURCED: 15.0,
}
#: Cost of a reader of another subspecialty, and of a trainee whose report must be checked.
OTHER_SUBSPECIALTY_MINUTES = 10.0
TO_BE_CHECKED_MINUTES = 10.0
#: Weight of lateness against the rest.
LATENESS_WEIGHT = 4.0


def plan(problem: Problem) -> Plan:
    """Plan every waiting reading that some session of the problem can take."""
    free_from = {one.id: max(one.starts_at, problem.now) for one in problem.sessions}
    used_minutes: dict[int, float] = defaultdict(float)
    ranks: Counter[int] = Counter()
    reasons: Counter[str] = Counter()
    assigned = []
    for reading in sorted(problem.readings, key=lambda one: (one.due_at, one.id)):
        able = [worker for worker in problem.workers.values() if may_read(worker, reading)]
        options = []
        for one in problem.sessions:
            worker = problem.workers.get(one.reporter_id)
            if worker is None or not may_read(worker, reading) or not one.takes(reading.trust, reading.modality):
                continue
            starts_at = free_from[one.id] + timedelta(minutes=used_minutes[one.id])
            if starts_at + timedelta(minutes=reading.minutes) <= one.ends_at:
                options.append((_cost(reading, one, worker, starts_at), one.id, one))
        if not options:
            reasons[_why_not(able, reading, problem)] += 1
            continue
        _, _, session = min(options, key=lambda option: option[:2])
        used_minutes[session.id] += reading.minutes
        ranks[session.reporter_id] += 1
        assigned.append(
            Assigned(
                reading.id,
                reading.item_id,
                session.reporter_id,
                session.id,
                ranks[session.reporter_id],
                session.ends_at,
                _why(reading, session, problem.workers[session.reporter_id], len(able)),
            )
        )
    return Plan(tuple(assigned), dict(sorted(reasons.items())))


def _cost(reading: WaitingReading, session: ReportingSession, worker: Worker, starts_at: datetime) -> float:
    """Cost in minutes: weighted lateness, kind of time, fit of subspecialty, need of a check."""
    done_after = (starts_at - reading.due_at).total_seconds() / 60 + reading.minutes
    fits = reading.subspecialty is None or any(
        name in reading.subspecialty or reading.subspecialty in name for name in worker.subspecialties
    )
    return (
        LATENESS_WEIGHT * max(0.0, done_after)
        + KIND_MINUTES[session.kind]
        + (0.0 if fits else OTHER_SUBSPECIALTY_MINUTES)
        + (TO_BE_CHECKED_MINUTES if worker.levels[reading.profile_id] == "trainee" else 0.0)
        + (starts_at - session.starts_at).total_seconds() / 3600
    )


def _why(reading: WaitingReading, session: ReportingSession, worker: Worker, able: int) -> str:
    fit = "your subspecialty" if reading.subspecialty in worker.subspecialties else "within your scope"
    needed = "; due when a clinic or meeting needs it" if reading.needed_by else ""
    return f"{fit}; {able} in the network may read it; {session.kind.value.replace('_', '-')} session{needed}"


def _why_not(able: list[Worker], reading: WaitingReading, problem: Problem) -> str:
    if not able:
        return "no eligible reporter"
    reporters = {worker.reporter_id for worker in able}
    if not any(one.reporter_id in reporters for one in problem.sessions):
        return "no eligible reporter in session"
    if not any(one.reporter_id in reporters and one.takes(reading.trust, reading.modality) for one in problem.sessions):
        return "no session takes it"
    return "no minutes left in sessions"
