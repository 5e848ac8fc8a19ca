"""What a claim gives, and to whom: by urgency, plan, scope, entitlement and session."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from allocation.claims import NotEligible, NotFree, UnknownSession
from allocation.scope import Level
from allocation.workforce import UnknownReporter
from tests.allocation.claims.claiming import VERIFIED, assign, claim_as, claimed_by, let_pass, report
from tests.builders import arrive, patient_called, reporter_id
from tests.conftest import Database
from worklist.life.moves import UnknownItem
from worklist.reading import Purpose


class TestWhatIsGiven:
    """Which reading a reporter gets who asks for work."""

    def test_the_most_urgent_comes_first(self, network: Database) -> None:
        arrive(network)
        urgent = arrive(network, service="Emergency Department")
        assert claimed_by(network, "hart").item_id == urgent

    def test_only_what_the_scope_covers_is_given(self, network: Database) -> None:
        for exam in ("CHEAD", "XCHES", "MHEAD", None):
            arrive(network, exam=exam)
        hand = arrive(network, exam="XHANL")
        assert claimed_by(network, "hart").item_id == hand
        assert claim_as(network, reporter_id(network, "hart")) is None

    def test_only_work_of_a_trust_that_entitles_is_given(self, network: Database) -> None:
        arrive(network, trust="RXB", exam="XCHES")
        assert claim_as(network, reporter_id(network, "cole")) is None

    def test_a_patient_of_unknown_age_goes_to_nobody_whose_scope_is_limited_by_age(self, network: Database) -> None:
        item = arrive(network, patient=patient_called("Nobody", birth_date=None))
        assert claim_as(network, reporter_id(network, "hart")) is None
        assert claimed_by(network, "reed").item_id == item

    def test_what_is_assigned_comes_before_what_is_more_urgent_and_in_the_order_of_the_plan(
        self, network: Database
    ) -> None:
        late, later = (arrive(network, patient=patient_called(name)) for name in ("Late", "Later"))
        urgent = arrive(network, patient=patient_called("Urgent"), service="Emergency Department")
        assign(network, later, "hart", rank=1)
        assign(network, late, "hart", rank=2)
        found = [claimed_by(network, "hart") for _ in range(3)]
        assert [one.item_id for one in found] == [later, late, urgent]
        assert found[0].why[0] == "assigned to you by the plan"

    def test_what_is_planned_for_a_colleague_comes_last(self, network: Database) -> None:
        planned, other = arrive(network, service="Emergency Department"), arrive(network)
        assign(network, planned, "reed", rank=1)
        assert [claimed_by(network, "hart").item_id for _ in range(2)] == [other, planned]

    def test_a_claim_ends_the_assignment(self, network: Database) -> None:
        assign(network, arrive(network), "hart", rank=1)
        claimed_by(network, "hart")
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM assignment")) == 0

    def test_a_purpose_asked_for_is_kept_to(self, network: Database) -> None:
        arrive(network)
        assert claim_as(network, reporter_id(network, "reed"), purpose=Purpose.CHECK) is None
        assert claim_as(network, reporter_id(network, "reed"), purpose=Purpose.FIRST) is not None

    def test_a_claim_says_why_it_was_this_reading_and_at_what_level(self, network: Database) -> None:
        arrive(network)
        made = claimed_by(network, "hart")
        assert made.level is Level.AUTONOMOUS
        assert made.why == (
            "the most urgent that you may report",
            "due 2026-06-24 09:00 UTC",
            "XHANL: msk-xr as autonomous to 2030-12-31",
        )

    def test_a_lease_is_as_long_as_it_was_asked_for(self, network: Database) -> None:
        for seconds in (0.5, 600, 1.000001):
            item = arrive(network)
            made = claim_as(network, reporter_id(network, "hart"), item_id=item, lease_seconds=seconds)
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
            claim_as(network, reporter_id(network, "cole"), item_id=item)
        assert [reason.condition for reason in refusal.value.reasons] == ["entitlement", "scope"]

    def test_what_somebody_has_is_not_free(self, network: Database) -> None:
        item = arrive(network)
        claimed_by(network, "hart")
        with pytest.raises(NotFree):
            claim_as(network, reporter_id(network, "reed"), item_id=item)

    def test_who_may_not_report_it_is_not_told_that_somebody_has_it(self, network: Database) -> None:
        item = arrive(network)
        claimed_by(network, "hart")
        with pytest.raises(NotEligible):
            claim_as(network, reporter_id(network, "cole"), item_id=item)

    def test_what_is_reported_is_not_free(self, network: Database) -> None:
        item = arrive(network)
        report(network, "hart", claimed_by(network, "hart"), VERIFIED)
        with pytest.raises(NotFree, match="verified"):
            claim_as(network, reporter_id(network, "reed"), item_id=item)

    def test_what_has_nothing_to_read_yet_is_not_free(self, network: Database) -> None:
        item = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text("DELETE FROM reading"))
            connection.execute(text("UPDATE item SET state = 'arriving'"))
        with pytest.raises(NotFree, match="arriving"):
            claim_as(network, reporter_id(network, "hart"), item_id=item)

    def test_an_item_that_is_not_known_is_unknown(self, network: Database) -> None:
        with pytest.raises(UnknownItem):
            claim_as(network, reporter_id(network, "hart"), item_id=4711)

    def test_a_reporter_that_is_not_known_is_unknown(self, network: Database) -> None:
        with pytest.raises(UnknownReporter):
            claim_as(network, 4711)

    def test_what_waits_on_hold_is_not_given_and_not_free(self, network: Database) -> None:
        item = arrive(network, accession=None)
        assert claim_as(network, reporter_id(network, "hart")) is None
        with pytest.raises(NotFree, match="on_hold"):
            claim_as(network, reporter_id(network, "hart"), item_id=item)


class TestSessions:
    """A claim may name the session that it is worked in."""

    def test_the_session_is_kept_with_the_claim(self, network: Database) -> None:
        arrive(network)
        made = claim_as(network, reporter_id(network, "hart"), session_code="hart-insourced")
        assert made is not None
        assert made.session_id is not None

    @pytest.mark.parametrize("code", ["reed-planned", "no-such-session"])
    def test_another_reporter_s_or_no_session_is_unknown(self, network: Database, code: str) -> None:
        arrive(network)
        with pytest.raises(UnknownSession, match=code):
            claim_as(network, reporter_id(network, "hart"), session_code=code)

    @pytest.mark.parametrize("minutes", [-61, 180])
    def test_a_session_takes_claims_from_its_start_to_before_its_end(self, network: Database, minutes: int) -> None:
        arrive(network)
        let_pass(network, minutes * 60)
        with pytest.raises(UnknownSession, match="not now"):
            claim_as(network, reporter_id(network, "hart"), session_code="hart-insourced")

    def test_a_cancelled_session_is_unknown(self, network: Database) -> None:
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE reporting_session SET cancelled_at = radpool_now()"))
        with pytest.raises(UnknownSession):
            claim_as(network, reporter_id(network, "hart"), session_code="hart-insourced")

    @pytest.mark.parametrize(("column", "value"), [("trusts", "{RXB}"), ("modalities", "{CT}"), ("trusts", "{}")])
    def test_a_session_takes_only_its_trusts_and_modalities(self, network: Database, column: str, value: str) -> None:
        item = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text(f"UPDATE reporting_session SET {column} = :value"), {"value": value})
        hart = reporter_id(network, "hart")
        assert claim_as(network, hart, session_code="hart-insourced") is None
        with pytest.raises(NotFree, match="the session does not take"):
            claim_as(network, hart, session_code="hart-insourced", item_id=item)
