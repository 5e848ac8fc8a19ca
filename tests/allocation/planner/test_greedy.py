"""The greedy plan: never beyond right, session or minutes; in order of due time; and it says what is left over."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from allocation.planner.greedy import plan
from allocation.planner.problem import Plan, Problem, WaitingReading, Worker, may_read
from allocation.session import ReportingSession, SessionKind

NOW = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
TRUSTS = ("RXA", "RXB")
MODALITIES = ("XR", "CT", None)
PROFILES = (1, 2, 3)
SUBSPECIALTIES = ("neuro", "chest", None)


@st.composite
def readings(draw: st.DrawFn) -> tuple[WaitingReading, ...]:
    numbers = draw(st.lists(st.integers(1, 60), unique=True, max_size=25))
    return tuple(
        WaitingReading(
            id=number,
            item_id=1000 + number,
            profile_id=draw(st.sampled_from(PROFILES)),
            trust=draw(st.sampled_from(TRUSTS)),
            ionising=draw(st.booleans()),
            modality=draw(st.sampled_from(MODALITIES)),
            subspecialty=draw(st.sampled_from(SUBSPECIALTIES)),
            is_check=draw(st.booleans()),
            for_radiologist=draw(st.booleans()),
            due_at=NOW + timedelta(minutes=draw(st.integers(-300, 600))),
            minutes=draw(st.sampled_from([1.5, 2.0, 8.0, 15.0, 45.0])),
            excluded_reporters=draw(st.frozensets(st.integers(1, 4), max_size=2)),
        )
        for number in numbers
    )


@st.composite
def workers(draw: st.DrawFn) -> dict[int, Worker]:
    return {
        number: Worker(
            number,
            is_radiologist=draw(st.booleans()),
            subspecialties=draw(st.dictionaries(st.sampled_from(["neuro", "chest"]), st.integers(1, 5))),
            levels=draw(
                st.dictionaries(st.sampled_from(PROFILES), st.sampled_from(["trainee", "preceptee", "autonomous"]))
            ),
            trusts=draw(st.frozensets(st.tuples(st.sampled_from(TRUSTS), st.booleans()))),
        )
        for number in draw(st.sets(st.integers(1, 4)))
    }


@st.composite
def sessions(draw: st.DrawFn) -> tuple[ReportingSession, ...]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        starts_at = NOW + timedelta(minutes=draw(st.integers(-120, 240)))
        found.append(
            ReportingSession(
                id=number + 1,
                reporter_id=draw(st.integers(1, 5)),  # 5 is nobody whom the index knows
                kind=draw(st.sampled_from(SessionKind)),
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=draw(st.integers(1, 180))),
                trusts=draw(st.none() | st.frozensets(st.sampled_from(TRUSTS))),
                modalities=draw(st.none() | st.frozensets(st.sampled_from(["XR", "CT"]))),
            )
        )
    return tuple(found)


problems = st.builds(Problem, st.just(NOW), readings(), sessions(), workers())


@given(problems)
def test_nothing_is_assigned_beyond_right_session_or_minutes(problem: Problem) -> None:
    by_reading = {one.id: one for one in problem.readings}
    by_session = {one.id: one for one in problem.sessions}
    for one in plan(problem).assigned:
        reading, session = by_reading[one.reading_id], by_session[one.session_id]
        assert one.item_id == reading.item_id
        assert one.reporter_id == session.reporter_id
        assert may_read(problem.workers[one.reporter_id], reading)
        assert one.reporter_id not in reading.excluded_reporters
        assert session.takes(reading.trust, reading.modality)
        assert one.valid_until == session.ends_at
    for number, minutes in used_minutes(problem, plan(problem)).items():
        assert minutes <= room_in(by_session[number]) + 1e-6


@given(problems)
def test_every_reading_is_assigned_once_or_counted_with_a_reason(problem: Problem) -> None:
    found = plan(problem)
    assigned = [one.reading_id for one in found.assigned]
    assert len(set(assigned)) == len(assigned)
    assert len(assigned) + sum(found.unassigned_by_reason.values()) == len(problem.readings)


@given(problems)
def test_the_reasons_are_true(problem: Problem) -> None:
    found = plan(problem)
    assigned = {one.reading_id for one in found.assigned}
    told: Counter[str] = Counter()
    for reading in problem.readings:
        if reading.id not in assigned:
            told[reason_of(problem, reading)] += 1
    assert dict(told) == dict(found.unassigned_by_reason)


@given(problems)
def test_nothing_is_left_out_for_which_some_session_has_minutes(problem: Problem) -> None:
    found = plan(problem)
    assigned = {one.reading_id for one in found.assigned}
    used = used_minutes(problem, found)
    for reading in problem.readings:
        if reading.id in assigned:
            continue
        for session in problem.sessions:
            worker = problem.workers.get(session.reporter_id)
            if worker and may_read(worker, reading) and session.takes(reading.trust, reading.modality):
                assert used[session.id] + reading.minutes > room_in(session) - 1e-6


@given(problems)
def test_each_reporters_list_is_in_order_of_due_time_and_ranked_from_one(problem: Problem) -> None:
    due = {one.id: (one.due_at, one.id) for one in problem.readings}
    lists: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for one in plan(problem).assigned:
        lists[one.reporter_id].append((one.rank, one.reading_id))
    for ranked in lists.values():
        assert sorted(rank for rank, _ in ranked) == list(range(1, len(ranked) + 1))
        in_order = [due[reading_id] for _, reading_id in sorted(ranked)]
        assert in_order == sorted(in_order)


@given(problems, st.randoms())
def test_the_same_problem_gives_the_same_plan_in_whatever_order_it_is_told(problem: Problem, random: Random) -> None:
    shuffled_readings, shuffled_sessions = list(problem.readings), list(problem.sessions)
    random.shuffle(shuffled_readings)
    random.shuffle(shuffled_sessions)
    again = replace(
        problem,
        readings=tuple(shuffled_readings),
        sessions=tuple(shuffled_sessions),
        workers=dict(reversed(list(problem.workers.items()))),
    )
    assert plan(again) == plan(problem)


def test_work_goes_to_job_planned_time_before_paid_time() -> None:
    paid, planned = a_session(1, SessionKind.INSOURCED), a_session(2, SessionKind.JOB_PLANNED)
    (one,) = plan(a_problem([a_reading()], [paid, planned])).assigned
    assert one.session_id == 2


def test_work_that_would_be_late_in_job_planned_time_goes_to_paid_time() -> None:
    paid = a_session(1, SessionKind.INSOURCED)
    planned = a_session(2, SessionKind.JOB_PLANNED, starts_after=timedelta(hours=2))
    (one,) = plan(a_problem([a_reading(due_in=timedelta(minutes=30))], [paid, planned])).assigned
    assert one.session_id == 1


def test_specialist_work_goes_to_the_specialist() -> None:
    general, neuro = a_session(1), a_session(2)
    problem = a_problem([replace(a_reading(), subspecialty="neuro")], [general, neuro])
    workers = {**problem.workers, 2: replace(problem.workers[2], subspecialties={"neuro": 4})}
    (one,) = plan(replace(problem, workers=workers)).assigned
    assert one.session_id == 2
    assert one.why.startswith("your subspecialty; 2 in the network may read it")


def test_what_need_not_be_checked_afterwards_is_preferred() -> None:
    problem = a_problem([a_reading()], [a_session(1), a_session(2)])
    workers = {**problem.workers, 1: replace(problem.workers[1], levels={1: "trainee"})}
    (one,) = plan(replace(problem, workers=workers)).assigned
    assert one.session_id == 2


def test_a_session_is_filled_from_now_and_not_from_its_start() -> None:
    """Half of the hour is over: of four quarters of an hour two are left."""
    half_over = replace(a_session(1), starts_at=NOW - timedelta(minutes=30), ends_at=NOW + timedelta(minutes=30))
    found = plan(a_problem([a_reading(number, minutes=15.0) for number in range(1, 5)], [half_over]))
    assert [one.reading_id for one in found.assigned] == [1, 2]
    assert found.unassigned_by_reason == {"no minutes left in sessions": 2}


def used_minutes(problem: Problem, found: Plan) -> dict[int, float]:
    minutes = {one.id: one.minutes for one in problem.readings}
    used: dict[int, float] = defaultdict(float)
    for one in found.assigned:
        used[one.session_id] += minutes[one.reading_id]
    return used


def room_in(session: ReportingSession) -> float:
    return max(0.0, (session.ends_at - max(session.starts_at, NOW)).total_seconds() / 60)


def reason_of(problem: Problem, reading: WaitingReading) -> str:
    able = {one.reporter_id for one in problem.workers.values() if may_read(one, reading)}
    working = [one for one in problem.sessions if one.reporter_id in able]
    if not able:
        return "no eligible reporter"
    if not working:
        return "no eligible reporter in session"
    if not any(one.takes(reading.trust, reading.modality) for one in working):
        return "no session takes it"
    return "no minutes left in sessions"


def a_problem(waiting: list[WaitingReading], working: list[ReportingSession]) -> Problem:
    """Everyone may read everything."""
    people = {
        one.reporter_id: Worker(one.reporter_id, True, {}, {1: "autonomous"}, frozenset({("RXA", True)}))
        for one in working
    }
    return Problem(NOW, tuple(waiting), tuple(working), people)


def a_reading(number: int = 1, *, due_in: timedelta = timedelta(days=1), minutes: float = 2.0) -> WaitingReading:
    return WaitingReading(number, 1000 + number, 1, "RXA", True, "XR", None, False, False, NOW + due_in, minutes)


def a_session(
    number: int, kind: SessionKind = SessionKind.JOB_PLANNED, *, starts_after: timedelta = timedelta(0)
) -> ReportingSession:
    starts_at = NOW + starts_after
    return ReportingSession(number, number, kind, starts_at, starts_at + timedelta(hours=4))
