"""After a preliminary report an item is due when its check is; figures go on by when the report was due."""

from __future__ import annotations

from datetime import timedelta

import pytest

from insight.filters import Filters
from insight.turnaround import turnaround
from tests.allocation.claims.claiming import PRELIMINARY, VERIFIED, claimed_by, let_pass, report
from tests.allocation.configuration.applying import apply_text
from tests.conftest import NOW, Database
from tests.worklist.arrivals import an_object, an_order, readings_of, receive_and_complete, take, the_item
from worklist.life.recall import recall
from worklist.turnaround.targets import Setting, Urgency

CHECKS = """
[[target]]
id = "checks"
clock = "check"
target = "3 hours"
valid_from = 2026-01-01
source = "test"
"""


@pytest.fixture
def checked(network: Database) -> Database:
    """A network with a rule of checks and a routine chest X-ray of a general practice that waits."""
    apply_text(network, CHECKS)
    take(network.app, an_order(setting=Setting.GP, urgency=Urgency.ROUTINE))
    receive_and_complete(network.app, an_object())
    return network


def near(at: object, expected: object) -> bool:
    return abs(at - expected) < timedelta(minutes=1)  # type: ignore[operator, no-any-return]


def test_a_trainee_s_report_starts_the_clock_of_its_check(checked: Database) -> None:
    before = the_item(checked.app)
    assert (before.target_rule, before.report_due_at) == ("routine", None)
    report(checked, "tran", claimed_by(checked, "tran"), PRELIMINARY)
    row, [_, check] = the_item(checked.app), readings_of(checked.app)
    assert near(row.due_at, NOW + timedelta(hours=3))
    assert (row.target_rule, row.report_due_at, check.due_at) == ("checks", before.due_at, row.due_at)


def test_late_facts_and_a_second_preliminary_report_leave_its_start(checked: Database) -> None:
    made = claimed_by(checked, "reed")
    report(checked, "reed", made, PRELIMINARY)
    due_at = the_item(checked.app).due_at
    let_pass(checked, 300)
    receive_and_complete(checked.app, an_object(2))
    report(checked, "reed", made, type(PRELIMINARY)(PRELIMINARY.status, "other words"))
    assert the_item(checked.app).due_at == due_at


def test_figures_judge_the_report_by_its_own_target(checked: Database) -> None:
    report(checked, "tran", claimed_by(checked, "tran"), PRELIMINARY)
    let_pass(checked, 4 * 3600)
    report(checked, "reed", claimed_by(checked, "reed"), VERIFIED)
    assert the_item(checked.app).reported_at > the_item(checked.app).due_at
    with checked.app.connect() as connection:
        assert turnaround(connection, Filters()).rows[0].within_target == 1


def test_without_a_rule_of_checks_the_report_s_due_time_goes_on(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    due_at = the_item(network.app).due_at
    report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
    assert (the_item(network.app).due_at, the_item(network.app).report_due_at) == (due_at, due_at)


def test_what_is_recalled_is_due_when_the_report_was_and_a_new_check_begins_anew(checked: Database) -> None:
    before = the_item(checked.app)
    report(checked, "tran", claimed_by(checked, "tran"), PRELIMINARY)
    report(checked, "reed", claimed_by(checked, "reed"), VERIFIED)
    with checked.app.begin() as connection:
        recall(connection, "lead", before.id, "error-in-report")
    assert (the_item(checked.app).due_at, the_item(checked.app).report_due_at) == (before.due_at, None)
    let_pass(checked, 3600)
    report(checked, "tran", claimed_by(checked, "tran"), PRELIMINARY)
    assert near(the_item(checked.app).due_at, NOW + timedelta(hours=4))
