"""Runs a planner: reads the moment, solves, writes the difference to the plan in force; one at a time.

The plan is advice to the claim, never a right: what it assigns is judged again when claimed.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert

from allocation.claims import session_of
from allocation.planner.bundles import keep_together
from allocation.planner.problem import Plan, Problem, WaitingReading, Worker
from allocation.workforce import index_new_profiles
from worklist.clock import now
from worklist.db.tables.claims import assignment, plan_run
from worklist.db.tables.people import reporter, reporter_profile, reporter_trust, reporting_session
from worklist.log import events
from worklist.turnaround.targets import NEEDED_BY_RULE_ID

#: Held while a plan is made; other allocators stand by.
_PLANNER_LOCK = 7223007
#: How far ahead sessions are planned into.
HORIZON = timedelta(hours=12)

#: Events after which a plan finds what it found before: an item that is not to be read yet, pay, a plan itself.
_PLANS_NOTHING = ("item.opened", "item.images-arrived", "pay.held", "pay.posted", "plan.changed")

Solve = Callable[[Problem], Plan]


@dataclass(frozen=True, slots=True)
class PlanRun:
    """What one run did: readings looked at, placed, and assignments changed against the last plan."""

    readings: int
    assigned: int
    changed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class News:
    """What happened since a position: the newest position, and whether a plan may hang on any of it."""

    position: int
    matters: bool


def news_since(connection: Connection, position: int) -> News:
    """Tell what happened after a position of the event log, as far as a plan is concerned."""
    newest = events.last_position(connection)
    if newest <= position:
        return News(newest, matters=newest < position)  # positions that went back are those of a restored backup
    return News(newest, bool(connection.scalar(_MATTERS, {"after": position, "nothing": list(_PLANS_NOTHING)})))


def replan(engine: Engine, solve: Solve, *, solver: str) -> PlanRun | None:
    """Plan anew and write the difference in one transaction; None when another planner is at work.

    A run that finds all as the last one did leaves no row.
    """
    started = time.perf_counter()
    with engine.begin() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": _PLANNER_LOCK}):
            return None
        index_new_profiles(connection)
        problem = read_problem(connection)
        found = keep_together(problem, solve(problem))
        changed = _write(connection, found)
        run = PlanRun(len(problem.readings), len(found.assigned), changed, time.perf_counter() - started)
        if changed or not _found_before(connection, run, found):
            connection.execute(
                insert(plan_run).values(
                    solver=solver,
                    readings=run.readings,
                    assigned=run.assigned,
                    changed=changed,
                    seconds=run.seconds,
                    unassigned_by_reason=dict(found.unassigned_by_reason),
                )
            )
            events.append(
                connection,
                "plan.changed",
                dimensions={
                    "assigned": run.assigned,
                    "changed": changed,
                    "unassigned": dict(found.unassigned_by_reason),
                },
            )
        return run


def _found_before(connection: Connection, run: PlanRun, found: Plan) -> bool:
    """Whether the last run's figures are this one's."""
    last = connection.execute(select(plan_run).order_by(plan_run.c.id.desc()).limit(1)).one_or_none()
    figures = run.readings, run.assigned, dict(found.unassigned_by_reason)
    return figures == ((last.readings, last.assigned, last.unassigned_by_reason) if last else (0, 0, {}))


def read_problem(connection: Connection) -> Problem:
    """Read the moment: free readings, sessions of the horizon, and who may read what by the index."""
    moment = now(connection)
    sessions = tuple(
        session_of(row)
        for row in connection.execute(
            select(reporting_session)
            .where(
                reporting_session.c.cancelled_at.is_(None),
                reporting_session.c.ends_at > moment,
                reporting_session.c.starts_at < moment + HORIZON,
            )
            .order_by(reporting_session.c.id)
        )
    )
    excluded: dict[int, set[int]] = defaultdict(set)
    for row in connection.execute(_EXCLUSIONS):
        excluded[row.item_id].add(row.reporter_id)
    readings = tuple(
        WaitingReading(
            row.id,
            row.item_id,
            row.profile_id,
            row.trust_ods,
            row.ionising,
            row.modality,
            row.subspecialty,
            row.purpose == "check",
            row.for_radiologist,
            row.due_at,
            float(row.reporting_minutes),
            frozenset(excluded[row.item_id]),
            None if row.exam_date is None else (row.patient_id, row.exam_date),
            row.target_rule == NEEDED_BY_RULE_ID,
        )
        for row in connection.execute(_WAITING)
    )
    return Problem(moment, readings, sessions, _workers(connection))


def _workers(connection: Connection) -> dict[int, Worker]:
    """Read everyone who may read anything; a planner counts all of them, in session or not."""
    levels: dict[int, dict[int, str]] = defaultdict(dict)
    for row in connection.execute(
        select(reporter_profile).where(reporter_profile.c.valid_until > text("radpool_now()"))
    ):
        levels[row.reporter_id][row.profile_id] = row.level
    trusts: dict[int, set[tuple[str, bool]]] = defaultdict(set)
    for row in connection.execute(select(reporter_trust).where(reporter_trust.c.valid_until > text("radpool_now()"))):
        trusts[row.reporter_id].add((row.trust_ods, row.ionising))
    return {
        row.id: Worker(
            row.id, row.profession == "radiologist", row.subspecialties, levels[row.id], frozenset(trusts[row.id])
        )
        for row in connection.execute(select(reporter).where(reporter.c.suspended_at.is_(None)).order_by(reporter.c.id))
    }


def _write(connection: Connection, found: Plan) -> int:
    """Write what differs from the plan in force and give how many rows that were."""
    standing = {row.reading_id: row for row in connection.execute(select(assignment))}
    wanted = {one.reading_id: one for one in found.assigned}
    gone = [reading_id for reading_id in standing if reading_id not in wanted]
    if gone:
        connection.execute(delete(assignment).where(assignment.c.reading_id.in_(gone)))
    different: list[dict[str, Any]] = [
        {
            "reading_id": one.reading_id,
            "item_id": one.item_id,
            "reporter_id": one.reporter_id,
            "session_id": one.session_id,
            "rank": one.rank,
            "valid_until": one.valid_until,
            "why": one.why,
        }
        for one in found.assigned
        if (row := standing.get(one.reading_id)) is None
        or (row.reporter_id, row.session_id, row.rank, row.valid_until)
        != (one.reporter_id, one.session_id, one.rank, one.valid_until)
    ]
    if different:
        statement = upsert(assignment)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["reading_id"],
                set_={
                    name: getattr(statement.excluded, name)
                    for name in ("reporter_id", "session_id", "rank", "valid_until", "why")
                },
            ),
            different,
        )
    return len(gone) + len(different)


_MATTERS = text(
    "SELECT EXISTS (SELECT FROM event_position p JOIN event e ON e.id = p.event_id AND e.at = p.event_at"
    " WHERE p.position > :after AND e.kind <> ALL(CAST(:nothing AS text[]))"
    " AND NOT (e.kind = 'item.order-taken' AND e.dimensions ->> 'state' = 'ordered'))"  # it waits for images
)

_EXCLUSIONS = text(
    "SELECT x.item_id, x.reporter_id FROM item_exclusion x JOIN reading r ON r.item_id = x.item_id"
    " WHERE r.state = 'open'"
)

_WAITING = text(
    """
    SELECT r.id, r.item_id, r.profile_id, r.trust_ods, p.ionising, i.modality, r.purpose, r.for_radiologist,
           r.due_at, r.reporting_minutes, i.patient_id, i.exam_date, i.target_rule,
           (SELECT e.subspecialty FROM item_exam ie JOIN exam e ON e.code = ie.exam_code
            WHERE ie.item_id = r.item_id
            ORDER BY coalesce(ie.reporting_minutes, e.reporting_minutes) DESC NULLS LAST, e.code
            LIMIT 1) AS subspecialty
    FROM reading r JOIN profile p ON p.id = r.profile_id JOIN item i ON i.id = r.item_id
    WHERE r.state = 'open' AND r.free_from <= radpool_now() AND NOT EXISTS (
      SELECT FROM home_reading h WHERE h.item_id = i.id AND h.being_read AND h.until > radpool_now()
      AND h.said_at >= coalesce(i.clock_start_at, '-infinity'))
    ORDER BY r.due_at, r.id
    """
)
