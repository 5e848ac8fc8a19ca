"""When the home RIS says that an examination ended starts the clock, before what the images say."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tests.conftest import NOW, Database, set_clock
from tests.worklist.arrivals import (
    ACQUIRED_AT,
    a_home_report,
    an_object,
    an_order,
    events_of,
    receive,
    receive_and_complete,
    state_of,
    take,
    the_item,
)
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.home_reports import HomeReportStatus
from worklist.intake.orders import OrderControl, Outcome
from worklist.local_time import LocalTime
from worklist.turnaround.targets import Setting


def ended(minute: int, source: str = "OBR-8") -> LocalTime:
    """An end `minute` minutes after half past seven UTC, half an hour before the images say."""
    at = datetime(2026, 6, 10, 7, 30, tzinfo=UTC) + timedelta(minutes=minute)
    return LocalTime(at.strftime("%Y%m%d%H%M"), "Europe/London", 0, source, at)


def test_the_end_that_the_order_states_starts_the_clock_before_the_images_do(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).clock_start_at == ACQUIRED_AT
    due_at = the_item(network.app).due_at
    take(network.app, an_order(setting=Setting.EMERGENCY, exam_ended=ended(0)))
    row = the_item(network.app)
    assert (row.clock_start_at, row.clock_start_source) == (ended(0).at, "OBR-8")
    assert row.due_at == due_at - timedelta(minutes=30)


def test_what_was_sent_is_kept_with_zone_and_fold(network: Database) -> None:
    autumn = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    set_clock(network.owner, autumn + timedelta(hours=12))
    stated = LocalTime("20261025013000+0000", "+0000", 1, "OBR-7", autumn)
    take(network.app, an_order(exam_ended=stated))
    with network.app.connect() as connection:
        kept = connection.execute(text("SELECT as_sent, zone, fold, source, ended_at FROM exam_end")).one()
    assert tuple(kept) == ("20261025013000+0000", "+0000", 1, "OBR-7", autumn)


def test_a_home_report_states_it_too(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    take(network.app, a_home_report(status=HomeReportStatus.PRELIMINARY, exam_ended=ended(10, "OBR-34.3")))
    assert the_item(network.app).clock_start_source == "OBR-34.3"


def test_a_final_home_report_before_the_images_gives_the_clock_its_start(network: Database) -> None:
    take(network.app, a_home_report(exam_ended=ended(10)))
    receive_and_complete(network.app, an_object())
    assert (the_item(network.app).state, the_item(network.app).clock_start_source) == ("reported_elsewhere", "OBR-8")


@pytest.mark.parametrize("sequence", list(itertools.permutations(range(4))))
def test_messages_and_images_in_any_order_leave_the_same_start(network: Database, sequence: tuple[int, ...]) -> None:
    """The newest message states no end: the one before it counts, also when it comes late."""
    facts = [
        an_order(0, exam_ended=ended(0)),
        an_order(5, OrderControl.CHANGE, exam_ended=ended(20)),
        an_order(10, OrderControl.CHANGE),
    ]
    for number in sequence:
        if number < len(facts):
            take(network.app, facts[number])
        else:
            receive_and_complete(network.app, an_object())
    take(network.app, *facts)
    row = the_item(network.app)
    assert (row.clock_start_at, row.clock_start_source) == (ended(20).at, "OBR-8")


def test_two_messages_of_one_instant_leave_the_same_end_in_either_order(network: Database) -> None:
    report = a_home_report(0, HomeReportStatus.PRELIMINARY, exam_ended=ended(5, "OBR-7"))
    take(network.app, an_order(0, exam_ended=ended(20)), report)
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).clock_start_source == "OBR-8"


def test_an_end_in_the_future_is_not_believed(network: Database) -> None:
    take(network.app, an_order(exam_ended=LocalTime("x", "UTC", 0, "OBR-8", NOW + timedelta(minutes=6))))
    receive_and_complete(network.app, an_object())
    assert the_item(network.app).clock_start_source == "AcquisitionDateTime"


def test_what_is_heard_twice_is_written_once(network: Database) -> None:
    order = an_order(exam_ended=ended(0))
    assert take(network.app, order, order) == [Outcome.APPLIED, Outcome.REPEATED]
    take(network.app, an_order(1, OrderControl.CHANGE, exam_ended=ended(0)))
    take(network.app, order)
    assert events_of(network.app).count("item.exam-end-stated") == 2  # once for each message that states it


def test_a_stale_message_that_tells_the_end_leaves_event_and_audit_entry(network: Database) -> None:
    receive(network.app, an_object())
    take(network.app, an_order(5, setting=Setting.EMERGENCY))
    complete_quiet_studies(network.app)
    before = state_of(network.app)
    assert take(network.app, an_order(0, exam_ended=ended(0), setting=Setting.GP)) == [Outcome.STALE]
    after = state_of(network.app)
    assert {name for name in before if before[name] != after[name]} == {
        "clock_start_at",
        "clock_start_source",
        "due_at",
        "hard_limit_at",
        "readings",
    }
    assert network.count("SELECT count(*) FROM audit.entry WHERE action = 'exam end stated'") == 1
