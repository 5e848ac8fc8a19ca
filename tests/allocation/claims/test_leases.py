"""Claims are leases with fencing tokens: they lapse, are renewed and given back, and a stale token does nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from allocation.claims import NotEligible
from allocation.leases import ClaimSuperseded, UnknownClaim, return_lapsed
from tests.allocation.claims.claiming import (
    ACTS,
    LEASE,
    SECOND_READING,
    VERIFIED,
    claim_as,
    claim_rows,
    claimed_by,
    do,
    kinds,
    let_pass,
    report,
    state,
)
from tests.builders import arrive, reporter_id
from tests.conftest import Database
from worklist.life.history import read_acts
from worklist.reading import Purpose


class TestLeases:
    """A lease runs out; who comes second supersedes, and the first one's token is stale."""

    def test_a_reading_whose_lease_ran_out_goes_to_the_next_who_asks(self, network: Database) -> None:
        item = arrive(network)
        first = claimed_by(network, "hart")
        let_pass(network, LEASE + 1)
        second = claimed_by(network, "reed")
        assert (second.item_id, second.token) == (item, first.token + 1)

    def test_before_it_runs_out_nobody_else_gets_it(self, network: Database) -> None:
        arrive(network)
        claimed_by(network, "hart")
        let_pass(network, LEASE - 60)
        assert claim_as(network, reporter_id(network, "reed")) is None

    def test_a_stale_token_does_nothing(self, network: Database) -> None:
        arrive(network)
        first = claimed_by(network, "hart")
        let_pass(network, LEASE + 1)
        claimed_by(network, "reed")
        before = claim_rows(network)
        for act in ACTS:
            with pytest.raises(ClaimSuperseded):
                do(network, act, "hart", first)
        assert claim_rows(network) == before

    def test_a_token_of_another_claim_does_nothing(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        before = claim_rows(network)
        for act in ACTS:
            with pytest.raises(ClaimSuperseded):
                do(network, act, "hart", made, token=made.token + 1)
        assert claim_rows(network) == before

    def test_another_reporter_s_claim_is_not_known(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        before = claim_rows(network)
        for act in ACTS:
            with pytest.raises(UnknownClaim):
                do(network, act, "reed", made)
        assert claim_rows(network) == before

    def test_an_expired_token_that_was_not_superseded_may_still_report(self, network: Database) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        let_pass(network, LEASE + 3600)
        return_lapsed(network.app)
        filed = report(network, "hart", made, VERIFIED)
        assert filed.superseded is None
        assert state(network, item) == "verified"

    def test_a_report_under_a_superseded_claim_is_kept_and_put_before_a_person(self, network: Database) -> None:
        item = arrive(network)
        first = claimed_by(network, "hart")
        let_pass(network, LEASE + 1)
        claimed_by(network, "reed")
        filed = report(network, "hart", first, VERIFIED)
        assert filed.superseded is not None
        assert state(network, item) == "in_progress"
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT body FROM report_text")) == "words"
            assert connection.scalar(text("SELECT superseded FROM report")) is True
            assert connection.scalars(text("SELECT kind FROM worklist_exception")).all() == [
                "report-under-superseded-claim"
            ]

    def test_the_one_who_superseded_reports_and_it_stands(self, network: Database) -> None:
        item = arrive(network)
        claimed_by(network, "hart")
        let_pass(network, LEASE + 1)
        assert report(network, "reed", claimed_by(network, "reed"), VERIFIED).superseded is None
        assert state(network, item) == "verified"

    def test_a_renewed_lease_holds_from_now(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        let_pass(network, LEASE - 60)
        do(network, "renew", "hart", made)
        let_pass(network, LEASE - 60)
        assert claim_as(network, reporter_id(network, "reed")) is None

    def test_a_lapsed_item_is_shown_as_ready_once_and_in_progress_again_when_renewed(self, network: Database) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        assert return_lapsed(network.app) == 0
        let_pass(network, LEASE + 1)
        assert [return_lapsed(network.app), return_lapsed(network.app)] == [1, 0]
        assert state(network, item) == "ready"
        do(network, "renew", "hart", made)
        assert state(network, item) == "in_progress"

    def test_an_item_with_a_second_reading_under_way_is_not_shown_as_ready(self, network: Database) -> None:
        item = arrive(network)
        claimed_by(network, "hart")
        with network.owner.begin() as connection:
            connection.execute(SECOND_READING)
        let_pass(network, LEASE - 60)
        second = claim_as(network, reporter_id(network, "reed"), purpose=Purpose.SECOND)
        assert second is not None
        let_pass(network, 120)
        assert return_lapsed(network.app) == 0
        assert state(network, item) == "in_progress"

    def test_two_lapsed_readings_of_an_item_give_it_back_once(self, network: Database) -> None:
        item = arrive(network)
        claimed_by(network, "hart")
        with network.owner.begin() as connection:
            connection.execute(SECOND_READING)
        claim_as(network, reporter_id(network, "reed"), purpose=Purpose.SECOND)
        let_pass(network, LEASE + 1)
        assert return_lapsed(network.app) == 1
        assert kinds(network, item).count("item.given-back") == 1


class TestGivingBack:
    """Release, skip and refer: the reading keeps its place."""

    def test_a_released_reading_may_be_claimed_again_even_by_the_same_reporter(self, network: Database) -> None:
        item = arrive(network)
        do(network, "release", "hart", claimed_by(network, "hart"))
        assert state(network, item) == "ready"
        assert claimed_by(network, "hart").item_id == item

    def test_a_skipped_reading_is_not_given_to_that_reporter_again_and_to_others_first(self, network: Database) -> None:
        item, other = arrive(network, service="Emergency Department"), arrive(network)
        do(network, "skip", "hart", claimed_by(network, "hart"))
        assert claimed_by(network, "hart").item_id == other
        assert claimed_by(network, "reed").item_id == item

    def test_who_declared_a_conflict_of_interest_may_not_even_ask_for_it(self, network: Database) -> None:
        item = arrive(network)
        do(network, "conflict", "hart", claimed_by(network, "hart"))
        with pytest.raises(NotEligible, match="conflict-of-interest"):
            claim_as(network, reporter_id(network, "hart"), item_id=item)

    def test_a_referred_reading_goes_to_radiologists_only(self, network: Database) -> None:
        item = arrive(network)
        do(network, "refer", "hart", claimed_by(network, "hart"))
        assert claim_as(network, reporter_id(network, "hart")) is None
        with pytest.raises(NotEligible, match="radiologist"):
            claim_as(network, reporter_id(network, "hart"), item_id=item)
        assert claimed_by(network, "reed").item_id == item

    def test_why_it_was_referred_is_told_among_the_item_s_acts_and_not_with_the_claim(self, network: Database) -> None:
        item = arrive(network)
        made = claimed_by(network, "hart")
        do(network, "refer", "hart", made)
        with network.app.begin() as connection:
            [told] = read_acts(connection, item, with_notes=True)
        assert (told.act, told.by, told.reason, told.note) == ("refer", "hart", "to-radiologist", "please")
        with network.owner.connect() as connection:
            kept = connection.execute(text("SELECT end_detail FROM claim WHERE id = :id"), {"id": made.claim_id})
            assert kept.scalar() == "to-radiologist"

    def test_what_was_given_back_can_neither_be_given_back_again_nor_renewed(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        do(network, "release", "hart", made)
        for act in ACTS:
            with pytest.raises(ClaimSuperseded):
                do(network, act, "hart", made)
