"""Live events: ids and states, for whom they are, resumed by position without loss or repetition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api import live
from api.permissions import Role
from tests.api.serving import Served, assert_problem, serving
from tests.api.test_claims import act, claim
from tests.builders import arrive, patient_called
from tests.conftest import Database
from worklist.log import events


def test_what_happens_is_told_to_who_listens(api: Served) -> None:
    with listening(api.manager("RXA"), after=0) as stream:
        item_id = arrive(api.database)
        api.sequence()
        kinds = {one["kind"]: one for one in take(stream, 2)}
    assert kinds["item.completed"]["item_id"] == item_id
    assert kinds["item.completed"]["state"] == "ready"


def test_who_asks_from_no_position_hears_what_comes(api: Served) -> None:
    arrive(api.database)
    before = api.sequence()
    with listening(api.manager("RXA")) as stream:
        arrive(api.database)
        api.sequence()
        assert next(stream)["position"] == before + 1


def test_an_event_carries_ids_and_states_and_nothing_else(api: Served) -> None:
    arrive(api.database, accession="ACC0007731", patient=patient_called("Zephyrwood"))
    last = api.sequence()
    with listening(api.manager("RXA"), after=0) as stream:
        found = take_until(stream, last)
    told = {"position", "kind", "at", "trust", "item_id", "item_version", "reading_id", "state", "arriving"}
    assert {frozenset(one) for one in found} == {frozenset(told)}
    assert not [word for word in ("Zephyrwood", "ACC0007731", "1970") if word in json.dumps(found)]


@pytest.mark.parametrize("how", ["header", "query"])
def test_a_stream_goes_on_after_the_last_event_that_was_seen(api: Served, how: str) -> None:
    arrive(api.database)
    last = api.sequence()
    for after in range(last):
        headers, params = ({"Last-Event-ID": str(after)}, {}) if how == "header" else ({}, {"after": str(after)})
        with listening(api.manager("RXA"), headers=headers, params=params) as stream:
            positions = [one["position"] for one in take_until(stream, last)]
        assert positions == [one for one in all_positions(api) if one > after]


def test_a_long_absence_loses_nothing(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """More was missed than one reading of the log gives, and more goes on happening meanwhile."""
    monkeypatch.setattr(live, "_BATCH_EVENTS", 7)
    many(api, 40)
    with listening(api.as_(Role.AUDITOR), after=0) as stream:
        first = take(stream, 10)
        many(api, 30)
        found = [*first, *take_until(stream, api.sequence())]
    assert [one["position"] for one in found] == all_positions(api)


def test_a_stream_that_resumes_while_the_server_starts_loses_nothing(network: Database) -> None:
    with serving(network) as first:
        arrive(network)
        last = first.sequence()
    with serving(network) as again, listening(again.as_(Role.AUDITOR), after=0) as stream:
        arrive(network)
        found = take_until(stream, again.sequence())
        assert [one["position"] for one in found] == all_positions(again)
        assert found[-1]["position"] > last


def test_a_stream_that_cannot_keep_up_is_ended_and_resumes_whole(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_QUEUE_EVENTS", 3)
    seen: list[int] = []
    many(api, 5)
    for _ in range(200):
        with listening(api.as_(Role.AUDITOR), after=seen[-1] if seen else 0) as stream:
            many(api, 20 if len(seen) < 60 else 0)
            for one in stream:
                seen.append(one["position"])
                if seen[-1] == all_positions(api)[-1]:
                    break
        if seen == all_positions(api) and len(seen) > 60:
            return
    pytest.fail("the stream never caught up")


def test_a_stream_ends_after_a_while_so_that_rights_are_asked_anew(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_LONGEST_SECONDS", 0.2)
    with listening(api.as_(Role.AUDITOR)) as stream:
        assert list(stream) == []


def test_a_quiet_stream_shows_that_it_lives(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_HEARTBEAT_SECONDS", 0.05)
    with api.as_(Role.AUDITOR).stream("GET", "/events") as answered:
        lines = answered.iter_lines()
        assert ": still here" in [next(lines) for _ in range(4)]


def test_a_trusts_people_hear_of_their_trust_alone(api: Served) -> None:
    arrive(api.database, trust="RXA")
    arrive(api.database, trust="RXB")
    last = api.sequence()
    for trust in ("RXA", "RXB"):
        with listening(api.manager(trust), after=0) as stream:
            trusts = {one["trust"] for one in take_until(stream, last, trust)}
        assert trusts == {trust}


def test_a_reporter_hears_of_the_trusts_that_they_report_for(api: Served) -> None:
    arrive(api.database, trust="RXB")
    arrive(api.database, trust="RXA")
    last = api.sequence()
    with listening(api.reporter("cole"), after=0) as stream:  # entitled for RXA alone
        assert {one["trust"] for one in take_until(stream, last)} == {"RXA"}


def test_only_the_reporter_concerned_hears_of_pay(api: Served) -> None:
    with api.database.app.begin() as connection:
        number = connection.execute(text("SELECT id FROM reporter WHERE code = 'hart'")).scalar_one()
        dimensions = {"reporter": number, "pence": 300}
        events.append(connection, "pay.posted", trust="RXA", dimensions=dimensions)
        events.append(connection, "plan.changed")
    api.sequence()
    for code, kinds in (("hart", ["pay.posted", "plan.changed"]), ("cole", ["plan.changed"])):
        with listening(api.reporter(code), after=0) as stream:
            assert [one["kind"] for one in take(stream, len(kinds))] == kinds
    with listening(api.manager("RXA"), after=0) as stream:
        assert [one["kind"] for one in take(stream, 1)] == ["plan.changed"]


def test_a_claim_by_one_is_on_the_screen_of_another(api: Served) -> None:
    item_id = arrive(api.database)
    before = api.sequence()
    with listening(api.reporter("reed"), after=before) as stream:
        held = claim(api, "hart")
        api.sequence()
        one = next(stream)
        assert (one["kind"], one["item_id"], one["state"]) == ("item.claimed", item_id, "in_progress")
        act(api, "hart", held, "report", status="verified")
        api.sequence()
        assert next(stream)["state"] == "verified"


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "\u00b2"])
def test_a_position_that_is_none_is_refused(shared_api: Served, last: str) -> None:
    answered = shared_api.as_(Role.AUDITOR).get("/events", headers=[(b"Last-Event-ID", last.encode("latin-1"))])
    assert_problem(answered, 422, "invalid-request")


def test_a_stream_is_not_compressed_nor_kept(api: Served) -> None:
    with api.as_(Role.AUDITOR).stream("GET", "/events", headers={"Accept-Encoding": "gzip"}) as answered:
        assert answered.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answered.headers
        assert answered.headers["cache-control"] == "no-store"


@contextmanager
def listening(
    client: httpx.Client,
    after: int | None = None,
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
) -> Iterator[Iterator[dict[str, Any]]]:
    """Open a stream and give its events; it is open once the block begins."""
    asked = dict(params or {}) if after is None else {"after": str(after)}
    with client.stream("GET", "/events", headers=headers, params=asked, timeout=8) as answered:
        assert answered.status_code == 200
        lines = answered.iter_lines()
        assert next(lines) == ": open"
        yield told(lines)


def told(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    number = ""
    for line in lines:
        if line.startswith("id: "):
            number = line.removeprefix("id: ")
        if line.startswith("data: "):
            one: dict[str, Any] = json.loads(line.removeprefix("data: "))
            assert str(one["position"]) == number
            yield one


def take(stream: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [next(stream) for _ in range(count)]


def take_until(stream: Iterator[dict[str, Any]], last: int, trust: str | None = None) -> list[dict[str, Any]]:
    """Take events up to a position, or the last one of a trust's that there is."""
    found = []
    for one in stream:
        found.append(one)
        if one["position"] == last or (trust == "RXA" and one["kind"] == "item.completed"):
            return found
    return found


def many(api: Served, count: int) -> None:
    with api.database.app.begin() as connection:
        for _ in range(count):
            events.append(connection, "item.made-up", trust="RXA")
    api.sequence()


def all_positions(api: Served) -> list[int]:
    statement = text(
        "SELECT position FROM event_position JOIN event ON event.id = event_id WHERE trust_ods IS NOT NULL ORDER BY 1"
    )
    with api.database.app.connect() as connection:
        return list(connection.scalars(statement))
