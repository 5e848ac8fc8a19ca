"""Refusals name the field and the remedy, are always problem details, and never say back what was sent."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text

from api.app import MAX_BODY_BYTES
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import claim
from tests.builders import arrive

SENT = "Zephyrwood 9990000018"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"session_id": 5}, "body.session_id"),
        ({"item_id": SENT}, "body.item_id"),
        ({"item_id": 1.5}, "body.item_id"),
        ({"purpose": SENT}, "body.purpose"),
        ({"patient": SENT}, "body.patient"),
        ([], "body"),
        ("x", "body"),
    ],
)
def test_a_body_that_is_not_valid_names_the_field_and_not_the_value(
    shared_api: Served, body: object, field: str
) -> None:
    answered = shared_api.reporter("hart").post("/claims", json=body)
    found = assert_problem(answered, 422, "invalid-request")
    assert [one["field"] for one in found["errors"]] == [field]
    assert all(one["detail"] for one in found["errors"])
    assert "Zephyrwood" not in answered.text


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("renew", {}),
        ("renew", {"token": SENT}),
        ("renew", {"token": 1, "note": SENT}),
        ("skip", {"token": 1, "reason": SENT}),
        ("skip", {"token": 1, "reason": "other", "note": "x" * 501}),
        ("refer", {"token": 1, "note": "x" * 501}),
        ("report", {"token": 1, "status": SENT}),
        ("report", {"token": 1, "status": "verified", "text": "x" * 100_001}),
        ("report", {"token": 1, "status": "verified", "alerts": [SENT]}),
        ("report", {"token": 1, "status": "verified", "alerts": ["urgent"] * 5}),
        ("report", {"token": 1, "status": "verified", "superseded": True}),
    ],
)
def test_every_act_knows_its_body_and_nothing_else(shared_api: Served, act: str, body: dict[str, object]) -> None:
    answered = shared_api.reporter("hart").post(f"/claims/1/{act}", json=body)
    assert_problem(answered, 422, "invalid-request")
    assert "Zephyrwood" not in answered.text


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"{'a': 1}", b'{"token": 1, "token": ', b"null"])
def test_a_body_that_is_no_json_is_refused(shared_api: Served, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answered = shared_api.reporter("hart").post("/claims/1/renew", content=content, headers=headers)
    assert answered.status_code in (400, 422)
    assert_problem(answered, answered.status_code, answered.json()["type"])


@pytest.mark.parametrize("words", ["a\x00b", "a\ud800b"], ids=["nul", "half a pair"])
def test_words_that_cannot_be_kept_are_refused_and_not_called_our_fault(api: Served, words: str) -> None:
    arrive(api.database)
    held = claim(api, "hart")
    escaped = f'{{"token": {held["token"]}, "status": "verified", "text": {ascii_json(words)}}}'
    headers = {"Content-Type": "application/json"}
    path = f"/claims/{held['claim_id']}/report"
    answered = api.reporter("hart").post(path, content=escaped, headers=headers)
    assert_problem(answered, 422, "invalid-request")
    with api.database.owner.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM report")) == 0


@pytest.mark.parametrize("path", ["/worklist?modality=a%00b", "/exceptions?kind=a%00b", "/metrics/backlog?setting=%00"])
def test_a_query_that_cannot_be_asked_is_refused_and_not_called_our_fault(shared_api: Served, path: str) -> None:
    assert_problem(shared_api.manager("RXA").get(path), 422, "invalid-request")


@pytest.mark.parametrize("item", ["x", "1.5", "1e3", "-", "%00", "9" * 5000])
def test_a_path_that_is_no_number_is_refused(shared_api: Served, item: str) -> None:
    assert_problem(shared_api.manager("RXA").get(f"/items/{item}"), 422, "invalid-request")


@pytest.mark.parametrize("item", ["0", "-1", "9" * 18])
def test_a_number_that_no_item_has_is_404(shared_api: Served, item: str) -> None:
    assert_problem(shared_api.manager("RXA").get(f"/items/{item}"), 404, "unknown-item")


def test_a_number_that_no_database_can_hold_is_refused(shared_api: Served) -> None:
    assert_problem(shared_api.manager("RXA").get(f"/items/{2**63}"), 422, "invalid-request")
    answered = shared_api.reporter("hart").post("/claims", json={"item_id": 10**40})
    assert_problem(answered, 422, "invalid-request")


@pytest.mark.parametrize("path", ["/nothing", "/items", "/items/1/patients", "/../metrics/x"])
def test_a_path_that_is_not_there_is_404(shared_api: Served, path: str) -> None:
    assert_problem(shared_api.manager("RXA").get(path), 404, "not-found")


def test_a_method_that_is_not_there_says_which_are(shared_api: Served) -> None:
    answered = shared_api.manager("RXA").delete("/worklist")
    assert_problem(answered, 405, "method-not-allowed")
    assert answered.headers["allow"] == "GET"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_body_over_the_bound_is_413(shared_api: Served, announced: bool) -> None:
    body = b'{"token": 1, "status": "verified", "text": "' + b"x" * MAX_BODY_BYTES + b'"}'
    chunks = (body[start : start + 65536] for start in range(0, len(body), 65536))
    content = body if announced else chunks
    answered = shared_api.reporter("hart").post(
        "/claims/1/report", content=content, headers={"Content-Type": "application/json"}
    )
    assert_problem(answered, 413, "body-too-large")


def test_a_body_just_within_the_bound_is_read(shared_api: Served) -> None:
    frame = b'{"token": 1, "status": "verified", "text": "%s"}'
    body = frame % (b"x" * (MAX_BODY_BYTES - len(frame) + 2))
    assert len(body) == MAX_BODY_BYTES
    answered = shared_api.reporter("hart").post(
        "/claims/1/report", content=body, headers={"Content-Type": "application/json"}
    )
    assert_problem(answered, 422, "invalid-request")


@pytest.mark.parametrize("length", ["-1", "1x", "1048577", "99999999999999999999"])
def test_a_length_that_is_none_or_too_large_is_refused_before_the_body(shared_api: Served, length: str) -> None:
    place = urlsplit(shared_api.url)
    with socket.create_connection((str(place.hostname), place.port or 0), timeout=10) as peer:
        head = f"POST /api/v1/claims HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        peer.sendall(head.encode())
        status = int(peer.recv(4096).split(b" ", 2)[1])
    assert status in (400, 413)


def test_a_database_that_is_away_is_503_and_says_to_try_again(api: Served) -> None:
    client = api.reporter("hart")
    with api.database.owner.begin() as connection:
        connection.execute(text("ALTER TABLE api_token RENAME TO taken_away"))
    answered = client.get("/me")
    assert_problem(answered, 503, "try-again")
    assert answered.headers["retry-after"] == "1"


def test_an_unforeseen_fault_says_nothing_of_itself(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyError(SENT)

    monkeypatch.setattr("api.routes.work.list_item_ids", fail)
    answered = api.manager("RXA").get("/worklist")
    assert_problem(answered, 500, "fault")
    assert "Zephyrwood" not in answered.text


def test_a_long_answer_is_compressed_for_who_can_read_it(shared_api: Served) -> None:
    answered = httpx.get(f"{shared_api.url}/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answered.headers["content-encoding"] == "gzip"
    assert answered.json()["openapi"].startswith("3.")
    plain = httpx.get(f"{shared_api.url}/api/openapi.json", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers


def ascii_json(words: str) -> str:
    return '"' + "".join(f"\\u{ord(letter):04x}" for letter in words) + '"'
