"""Pauses of the clock: only where a dated rule allows, never of the 28 days, shown with reason and author."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests.allocation.claims.claiming import claimed_by, let_pass
from tests.allocation.configuration.applying import apply_text, refused_text
from tests.conftest import Database
from tests.worklist.arrivals import (
    a_home_report,
    an_object,
    an_order,
    events_of,
    readings_of,
    receive_and_complete,
    take,
    the_item,
)
from worklist.item_view import read_items
from worklist.life import acts as life
from worklist.life.reasons import ReasonedAct
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.pauses import Pause, PauseRule, paused, rule_of_pause
from worklist.turnaround.span import Span
from worklist.turnaround.targets import Setting, TargetRule, TurnaroundFacts, Urgency, due

START = datetime(2026, 7, 1, 9, tzinfo=UTC)
LAST = START + timedelta(days=28)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RULE = """
[[pause]]
id = "priors"
act = "hold"
reasons = ["awaiting-priors"]
valid_from = 2026-06-01
source = "test"
confirmed_by = "nobody"
"""


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([], START + 4 * HOUR),
        ([(1, 3)], START + 6 * HOUR),
        ([(1, 2), (5, 8)], START + 4 * HOUR + HOUR),  # the second began when it was due already
        ([(1, 3), (5, 6)], START + 7 * HOUR),
        ([(-2, 1)], START + 5 * HOUR),  # from the clock start on
        ([(-2, -1)], START + 4 * HOUR),
        ([(4, 9)], START + 4 * HOUR),
        ([(1, None)], LAST),
        ([(5, None)], START + 4 * HOUR),
        ([(1, 24 * 40)], LAST),
    ],
)
def test_a_pause_puts_off_what_was_not_yet_due(pauses: list[tuple[int, int | None]], expected: datetime) -> None:
    given_ = [Pause(START + one * HOUR, None if end is None else START + end * HOUR) for one, end in pauses]
    assert paused(START + 4 * HOUR, START, given_, LAST) == expected
    assert paused(START + 4 * HOUR, START, given_[::-1], LAST) == expected


PRIORS = PauseRule("b", None, ReasonedAct.HOLD, frozenset({"awaiting-priors"}), date(2026, 6, 1), date(2026, 6, 30))


@pytest.mark.parametrize(
    ("act", "reason", "day", "allowed"),
    [
        (ReasonedAct.HOLD, "awaiting-priors", date(2026, 6, 1), True),
        (ReasonedAct.HOLD, "awaiting-priors", date(2026, 6, 30), True),
        (ReasonedAct.HOLD, "awaiting-priors", date(2026, 5, 31), False),
        (ReasonedAct.HOLD, "awaiting-priors", date(2026, 7, 1), False),
        (ReasonedAct.HOLD, "other", date(2026, 6, 10), False),
        (ReasonedAct.RETURN_TO_SITE, "awaiting-priors", date(2026, 6, 10), False),
    ],
)
def test_a_rule_allows_its_act_for_its_reasons_on_its_days(
    act: ReasonedAct, reason: str, day: date, allowed: bool
) -> None:
    assert (rule_of_pause("RXA", act, reason, day, [PRIORS]) is not None) is allowed


@given(
    hours=st.lists(st.tuples(st.integers(-48, 900), st.integers(0, 900)), max_size=4),
    running=st.booleans(),
    target=st.sampled_from(["30 minutes", "4 hours", "10 working days", "14 calendar days"]),
)
def test_no_pause_makes_anything_earlier_or_reaches_beyond_the_28_days(
    hours: list[tuple[int, int]], running: bool, target: str
) -> None:
    rule = TargetRule(
        "r", None, None, None, None, None, Span.parse(target), Span.parse("21 calendar days"), date(2023, 1, 1), None,
        "test", None,
    )  # fmt: skip
    facts = TurnaroundFacts("RXA", Setting.GP, Urgency.ROUTINE, "XR", ("XCHES",), START)
    pauses = [Pause(START + begin * HOUR, START + (begin + length) * HOUR) for begin, length in hours]
    pauses += [Pause(START + 901 * HOUR, None)] if running else []
    holidays = england_bank_holidays([2026])
    before = due(facts, [rule], holidays)
    after = due(replace(facts, pauses=tuple(pauses)), [rule], holidays)
    assert before.due_at <= after.due_at <= after.hard_limit_at <= LAST
    assert before.hard_limit_at <= after.hard_limit_at


def test_when_the_report_is_needed_is_not_put_off() -> None:
    rule = TargetRule(
        "r", None, None, None, None, None, Span.parse("3 calendar days"), None, date(2023, 1, 1), None, "t", None
    )
    for needed in (START + 2 * DAY, START + 4 * DAY):
        facts = TurnaroundFacts(
            "RXA", Setting.GP, Urgency.ROUTINE, "XR", ("XCHES",), START, needed, (Pause(START, START + 5 * DAY),)
        )
        assert due(facts, [rule], frozenset()).due_at == needed


@pytest.fixture
def routine(network: Database) -> Database:
    apply_text(network, RULE)
    take(network.app, an_order(setting=Setting.GP, urgency=Urgency.ROUTINE))
    receive_and_complete(network.app, an_object())
    return network


def hold(network: Database, reason: str = "awaiting-priors") -> None:
    with network.app.begin() as connection:
        life.hold(connection, "cora", the_item(network.app).id, reason)


def release(network: Database) -> None:
    with network.app.begin() as connection:
        life.release_hold(connection, "cora", the_item(network.app).id)


def test_a_hold_under_a_rule_pauses_the_clock_until_the_release(routine: Database) -> None:
    before = the_item(routine.app)
    hold(routine)
    during = the_item(routine.app)
    assert during.due_at == during.hard_limit_at == before.clock_start_at + 28 * DAY
    let_pass(routine, 3 * 86400)
    release(routine)
    after, [only] = the_item(routine.app), readings_of(routine.app)
    assert timedelta(0) <= after.due_at - before.due_at - 3 * DAY < timedelta(minutes=1)
    assert (only.due_at, after.hard_limit_at) == (after.due_at, before.hard_limit_at)
    with routine.app.connect() as connection:
        [pause] = read_items(connection, [after.id])[0].pauses
    assert (pause.rule, pause.reason, pause.by) == ("priors", "awaiting-priors", "cora")
    assert pause.ended_at is not None
    assert "item.clock-paused" in events_of(routine.app)
    assert claimed_by(routine, "reed").item_id == after.id


@pytest.mark.parametrize(
    "document", [RULE.replace("2026-06-01", "2026-06-11"), RULE.replace("awaiting-priors", "other")]
)
def test_without_a_rule_for_it_the_clock_goes_on(network: Database, document: str) -> None:
    apply_text(network, document)
    receive_and_complete(network.app, an_object())
    due_at = the_item(network.app).due_at
    hold(network)
    let_pass(network, 3600)
    assert the_item(network.app).due_at == due_at
    release(network)
    assert the_item(network.app).due_at == due_at


def test_a_return_ends_the_pause_of_a_hold_and_the_clock_goes_on(routine: Database) -> None:
    before = the_item(routine.app)
    hold(routine)
    let_pass(routine, 86400)
    with routine.app.begin() as connection:
        life.return_to_site(connection, "cora", the_item(routine.app).id, "wrong-patient")
    assert timedelta(0) <= the_item(routine.app).due_at - before.due_at - DAY < timedelta(minutes=1)
    with routine.app.connect() as connection:
        assert connection.execute(text("SELECT ended_with FROM clock_pause")).scalars().all() == [
            "item.returned-to-site"
        ]


def test_a_home_report_ends_the_pause_and_the_due_time_knows_how_long_it_was(routine: Database) -> None:
    before = the_item(routine.app)
    hold(routine)
    let_pass(routine, 86400)
    take(routine.app, a_home_report())
    after = the_item(routine.app)
    assert after.state == "reported_elsewhere"
    assert timedelta(0) <= after.due_at - before.due_at - DAY < timedelta(minutes=1)


def test_a_pause_for_a_reason_that_nobody_can_give_is_refused_with_its_line(network: Database) -> None:
    [fault] = refused_text(network, RULE.replace('"awaiting-priors"', '"awaiting-priors", "awaiting-the-gunner"'))
    assert "no reason 'awaiting-the-gunner' to hold" in str(fault)
    assert "awaiting-clinical-information" in str(fault)
    assert fault.line is not None


def test_a_reason_of_the_network_s_own_may_pause_from_the_same_document_or_an_earlier_one(network: Database) -> None:
    own = '[[act_reason]]\nact = "hold"\ncode = "awaiting-the-gunner"\ndescription = "x"\nsource = "t"\n'
    own += "valid_from = 2026-06-01\n"
    pause = RULE.replace("awaiting-priors", "awaiting-the-gunner")
    assert apply_text(network, own + pause).rows == {"act_reason": 1, "pause": 1}
    assert apply_text(network, pause.replace("2026-06-01", "2026-07-01")).rows == {"pause": 1}
    [fault] = refused_text(network, pause.replace('"hold"', '"return-to-site"'))
    assert "to return-to-site" in str(fault)  # it is a reason of another act
