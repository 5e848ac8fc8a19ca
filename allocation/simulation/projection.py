"""Carries a plan forward: when each reading would be done, and which would be late.

Pure: no I/O, no clock, no settings. Readers work their list in order, from the later of now and the
session's start, each reading taking the reporting minutes it is valued at. Nothing new arrives. It
must not plan; a planner does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from allocation.planner.problem import Plan, Problem


@dataclass(frozen=True, slots=True)
class Projection:
    """What a plan would come to. Minutes are reporting minutes; `late` counts readings done after due."""

    readings: int
    done: int
    late: int
    never_done_by_reason: Mapping[str, int]
    already_overdue: int
    minutes_by_session: Mapping[int, float]
    last_done_at: datetime | None

    @property
    def breaches(self) -> int:
        """Readings that would pass their due time, done late or not at all in the horizon."""
        return self.late + sum(self.never_done_by_reason.values())


def project(problem: Problem, plan: Plan) -> Projection:
    """Give what a plan of this problem would come to."""
    readings = {one.id: one for one in problem.readings}
    starts_at = {one.id: max(one.starts_at, problem.now) for one in problem.sessions}
    used: dict[int, float] = defaultdict(float)
    late, last = 0, None
    for one in sorted(plan.assigned, key=lambda assigned: (assigned.reporter_id, assigned.rank)):
        used[one.session_id] += readings[one.reading_id].minutes
        done_at = starts_at[one.session_id] + timedelta(minutes=used[one.session_id])
        late += done_at > readings[one.reading_id].due_at
        last = done_at if last is None else max(last, done_at)
    return Projection(
        readings=len(problem.readings),
        done=len(plan.assigned),
        late=late,
        never_done_by_reason=dict(plan.unassigned_by_reason),
        already_overdue=sum(one.due_at < problem.now for one in problem.readings),
        minutes_by_session=dict(used),
        last_done_at=last,
    )


def without_reporters(problem: Problem, reporter_ids: frozenset[int]) -> Problem:
    """Give the problem as it would be without some reporters' sessions."""
    return replace(problem, sessions=tuple(one for one in problem.sessions if one.reporter_id not in reporter_ids))
