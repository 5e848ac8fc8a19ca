"""One Idempotency-Key, one effect: however often, however many at once, whatever is sent under it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.builders import arrive, wait_until_somebody_waits
from worklist.db import embedded


def test_the_same_request_under_the_same_key_is_answered_as_the_first_was(api: Served) -> None:
    for _ in range(3):
        arrive(api.database)
    answers = [keyed(api, "k", "/claims", {}) for _ in range(3)]
    assert {one.status_code for one in answers} == {201}
    assert answers[1].json() == answers[2].json() == answers[0].json()
    assert answers[0].json()["item"]["patient"] is not None
    assert api.database.count("SELECT count(*) FROM claim") == 1


def test_ten_at_once_under_one_key_have_one_effect(api: Served) -> None:
    for _ in range(12):
        arrive(api.database)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: keyed(api, "k", "/claims", {}), range(10)))
    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["claim_id"] for one in answers}) == 1
    assert api.database.count("SELECT count(*) FROM claim") == 1


def test_without_a_key_each_request_is_its_own(api: Served) -> None:
    for _ in range(2):
        arrive(api.database)
    assert claim(api, "hart")["claim_id"] != claim(api, "hart")["claim_id"]


def test_a_key_is_one_persons(api: Served) -> None:
    for _ in range(2):
        arrive(api.database)
    first = api.reporter("hart").post("/claims", json={}, headers={"Idempotency-Key": "k"}).json()
    second = api.reporter("reed").post("/claims", json={}, headers={"Idempotency-Key": "k"}).json()
    assert first["claim_id"] != second["claim_id"]


def test_another_request_under_the_key_is_refused_and_does_nothing(api: Served) -> None:
    arrive(api.database)
    keyed(api, "k", "/claims", {})
    assert_problem(keyed(api, "k", "/claims", {"purpose": "first"}), 422, "idempotency-key-reused")
    held = claim_held(api)
    assert_problem(
        keyed(api, "k", f"/claims/{held['claim_id']}/release", {"token": held["token"]}), 422, "idempotency-key-reused"
    )
    assert api.database.count("SELECT count(*) FROM claim WHERE ended_at IS NULL") == 1


def test_nothing_to_do_is_remembered_too(api: Served) -> None:
    assert keyed(api, "k", "/claims", {}).status_code == 204
    arrive(api.database)
    again = keyed(api, "k", "/claims", {})
    assert (again.status_code, again.content) == (204, b"")
    assert keyed(api, "next", "/claims", {}).status_code == 201


def test_a_refusal_is_not_remembered(api: Served) -> None:
    assert_problem(keyed(api, "k", "/claims", {"item_id": 987654321}), 404, "unknown-item")
    assert api.database.count("SELECT count(*) FROM idempotency_key") == 0


def test_a_kept_superseded_report_is_answered_again_and_kept_once(api: Served) -> None:
    arrive(api.database)
    held = claim(api, "hart")
    with api.database.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + interval '1 hour'"))
    claim(api, "reed")
    body = {"token": held["token"], "status": "verified", "text": "No fracture."}
    answers = [keyed(api, "k", f"/claims/{held['claim_id']}/report", body) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert_problem(answers[1], 409, "claim-superseded")
    assert api.database.count("SELECT count(*) FROM report") == 1


def test_a_repeated_answer_shows_the_patient_only_while_they_may_be_seen(api: Served) -> None:
    arrive(api.database)
    held = keyed(api, "k", "/claims", {}).json()
    act(api, "hart", held, "release")
    again = keyed(api, "k", "/claims", {})
    assert (again.status_code, again.json()["claim_id"]) == (201, held["claim_id"])
    assert (again.json()["item"]["patient"], again.json()["item"]["accession_number"]) == (None, None)


def test_a_repeated_answer_that_shows_the_patient_is_audited(api: Served) -> None:
    item_id = arrive(api.database)
    for _ in range(2):
        keyed(api, "k", "/claims", {})
    with api.database.owner.connect() as connection:
        rows = connection.execute(text("SELECT action, items FROM audit.entry WHERE items <> '{}' ORDER BY at")).all()
    assert [tuple(row) for row in rows] == [("claim", [item_id]), ("item read", [item_id])]


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_is_between_1_and_200_characters(api: Served, key: str) -> None:
    assert_problem(keyed(api, key, "/claims", {}), 422, "invalid-request")


def test_a_transaction_that_lost_a_deadlock_is_tried_again(api: Served, cluster: embedded.Cluster) -> None:
    """A suspension that holds the item and wants the reporter, whom the claim for the item has locked."""
    item_id = arrive(api.database)
    api.reporter("hart")
    name = str(api.database.app.url.database)
    with psycopg.connect(cluster.url("superuser", name), autocommit=True) as setting:
        # Who waits looks for a deadlock once, after this long; the request is to be the one that finds it.
        setting.execute(sql.SQL("ALTER DATABASE {} SET deadlock_timeout = '3s'").format(sql.Identifier(name)))
    api.database.app.dispose()
    with psycopg.connect(cluster.url("superuser", name)) as suspending, ThreadPoolExecutor(1) as pool:
        suspending.execute("SET deadlock_timeout = '60s'")
        suspending.execute("SELECT FROM item WHERE id = %s FOR UPDATE", [item_id])
        asked = pool.submit(lambda: claim(api, "hart", item_id=item_id))
        wait_until_somebody_waits(api.database)
        suspending.execute("SELECT FROM reporter WHERE code = 'hart' FOR UPDATE")
        suspending.commit()
        assert asked.result()["item"]["id"] == item_id


def keyed(api: Served, key: str, path: str, body: dict[str, Any]) -> httpx.Response:
    return api.reporter("hart").post(path, json=body, headers={"Idempotency-Key": key})


def claim_held(api: Served) -> dict[str, Any]:
    (one,) = api.reporter("hart").get("/claims").json()["items"]
    found: dict[str, Any] = one["offer"]
    return found
