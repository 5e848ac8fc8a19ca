"""What a check changed: stated with the report or after it, and put before a person where nobody says it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from allocation.leases import UnknownClaim
from allocation.reports import ReportFiled, ReportGiven
from tests.allocation.claims.claiming import (
    LEASE,
    PRELIMINARY,
    VERIFIED,
    claimed_by,
    do,
    let_pass,
    report,
)
from tests.allocation.configuration.applying import apply_text
from tests.builders import arrive
from tests.conftest import Database
from tests.worklist.alerts.test_rules import listed
from tests.worklist.arrivals import doubts_of, events_of
from worklist.discrepancies import DiscrepancyStands, NothingWentOut, state_discrepancy
from worklist.life.moves import UnknownItem
from worklist.life.recall import recall
from worklist.reading import Discrepancy, ReportStatus

TIMER = '[[alert_timer]]\nkind = "material-change"\nwithin = "2 hours"\nvalid_from = 2026-01-01\nsource = "test"\n'
NOT_STATED = "discrepancy-not-stated"


def checked(network: Database, discrepancy: Discrepancy | None = None, words: str | None = "Other words.") -> int:
    """Have a trainee's preliminary report checked by a colleague, and give the item."""
    item_id = arrive(network)
    report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
    report(network, "reed", claimed_by(network, "reed"), verified(words, discrepancy))
    return item_id


def verified(words: str | None, discrepancy: Discrepancy | None = None) -> ReportGiven:
    return ReportGiven(ReportStatus.VERIFIED, words, discrepancy=discrepancy)


def state(network: Database, item_id: int, discrepancy: Discrepancy, note: str | None = None) -> None:
    with network.app.begin() as connection:
        state_discrepancy(connection, "lead", item_id, discrepancy, note)


def stated(network: Database) -> list[Any]:
    with network.owner.connect() as connection:
        return list(connection.scalars(text("SELECT discrepancy FROM report ORDER BY id")))


def test_a_material_change_at_the_check_alerts_with_a_clock_of_its_own(network: Database) -> None:
    apply_text(network, TIMER)
    item_id = checked(network, Discrepancy.MATERIAL)
    [alert] = listed(network)
    assert (alert["kind"], alert["item_id"], alert["overdue"]) == ("material-change", item_id, False)
    assert (alert["acknowledge_by"] - alert["raised_at"]).total_seconds() == 7200
    assert stated(network) == [None, "material"]
    assert NOT_STATED not in doubts_of(network.app)


@pytest.mark.parametrize("discrepancy", [Discrepancy.NONE, Discrepancy.MINOR])
def test_what_changes_nothing_for_the_requester_alerts_nobody(network: Database, discrepancy: Discrepancy) -> None:
    checked(network, discrepancy)
    assert (listed(network), stated(network)) == ([], [None, discrepancy])
    assert NOT_STATED not in doubts_of(network.app)


def test_a_change_that_nobody_states_is_put_before_a_person(network: Database) -> None:
    checked(network)
    assert (listed(network), stated(network)) == ([], [None, None])
    assert NOT_STATED in doubts_of(network.app)


def test_words_that_are_at_home_are_not_taken_for_the_same(network: Database) -> None:
    checked(network, words=None)
    assert NOT_STATED in doubts_of(network.app)


def test_the_very_same_words_say_that_nothing_changed(network: Database) -> None:
    checked(network, words=" words\n")
    assert stated(network) == [None, "none"]
    assert NOT_STATED not in doubts_of(network.app)


def test_who_finishes_a_preliminary_report_of_their_own_is_not_asked_and_may_say_it(network: Database) -> None:
    arrive(network)
    made = claimed_by(network, "hart")
    report(network, "hart", made, PRELIMINARY)
    report(network, "hart", made, verified("Other words."))
    assert NOT_STATED not in doubts_of(network.app)
    arrive(network)
    made = claimed_by(network, "hart")
    report(network, "hart", made, PRELIMINARY)
    report(network, "hart", made, verified("Other words.", Discrepancy.MATERIAL))
    assert [row["kind"] for row in listed(network)] == ["material-change"]


def test_a_colleague_who_took_a_lapsed_preliminary_report_over_is_asked(network: Database) -> None:
    arrive(network)
    report(network, "hart", claimed_by(network, "hart"), PRELIMINARY)
    let_pass(network, LEASE + 1)
    report(network, "reed", claimed_by(network, "reed"), verified("Other words."))
    assert NOT_STATED in doubts_of(network.app)


def test_where_no_report_went_out_there_is_nothing_to_state(network: Database) -> None:
    item_id = arrive(network)
    made = claimed_by(network, "reed")
    with pytest.raises(NothingWentOut):
        report(network, "reed", made, verified("words", Discrepancy.NONE))
    assert report(network, "reed", made, VERIFIED).discrepancy is None
    for what in (item_id, 987654321):
        with pytest.raises((NothingWentOut, UnknownItem)):
            state(network, what, Discrepancy.NONE)


def test_a_report_in_place_of_a_recalled_one_may_say_what_it_changed(network: Database) -> None:
    item_id = arrive(network)
    report(network, "reed", claimed_by(network, "reed"), VERIFIED)
    with network.app.begin() as connection:
        recall(connection, "lead", item_id, "wrong-side")
    filed = report(network, "reed", claimed_by(network, "reed"), verified("The left.", Discrepancy.MATERIAL))
    assert filed.discrepancy is Discrepancy.MATERIAL
    assert [row["kind"] for row in listed(network)] == ["material-change"]


def test_the_same_report_again_is_recognised_and_one_that_states_another_change_is_kept(network: Database) -> None:
    arrive(network)
    report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
    made = claimed_by(network, "reed")

    def again(discrepancy: Discrepancy | None) -> ReportFiled:
        return report(network, "reed", made, verified("Other words.", discrepancy))

    first = again(Discrepancy.MINOR)
    for repeated in (again(Discrepancy.MINOR), again(None)):
        assert (repeated.repeated, repeated.report_id) == (True, first.report_id)
        assert repeated.discrepancy is Discrepancy.MINOR
    assert again(Discrepancy.MATERIAL).superseded is not None
    assert [row["kind"] for row in listed(network)] == ["material-change"]  # it is about the patient


def test_it_may_be_stated_after_the_report_and_that_settles_the_exception(network: Database) -> None:
    item_id = checked(network)
    state(network, item_id, Discrepancy.MINOR, "Zephyrwood")
    assert NOT_STATED not in doubts_of(network.app)
    assert (listed(network), stated(network)) == ([], [None, "minor"])
    with pytest.raises(DiscrepancyStands):
        state(network, item_id, Discrepancy.MINOR)
    state(network, item_id, Discrepancy.MATERIAL)
    assert [row["kind"] for row in listed(network)] == ["material-change"]
    for lower in Discrepancy:
        with pytest.raises(DiscrepancyStands):
            state(network, item_id, lower)
    assert events_of(network.app).count("report.material-change") == 1
    with network.owner.connect() as connection:
        assert list(connection.scalars(text("SELECT reason FROM item_act ORDER BY id"))) == ["minor", "material"]
        told = str(connection.execute(text("SELECT dimensions FROM event")).all())
        told += str(connection.execute(text("SELECT payload FROM audit.entry")).all())
    assert "Zephyrwood" not in told


def test_a_preliminary_report_that_was_recalled_with_the_verified_one_is_not_compared_again(
    network: Database,
) -> None:
    """The amended report takes the place of the verified one, which is the newer of the two."""
    item_id = checked(network, Discrepancy.NONE)
    with network.app.begin() as connection:
        recall(connection, "lead", item_id, "error-in-report")
    made = claimed_by(network, "reed")
    report(network, "reed", made, verified("Other words."))
    assert stated(network) == [None, "none", "none"]  # the words are those of the recalled report
    with pytest.raises(UnknownClaim):
        do(network, "renew", "tran", made)
