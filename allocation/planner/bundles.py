"""Keeps one patient's work of one day together in a plan, where that makes nothing late.

Pure and deterministic: it goes over what any planner has made. It must not assign what the planner left out, nor move
work to who may not read it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from allocation.planner.problem import Assigned, Plan, Problem, WaitingReading, may_read
from allocation.session import ReportingSession

#: Nobody has so many exams of a day: what looks so is a phantom's, and is left as it is.
MOST_OF_A_DAY = 50


def keep_together(problem: Problem, plan: Plan) -> Plan:
    """Put readings of one bundle behind the first of them that is due, in its session.

    One is moved only if the session takes it and its reporter may read it, it is done no later than before or by its
    due time, nothing else that would have been done by its due time becomes late, it does not go from job-planned
    into paid time, and does not have to be checked where it did not have to be. What is late already may wait for as
    long as the one that is moved takes.
    """
    bundles: dict[object, list[WaitingReading]] = defaultdict(list)
    given = {one.reading_id: one for one in plan.assigned}
    for reading in problem.readings:
        if reading.bundle is not None and reading.id in given:
            bundles[reading.bundle].append(reading)
    several = [sorted(one, key=_due) for one in bundles.values() if 2 <= len(one) <= MOST_OF_A_DAY]
    if not several:
        return plan
    lists = _Lists(problem, plan)
    for members in sorted(several, key=lambda found: _due(found[0])):
        behind = members[0].id
        for reading in members[1:]:
            if lists.put_behind(behind, reading):
                behind = reading.id
    return Plan(tuple(lists.ranked(one.reading_id) for one in plan.assigned), plan.unassigned_by_reason)


def _due(reading: WaitingReading) -> tuple[datetime, int]:
    return reading.due_at, reading.id


class _Lists:
    """Each reporter's list in the order of the plan, while readings are moved in it."""

    def __init__(self, problem: Problem, plan: Plan) -> None:
        self._problem = problem
        self._readings = {one.id: one for one in problem.readings}
        self._sessions = {one.id: one for one in problem.sessions}
        self._given = {one.reading_id: one for one in plan.assigned}
        self._of_reporter: dict[int, list[int]] = defaultdict(list)
        for one in sorted(plan.assigned, key=lambda assigned: (assigned.reporter_id, assigned.rank)):
            self._of_reporter[one.reporter_id].append(one.reading_id)
        self._ranks: Mapping[int, int] | None = None

    def put_behind(self, leading: int, reading: WaitingReading) -> bool:
        """Put a reading right behind another, in its session; gives whether it stands there now."""
        first, moved = self._given[leading], self._given[reading.id]
        order = self._of_reporter[first.reporter_id]
        at = order.index(leading) + 1
        if moved.session_id == first.session_id and order[at : at + 1] == [reading.id]:
            return True
        session = self._sessions[first.session_id]
        if not self._may_go(reading, moved, session):
            return False
        changed = [one for one in order if one != reading.id]
        changed.insert(changed.index(leading) + 1, reading.id)
        if not self._is_in_time(reading, moved, session, changed):
            return False
        self._of_reporter[moved.reporter_id].remove(reading.id)
        self._of_reporter[first.reporter_id] = changed
        why = f"of the same patient and day as the one before; {session.kind.value.replace('_', '-')} session"
        self._given[reading.id] = replace(
            moved, reporter_id=first.reporter_id, session_id=session.id, valid_until=session.ends_at, why=why
        )
        self._ranks = None
        return True

    def ranked(self, reading_id: int) -> Assigned:
        """Give what became of an assignment, with its rank."""
        if self._ranks is None:
            self._ranks = {one: rank for order in self._of_reporter.values() for rank, one in enumerate(order, start=1)}
        return replace(self._given[reading_id], rank=self._ranks[reading_id])

    def _may_go(self, reading: WaitingReading, moved: Assigned, session: ReportingSession) -> bool:
        worker, before = self._problem.workers[session.reporter_id], self._problem.workers[moved.reporter_id]
        was_paid = self._sessions[moved.session_id].pays_per_report
        levels = worker.levels.get(reading.profile_id), before.levels.get(reading.profile_id)
        return (
            may_read(worker, reading)
            and session.takes(reading.trust, reading.modality)
            and (was_paid or not session.pays_per_report)
            and (levels[0] != "trainee" or levels[1] == "trainee")
        )

    def _is_in_time(
        self, reading: WaitingReading, moved: Assigned, session: ReportingSession, changed: Sequence[int]
    ) -> bool:
        own = [one for one in changed if one == reading.id or self._given[one].session_id == session.id]
        after = self._done(session, own)
        if after[own[-1]] > session.ends_at:
            return False
        before = self._done(session, self._queue(session))
        elsewhere = self._sessions[moved.session_id]
        of_moved = self._done(elsewhere, self._queue(elsewhere))[reading.id]
        if after[reading.id] > max(of_moved, reading.due_at):
            return False
        return not any(before[one] <= self._readings[one].due_at < after[one] for one in own if one != reading.id)

    def _queue(self, session: ReportingSession) -> list[int]:
        return [one for one in self._of_reporter[session.reporter_id] if self._given[one].session_id == session.id]

    def _done(self, session: ReportingSession, queue: Sequence[int]) -> dict[int, datetime]:
        """Give when each reading of a session's queue would be done (aware UTC)."""
        at, done = max(session.starts_at, self._problem.now), {}
        for one in queue:
            at += timedelta(minutes=self._readings[one].minutes)
            done[one] = at
        return done
