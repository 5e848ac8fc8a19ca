"""Work under a rule of what is not offered opens no reading and has no clock; rules begin and end."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import text

from allocation.configuration.apply import Applied
from insight.backlog import backlog
from insight.filters import Filters
from insight.turnaround import turnaround
from tests.allocation.configuration.applying import apply_text, refused_text
from tests.conftest import Database
from tests.worklist.arrivals import (
    ACQUIRED_AT,
    a_home_report,
    acquired,
    an_object,
    an_order,
    claim_first_reading,
    events_of,
    readings_of,
    receive,
    receive_and_complete,
    take,
    the_item,
)
from worklist.intake.orders import OrderControl
from worklist.turnaround.targets import Setting

RULE = """
[[not_offered]]
id = "chests-of-the-emergency-department"
trust = "RXA"
exam_codes = ["XCHES"]
settings = ["emergency"]
reason = "evaluated-locally"
valid_from = 2026-01-01
source = "letter of the test"
confirmed_by = "nobody"
"""
ENDED = RULE.replace("source", "valid_to = 2026-06-09\nsource")


def put(network: Database, document: str) -> Applied:
    return apply_text(network, document)


def test_an_item_under_a_rule_opens_no_reading_has_no_clock_and_says_so(network: Database) -> None:
    put(network, RULE)
    receive_and_complete(network.app, an_object())
    row = the_item(network.app)
    assert (row.state, row.not_offered_rule, row.not_offered_reason) == (
        "not_offered",
        "chests-of-the-emergency-department",
        "evaluated-locally",
    )
    assert (row.clock_start_at, row.clock_start_source, row.due_at, row.hard_limit_at, row.target_rule) == (None,) * 5
    assert readings_of(network.app) == []
    assert events_of(network.app)[-2:] == ["item.completed", "item.not-offered"]


def test_urgent_work_under_a_rule_is_not_offered_while_it_arrives(network: Database) -> None:
    put(network, RULE)
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE source SET quiet_seconds = 600"))
    receive(network.app, an_object())
    assert the_item(network.app).state == "arriving"
    assert readings_of(network.app) == []


def test_a_rule_that_begins_takes_waiting_work_back_and_one_that_ends_offers_it(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    due_at = the_item(network.app).due_at
    assert put(network, RULE).worked_out == 1
    assert (the_item(network.app).state, the_item(network.app).due_at) == ("not_offered", None)
    assert [one.state for one in readings_of(network.app)] == ["withdrawn"]
    assert put(network, ENDED).worked_out == 1
    row = the_item(network.app)
    assert (row.state, row.due_at, row.clock_start_at, row.not_offered_rule) == ("ready", due_at, ACQUIRED_AT, None)
    assert [one.state for one in readings_of(network.app)] == ["withdrawn", "open"]
    assert events_of(network.app)[-2:] == ["item.offered", "configuration.imported"]


def test_an_import_that_leaves_the_rules_as_they_are_works_nothing_out_again(network: Database) -> None:
    put(network, RULE)
    receive_and_complete(network.app, an_object())
    assert put(network, RULE).worked_out == 0


def test_a_rule_of_another_trust_concerns_nothing_here(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    assert put(network, RULE.replace("RXA", "RXB")).worked_out == 0
    assert the_item(network.app).state == "ready"


def test_what_somebody_is_reporting_is_not_taken_from_them(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        claim_first_reading(connection)
    put(network, RULE)
    row = the_item(network.app)
    assert (row.state, row.not_offered_rule, row.clock_start_at) == ("in_progress", None, ACQUIRED_AT)


def test_a_lapsed_claim_ends_with_the_reading(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as connection:
        claim_first_reading(connection)
        connection.execute(text("UPDATE item SET state = 'ready'"))  # as the end of the lease leaves it
    put(network, RULE)
    assert network.count("SELECT count(*) FROM claim WHERE end_reason = 'withdrawn'") == 1


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(3))))
def test_order_report_and_images_in_any_order_leave_no_clock(network: Database, sequence: tuple[int, ...]) -> None:
    put(network, RULE)
    for number in sequence:
        if number == 0:
            take(network.app, an_order(setting=Setting.EMERGENCY))
        elif number == 1:
            take(network.app, a_home_report())
        else:
            receive_and_complete(network.app, an_object(requesting_service=None))
    row = the_item(network.app)
    assert (row.state, row.due_at, row.clock_start_at) == ("reported_elsewhere", None, None)


def test_a_change_of_the_order_offers_it_and_a_cancel_ends_it(network: Database) -> None:
    put(network, RULE)
    receive_and_complete(network.app, an_object())
    take(network.app, an_order(0, setting=Setting.GP))
    assert the_item(network.app).state == "ready"
    take(network.app, an_order(1, setting=Setting.EMERGENCY))
    assert the_item(network.app).state == "not_offered"
    take(network.app, an_order(2, OrderControl.CANCEL))
    assert the_item(network.app).state == "cancelled"


def test_late_images_leave_it_as_it_is(network: Database) -> None:
    put(network, RULE)
    receive_and_complete(network.app, an_object())
    receive_and_complete(network.app, an_object(2, acquisition_ended=acquired(ACQUIRED_AT)))
    assert (the_item(network.app).state, readings_of(network.app)) == ("not_offered", [])


def test_without_an_accession_number_it_waits_for_one_again_when_it_is_offered(network: Database) -> None:
    receive_and_complete(network.app, an_object(accession_number=None))
    put(network, RULE)
    assert the_item(network.app).state == "not_offered"
    put(network, ENDED)
    assert (the_item(network.app).state, [one.state for one in readings_of(network.app)][-1]) == ("on_hold", "held")


def test_it_is_counted_apart_from_all_figures(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.connect() as connection:
        before = backlog(connection, Filters())
    put(network, RULE)
    take(network.app, a_home_report(accession_number="another"))
    with network.app.connect() as connection:
        after, other = backlog(connection, Filters(trust="RXA")), backlog(connection, Filters(trust="RXB"))
    assert (before.rows[0].items, before.not_offered) == (1, 0)
    assert (after.rows[0].items, after.not_offered, other.not_offered) == (0, 1, 0)
    take(network.app, a_home_report())
    with network.app.connect() as connection:
        assert turnaround(connection, Filters()).rows[0].reported == 1  # the other one


def test_a_rule_without_a_condition_or_of_an_unknown_exam_is_refused(network: Database) -> None:
    bare = RULE.replace('exam_codes = ["XCHES"]\n', "").replace('settings = ["emergency"]\n', "")
    assert "needs `modalities`" in str(refused_text(network, bare)[0])
    assert "XNONE" in str(refused_text(network, RULE.replace("XCHES", "XNONE"))[0])
    assert "RXZ" in str(refused_text(network, RULE.replace("RXA", "RXZ"))[0])
    assert "stands twice" in str(refused_text(network, RULE + RULE)[0])
