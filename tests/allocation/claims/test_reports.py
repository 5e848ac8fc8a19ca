"""Reports under a claim: once, by who may, kept where they come too late; nothing by who is suspended."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from allocation.claims import NotEligible, Wish, claim_reading
from allocation.reports import ReportGiven
from allocation.workforce import rebuild_index
from tests.allocation.claims.claiming import (
    LEASE,
    PRELIMINARY,
    SECOND_READING,
    VERIFIED,
    claim_as,
    claim_rows,
    claimed_by,
    do,
    let_pass,
    report,
    state,
    suspend,
)
from tests.builders import arrive, reporter_id, wait_until_somebody_waits
from tests.conftest import Database
from worklist.reading import Purpose, ReportStatus


class TestReports:
    """A report is judged again, and moves the item."""

    def test_the_same_report_again_is_recognised_and_nothing_is_written(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        first = report(network, "hart", made, VERIFIED)
        before = claim_rows(network)
        again = report(network, "hart", made, VERIFIED)
        assert (again.repeated, again.report_id, again.superseded) == (True, first.report_id, None)
        assert claim_rows(network) == before

    def test_the_same_superseded_report_again_is_recognised_too(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        let_pass(network, LEASE + 1)
        claimed_by(network, "reed")
        first = report(network, "hart", made, VERIFIED)
        again = report(network, "hart", made, VERIFIED)
        assert (again.repeated, again.report_id) == (True, first.report_id)
        assert again.superseded is not None

    def test_other_words_under_an_ended_claim_are_kept_and_not_taken(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, VERIFIED)
        other = report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, "other words"))
        assert other.superseded is not None

    def test_a_report_after_the_item_was_given_back_is_kept_and_not_taken(self, network: Database) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        do(network, "release", "hart", made)
        assert report(network, "hart", made, VERIFIED).superseded is not None
        assert state(network, item) == "ready"

    def test_who_lost_the_right_since_the_claim_may_not_report(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE scope_grant SET suspended_at = radpool_now()"))
        with pytest.raises(NotEligible, match="the grant is suspended"):
            report(network, "hart", made, VERIFIED)

    def test_an_addendum_follows_a_report_by_its_own_reporter(self, network: Database) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, VERIFIED)
        added = report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "more words"))
        assert added.superseded is None
        assert state(network, item) == "addendum"

    def test_a_trainee_s_preliminary_report_opens_a_check_that_the_trainee_cannot_claim(
        self, network: Database
    ) -> None:
        item = arrive(network)
        filed = report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
        assert filed.check_needed
        assert state(network, item) == "preliminary"
        assert claim_as(network, reporter_id(network, "tran")) is None
        with pytest.raises(NotEligible):
            claim_as(network, reporter_id(network, "tran"), item_id=item)
        check = claimed_by(network, "reed")
        assert (check.item_id, check.purpose) == (item, Purpose.CHECK)
        with pytest.raises(NotEligible, match="a check ends with a verified report"):
            report(network, "reed", check, PRELIMINARY)
        report(network, "reed", check, VERIFIED)
        assert state(network, item) == "verified"

    def test_a_check_is_for_those_who_report_it_autonomously(self, network: Database) -> None:
        item = arrive(network, exam="XCHES")
        report(network, "tran", claimed_by(network, "tran"), PRELIMINARY)
        assert claim_as(network, reporter_id(network, "cole")) is None
        with pytest.raises(NotEligible, match="autonomously"):
            claim_as(network, reporter_id(network, "cole"), item_id=item)

    @pytest.mark.parametrize("status", [ReportStatus.VERIFIED, ReportStatus.ADDENDUM])
    def test_a_trainee_verifies_nothing_and_adds_nothing(self, network: Database, status: ReportStatus) -> None:
        item = arrive(network)
        made = claimed_by(network, "tran")
        if status is ReportStatus.ADDENDUM:
            report(network, "tran", made, PRELIMINARY)
            report(network, "reed", claimed_by(network, "reed"), VERIFIED)
        with pytest.raises(NotEligible, match="trainee"):
            report(network, "tran", made, ReportGiven(status, "new words"))
        assert state(network, item) != "addendum"

    def test_an_autonomous_reporter_s_preliminary_report_keeps_the_claim_and_is_verified_later(
        self, network: Database
    ) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        assert not report(network, "hart", made, PRELIMINARY).check_needed
        assert state(network, item) == "preliminary"
        report(network, "hart", made, VERIFIED)
        assert state(network, item) == "verified"

    def test_a_claimed_addendum_is_done_when_it_is_given(self, network: Database) -> None:
        arrive(network)
        report(network, "hart", claimed_by(network, "hart"), VERIFIED)
        with network.owner.begin() as connection:
            connection.execute(text(str(SECOND_READING).replace("'second'", "'addendum'")))
        made = claim_as(network, reporter_id(network, "reed"), purpose=Purpose.ADDENDUM)
        assert made is not None
        report(network, "reed", made, ReportGiven(ReportStatus.ADDENDUM, "more words"))
        let_pass(network, LEASE + 1)
        assert claim_as(network, reporter_id(network, "reed"), purpose=Purpose.ADDENDUM) is None


class TestSuspended:
    """Who is suspended has no way in."""

    def test_they_claim_nothing_and_are_told_so(self, network: Database) -> None:
        item = arrive(network)
        suspend(network, "hart")
        for item_id in (None, item):
            with pytest.raises(NotEligible, match="suspended"):
                claim_as(network, reporter_id(network, "hart"), item_id=item_id)

    def test_they_report_nothing_that_they_had_claimed(self, network: Database) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        suspend(network, "hart")
        for given in (VERIFIED, PRELIMINARY):
            with pytest.raises(NotEligible, match="suspended"):
                report(network, "hart", made, given)
        assert state(network, item) == "in_progress"

    def test_they_add_nothing_to_what_they_had_reported(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        report(network, "hart", made, VERIFIED)
        suspend(network, "hart")
        with pytest.raises(NotEligible, match="suspended"):
            report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "more words"))

    def test_who_is_no_longer_suspended_claims_at_once(self, network: Database) -> None:
        arrive(network)
        suspend(network, "hart")
        with network.owner.begin() as connection:
            rebuild_index(connection)
            connection.execute(text("UPDATE reporter SET suspended_at = NULL"))
        assert claim_as(network, reporter_id(network, "hart")) is not None

    def test_a_suspension_waits_for_a_claim_under_way_and_the_next_claim_for_the_suspension(
        self, network: Database
    ) -> None:
        arrive(network)
        hart = reporter_id(network, "hart")
        with ThreadPoolExecutor(1) as pool, network.app.connect() as claiming:
            claim_reading(claiming, "hart", hart, Wish(), lease_seconds=LEASE)
            suspending = pool.submit(suspend, network, "hart")
            wait_until_somebody_waits(network)
            assert not suspending.done()
            claiming.commit()
            suspending.result(timeout=60)
        with pytest.raises(NotEligible, match="suspended"):
            claim_as(network, hart)
