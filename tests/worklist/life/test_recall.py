"""What becomes of work whose report was recalled: it is amended and nothing else, wherever it goes meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from allocation.reports import ReportGiven
from allocation.workforce import reindex_reporters
from tests.allocation.claims.claiming import PRELIMINARY, VERIFIED, claimed_by, report
from tests.allocation.configuration.applying import apply_text
from tests.builders import reporter_id
from tests.conftest import Database
from tests.worklist.arrivals import an_order, doubts_of, readings_of, take, the_item
from tests.worklist.life.test_acts import STOPS, act, ready
from worklist.intake.orders import OrderControl
from worklist.item import ForbiddenMove
from worklist.life import acts as life
from worklist.life.recall import recall, reported_by
from worklist.reading import ReportStatus

ADDENDUM = ReportGiven(ReportStatus.ADDENDUM, "and a rib")
NO_PLAIN_FILM = """
[[not_offered]]
id = "plain-film"
modalities = ["XR"]
reason = "evaluated-locally"
valid_from = 2020-01-01
source = "test"
"""


@pytest.mark.parametrize("state", STOPS)
def test_what_is_offered_again_is_recalled_as_before_and_no_rule_takes_it_away(network: Database, state: str) -> None:
    stop, reason, resume = STOPS[state]
    ready(network)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    act(network, recall, "wrong-side")
    act(network, stop, reason)
    for _, _, other in STOPS.values():
        if other is not resume:
            with pytest.raises(ForbiddenMove):
                act(network, other)
    act(network, resume)
    assert the_item(network.app).state == "recalled"
    apply_text(network, NO_PLAIN_FILM)
    assert the_item(network.app).state == "recalled"
    assert claimed_by(network, "reed").purpose == "amendment"


def test_its_due_times_are_the_report_s_and_not_those_of_its_check(network: Database) -> None:
    check = '[[target]]\nid = "checks"\nclock = "check"\ntarget = "1 hour"\nhard_limit = "2 hours"\n'
    apply_text(network, check + 'valid_from = 2026-01-01\nsource = "test"\n')
    ready(network)
    before = the_item(network.app)
    report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    assert the_item(network.app).target_rule == "checks"
    act(network, recall, "other")
    after, amendment = the_item(network.app), readings_of(network.app)[-1]
    kept = ("due_at", "hard_limit_at", "target_rule", "report_due_at", "verified_at", "reported_source")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (amendment.purpose, amendment.due_at) == ("amendment", before.due_at)


def test_whose_preliminary_report_was_checked_does_not_recall_the_verified_one(network: Database) -> None:
    ready(network)
    report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    with network.app.connect() as connection:
        item_id = the_item(network.app).id
        found = {one: reported_by(connection, reporter_id(network, one), item_id) for one in ("tran", "reed")}
    assert found == {"tran": False, "reed": True}


def test_an_addendum_to_a_recalled_report_is_kept_for_a_person(network: Database) -> None:
    ready(network)
    made = claimed_by(network, "reed")
    report(network, "reed", made, VERIFIED)
    act(network, recall, "other")
    assert report(network, "reed", made, ADDENDUM).superseded is not None
    assert the_item(network.app).state == "recalled"
    assert network.count("SELECT count(*) FROM report_text") == 2
    assert "report-under-superseded-claim" in doubts_of(network.app)


def test_whose_report_was_recalled_adds_nothing_to_a_colleague_s_amended_one(network: Database) -> None:
    cole = reporter_id(network, "cole")
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE scope_grant SET level = 'autonomous' WHERE reporter_id = :id"), {"id": cole})
        reindex_reporters(connection, [cole])
    ready(network)
    made = claimed_by(network, "reed")
    report(network, "reed", made, VERIFIED)
    act(network, recall, "other")
    amended = claimed_by(network, "cole")
    report(network, "cole", amended, VERIFIED)
    assert report(network, "reed", made, ADDENDUM).superseded is not None
    assert the_item(network.app).state == "verified"
    assert report(network, "cole", amended, ADDENDUM).superseded is None
    assert the_item(network.app).state == "addendum"


def test_what_was_cancelled_while_it_was_to_be_amended_stays_cancelled(network: Database) -> None:
    ready(network)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    act(network, recall, "wrong-patient")
    act(network, life.cancel, "duplicate")
    assert [one.state for one in readings_of(network.app)] == ["done", "withdrawn"]
    with pytest.raises(ForbiddenMove):
        act(network, life.release_hold)


@pytest.mark.parametrize("given", [PRELIMINARY, VERIFIED])
def test_what_is_ordered_again_while_its_check_or_its_amendment_waited_can_be_taken(
    network: Database, given: ReportGiven
) -> None:
    ready(network)
    who = "tran" if given is PRELIMINARY else "reed"
    report(network, who, claimed_by(network, who), given)
    if given is VERIFIED:
        act(network, recall, "wrong-side")
    waiting = readings_of(network.app)[-1]
    take(network.app, an_order(5, OrderControl.CANCEL), an_order(10, OrderControl.CHANGE))
    assert (the_item(network.app).state, readings_of(network.app)[-1].state) == ("ready", "open")
    made = claimed_by(network, "reed")
    assert (made.reading_id, made.purpose) == (waiting.id, waiting.purpose)
    report(network, "reed", made, VERIFIED)
    assert the_item(network.app).state == "verified"
