"""A rule of what is not offered that begins while somebody reads: they finish it, and nobody is offered it anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from allocation.claims import NotFree
from allocation.leases import ClaimSuperseded, return_lapsed
from tests.allocation.claims.claiming import LEASE, PRELIMINARY, VERIFIED, claim_as, claimed_by, do, let_pass, report
from tests.allocation.configuration.applying import apply_text
from tests.builders import arrive, reporter_id
from tests.conftest import Database
from tests.worklist.arrivals import doubts_of, events_of, readings_of, the_item
from worklist.life.recall import recall

RULE = """
[[not_offered]]
id = "hands"
trust = "RXA"
exam_codes = ["XHANL"]
reason = "evaluated-locally"
valid_from = 2026-01-01
source = "letter of the test"
"""


@pytest.fixture
def ruled(network: Database) -> Database:
    """A network in which Hana Hart has begun to read what is not offered any more."""
    arrive(network)
    return network


def begin_rule(network: Database) -> None:
    apply_text(network, RULE)


def test_who_has_it_renews_and_finishes_it_and_it_counts_as_any_other(ruled: Database) -> None:
    made = claimed_by(ruled, "hart")
    begin_rule(ruled)
    do(ruled, "renew", "hart", made)
    assert report(ruled, "hart", made, VERIFIED).superseded is None
    row = the_item(ruled.app)
    assert (row.state, row.not_offered_rule, row.clock_start_at is None) == ("verified", None, False)


@pytest.mark.parametrize("act", ["release", "skip", "refer"])
def test_what_is_given_back_is_offered_to_nobody(ruled: Database, act: str) -> None:
    made = claimed_by(ruled, "hart")
    begin_rule(ruled)
    do(ruled, act, "hart", made)
    row = the_item(ruled.app)
    assert (row.state, row.not_offered_rule, row.due_at) == ("not_offered", "hands", None)
    assert [one.state for one in readings_of(ruled.app)] == ["withdrawn"]
    assert claim_as(ruled, reporter_id(ruled, "reed")) is None
    assert events_of(ruled.app)[-2:] == ["item.given-back", "item.not-offered"]


def lapse(network: Database) -> None:
    let_pass(network, LEASE + 1)


def lapse_and_return(network: Database) -> None:
    lapse(network)
    assert return_lapsed(network.app) == 1


@pytest.mark.parametrize("lapses", [lapse, lapse_and_return])
def test_what_lapses_is_given_to_nobody_not_even_before_it_is_seen(
    ruled: Database, lapses: Callable[[Database], None]
) -> None:
    claimed_by(ruled, "hart")
    begin_rule(ruled)
    lapses(ruled)
    assert claim_as(ruled, reporter_id(ruled, "reed")) is None
    with pytest.raises(NotFree):
        claim_as(ruled, reporter_id(ruled, "reed"), item_id=the_item(ruled.app).id)


def test_who_let_it_lapse_is_told_of_the_rule_and_a_late_report_is_kept_for_a_person(ruled: Database) -> None:
    made = claimed_by(ruled, "hart")
    begin_rule(ruled)
    lapse_and_return(ruled)
    with pytest.raises(ClaimSuperseded, match="not offered: hands"):
        do(ruled, "renew", "hart", made)
    assert report(ruled, "hart", made, VERIFIED).superseded is not None
    assert "report-under-superseded-claim" in doubts_of(ruled.app)


def test_until_it_is_seen_that_the_lease_ran_out_the_report_counts(ruled: Database) -> None:
    made = claimed_by(ruled, "hart")
    begin_rule(ruled)
    lapse(ruled)
    assert report(ruled, "hart", made, VERIFIED).superseded is None
    assert the_item(ruled.app).state == "verified"


def test_a_preliminary_report_is_checked_and_a_recalled_one_amended_all_the_same(ruled: Database) -> None:
    report(ruled, "tran", claimed_by(ruled, "tran"), PRELIMINARY)
    begin_rule(ruled)
    check = claimed_by(ruled, "reed")
    do(ruled, "release", "reed", check)
    check = claimed_by(ruled, "reed")
    assert check.purpose == "check"
    report(ruled, "reed", check, VERIFIED)
    with ruled.app.begin() as connection:
        recall(connection, "lead", the_item(ruled.app).id, "other")
    made = claimed_by(ruled, "reed")
    do(ruled, "release", "reed", made)
    assert (the_item(ruled.app).state, claimed_by(ruled, "reed").purpose) == ("recalled", "amendment")


def test_other_work_of_the_trust_goes_back_into_the_pool(ruled: Database) -> None:
    claimed_by(ruled, "reed")
    knee = arrive(ruled, exam="XKNEL")
    made = claimed_by(ruled, "hart")
    assert made.item_id == knee
    begin_rule(ruled)
    do(ruled, "release", "hart", made)
    assert claimed_by(ruled, "hart").item_id == knee
