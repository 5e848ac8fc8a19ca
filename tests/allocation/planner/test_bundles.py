"""One patient's work of one day stands together in a plan, and nothing becomes late or wrong by that."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from allocation.planner.bundles import MOST_OF_A_DAY, keep_together
from allocation.planner.greedy import plan
from allocation.planner.problem import Plan, Problem, WaitingReading, may_read
from allocation.session import SessionKind
from tests.allocation.planner.test_greedy import (
    NOW,
    a_problem,
    a_reading,
    a_session,
    problems,
    room_in,
    used_minutes,
)

DAY = date(2026, 6, 10)


@st.composite
def bundled(draw: st.DrawFn) -> Problem:
    problem = draw(problems)
    keys = st.sampled_from([None, (1, DAY), (2, DAY), (3, DAY)])
    return replace(problem, readings=tuple(replace(one, bundle=draw(keys)) for one in problem.readings))


def done_at(problem: Problem, found: Plan) -> dict[int, datetime]:
    minutes = {one.id: one.minutes for one in problem.readings}
    at = {one.id: max(one.starts_at, problem.now) for one in problem.sessions}
    done = {}
    for one in sorted(found.assigned, key=lambda assigned: (assigned.reporter_id, assigned.rank)):
        at[one.session_id] += timedelta(minutes=minutes[one.reading_id])
        done[one.reading_id] = at[one.session_id]
    return done


@given(bundled())
def test_what_was_planned_in_time_stays_in_time_and_nothing_is_lost(problem: Problem) -> None:
    before = plan(problem)
    after = keep_together(problem, before)
    assert [one.reading_id for one in after.assigned] == [one.reading_id for one in before.assigned]
    assert after.unassigned_by_reason == before.unassigned_by_reason
    then, now = done_at(problem, before), done_at(problem, after)
    late = {one.id for one in problem.readings if one.id in then and then[one.id] <= one.due_at < now[one.id]}
    assert late == set()


@given(bundled())
def test_nothing_goes_beyond_right_session_minutes_or_into_paid_time(problem: Problem) -> None:
    before = plan(problem)
    after = keep_together(problem, before)
    readings = {one.id: one for one in problem.readings}
    sessions = {one.id: one for one in problem.sessions}
    was = {one.reading_id: one for one in before.assigned}
    for one in after.assigned:
        reading, session = readings[one.reading_id], sessions[one.session_id]
        assert session.reporter_id == one.reporter_id
        assert may_read(problem.workers[one.reporter_id], reading)
        assert session.takes(reading.trust, reading.modality)
        assert one.valid_until == session.ends_at
        assert session.pays_per_report <= sessions[was[one.reading_id].session_id].pays_per_report or (
            session.id == was[one.reading_id].session_id
        )
    for number, minutes in used_minutes(problem, after).items():
        assert minutes <= room_in(sessions[number]) + 1e-6
    ranks: dict[int, list[int]] = defaultdict(list)
    for one in after.assigned:
        ranks[one.reporter_id].append(one.rank)
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in ranks.values())


@given(bundled(), st.randoms())
def test_the_same_plan_is_changed_in_the_same_way(problem: Problem, random: Random) -> None:
    shuffled = list(problem.readings)
    random.shuffle(shuffled)
    again = replace(problem, readings=tuple(shuffled))
    assert keep_together(again, plan(again)) == keep_together(problem, plan(problem))


def of_one(*readings: WaitingReading) -> list[WaitingReading]:
    return [replace(one, bundle=(1, DAY)) for one in readings]


def order_of(problem: Problem) -> list[tuple[int, int]]:
    """Give (session, reading) in the order in which each reporter would read."""
    found = keep_together(problem, plan(problem)).assigned
    return [(one.session_id, one.reading_id) for one in sorted(found, key=lambda one: (one.reporter_id, one.rank))]


def hours(number: int) -> timedelta:
    return timedelta(hours=number)


def test_what_is_due_later_stands_behind_what_the_same_patient_has_first() -> None:
    first, last = of_one(a_reading(1, due_in=hours(1)), a_reading(3, due_in=hours(9)))
    between = a_reading(2, due_in=hours(5))
    assert order_of(a_problem([first, between, last], [a_session(1)])) == [(1, 1), (1, 3), (1, 2)]


def test_it_goes_to_the_colleague_who_has_the_first() -> None:
    first, last = of_one(a_reading(1, minutes=30.0), a_reading(2, due_in=hours(30)))
    problem = a_problem([first, last], [a_session(1), a_session(2)])
    assert {one.session_id for one in plan(problem).assigned} == {1, 2}
    assert order_of(problem) == [(1, 1), (1, 2)]
    [moved] = [one for one in keep_together(problem, plan(problem)).assigned if one.reading_id == 2]
    assert moved.why == "of the same patient and day as the one before; job-planned session"


def test_nothing_in_between_is_made_late_by_it() -> None:
    first, last = of_one(a_reading(1, due_in=hours(1)), a_reading(3, due_in=hours(9), minutes=45.0))
    between = a_reading(2, due_in=timedelta(minutes=46))
    assert order_of(a_problem([replace(first, due_at=NOW), between, last], [a_session(1)])) == [(1, 1), (1, 2), (1, 3)]


def test_it_is_not_moved_from_job_planned_into_paid_time() -> None:
    first, last = of_one(a_reading(1, due_in=timedelta(minutes=30)), a_reading(2, due_in=hours(30)))
    paid = a_session(1, SessionKind.INSOURCED)
    planned = a_session(2, SessionKind.JOB_PLANNED, starts_after=timedelta(hours=2))
    assert order_of(a_problem([first, last], [paid, planned])) == [(1, 1), (2, 2)]


def test_who_may_not_read_the_second_is_not_given_it() -> None:
    first, last = of_one(a_reading(1, minutes=30.0), replace(a_reading(2, due_in=hours(30)), profile_id=2))
    problem = a_problem([first, last], [a_session(1), a_session(2)])
    workers = {
        1: replace(problem.workers[1], levels={1: "autonomous"}),
        2: replace(problem.workers[2], levels={2: "autonomous"}),
    }
    assert order_of(replace(problem, workers=workers)) == [(1, 1), (2, 2)]


def test_another_day_is_no_bundle_and_a_phantom_s_hundred_exams_are_left_alone() -> None:
    first, between, last = (a_reading(number, due_in=hours(number)) for number in (1, 2, 3))
    other = replace(last, bundle=(1, date(2026, 6, 9)))
    assert order_of(a_problem([*of_one(first), between, other], [a_session(1)])) == [(1, 1), (1, 2), (1, 3)]
    many = of_one(*(a_reading(number, minutes=1.5) for number in range(1, MOST_OF_A_DAY + 2)))
    problem = a_problem(many, [a_session(1), a_session(2)])
    assert keep_together(problem, plan(problem)) == plan(problem)
