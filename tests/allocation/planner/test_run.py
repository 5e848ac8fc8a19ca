"""A plan in the database: one planner at a time, the difference alone is written, and it is never a right."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from allocation.claims import Claimed, Wish, claim_reading
from allocation.leases import SkipReason, skip
from allocation.planner import greedy
from allocation.planner.problem import Plan, Problem
from allocation.planner.run import HORIZON, News, PlanRun, news_since, read_problem, replan
from tests.builders import arrive, multiply, reporter_id
from tests.conftest import NOW, Database, set_clock
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.work import reading
from worklist.life.moves import lock_item
from worklist.log.events import append, read_after
from worklist.log.sequencer import sequence


def test_a_plan_gives_waiting_work_to_who_may_read_it_and_says_why(network: Database) -> None:
    hand, head = arrive(network, exam="XHANL"), arrive(network, exam="MHEAD")
    run = planned(network)
    assert (run.readings, run.assigned, run.changed) == (2, 2, 2)
    found = assignments(network)
    assert {one["item_id"] for one in found} == {hand, head}
    for one in found:
        assert one["code"] in ({"reed", "hart", "tran"} if one["item_id"] == hand else {"reed", "tran"})
        assert "in the network may read it" in one["why"]


def test_a_plan_that_stands_is_not_written_again(network: Database) -> None:
    multiply(network, arrive(network), 5)
    planned(network)
    before = versions(network)
    again = planned(network)
    assert (again.assigned, again.changed) == (6, 0)
    assert versions(network) == before
    assert network.count("SELECT count(*) FROM plan_run") == 1
    assert kinds(network).count("plan.changed") == 1


def test_only_what_a_plan_hangs_on_asks_for_another(network: Database) -> None:
    with network.app.connect() as connection:
        before = news_since(connection, 0)
    arrive(network)
    sequence(network.app)
    with network.app.connect() as connection:
        arrived = news_since(connection, before.position)
    planned(network)
    with network.app.begin() as connection:
        append(connection, "item.opened")
        append(connection, "pay.posted")
    sequence(network.app)
    with network.app.connect() as connection:
        after = news_since(connection, arrived.position)
        assert kinds(network)[-3:] == ["plan.changed", "item.opened", "pay.posted"]
        assert (arrived.matters, after.matters) == (True, False)
        assert after.position == arrived.position + 3
        assert news_since(connection, after.position) == News(after.position, matters=False)
        assert news_since(connection, after.position + 1).matters, "the log is older than what was planned on: restored"


def test_only_what_changed_is_written(network: Database) -> None:
    """A new item that is due last leaves the places of all others as they were."""
    arrive(network, exam="XHANL", service="Emergency Department")
    planned(network)
    before = versions(network)
    arrive(network, exam="XHANL", service="General Practice")
    assert planned(network).changed == 1
    assert {one: versions(network)[one] for one in before} == before
    assert network.count("SELECT count(*) FROM assignment") == 2


def test_a_planner_does_not_wait_for_who_works_on_an_item(network: Database) -> None:
    """Else the two would wait for each other: intake locks many items, and a plan names them in an order of its own."""
    held, other = arrive(network), arrive(network)
    with ThreadPoolExecutor(1) as planner, network.app.begin() as connection:
        lock_item(connection, held)
        connection.execute(select(reading).where(reading.c.item_id == held).with_for_update(key_share=True))
        assert planner.submit(planned, network).result(20).assigned == 2
    assert {one["item_id"] for one in assignments(network)} == {held, other}


def test_a_claimed_reading_leaves_the_plan(network: Database) -> None:
    arrive(network)
    planned(network)
    (one,) = assignments(network)
    claimed(network, one["code"])
    assert assignments(network) == []
    planned(network)
    assert assignments(network) == []


def test_the_assigned_reading_comes_first_and_says_so(network: Database) -> None:
    arrive(network)
    planned(network)
    (one,) = assignments(network)
    made = claimed(network, one["code"])
    assert made is not None
    assert made.why[0] == "assigned to you by the plan"


def test_a_plan_is_no_right_what_was_lost_since_is_not_given(network: Database) -> None:
    arrive(network, exam="XHANL")
    planned(network)
    (one,) = assignments(network)
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE scope_grant SET suspended_at = radpool_now()"))
    assert claimed(network, one["code"]) is None


def test_a_plan_keeps_nobody_from_work_that_its_reporter_has_not_taken(network: Database) -> None:
    item_id = arrive(network, exam="XHANL")
    planned(network)
    (one,) = assignments(network)
    (other, *_) = sorted({"reed", "hart"} - {one["code"]})
    made = claimed(network, other)
    assert made is not None
    assert made.item_id == item_id
    assert assignments(network) == []


@pytest.mark.parametrize(
    "lost",
    [
        "UPDATE reporter SET suspended_at = radpool_now() WHERE code <> 'tran'",
        "DELETE FROM reporter_trust t USING reporter r WHERE r.id = t.reporter_id AND r.code <> 'tran'",
        "DELETE FROM reporter_profile t USING reporter r WHERE r.id = t.reporter_id AND r.code <> 'tran'",
        "UPDATE reporter_profile t SET valid_until = radpool_now() FROM reporter r"
        " WHERE r.id = t.reporter_id AND r.code <> 'tran'",
        "UPDATE reporting_session s SET cancelled_at = radpool_now() FROM reporter r"
        " WHERE r.id = s.reporter_id AND r.code <> 'tran'",
        "INSERT INTO item_exclusion (item_id, reporter_id, kind) SELECT i.id, r.id, 'conflict-of-interest'"
        " FROM item i, reporter r WHERE r.code <> 'tran'",
    ],
    ids=["suspended", "no trust", "no profile", "run out", "session cancelled", "excluded"],
)
def test_the_next_plan_passes_over_who_lost_the_right(network: Database, lost: str) -> None:
    arrive(network, exam="XHANL")
    planned(network)
    assert [one["code"] for one in assignments(network)] != ["tran"]
    with network.owner.begin() as connection:
        connection.execute(text(lost))
    planned(network)
    assert [one["code"] for one in assignments(network)] == ["tran"]


def test_what_was_skipped_is_planned_for_somebody_else(network: Database) -> None:
    arrive(network, exam="XHANL")
    made = claimed(network, "hart")
    assert made is not None
    with network.app.begin() as connection:
        number = reporter_id(network, "hart")
        skip(connection, "hart", number, made.claim_id, made.token, SkipReason.NO_TIME)
    planned(network)
    assert [one["code"] for one in assignments(network)] in (["reed"], ["tran"])


def test_a_session_that_is_moved_moves_the_end_of_its_assignments(network: Database) -> None:
    arrive(network, exam="XHANL")
    planned(network)
    later = datetime(2026, 6, 10, 20, 0, tzinfo=UTC)
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE reporting_session SET ends_at = :later"), {"later": later})
    planned(network)
    assert [one["valid_until"] for one in assignments(network)] == [later]


def test_sessions_beyond_the_horizon_and_sessions_that_are_over_are_not_planned_into(network: Database) -> None:
    for at, wanted in (
        (NOW, {"reed-planned", "hart-insourced", "tran-planned"}),
        (datetime(2026, 6, 10, 12, 0, tzinfo=UTC), {"reed-planned", "hart-insourced"}),
        (datetime(2026, 6, 10, 16, 0, tzinfo=UTC), set()),
        (datetime(2026, 6, 10, 8, 59, tzinfo=UTC) - HORIZON, {"reed-planned", "tran-planned"}),
    ):
        set_clock(network.owner, at)
        with network.app.begin() as connection:
            problem = read_problem(connection)
            codes = connection.scalars(
                text("SELECT code FROM reporting_session WHERE id = ANY(:ids)"),
                {"ids": [one.id for one in problem.sessions]},
            )
            assert set(codes) == wanted, at


def test_two_planners_at_once_one_plans_and_the_other_stands_by(network: Database) -> None:
    arrive(network)
    planning, go_on = threading.Event(), threading.Event()

    def slow(problem: Problem) -> Plan:
        planning.set()
        assert go_on.wait(20)
        return greedy.plan(problem)

    first: list[PlanRun | None] = []
    thread = threading.Thread(target=lambda: first.append(replan(network.app, slow, solver="slow")))
    thread.start()
    assert planning.wait(20)
    assert replan(network.app, greedy.plan, solver="greedy") is None
    go_on.set()
    thread.join()
    assert first[0] is not None
    assert first[0].assigned == 1
    assert planned(network).changed == 0


def test_a_planner_that_fails_leaves_the_plan_in_force_and_the_next_one_plans(network: Database) -> None:
    arrive(network)
    planned(network)
    before = versions(network)

    def fails(_: Problem) -> Plan:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replan(network.app, fails, solver="fails")
    assert versions(network) == before
    assert planned(network).changed == 0


def test_what_cannot_be_placed_is_counted_by_reason(network: Database) -> None:
    arrive(network, exam="XHANL")
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE reporting_session SET modalities = '{CT}'"))
    assert planned(network).assigned == 0
    arrive(network, exam="CHEAD", service="Emergency Department")
    planned(network)
    with network.owner.connect() as connection:
        told = connection.scalar(text("SELECT unassigned_by_reason FROM plan_run ORDER BY id DESC LIMIT 1"))
    assert told == {"no session takes it": 1}


def test_what_came_and_cannot_be_placed_is_told_though_the_plan_stands(network: Database) -> None:
    arrive(network, exam="XHANL")
    assert planned(network).assigned == 1
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE reporting_session SET modalities = '{XR}'"))
    arrive(network, exam="CHEAD", service="Emergency Department")
    assert (planned(network).changed, planned(network).changed) == (0, 0)
    with network.owner.connect() as connection:
        told = connection.execute(text("SELECT readings, assigned, unassigned_by_reason FROM plan_run ORDER BY id"))
        assert [tuple(one) for one in told] == [(1, 1, {}), (2, 1, {"no session takes it": 1})]
    assert kinds(network).count("plan.changed") == 2


def test_the_event_of_a_plan_names_nobody_and_no_item(network: Database) -> None:
    arrive(network)
    planned(network)
    sequence(network.app)
    with network.app.connect() as connection:
        (news,) = [one for one in read_after(connection, 0) if one.kind == "plan.changed"]
    assert (news.trust, news.item_id, news.reading_id) == (None, None, None)
    assert news.dimensions == {"assigned": 1, "changed": 1, "unassigned": {}}


def test_an_assignment_shows_the_patient_to_its_reporter_until_it_ends(network: Database) -> None:
    arrive(network, exam="XHANL")
    planned(network)
    (one,) = assignments(network)
    assert patients_seen_by(network, one["code"]) == 1
    assert patients_seen_by(network, *({"reed", "hart"} - {one["code"]})) == 0
    set_clock(network.owner, one["valid_until"] + timedelta(seconds=1))
    assert patients_seen_by(network, one["code"]) == 0


def test_a_check_is_planned_for_an_autonomous_reader_who_did_not_read_it(network: Database) -> None:
    arrive(network, exam="MHEAD")
    planned(network)
    with network.app.begin() as connection:
        problem = read_problem(connection)
    (waiting,) = problem.readings
    check = replace(problem, readings=(replace(waiting, is_check=True),))
    found = greedy.plan(check).assigned
    assert [one.reporter_id for one in found] == [reporter_id(network, "reed")]


def planned(network: Database) -> PlanRun:
    run = replan(network.app, greedy.plan, solver="greedy")
    assert run is not None
    return run


def claimed(network: Database, code: str) -> Claimed | None:
    with network.app.begin() as connection:
        return claim_reading(connection, code, reporter_id(network, code), Wish(), lease_seconds=900)


def assignments(network: Database) -> list[dict[str, Any]]:
    statement = text("SELECT a.*, r.code FROM assignment a JOIN reporter r ON r.id = a.reporter_id ORDER BY reading_id")
    with network.owner.connect() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


def versions(network: Database) -> dict[int, str]:
    """Give the physical version of each row: what is written anew, even with the same words, is another."""
    with network.owner.connect() as connection:
        rows = connection.execute(text("SELECT reading_id, xmin::text || ctid::text AS version FROM assignment"))
        return {row.reading_id: row.version for row in rows}


def kinds(network: Database) -> list[str]:
    with network.owner.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM event ORDER BY id")))


def patients_seen_by(network: Database, code: str) -> int:
    with network.app.connect() as connection:
        view_as(connection, Viewer(reporter_id=reporter_id(network, code)))
        return int(connection.execute(text("SELECT count(*) FROM patient")).scalar_one())
