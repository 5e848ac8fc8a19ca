"""Saying by HTTP that a verified report is in its home RIS, which has not told so."""

from __future__ import annotations

from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import claim
from tests.builders import arrive
from tests.hl7_listener.delivery.telling import at_home, open_exceptions
from worklist.doubts import open_doubt
from worklist.home.clock import UNDELIVERED, UNDELIVERED_WHY


def awaited(api: Served) -> int:
    """Verify a report whose words are in the home RIS, and give its item, of which somebody was paged."""
    at_home(api.database, None, sends_reports=True)
    arrive(api.database)
    held = claim(api, "hart")
    answered = api.reporter("hart").post(
        f"/claims/{held['claim_id']}/report", json={"token": held["token"], "status": "verified"}
    )
    assert answered.status_code == 200, answered.text
    item_id = int(held["item"]["id"])
    with api.database.app.begin() as connection:
        open_doubt(connection, UNDELIVERED, trust="RXA", item_id=item_id, detail=UNDELIVERED_WHY)
    return item_id


def test_a_person_who_saw_it_there_stops_the_clock_and_ends_the_exception(api: Served) -> None:
    item_id = awaited(api)
    pacs = api.as_(Role.PACS_MANAGER, trust="RXA")
    assert pacs.get(f"/items/{item_id}").json()["reported_at"] is None
    answered = pacs.post(f"/items/{item_id}/available")
    assert answered.status_code == 200, answered.text
    item = answered.json()
    assert (item["reported_at"] is None, item["reported_source"]) == (False, "person")
    assert open_exceptions(api.database) == []
    assert_problem(pacs.post(f"/items/{item_id}/available"), 409, "not-awaited")


def test_nobody_says_so_of_what_is_not_reported_nor_of_another_trust_s(api: Served) -> None:
    arrive(api.database)
    coordinator = api.as_(Role.COORDINATOR, trust="RXA")
    [waiting] = coordinator.get("/worklist").json()["items"]
    assert_problem(coordinator.post(f"/items/{waiting['id']}/available"), 409, "not-awaited")
    elsewhere = api.as_(Role.COORDINATOR, trust="RXB")
    assert_problem(elsewhere.post(f"/items/{waiting['id']}/available"), 404, "unknown-item")
