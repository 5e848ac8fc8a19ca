"""A plan carried forward tells what would be done, late and left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from allocation.planner.greedy import plan
from allocation.planner.problem import Problem, WaitingReading, Worker
from allocation.session import ReportingSession, SessionKind
from allocation.simulation.projection import project, without_reporters

NOW = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)


def reading(number: int, due_in_minutes: int, minutes: float = 10) -> WaitingReading:
    return WaitingReading(
        id=number,
        item_id=number,
        profile_id=1,
        trust="RXA",
        ionising=True,
        modality="XR",
        subspecialty=None,
        is_check=False,
        for_radiologist=False,
        due_at=NOW + timedelta(minutes=due_in_minutes),
        minutes=minutes,
    )


def problem(*readings: WaitingReading, hours: float = 1) -> Problem:
    session = ReportingSession(7, 1, SessionKind.JOB_PLANNED, NOW - timedelta(hours=1), NOW + timedelta(hours=hours))
    worker = Worker(1, True, {}, {1: "autonomous"}, frozenset({("RXA", True)}))
    return Problem(NOW, readings, (session,), {1: worker})


def test_readings_take_their_minutes_one_after_the_other() -> None:
    posed = problem(reading(1, 60), reading(2, 60), reading(3, 60))
    found = project(posed, plan(posed))
    assert (found.done, found.late) == (3, 0)
    assert found.last_done_at == NOW + timedelta(minutes=30)
    assert found.minutes_by_session == {7: 30}


def test_a_reading_that_is_done_after_its_due_time_is_late() -> None:
    posed = problem(reading(1, 5), reading(2, 15))
    found = project(posed, plan(posed))
    assert found.late == 2
    assert found.breaches == 2


def test_what_no_session_has_minutes_for_is_left_with_the_reason() -> None:
    posed = problem(reading(1, 600, minutes=40), reading(2, 600, minutes=40))
    found = project(posed, plan(posed))
    assert (found.done, found.never_done_by_reason) == (1, {"no minutes left in sessions": 1})
    assert found.breaches == 1


def test_readings_that_are_overdue_already_are_counted_apart() -> None:
    posed = problem(reading(1, -5), reading(2, 60))
    assert project(posed, plan(posed)).already_overdue == 1


def test_without_its_only_reporter_nothing_is_done() -> None:
    posed = without_reporters(problem(reading(1, 60)), frozenset({1}))
    found = project(posed, plan(posed))
    assert (found.done, found.never_done_by_reason) == (0, {"no eligible reporter in session": 1})
