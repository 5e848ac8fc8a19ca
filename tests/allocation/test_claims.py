"""Claims are leases with fencing tokens: nothing twice, nothing left, no false "nothing to do"."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from allocation import leases
from allocation.claims import Claimed, NotEligible, NotFree, UnknownSession, Wish, claim_reading
from allocation.leases import ClaimSuperseded, SkipReason, UnknownClaim, return_lapsed
from allocation.reports import ReportFiled, ReportGiven, file_report
from allocation.scope import Level
from allocation.workforce import UnknownReporter, rebuild_index, reindex_reporters
from tests.builders import arrive, multiply, patient_called, reporter_id
from tests.conftest import NOW, Database
from worklist import clock
from worklist.moves import UnknownItem
from worklist.reading import Purpose, ReportStatus

LEASE = 600.0
ACTS = ("renew", "release", "skip", "refer")
VERIFIED = ReportGiven(ReportStatus.VERIFIED, "words")
PRELIMINARY = ReportGiven(ReportStatus.PRELIMINARY, "words")


class TestManyAtOnce:
    """Fifty reporters ask at once; in the long form two hundred."""

    @pytest.mark.parametrize(
        ("claimers", "count"), [(50, 500), pytest.param(200, 10_000, marks=pytest.mark.proof, id="long")]
    )
    def test_no_item_is_claimed_twice_none_is_left_and_nobody_is_sent_away_early(
        self, network: Database, claimers: int, count: int
    ) -> None:
        items = [(one := arrive(network)), *multiply(network, one, count - 1)]
        who = [reporter_id(network, "hart"), reporter_id(network, "reed")]
        left = threading.Lock(), Counter[int]()

        def claim_until_none(number: int) -> list[int]:
            mine = []
            while (made := _claim(network, who[number % 2])) is not None:
                mine.append(made.item_id)
                with left[0]:
                    left[1][made.item_id] += 1
            with network.owner.connect() as connection:
                free = connection.scalar(text("SELECT count(*) FROM reading WHERE free_from <= radpool_now()"))
            assert free == 0, "sent away while a reading was free"
            return mine

        with ThreadPoolExecutor(claimers) as pool:
            claimed = [item for mine in pool.map(claim_until_none, range(claimers)) for item in mine]
        assert sorted(claimed) == sorted(items)
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM claim WHERE ended_at IS NULL")) == count
            assert connection.scalar(text("SELECT count(*) FROM event WHERE kind = 'item.claimed'")) == count

    def test_of_two_who_want_the_same_item_one_gets_it(self, network: Database) -> None:
        who = [reporter_id(network, "hart"), reporter_id(network, "reed")]
        for _ in range(10):
            item, barrier = arrive(network), threading.Barrier(2)

            def want(reporter: int, item: int = item, barrier: threading.Barrier = barrier) -> str:
                barrier.wait(timeout=60)
                try:
                    _claim(network, reporter, item_id=item)
                except NotFree:
                    return "taken"
                return "claimed"

            with ThreadPoolExecutor(2) as pool:
                assert sorted(pool.map(want, who)) == ["claimed", "taken"]

    def test_a_claim_that_is_rolled_back_while_another_asks_leaves_the_reading_to_the_other(
        self, network: Database
    ) -> None:
        item, hart, reed = arrive(network), reporter_id(network, "hart"), reporter_id(network, "reed")
        with ThreadPoolExecutor(1) as pool, network.app.connect() as slow:
            claim_reading(slow, "hart", hart, Wish(), lease_seconds=LEASE)
            other = pool.submit(_claim, network, reed)
            _wait_until_somebody_waits(network)
            slow.rollback()
            made = other.result(timeout=60)
        assert made is not None
        assert made.item_id == item

    def test_claims_reports_and_releases_of_the_same_items_at_once_do_not_deadlock(self, network: Database) -> None:
        items = [(one := arrive(network)), *multiply(network, one, 7)]
        who = [reporter_id(network, "hart"), reporter_id(network, "reed")]

        def work(number: int) -> None:
            me = who[number % 2]
            for turn in range(8):
                try:
                    made = _claim(network, me, item_id=items[(number + turn) % 8] if turn % 2 else None)
                except (NotFree, NotEligible):
                    continue
                if made is None:
                    continue
                with network.app.begin() as connection:
                    if turn % 4 == 3:
                        file_report(connection, "me", me, made.claim_id, made.token, VERIFIED)
                    else:
                        leases.release(connection, "me", me, made.claim_id, made.token)
                return_lapsed(network.app)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM claim WHERE ended_at IS NULL")) == 0


class TestWhatIsGiven:
    """Which reading a reporter gets who asks for work."""

    def test_the_most_urgent_comes_first(self, network: Database) -> None:
        arrive(network)
        urgent = arrive(network, service="Emergency Department")
        assert _claimed(network, "hart").item_id == urgent

    def test_only_what_the_scope_covers_is_given(self, network: Database) -> None:
        for exam in ("CHEAD", "XCHES", "MHEAD", None):
            arrive(network, exam=exam)
        hand = arrive(network, exam="XHANL")
        assert _claimed(network, "hart").item_id == hand
        assert _claim(network, reporter_id(network, "hart")) is None

    def test_only_work_of_a_trust_that_entitles_is_given(self, network: Database) -> None:
        arrive(network, trust="RXB", exam="XCHES")
        assert _claim(network, reporter_id(network, "cole")) is None

    def test_a_patient_of_unknown_age_goes_to_nobody_whose_scope_is_limited_by_age(self, network: Database) -> None:
        item = arrive(network, patient=patient_called("Nobody", birth_date=None))
        assert _claim(network, reporter_id(network, "hart")) is None
        assert _claimed(network, "reed").item_id == item

    def test_what_is_assigned_comes_before_what_is_more_urgent_and_in_the_order_of_the_plan(
        self, network: Database
    ) -> None:
        late, later, urgent = arrive(network), arrive(network), arrive(network, service="Emergency Department")
        _assign(network, later, "hart", rank=1)
        _assign(network, late, "hart", rank=2)
        found = [_claimed(network, "hart") for _ in range(3)]
        assert [one.item_id for one in found] == [later, late, urgent]
        assert found[0].why[0] == "assigned to you by the plan"

    def test_what_is_planned_for_a_colleague_comes_last(self, network: Database) -> None:
        planned, other = arrive(network, service="Emergency Department"), arrive(network)
        _assign(network, planned, "reed", rank=1)
        assert [_claimed(network, "hart").item_id for _ in range(2)] == [other, planned]

    def test_a_claim_ends_the_assignment(self, network: Database) -> None:
        _assign(network, arrive(network), "hart", rank=1)
        _claimed(network, "hart")
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM assignment")) == 0

    def test_a_purpose_asked_for_is_kept_to(self, network: Database) -> None:
        arrive(network)
        assert _claim(network, reporter_id(network, "reed"), purpose=Purpose.CHECK) is None
        assert _claim(network, reporter_id(network, "reed"), purpose=Purpose.FIRST) is not None

    def test_a_claim_says_why_it_was_this_reading_and_at_what_level(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        assert made.level is Level.AUTONOMOUS
        assert made.why == (
            "the most urgent that you may report",
            "due 2026-06-24 09:00 UTC",
            "XHANL: msk-xr as autonomous to 2030-12-31",
        )

    def test_a_lease_is_as_long_as_it_was_asked_for(self, network: Database) -> None:
        for seconds in (0.5, 600, 1.000001):
            item = arrive(network)
            made = _claim(network, reporter_id(network, "hart"), item_id=item, lease_seconds=seconds)
            assert made is not None
            with network.owner.connect() as connection:
                claimed_at = connection.scalar(text("SELECT claimed_at FROM claim ORDER BY id DESC"))
            assert claimed_at is not None
            assert made.expires_at - claimed_at == timedelta(seconds=seconds)


class TestByItem:
    """A reporter asks for one item."""

    def test_who_may_not_report_it_is_told_every_reason(self, network: Database) -> None:
        item = arrive(network, trust="RXB", exam="CHEAD")
        with pytest.raises(NotEligible) as refusal:
            _claim(network, reporter_id(network, "cole"), item_id=item)
        assert [reason.condition for reason in refusal.value.reasons] == ["entitlement", "scope"]

    def test_what_somebody_has_is_not_free(self, network: Database) -> None:
        item = arrive(network)
        _claimed(network, "hart")
        with pytest.raises(NotFree):
            _claim(network, reporter_id(network, "reed"), item_id=item)

    def test_who_may_not_report_it_is_not_told_that_somebody_has_it(self, network: Database) -> None:
        item = arrive(network)
        _claimed(network, "hart")
        with pytest.raises(NotEligible):
            _claim(network, reporter_id(network, "cole"), item_id=item)

    def test_what_is_reported_is_not_free(self, network: Database) -> None:
        item = arrive(network)
        _report(network, "hart", _claimed(network, "hart"), VERIFIED)
        with pytest.raises(NotFree, match="verified"):
            _claim(network, reporter_id(network, "reed"), item_id=item)

    def test_what_has_nothing_to_read_yet_is_not_free(self, network: Database) -> None:
        item = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text("DELETE FROM reading"))
            connection.execute(text("UPDATE item SET state = 'arriving'"))
        with pytest.raises(NotFree, match="arriving"):
            _claim(network, reporter_id(network, "hart"), item_id=item)

    def test_an_item_that_is_not_known_is_unknown(self, network: Database) -> None:
        with pytest.raises(UnknownItem):
            _claim(network, reporter_id(network, "hart"), item_id=4711)

    def test_a_reporter_that_is_not_known_is_unknown(self, network: Database) -> None:
        with pytest.raises(UnknownReporter):
            _claim(network, 4711)

    def test_what_waits_on_hold_is_not_given_and_not_free(self, network: Database) -> None:
        item = arrive(network, accession=None)
        assert _claim(network, reporter_id(network, "hart")) is None
        with pytest.raises(NotFree, match="on_hold"):
            _claim(network, reporter_id(network, "hart"), item_id=item)


class TestLeases:
    """A lease runs out; who comes second supersedes, and the first one's token is stale."""

    def test_a_reading_whose_lease_ran_out_goes_to_the_next_who_asks(self, network: Database) -> None:
        item = arrive(network)
        first = _claimed(network, "hart")
        _pass(network, LEASE + 1)
        second = _claimed(network, "reed")
        assert (second.item_id, second.token) == (item, first.token + 1)

    def test_before_it_runs_out_nobody_else_gets_it(self, network: Database) -> None:
        arrive(network)
        _claimed(network, "hart")
        _pass(network, LEASE - 60)
        assert _claim(network, reporter_id(network, "reed")) is None

    def test_a_stale_token_does_nothing(self, network: Database) -> None:
        arrive(network)
        first = _claimed(network, "hart")
        _pass(network, LEASE + 1)
        _claimed(network, "reed")
        before = _claim_rows(network)
        for act in ACTS:
            with pytest.raises(ClaimSuperseded):
                _do(network, act, "hart", first)
        assert _claim_rows(network) == before

    def test_a_token_of_another_claim_does_nothing(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        before = _claim_rows(network)
        for act in ACTS:
            with pytest.raises(ClaimSuperseded):
                _do(network, act, "hart", made, token=made.token + 1)
        assert _claim_rows(network) == before

    def test_another_reporter_s_claim_is_not_known(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        before = _claim_rows(network)
        for act in ACTS:
            with pytest.raises(UnknownClaim):
                _do(network, act, "reed", made)
        assert _claim_rows(network) == before

    def test_an_expired_token_that_was_not_superseded_may_still_report(self, network: Database) -> None:
        item = arrive(network)
        made = _claimed(network, "hart")
        _pass(network, LEASE + 3600)
        return_lapsed(network.app)
        filed = _report(network, "hart", made, VERIFIED)
        assert filed.superseded is None
        assert _state(network, item) == "verified"

    def test_a_report_under_a_superseded_claim_is_kept_and_put_before_a_person(self, network: Database) -> None:
        item = arrive(network)
        first = _claimed(network, "hart")
        _pass(network, LEASE + 1)
        _claimed(network, "reed")
        filed = _report(network, "hart", first, VERIFIED)
        assert filed.superseded is not None
        assert _state(network, item) == "in_progress"
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT body FROM report_text")) == "words"
            assert connection.scalar(text("SELECT superseded FROM report")) is True
            assert connection.scalars(text("SELECT kind FROM worklist_exception")).all() == [
                "report-under-superseded-claim"
            ]

    def test_the_one_who_superseded_reports_and_it_stands(self, network: Database) -> None:
        item = arrive(network)
        _claimed(network, "hart")
        _pass(network, LEASE + 1)
        assert _report(network, "reed", _claimed(network, "reed"), VERIFIED).superseded is None
        assert _state(network, item) == "verified"

    def test_a_renewed_lease_holds_from_now(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        _pass(network, LEASE - 60)
        _do(network, "renew", "hart", made)
        _pass(network, LEASE - 60)
        assert _claim(network, reporter_id(network, "reed")) is None

    def test_a_lapsed_item_is_shown_as_ready_once_and_in_progress_again_when_renewed(self, network: Database) -> None:
        item = arrive(network)
        made = _claimed(network, "hart")
        assert return_lapsed(network.app) == 0
        _pass(network, LEASE + 1)
        assert [return_lapsed(network.app), return_lapsed(network.app)] == [1, 0]
        assert _state(network, item) == "ready"
        _do(network, "renew", "hart", made)
        assert _state(network, item) == "in_progress"

    def test_an_item_with_a_second_reading_under_way_is_not_shown_as_ready(self, network: Database) -> None:
        item = arrive(network)
        _claimed(network, "hart")
        with network.owner.begin() as connection:
            connection.execute(_SECOND_READING)
        _pass(network, LEASE - 60)
        second = _claim(network, reporter_id(network, "reed"), purpose=Purpose.SECOND)
        assert second is not None
        _pass(network, 120)
        assert return_lapsed(network.app) == 0
        assert _state(network, item) == "in_progress"

    def test_two_lapsed_readings_of_an_item_give_it_back_once(self, network: Database) -> None:
        item = arrive(network)
        _claimed(network, "hart")
        with network.owner.begin() as connection:
            connection.execute(_SECOND_READING)
        _claim(network, reporter_id(network, "reed"), purpose=Purpose.SECOND)
        _pass(network, LEASE + 1)
        assert return_lapsed(network.app) == 1
        assert _kinds(network, item).count("item.given-back") == 1


class TestGivingBack:
    """Release, skip and refer: the reading keeps its place."""

    def test_a_released_reading_may_be_claimed_again_even_by_the_same_reporter(self, network: Database) -> None:
        item = arrive(network)
        _do(network, "release", "hart", _claimed(network, "hart"))
        assert _state(network, item) == "ready"
        assert _claimed(network, "hart").item_id == item

    def test_a_skipped_reading_is_not_given_to_that_reporter_again_and_to_others_first(self, network: Database) -> None:
        item, other = arrive(network, service="Emergency Department"), arrive(network)
        _do(network, "skip", "hart", _claimed(network, "hart"))
        assert _claimed(network, "hart").item_id == other
        assert _claimed(network, "reed").item_id == item

    def test_who_declared_a_conflict_of_interest_may_not_even_ask_for_it(self, network: Database) -> None:
        item = arrive(network)
        _do(network, "conflict", "hart", _claimed(network, "hart"))
        with pytest.raises(NotEligible, match="conflict-of-interest"):
            _claim(network, reporter_id(network, "hart"), item_id=item)

    def test_a_referred_reading_goes_to_radiologists_only(self, network: Database) -> None:
        item = arrive(network)
        _do(network, "refer", "hart", _claimed(network, "hart"))
        assert _claim(network, reporter_id(network, "hart")) is None
        with pytest.raises(NotEligible, match="radiologist"):
            _claim(network, reporter_id(network, "hart"), item_id=item)
        assert _claimed(network, "reed").item_id == item

    def test_what_was_given_back_can_neither_be_given_back_again_nor_renewed(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        _do(network, "release", "hart", made)
        for act in ACTS:
            with pytest.raises(ClaimSuperseded):
                _do(network, act, "hart", made)


class TestReports:
    """A report is judged again, and moves the item."""

    def test_the_same_report_again_is_recognised_and_nothing_is_written(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        first = _report(network, "hart", made, VERIFIED)
        before = _claim_rows(network)
        again = _report(network, "hart", made, VERIFIED)
        assert (again.repeated, again.report_id, again.superseded) == (True, first.report_id, None)
        assert _claim_rows(network) == before

    def test_the_same_superseded_report_again_is_recognised_too(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        _pass(network, LEASE + 1)
        _claimed(network, "reed")
        first = _report(network, "hart", made, VERIFIED)
        again = _report(network, "hart", made, VERIFIED)
        assert (again.repeated, again.report_id) == (True, first.report_id)
        assert again.superseded is not None

    def test_other_words_under_an_ended_claim_are_kept_and_not_taken(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        _report(network, "hart", made, VERIFIED)
        other = _report(network, "hart", made, ReportGiven(ReportStatus.VERIFIED, "other words"))
        assert other.superseded is not None

    def test_a_report_after_the_item_was_given_back_is_kept_and_not_taken(self, network: Database) -> None:
        item = arrive(network)
        made = _claimed(network, "hart")
        _do(network, "release", "hart", made)
        assert _report(network, "hart", made, VERIFIED).superseded is not None
        assert _state(network, item) == "ready"

    def test_who_lost_the_right_since_the_claim_may_not_report(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE scope_grant SET suspended_at = radpool_now()"))
        with pytest.raises(NotEligible, match="the grant is suspended"):
            _report(network, "hart", made, VERIFIED)

    def test_an_addendum_follows_a_report_by_its_own_reporter(self, network: Database) -> None:
        item = arrive(network)
        made = _claimed(network, "hart")
        _report(network, "hart", made, VERIFIED)
        added = _report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "more words"))
        assert added.superseded is None
        assert _state(network, item) == "addendum"

    def test_a_trainee_s_preliminary_report_opens_a_check_that_the_trainee_cannot_claim(
        self, network: Database
    ) -> None:
        item = arrive(network)
        filed = _report(network, "tran", _claimed(network, "tran"), PRELIMINARY)
        assert filed.check_needed
        assert _state(network, item) == "preliminary"
        assert _claim(network, reporter_id(network, "tran")) is None
        with pytest.raises(NotEligible):
            _claim(network, reporter_id(network, "tran"), item_id=item)
        check = _claimed(network, "reed")
        assert (check.item_id, check.purpose) == (item, Purpose.CHECK)
        with pytest.raises(NotEligible, match="a check ends with a verified report"):
            _report(network, "reed", check, PRELIMINARY)
        _report(network, "reed", check, VERIFIED)
        assert _state(network, item) == "verified"

    def test_a_check_is_for_those_who_report_it_autonomously(self, network: Database) -> None:
        item = arrive(network, exam="XCHES")
        _report(network, "tran", _claimed(network, "tran"), PRELIMINARY)
        assert _claim(network, reporter_id(network, "cole")) is None
        with pytest.raises(NotEligible, match="autonomously"):
            _claim(network, reporter_id(network, "cole"), item_id=item)

    @pytest.mark.parametrize("status", [ReportStatus.VERIFIED, ReportStatus.ADDENDUM])
    def test_a_trainee_verifies_nothing_and_adds_nothing(self, network: Database, status: ReportStatus) -> None:
        item = arrive(network)
        made = _claimed(network, "tran")
        if status is ReportStatus.ADDENDUM:
            _report(network, "tran", made, PRELIMINARY)
            _report(network, "reed", _claimed(network, "reed"), VERIFIED)
        with pytest.raises(NotEligible, match="trainee"):
            _report(network, "tran", made, ReportGiven(status, "new words"))
        assert _state(network, item) != "addendum"

    def test_an_autonomous_reporter_s_preliminary_report_keeps_the_claim_and_is_verified_later(
        self, network: Database
    ) -> None:
        item = arrive(network)
        made = _claimed(network, "hart")
        assert not _report(network, "hart", made, PRELIMINARY).check_needed
        assert _state(network, item) == "preliminary"
        _report(network, "hart", made, VERIFIED)
        assert _state(network, item) == "verified"

    def test_a_claimed_addendum_is_done_when_it_is_given(self, network: Database) -> None:
        arrive(network)
        _report(network, "hart", _claimed(network, "hart"), VERIFIED)
        with network.owner.begin() as connection:
            connection.execute(text(str(_SECOND_READING).replace("'second'", "'addendum'")))
        made = _claim(network, reporter_id(network, "reed"), purpose=Purpose.ADDENDUM)
        assert made is not None
        _report(network, "reed", made, ReportGiven(ReportStatus.ADDENDUM, "more words"))
        _pass(network, LEASE + 1)
        assert _claim(network, reporter_id(network, "reed"), purpose=Purpose.ADDENDUM) is None


class TestSuspended:
    """Who is suspended has no way in."""

    def test_they_claim_nothing_and_are_told_so(self, network: Database) -> None:
        item = arrive(network)
        _suspend(network, "hart")
        for item_id in (None, item):
            with pytest.raises(NotEligible, match="suspended"):
                _claim(network, reporter_id(network, "hart"), item_id=item_id)

    def test_they_report_nothing_that_they_had_claimed(self, network: Database) -> None:
        item = arrive(network)
        made = _claimed(network, "hart")
        _suspend(network, "hart")
        for given in (VERIFIED, PRELIMINARY):
            with pytest.raises(NotEligible, match="suspended"):
                _report(network, "hart", made, given)
        assert _state(network, item) == "in_progress"

    def test_they_add_nothing_to_what_they_had_reported(self, network: Database) -> None:
        arrive(network)
        made = _claimed(network, "hart")
        _report(network, "hart", made, VERIFIED)
        _suspend(network, "hart")
        with pytest.raises(NotEligible, match="suspended"):
            _report(network, "hart", made, ReportGiven(ReportStatus.ADDENDUM, "more words"))

    def test_who_is_no_longer_suspended_claims_at_once(self, network: Database) -> None:
        arrive(network)
        _suspend(network, "hart")
        with network.owner.begin() as connection:
            rebuild_index(connection)
            connection.execute(text("UPDATE reporter SET suspended_at = NULL"))
        assert _claim(network, reporter_id(network, "hart")) is not None

    def test_a_suspension_waits_for_a_claim_under_way_and_the_next_claim_for_the_suspension(
        self, network: Database
    ) -> None:
        arrive(network)
        hart = reporter_id(network, "hart")
        with ThreadPoolExecutor(1) as pool, network.app.connect() as claiming:
            claim_reading(claiming, "hart", hart, Wish(), lease_seconds=LEASE)
            suspending = pool.submit(_suspend, network, "hart")
            _wait_until_somebody_waits(network)
            assert not suspending.done()
            claiming.commit()
            suspending.result(timeout=60)
        with pytest.raises(NotEligible, match="suspended"):
            _claim(network, hart)


class TestSessions:
    """A claim may name the session that it is worked in."""

    def test_the_session_is_kept_with_the_claim(self, network: Database) -> None:
        arrive(network)
        made = _claim(network, reporter_id(network, "hart"), session_code="hart-insourced")
        assert made is not None
        assert made.session_id is not None

    @pytest.mark.parametrize("code", ["reed-planned", "no-such-session"])
    def test_another_reporter_s_or_no_session_is_unknown(self, network: Database, code: str) -> None:
        arrive(network)
        with pytest.raises(UnknownSession, match=code):
            _claim(network, reporter_id(network, "hart"), session_code=code)

    @pytest.mark.parametrize("minutes", [-61, 180])
    def test_a_session_takes_claims_from_its_start_to_before_its_end(self, network: Database, minutes: int) -> None:
        arrive(network)
        _pass(network, minutes * 60)
        with pytest.raises(UnknownSession, match="not now"):
            _claim(network, reporter_id(network, "hart"), session_code="hart-insourced")

    def test_a_cancelled_session_is_unknown(self, network: Database) -> None:
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE reporting_session SET cancelled_at = radpool_now()"))
        with pytest.raises(UnknownSession):
            _claim(network, reporter_id(network, "hart"), session_code="hart-insourced")

    @pytest.mark.parametrize(("column", "value"), [("trusts", "{RXB}"), ("modalities", "{CT}"), ("trusts", "{}")])
    def test_a_session_takes_only_its_trusts_and_modalities(self, network: Database, column: str, value: str) -> None:
        item = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text(f"UPDATE reporting_session SET {column} = :value"), {"value": value})
        hart = reporter_id(network, "hart")
        assert _claim(network, hart, session_code="hart-insourced") is None
        with pytest.raises(NotFree, match="the session does not take"):
            _claim(network, hart, session_code="hart-insourced", item_id=item)


class TestTheIndexInTime:
    """Days pass, profiles are new, and the index of eligibility follows."""

    def test_a_grant_that_begins_tomorrow_gives_work_tomorrow(self, network: Database) -> None:
        _change_hart(network, "UPDATE scope_grant SET valid_from = '2026-06-11' WHERE reporter_id = :hart")
        arrive(network)
        assert _claim(network, reporter_id(network, "hart")) is None
        _pass(network, 13 * 3600 - 1)
        assert _claim(network, reporter_id(network, "hart")) is None
        _pass(network, 2)
        assert _claim(network, reporter_id(network, "hart")) is not None

    def test_an_entitlement_that_begins_tomorrow_gives_work_tomorrow(self, network: Database) -> None:
        _change_hart(network, "UPDATE entitlement SET valid_from = '2026-06-11' WHERE reporter_id = :hart")
        arrive(network)
        assert _claim(network, reporter_id(network, "hart")) is None
        _pass(network, 14 * 3600)
        assert _claim(network, reporter_id(network, "hart")) is not None

    def test_work_goes_on_under_the_lower_grant_when_the_higher_one_has_ended(self, network: Database) -> None:
        _change_hart(
            network,
            "INSERT INTO scope_grant (reporter_id, scope_id, level, signatory, valid_from, valid_until)"
            " SELECT :hart, id, 'trainee', 'test', '2025-01-01', '2030-01-01' FROM scope_of_practice"
            " WHERE code = 'general'",
            "UPDATE scope_grant SET valid_until = '2026-06-10' WHERE reporter_id = :hart AND level = 'autonomous'",
        )
        multiply(network, arrive(network), 1)
        assert _claimed(network, "hart").level is Level.AUTONOMOUS
        _pass(network, 14 * 3600)
        assert _claimed(network, "hart").level is Level.TRAINEE

    def test_what_has_ended_gives_no_work(self, network: Database) -> None:
        _change_hart(network, "UPDATE entitlement SET valid_until = '2026-06-10' WHERE reporter_id = :hart")
        multiply(network, arrive(network), 1)
        assert _claim(network, reporter_id(network, "hart")) is not None
        _pass(network, 14 * 3600)
        assert _claim(network, reporter_id(network, "hart")) is None

    def test_urgent_work_of_a_new_profile_does_not_wait_until_the_old_profiles_are_empty(
        self, network: Database
    ) -> None:
        arrive(network)
        with network.app.begin() as connection:
            rebuild_index(connection)
        urgent = arrive(network, service="Emergency Department")
        assert _claimed(network, "hart").item_id == urgent

    def test_two_claimers_who_meet_a_new_profile_at_once_both_get_work(self, network: Database) -> None:
        multiply(network, arrive(network), 9)
        who = [reporter_id(network, "hart"), reporter_id(network, "reed")] * 4
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda one: _claim(network, one) is not None, who))

    def test_an_index_written_while_the_configuration_changed_is_that_of_the_new_one(self, network: Database) -> None:
        """A claim that waits for an import indexes new profiles with the people of the import."""
        arrive(network)
        hart = reporter_id(network, "hart")
        with ThreadPoolExecutor(1) as pool, network.app.connect() as importing:
            importing.execute(text("UPDATE entitlement SET operator = false"))
            rebuild_index(importing)
            claiming = pool.submit(_claim, network, hart)
            _wait_until_somebody_waits(network)
            importing.commit()
            assert claiming.result(timeout=60) is None
        with network.app.connect() as connection:
            assert not connection.scalar(text("SELECT count(*) FROM reporter_trust WHERE ionising"))


def _change_hart(database: Database, *statements: str) -> None:
    hart = reporter_id(database, "hart")
    with database.owner.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), {"hart": hart})
        reindex_reporters(connection, [hart])


def _claim(database: Database, reporter: int, *, lease_seconds: float = LEASE, **wish: Any) -> Claimed | None:
    with database.app.begin() as connection:
        return claim_reading(connection, "test", reporter, Wish(**wish), lease_seconds=lease_seconds)


def _claimed(database: Database, code: str) -> Claimed:
    made = _claim(database, reporter_id(database, code))
    assert made is not None
    return made


def _report(database: Database, code: str, made: Claimed, given: ReportGiven) -> ReportFiled:
    with database.app.begin() as connection:
        return file_report(connection, code, reporter_id(database, code), made.claim_id, made.token, given)


def _do(database: Database, act: str, code: str, made: Claimed, *, token: int | None = None) -> None:
    me, word = reporter_id(database, code), made.token if token is None else token
    with database.app.begin() as connection:
        acts: dict[str, Callable[[], datetime | None]] = {
            "renew": lambda: leases.renew(connection, me, made.claim_id, word, lease_seconds=LEASE),
            "release": lambda: leases.release(connection, code, me, made.claim_id, word),
            "skip": lambda: leases.skip(connection, code, me, made.claim_id, word, SkipReason.NO_TIME),
            "conflict": lambda: leases.skip(connection, code, me, made.claim_id, word, SkipReason.CONFLICT_OF_INTEREST),
            "refer": lambda: leases.refer(connection, code, me, made.claim_id, word, "please"),
        }
        acts[act]()


def _assign(database: Database, item: int, code: str, *, rank: int) -> None:
    with database.owner.begin() as connection:
        connection.execute(_ASSIGN, {"item": item, "reporter": reporter_id(database, code), "rank": rank})


def _suspend(database: Database, code: str) -> None:
    with database.app.begin() as connection:
        connection.execute(text("SELECT id FROM reporter WHERE code = :code FOR UPDATE"), {"code": code})
        connection.execute(
            text("UPDATE reporter SET suspended_at = :now WHERE code = :code"), {"code": code, "now": NOW}
        )


def _pass(database: Database, seconds: float) -> None:
    with database.owner.begin() as connection:
        clock.move(connection, timedelta(seconds=seconds))


def _wait_until_somebody_waits(database: Database) -> None:
    """Wait until a connection of the application waits for a lock of another."""
    with database.app.connect() as connection:
        for _ in range(1000):
            if connection.scalar(_WAITING):
                return
            connection.execute(text("SELECT pg_sleep(0.01)"))
            connection.rollback()
    raise AssertionError("nobody waits")


def _state(database: Database, item: int) -> str:
    with database.owner.connect() as connection:
        return str(connection.scalar(text("SELECT state FROM item WHERE id = :item"), {"item": item}))


def _kinds(database: Database, item: int) -> list[str]:
    with database.owner.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM event WHERE item_id = :item"), {"item": item}))


def _claim_rows(database: Database) -> list[str]:
    """Give all that a claim can touch."""
    with database.owner.connect() as connection:
        tables = ("item", "reading", "claim", "report", "report_text", "item_exclusion", "event", "worklist_exception")
        return [repr(row) for one in tables for row in connection.execute(text(f"SELECT * FROM {one} ORDER BY 1"))]


_ASSIGN = text(
    "INSERT INTO assignment (reading_id, item_id, reporter_id, session_id, rank, valid_until, why)"
    " SELECT r.id, r.item_id, :reporter, (SELECT id FROM reporting_session WHERE reporter_id = :reporter), :rank,"
    " radpool_now() + interval '1 hour', 'planned' FROM reading r WHERE r.item_id = :item"
)
_SECOND_READING = text(
    "INSERT INTO reading (item_id, purpose, state, trust_ods, profile_id, due_at, reporting_minutes)"
    " SELECT item_id, 'second', 'open', trust_ods, profile_id, due_at, reporting_minutes FROM reading"
)
_WAITING = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)
