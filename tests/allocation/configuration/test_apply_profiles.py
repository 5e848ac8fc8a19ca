"""An import that cuts work into other profiles takes waiting items and their readings along."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from allocation.claims import Wish, claim_reading
from tests.allocation.configuration.applying import HAND_SCOPE, WHOLE, apply_text, profiles
from tests.builders import arrive, multiply, reporter_id
from tests.conftest import Database


class TestProfiles:
    """A newly signed scope splits profiles; waiting work gets its new one."""

    def test_a_new_scope_splits_a_profile_and_waiting_items_get_the_new_one(self, network: Database) -> None:
        hand, knee = arrive(network, exam="XHANL"), arrive(network, exam="XKNEL")
        before = profiles(network)
        assert before[hand] == before[knee]
        assert apply_text(network, HAND_SCOPE).reprofiled == 2
        after = profiles(network)
        assert after[hand] != after[knee]
        assert before[hand] not in after.values()

    def test_the_reading_follows_its_item_and_is_given_to_who_holds_the_new_scope(self, network: Database) -> None:
        item = arrive(network, exam="XHANL")
        grant = '{ scope = "msk-xr", level = "autonomous"'
        hart = WHOLE[WHOLE.index('[[reporter]]\nid = "hart"') : WHOLE.index('[[reporter]]\nid = "cole"')]
        apply_text(network, HAND_SCOPE + hart.replace(grant, grant.replace("msk-xr", "hand-xr")))
        with network.app.begin() as connection:
            made = claim_reading(connection, "hart", reporter_id(network, "hart"), Wish(), lease_seconds=60)
        assert made is not None
        assert made.item_id == item
        assert "hand-xr" in made.why[-1]

    def test_what_is_reported_keeps_the_profile_that_it_was_read_under(self, network: Database) -> None:
        item = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE reading SET state = 'done'"))
            connection.execute(text("UPDATE item SET state = 'verified'"))
        before = profiles(network)[item]
        assert apply_text(network, HAND_SCOPE).reprofiled == 0
        assert profiles(network)[item] == before

    def test_a_reading_still_open_of_a_reported_item_follows_too(self, network: Database) -> None:
        item = arrive(network)
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE reading SET purpose = 'sample'"))
            connection.execute(text("UPDATE item SET state = 'verified'"))
        before = profiles(network)[item]
        apply_text(network, HAND_SCOPE)
        assert profiles(network)[item] != before

    def test_an_exam_that_turns_out_to_need_no_radiation_is_another_group(self, network: Database) -> None:
        arrive(network, exam="XHANL")
        before = set(profiles(network).values())
        exam = WHOLE[WHOLE.index('[[exam]]\ncode = "XHANL"') : WHOLE.index('[[exam]]\ncode = "XKNEL"')]
        knee = WHOLE[WHOLE.index('[[exam]]\ncode = "XKNEL"') : WHOLE.index('[[exam]]\ncode = "CHEAD"')]
        apply_text(network, (exam + knee).replace('modality = "XR"', 'modality = "US"'))
        with network.owner.connect() as connection:
            ionising = connection.scalars(
                text("SELECT p.ionising FROM item i JOIN profile p ON p.id = i.profile_id")
            ).all()
        assert ionising == [False]
        assert not before & set(profiles(network).values())

    def test_an_import_and_claims_at_once_do_not_deadlock(self, network: Database) -> None:
        multiply(network, arrive(network), 40)
        reporters = [reporter_id(network, "hart"), reporter_id(network, "reed")]
        barrier = threading.Barrier(5)

        def importing() -> None:
            barrier.wait(timeout=60)
            apply_text(network, HAND_SCOPE)
            apply_text(network, WHOLE)

        def claiming(number: int) -> int:
            barrier.wait(timeout=60)
            claimed = 0
            for _ in range(10):
                with network.app.begin() as connection:
                    wish, me = Wish(), reporters[number % 2]
                    claimed += claim_reading(connection, "test", me, wish, lease_seconds=600) is not None
            return claimed

        with ThreadPoolExecutor(5) as pool:
            imported = pool.submit(importing)
            assert sum(pool.map(claiming, range(4))) == 40
            imported.result(timeout=60)
