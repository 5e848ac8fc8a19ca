"""Messages to home RIS as people see them: what waits, what was given up, and what they do about it."""

from __future__ import annotations

import pytest

from api.permissions import Role
from hl7_listener.delivery import line
from hl7_listener.delivery.answer import Answer, Verdict
from tests.api.serving import Served, assert_problem
from tests.builders import arrive
from tests.hl7_listener.delivery.telling import at_home, put_in_line, verify


@pytest.fixture
def given_up(api: Served) -> int:
    """A report of RXA that its RIS rejected."""
    at_home(api.database, 1)
    arrive(api.database)
    verify(api.database)
    put_in_line(api.database)
    with api.database.app.begin() as connection:
        taken = line.take_next(connection, "RIS_A", lease_seconds=60)
        assert taken is not None
        line.note_answer(connection, taken, Answer(Verdict.NEVER, "AR PID-1-3"))
    return taken.id


def test_what_was_given_up_is_listed_with_the_answer_and_no_word_of_the_patient(api: Served, given_up: int) -> None:
    [one] = api.as_(Role.PACS_MANAGER, trust="RXA").get("/deliveries").json()["deliveries"]
    assert (one["id"], one["trust"], one["destination"]) == (given_up, "RXA", "RIS_A")
    assert (one["notice"], one["state"], one["last_answer"]) == ("report", "dead", "AR PID-1-3")
    assert set(one) == {
        *("id", "trust", "destination", "notice", "item_id", "report_id", "control_id", "made_at", "state"),
        *("attempts", "next_attempt_at", "last_attempt_at", "last_answer", "ended_at", "ended_by"),
    }


def test_a_person_sends_it_again(api: Served, given_up: int) -> None:
    sent = api.as_(Role.COORDINATOR, trust="RXA").post(f"/deliveries/{given_up}/send-again")
    assert (sent.status_code, sent.json()["state"], sent.json()["attempts"]) == (200, "waiting", 0)
    again = api.as_(Role.COORDINATOR, trust="RXA").post(f"/deliveries/{given_up}/send-again")
    assert_problem(again, 409, "not-given-up")


def test_a_person_settles_it_and_the_report_is_available(api: Served, given_up: int) -> None:
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    settled = manager.post(f"/deliveries/{given_up}/settle").json()
    assert settled["state"] == "settled"
    item = manager.get(f"/items/{settled['item_id']}").json()
    assert (item["state"], item["reported_source"], item["exceptions"]) == ("verified", "person", [])
    assert manager.get("/deliveries").json()["deliveries"] == []
    assert len(manager.get("/deliveries", params={"state": "settled"}).json()["deliveries"]) == 1


def test_another_trust_s_messages_are_neither_seen_nor_touched(api: Served, given_up: int) -> None:
    other = api.as_(Role.PACS_MANAGER, trust="RXB")
    assert other.get("/deliveries").json()["deliveries"] == []
    for act in ("send-again", "settle"):
        assert_problem(other.post(f"/deliveries/{given_up}/{act}"), 404, "unknown-delivery")
        assert_problem(other.post(f"/deliveries/{given_up + 1}/{act}"), 404, "unknown-delivery")


def test_pages_follow_each_other(api: Served) -> None:
    at_home(api.database, 1)
    for _ in range(3):
        arrive(api.database)
        verify(api.database)
    put_in_line(api.database)
    client = api.as_(Role.NETWORK_MANAGER)
    first = client.get("/deliveries", params={"limit": 2}).json()
    second = client.get("/deliveries", params={"limit": 2, "after": first["next_after"]}).json()
    assert [len(page["deliveries"]) for page in (first, second)] == [2, 1]
    assert second["next_after"] is None


@pytest.mark.parametrize(("locks", "told"), [("honoured", "honoured"), ("unprotected", "unprotected")])
def test_an_item_says_what_its_home_ris_does_while_it_is_read_here(api: Served, locks: str, told: str) -> None:
    at_home(api.database, 1, locks=locks)
    item_id = arrive(api.database)
    assert api.as_(Role.PACS_MANAGER, trust="RXA").get(f"/items/{item_id}").json()["home_locks"] == told
