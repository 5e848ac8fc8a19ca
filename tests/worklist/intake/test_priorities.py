"""The urgency that a person gives an item: what follows of it, and which orders outrank it, in any order of coming."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.allocation.claims.claiming import VERIFIED, claimed_by, report
from tests.conftest import NOW, Database
from tests.worklist.arrivals import an_object, an_order, events_of, readings_of, receive, take, the_item
from tests.worklist.life.test_acts import act, ready
from worklist.db.tables.work import item
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.orders import Message, Order, OrderControl, receive_order
from worklist.intake.senders import Sender
from worklist.item import ForbiddenMove
from worklist.life import acts as life
from worklist.turnaround.targets import Setting, Urgency


def prioritise(network: Database, urgency: Urgency) -> None:
    act(network, life.change_priority, urgency, "clinical-request")


def after_the_act(minute: int, urgency: Urgency | str | None) -> Order:
    """Give an order that states an urgency, leaves it out (None) or clears it ("")."""
    message = Message("RIS_A", "RXA", NOW + timedelta(minutes=minute), f"later-{minute}")
    stated, cleared = (None, frozenset({"urgency"})) if urgency == "" else (urgency, frozenset())
    return an_order(control=OrderControl.CHANGE, urgency=stated, cleared=cleared, setting=Setting.GP, message=message)


def test_a_person_s_priority_outranks_the_order_and_works_the_due_time_out_again(network: Database) -> None:
    take(network.app, an_order(urgency=Urgency.ROUTINE, setting=Setting.GP))
    ready(network)
    before = the_item(network.app)
    prioritise(network, Urgency.EMERGENCY)
    row, [only] = the_item(network.app), readings_of(network.app)
    assert (row.urgency, row.target_rule) == ("emergency", "emergency")
    assert row.due_at < before.due_at
    assert only.due_at == row.due_at
    assert "item.priority-changed" in events_of(network.app)
    with pytest.raises(life.PriorityStands):
        prioritise(network, Urgency.EMERGENCY)


def test_who_reads_it_goes_on_reading_it(network: Database) -> None:
    ready(network)
    made = claimed_by(network, "reed")
    prioritise(network, Urgency.ROUTINE)
    assert the_item(network.app).state == "in_progress"
    report(network, "reed", made, VERIFIED)
    with pytest.raises(ForbiddenMove):
        prioritise(network, Urgency.STROKE)


ROUTINE, URGENT, EMERGENCY = Urgency.ROUTINE, Urgency.URGENT, Urgency.EMERGENCY


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], "emergency"),
        ([(1, ROUTINE)], "emergency"),  # it states what it stated
        ([(1, None)], "emergency"),
        ([(1, URGENT)], "urgent"),
        ([(1, URGENT), (2, ROUTINE)], "routine"),  # once outranked it stays so
        ([(2, ROUTINE), (1, URGENT)], "routine"),
        ([(-1, URGENT)], "emergency"),  # made before the act, and came late
        ([(-1, URGENT), (1, URGENT)], "emergency"),
        ([(-2, URGENT), (-1, ROUTINE), (1, ROUTINE)], "emergency"),
        ([(-1, URGENT), (1, ROUTINE)], "routine"),  # it changes what stood when the person acted
        ([(-1, None), (1, ROUTINE)], "emergency"),  # it says nothing of the urgency
        ([(-1, ""), (1, ROUTINE)], "routine"),  # none stood when the person acted
        ([(-2, ""), (-1, ROUTINE), (1, ROUTINE)], "emergency"),
        ([(1, "")], "emergency"),
    ],
)
def test_a_newer_order_counts_again_where_it_states_another_whatever_came_first(
    network: Database, messages: list[tuple[int, Urgency | str | None]], expected: str
) -> None:
    take(network.app, an_order(urgency=ROUTINE, setting=Setting.GP))
    ready(network)
    prioritise(network, EMERGENCY)
    with network.app.connect() as connection:
        for order in itertools.permutations(messages):
            with connection.begin() as transaction:
                for one in order:
                    receive_order(connection, after_the_act(*one))
                assert connection.scalar(select(item.c.urgency)) == expected, order
                transaction.rollback()


def test_a_priority_before_the_images_makes_the_work_urgent_when_they_come(network: Database) -> None:
    take(network.app, an_order(urgency=ROUTINE, setting=Setting.GP))
    prioritise(network, EMERGENCY)
    assert the_item(network.app).state == "ordered"
    ready(network)
    assert the_item(network.app).urgency == "emergency"


def test_work_that_arrives_is_offered_at_once_when_a_person_says_that_it_is_urgent(network: Database) -> None:
    slow = Sender("PACS_A", "RXA", 600)
    receive(network.app, an_object(requesting_service="General Practice"), sender=slow)
    complete_quiet_studies(network.app)
    assert the_item(network.app).state == "arriving"
    prioritise(network, EMERGENCY)
    row = the_item(network.app)
    assert (row.state, row.arriving, row.urgency) == ("ready", True, "emergency")
