"""Requests to store that are refused: by what they are, how they come, and from whom."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import update

from api.permissions import Role
from tests.api.dicom_web.sending import (
    BOUNDARY,
    INSTANCES,
    METADATA,
    STUDIES,
    an_instance,
    body,
    instances,
    metadata,
    pacs,
    post,
    reasons,
    stored,
)
from tests.api.dicom_web.storing import counts, exceptions, limited, pacs_socket, refusals, wait_until
from tests.api.serving import Served, assert_problem
from worklist.db.tables.network import source


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        'multipart/related; type="application/dicom+xml"; boundary=x',
        'multipart/related; type="application/dicom"',
        f'multipart/related; type="application/dicom"; boundary={"x" * 71}',
        "multipart/form-data; boundary=x",
        "",
    ],
)
def test_another_media_type_is_refused(api: Served, content_type: str) -> None:
    assert_problem(post(pacs(api), instances(an_instance()), content_type), 415, "unsupported-media-type")


def test_a_compressed_body_is_refused(api: Served) -> None:
    refused = post(pacs(api), b"", headers={"Content-Encoding": "gzip"})
    assert_problem(refused, 415, "unsupported-media-type")


@pytest.mark.parametrize("accept", ["application/dicom+xml", "text/html", "application/dicom+json;q=0"])
def test_an_answer_in_xml_is_not_to_be_had(api: Served, accept: str) -> None:
    assert_problem(post(pacs(api), instances(an_instance()), headers={"Accept": accept}), 406, "not-acceptable")
    assert counts(api.database) == []


@pytest.mark.parametrize("accept", ["application/dicom+xml, application/dicom+json", "application/*;q=0.5", "*/*"])
def test_an_accept_header_that_takes_dicom_json_is_served(api: Served, accept: str) -> None:
    assert post(pacs(api), instances(an_instance()), headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", f"--{BOUNDARY}--".encode()])
def test_a_body_without_objects_is_malformed(api: Served, content: bytes) -> None:
    assert_problem(post(pacs(api), content), 400, "malformed-body")


def test_more_objects_than_a_request_may_have_are_refused_and_the_others_taken(api: Served) -> None:
    with limited(api, most_objects=2):
        answer = post(pacs(api), instances(*(an_instance(number) for number in (1, 2, 3, 4))))
    assert answer.status_code == 202
    assert len(stored(answer)) == 2
    assert reasons(answer) == [0xA700]
    with limited(api, most_parts=0):
        assert_problem(post(pacs(api), instances(an_instance())), 413, "body-too-large")


def test_a_part_header_over_the_limits_is_malformed(api: Served) -> None:
    assert_problem(post(pacs(api), body([("x" * 5000, b"")])), 400, "malformed-body")


def test_a_silent_sender_is_given_up(api: Served) -> None:
    with limited(api, silence_seconds=0.2), pacs_socket(api, b"--") as peer:
        told = b"".join(iter(lambda: peer.recv(65536), b""))  # ends when the server closes
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b'"too-slow"' in told


def test_no_more_requests_are_at_work_than_may_be(api: Served) -> None:
    with limited(api, most_requests=1) as storing, pacs_socket(api, b"--"):
        wait_until(lambda: storing.at_work == 1)
        refused = post(pacs(api), instances(an_instance()))
        assert refused.headers["retry-after"] == "1"
        assert_problem(refused, 503, "busy")
    wait_until(lambda: storing.at_work == 0)


def test_a_body_over_a_mebibyte_is_refused_everywhere_else(api: Served) -> None:
    big = {"Content-Type": INSTANCES}
    for path in (f"{STUDIES}/1.2/series", "/dicom-web/PACS_A", "/claims"):
        assert_problem(pacs(api).post(path, content=bytes(2 * 1024 * 1024), headers=big), 413, "body-too-large")


def test_a_source_of_another_trust_or_of_none_is_unknown(api: Served) -> None:
    for client, title in ((pacs(api), "PACS_B"), (pacs(api), "PACS_X"), (api.as_(Role.PACS_MANAGER), "PACS_A")):
        refused = post(client, instances(an_instance()), to=f"/dicom-web/{title}/studies")
        assert_problem(refused, 404, "unknown-source")
    assert counts(api.database) == []
    assert refusals(api.database) == ["unknown source"] * 3


def test_a_source_that_is_not_active_is_unknown(api: Served) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(update(source).values(active=False))
    assert_problem(post(pacs(api), instances(an_instance())), 404, "unknown-source")


def test_a_source_may_send_only_from_the_address_that_it_is_bound_to(api: Served) -> None:
    refused = post(pacs(api), instances(an_instance()), headers={"X-Forwarded-For": "10.1.2.3"})
    assert_problem(refused, 403, "not-permitted")
    assert refusals(api.database) == ["source from an address it is not bound to"]
    assert exceptions(api, "association-refused")
    with api.database.owner.begin() as connection:
        connection.execute(update(source).values(address="10.1.0.0/16"))
    assert post(pacs(api), instances(an_instance()), headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 200
    assert_problem(post(pacs(api), instances(an_instance())), 403, "not-permitted")


def test_a_source_without_an_address_may_send_from_anywhere(api: Served) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(update(source).values(address=None, certificate_subject="CN=pacs"))
    assert post(pacs(api), instances(an_instance()), headers={"X-Forwarded-For": "10.1.2.3"}).status_code == 200


def test_nothing_that_names_a_patient_or_a_study_is_logged_or_told_in_an_error(
    api: Served, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    named = {"PatientName": "Zephyrwood^Sam", "PatientID": "LOCAL9001", "StudyInstanceUID": "1.2.999.777"}
    answers = [
        post(pacs(api), instances(an_instance(1, **named)), to=f"{STUDIES}/1.2.999.888"),
        post(pacs(api), instances(an_instance(1, **named, SeriesInstanceUID=None)), to=f"{STUDIES}/1.2.999.777"),
        post(pacs(api), metadata([{"00100010": {"vr": "PN", "Value": ["Zephyrwood"]}}]), METADATA),
        post(pacs(api), metadata(b"[{Zephyrwood}]"), METADATA, to=f"{STUDIES}/1.2.999.777"),
        post(pacs(api), b"Zephyrwood", to=f"{STUDIES}/1.2.999.777"),
    ]
    assert {one.status_code for one in answers} == {400, 409}
    logged = capfd.readouterr()
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith(("httpx", "httpcore", "uvicorn.acc"))]
    found = [*(one.text for one in answers), logged.out, logged.err, *ours, *exceptions(api)]
    assert not [part for part in found for word in ("Zephyrwood", "LOCAL9001", "1.2.999") if word in part]
