"""Many who claim at once: nothing twice, nothing left, no false "nothing to do"."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from allocation import leases
from allocation.claims import NotEligible, NotFree, Wish, claim_reading
from allocation.leases import return_lapsed
from allocation.reports import file_report
from allocation.scope import Level
from allocation.workforce import hold_index, rebuild_index
from tests.allocation.claims.claiming import (
    LEASE,
    VERIFIED,
    change_hart,
    claim_as,
    claimed_by,
    let_pass,
)
from tests.allocation.configuration.applying import HAND_SCOPE, apply_text
from tests.builders import arrive, multiply, reporter_id, wait_until_somebody_waits
from tests.conftest import Database


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
            while (made := claim_as(network, who[number % 2])) is not None:
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
                    claim_as(network, reporter, item_id=item)
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
            other = pool.submit(claim_as, network, reed)
            wait_until_somebody_waits(network)
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
                    made = claim_as(network, me, item_id=items[(number + turn) % 8] if turn % 2 else None)
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


class TestTheIndexInTime:
    """Days pass, profiles are new, and the index of eligibility follows."""

    def test_a_grant_that_begins_tomorrow_gives_work_tomorrow(self, network: Database) -> None:
        change_hart(network, "UPDATE scope_grant SET valid_from = '2026-06-11' WHERE reporter_id = :hart")
        arrive(network)
        assert claim_as(network, reporter_id(network, "hart")) is None
        let_pass(network, 13 * 3600 - 60)
        assert claim_as(network, reporter_id(network, "hart")) is None
        let_pass(network, 120)
        assert claim_as(network, reporter_id(network, "hart")) is not None

    def test_an_entitlement_that_begins_tomorrow_gives_work_tomorrow(self, network: Database) -> None:
        change_hart(network, "UPDATE entitlement SET valid_from = '2026-06-11' WHERE reporter_id = :hart")
        arrive(network)
        assert claim_as(network, reporter_id(network, "hart")) is None
        let_pass(network, 14 * 3600)
        assert claim_as(network, reporter_id(network, "hart")) is not None

    def test_work_goes_on_under_the_lower_grant_when_the_higher_one_has_ended(self, network: Database) -> None:
        change_hart(
            network,
            "INSERT INTO scope_grant (reporter_id, scope_id, level, signatory, valid_from, valid_until)"
            " SELECT :hart, id, 'trainee', 'test', '2025-01-01', '2030-01-01' FROM scope_of_practice"
            " WHERE code = 'general'",
            "UPDATE scope_grant SET valid_until = '2026-06-10' WHERE reporter_id = :hart AND level = 'autonomous'",
        )
        multiply(network, arrive(network), 1)
        assert claimed_by(network, "hart").level is Level.AUTONOMOUS
        let_pass(network, 14 * 3600)
        assert claimed_by(network, "hart").level is Level.TRAINEE

    def test_what_has_ended_gives_no_work(self, network: Database) -> None:
        change_hart(network, "UPDATE entitlement SET valid_until = '2026-06-10' WHERE reporter_id = :hart")
        multiply(network, arrive(network), 1)
        assert claim_as(network, reporter_id(network, "hart")) is not None
        let_pass(network, 14 * 3600)
        assert claim_as(network, reporter_id(network, "hart")) is None

    def test_urgent_work_of_a_new_profile_does_not_wait_until_the_old_profiles_are_empty(
        self, network: Database
    ) -> None:
        arrive(network)
        with network.app.begin() as connection:
            rebuild_index(connection)
        urgent = arrive(network, service="Emergency Department")
        assert claimed_by(network, "hart").item_id == urgent

    def test_two_claimers_who_meet_a_new_profile_at_once_both_get_work(self, network: Database) -> None:
        multiply(network, arrive(network), 9)
        who = [reporter_id(network, "hart"), reporter_id(network, "reed")] * 4
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda one: claim_as(network, one) is not None, who))

    def test_an_index_written_while_the_configuration_changed_is_that_of_the_new_one(self, network: Database) -> None:
        """A claim that waits for an import indexes new profiles with the people of the import."""
        arrive(network)
        hart = reporter_id(network, "hart")
        with ThreadPoolExecutor(1) as pool, network.app.connect() as importing:
            importing.execute(text("UPDATE entitlement SET operator = false"))
            rebuild_index(importing)
            claiming = pool.submit(claim_as, network, hart)
            wait_until_somebody_waits(network)
            importing.commit()
            assert claiming.result(timeout=60) is None
        with network.app.connect() as connection:
            assert not connection.scalar(text("SELECT count(*) FROM reporter_trust WHERE ionising"))

    def test_an_import_that_waits_for_the_index_holds_no_item_that_a_claim_could_wait_for(
        self, network: Database
    ) -> None:
        """Who claims may hold the index and wait for an item: in the other order each would wait for the other."""
        arrive(network)
        with ThreadPoolExecutor(1) as pool, network.app.connect() as claiming:
            hold_index(claiming)
            importing = pool.submit(apply_text, network, HAND_SCOPE)
            wait_until_somebody_waits(network)
            assert claiming.scalar(text("SELECT count(*) FROM (SELECT id FROM item FOR UPDATE NOWAIT) i")) == 1
            claiming.rollback()
            assert importing.result(timeout=60).reprofiled == 1
