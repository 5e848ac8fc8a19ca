"""Suspension has its effect at once, and nothing is held by who may not report it; other work stays theirs."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from allocation.claims import NotEligible
from allocation.leases import ClaimSuperseded
from allocation.suspension import (
    SuspensionReason,
    SuspensionStands,
    UnknownGrant,
    resume_grant,
    resume_reporter,
    suspend_grant,
    suspend_reporter,
    take_back_ended,
)
from allocation.workforce import UnknownReporter
from tests.allocation.claims.claiming import ACTS, LEASE, VERIFIED, assign, claim_as, claimed_by, do, let_pass, report
from tests.allocation.configuration.applying import WHOLE, apply_text
from tests.builders import arrive, reporter_id
from tests.conftest import Database
from worklist.item import ItemState

CONCERN = SuspensionReason.CONCERN


def suspend(database: Database, code: str) -> list[int]:
    with database.app.begin() as connection:
        return suspend_reporter(connection, "lead", code, CONCERN)


def grant_of(database: Database, code: str, scope: str) -> int:
    with database.owner.connect() as connection:
        return int(
            connection.execute(
                text(
                    "SELECT g.id FROM scope_grant g JOIN reporter r ON r.id = g.reporter_id"
                    " JOIN scope_of_practice s ON s.id = g.scope_id WHERE r.code = :code AND s.code = :scope"
                ),
                {"code": code, "scope": scope},
            ).scalar_one()
        )


def state_of(database: Database, item: int) -> str:
    with database.owner.connect() as connection:
        return str(connection.scalar(text("SELECT state FROM item WHERE id = :item"), {"item": item}))


def test_what_a_suspended_reporter_holds_goes_back_and_a_colleague_gets_it_at_once(network: Database) -> None:
    item = arrive(network)
    claimed_by(network, "hart")
    assert suspend(network, "hart") == [item]
    assert state_of(network, item) == ItemState.READY
    assert claimed_by(network, "reed").item_id == item


@pytest.mark.parametrize("act", ACTS)
def test_nothing_that_a_suspended_reporter_does_with_a_claim_succeeds(network: Database, act: str) -> None:
    arrive(network)
    held = claimed_by(network, "hart")
    suspend(network, "hart")
    with pytest.raises(ClaimSuperseded, match="you may not report it any more: suspended"):
        do(network, act, "hart", held)


def test_a_report_of_a_suspended_reporter_is_kept_for_a_person_and_is_none(network: Database) -> None:
    item = arrive(network)
    held = claimed_by(network, "hart")
    suspend(network, "hart")
    filed = report(network, "hart", held, VERIFIED)
    assert "you may not report it any more: suspended" in str(filed.superseded)
    assert state_of(network, item) == ItemState.READY
    with pytest.raises(NotEligible):
        claim_as(network, reporter_id(network, "hart"))


def test_a_lapsed_claim_ends_too_and_what_a_colleague_has_since_stays_theirs(network: Database) -> None:
    lapsed, taken = arrive(network), arrive(network)
    first, second = claimed_by(network, "hart"), claimed_by(network, "hart")
    let_pass(network, LEASE + 1)
    other = claim_as(network, reporter_id(network, "reed"), item_id=taken)
    assert other is not None
    assert suspend(network, "hart") == [lapsed]
    assert {first.item_id, second.item_id} == {lapsed, taken}
    assert report(network, "reed", other, VERIFIED).item_id == taken


def test_what_was_planned_for_a_suspended_reporter_is_not_any_more(network: Database) -> None:
    assign(network, arrive(network), "hart", rank=1)
    suspend(network, "hart")
    assert network.count("SELECT count(*) FROM assignment") == 0


def test_suspending_one_scope_leaves_what_another_opens(network: Database) -> None:
    chest, head = arrive(network, exam="XCHES"), arrive(network, exam="CHEAD", service="Emergency Department")
    held = {one.item_id: one for one in (claimed_by(network, "cole"), claimed_by(network, "cole"))}
    grant = grant_of(network, "cole", "chest-xr")
    with network.app.begin() as connection:
        assert suspend_grant(connection, "lead", grant, CONCERN) == [chest]
    assert report(network, "cole", held[head], VERIFIED).item_id == head
    assert claim_as(network, reporter_id(network, "cole")) is None
    with network.app.begin() as connection:
        resume_grant(connection, "lead", grant)
    assert claimed_by(network, "cole").item_id == chest


def test_a_resumed_reporter_finds_what_waits_at_once(network: Database) -> None:
    item = arrive(network)
    suspend(network, "hart")
    with network.app.begin() as connection:
        resume_reporter(connection, "lead", "hart")
    assert claimed_by(network, "hart").item_id == item


def test_it_stands_in_events_and_audit_who_suspended_whom_and_why(network: Database) -> None:
    item = arrive(network)
    claimed_by(network, "hart")
    suspend(network, "hart")
    with network.owner.connect() as connection:
        event = connection.execute(text("SELECT dimensions FROM event WHERE kind = 'reporter.suspended'")).scalar_one()
        audited = connection.scalars(
            text("SELECT action FROM audit.entry WHERE actor = 'lead' AND :item = ANY (items)"), {"item": item}
        ).all()
    assert event == {"reporter": reporter_id(network, "hart"), "reason": "concern", "items": [item]}
    assert sorted(audited) == ["reporter.suspended", "withdrawn"]


def test_what_stands_already_is_refused_and_so_is_who_is_not_there(network: Database) -> None:
    grant = grant_of(network, "hart", "msk-xr")
    with pytest.raises(SuspensionStands), network.app.begin() as connection:
        resume_reporter(connection, "lead", "hart")
    with pytest.raises(SuspensionStands), network.app.begin() as connection:
        resume_grant(connection, "lead", grant)
    suspend(network, "hart")
    with pytest.raises(SuspensionStands):
        suspend(network, "hart")
    with network.app.begin() as connection:
        suspend_grant(connection, "lead", grant, CONCERN)
    with pytest.raises(SuspensionStands), network.app.begin() as connection:
        suspend_grant(connection, "lead", grant, CONCERN)
    with pytest.raises(UnknownReporter):
        suspend(network, "nobody")
    with pytest.raises(UnknownGrant), network.app.begin() as connection:
        suspend_grant(connection, "lead", 987654, CONCERN)


@pytest.mark.parametrize(
    "ended",
    [
        "UPDATE registration SET valid_until = '2026-06-09' WHERE reporter_id = :hart",
        "UPDATE entitlement SET valid_until = '2026-06-09' WHERE reporter_id = :hart",
        "UPDATE scope_grant SET valid_until = '2026-06-09' WHERE reporter_id = :hart",
    ],
)
def test_what_a_date_ends_is_taken_back(network: Database, ended: str) -> None:
    item = arrive(network)
    held = claimed_by(network, "hart")
    assign(network, arrive(network), "hart", rank=1)
    assert take_back_ended(network.app, "allocator") == 0
    with network.owner.begin() as connection:
        connection.execute(text(ended), {"hart": reporter_id(network, "hart")})
    assert take_back_ended(network.app, "allocator") == 1
    assert (state_of(network, item), network.count("SELECT count(*) FROM assignment")) == (ItemState.READY, 0)
    with pytest.raises(ClaimSuperseded):
        do(network, "renew", "hart", held)


def test_an_import_that_ends_an_entitlement_takes_back_what_is_held_by_it(network: Database) -> None:
    arrive(network)
    kept = arrive(network, trust="RXB")
    held = {one.item_id: one for one in (claimed_by(network, "hart"), claimed_by(network, "hart"))}
    hart = next(part for part in WHOLE.split("[[reporter]]") if 'id = "hart"' in part)
    less = "\n".join(line for line in hart.splitlines() if "own_employer" not in line)
    assert apply_text(network, f"[[reporter]]{less}").taken_back == 1
    assert report(network, "hart", held[kept], VERIFIED).item_id == kept
