"""Identifiers of synthetic patients are searched for wherever they must not be."""

from __future__ import annotations

import json
import logging
from datetime import date

import httpx
import pytest

from api.permissions import Role
from tests.api.serving import Served
from tests.api.test_claims import act, claim
from tests.api.test_live import listening, take_until
from tests.builders import arrive
from worklist.intake.study import PatientAsSent

FAMILY_NAMES = ("Zephyrwood", "Quillfeather", "Ottershaw")


def test_no_identifier_is_in_errors_events_exceptions_figures_or_logs(
    api: Served, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    items = [arrive(api.database, accession=number, patient=patient) for number, patient in patients()]
    found = [*errors(api, items, monkeypatch)]
    found.append(api.manager("RXA").get("/exceptions").text)
    found.append(httpx.get(f"{api.url}/metrics").text)
    found.append(httpx.get(f"{api.url}/healthz/ready").text)
    found.append(api.as_(Role.FINANCE).get("/pay/lines").text)
    last = api.sequence()
    with listening(api.manager("RXA"), after=0) as stream:
        found.append(json.dumps(take_until(stream, last)))
    logged = capfd.readouterr()
    found += [logged.out, logged.err, *(one.getMessage() + str(one.exc_info) for one in of_the_server(caplog))]
    assert "Zephyrwood" in api.manager("RXA").get("/worklist").text  # what is searched for is there
    assert not [word for word in identifiers() for part in found if word in part]


def of_the_server(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Leave out what the test's own client logs, and the access log, which a server does not write."""
    others = ("httpx", "httpcore", "uvicorn.access")
    return [one for one in caplog.records if not one.name.startswith(others)]


def errors(api: Served, items: list[int], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Meet every kind of refusal with identifiers on all sides, and give what was answered."""
    held = claim(api, "hart")
    stale = {**held, "token": held["token"] + 7}
    words = f"{FAMILY_NAMES[0]} 9990000018"
    hart, manager, pacs = api.reporter("hart"), api.manager("RXA"), api.as_(Role.PACS_MANAGER, trust="RXA")
    answers = [
        act(api, "hart", stale, "report", status="verified", text=words),
        act(api, "hart", held, "report", status=words),
        act(api, "hart", held, "skip", reason=words, note=words),
        act(api, "hart", held, "renew", patient=words),
        act(api, "reed", held, "report", status="verified", text=words),
        hart.post("/claims", json={"item_id": items[0], "purpose": words}),
        api.reporter("cole").post("/claims", json={"item_id": items[0]}),
        api.reporter("reed").post("/claims", json={"item_id": held["item"]["id"]}),
        api.manager("RXB").get(f"/items/{items[0]}"),
        manager.get("/worklist", params={"limit": words}),
        manager.get("/metrics/backlog", params={"from": words}),
        pacs.post(f"/items/{items[0]}/accession", json={"accession_number": "ACC0000001"}),
        pacs.post(f"/items/{items[0]}/accession", json={"accession_number": words + "\x00"}),
        httpx.get(f"{api.url}/api/v1/worklist", headers={"Authorization": f"Bearer {FAMILY_NAMES[0]}"}),
    ]
    with monkeypatch.context() as broken:
        broken.setattr("api.routes.work.list_item_ids", fail)
        answers.append(manager.get("/worklist"))
    assert {one.status_code for one in answers} == {401, 403, 404, 409, 422, 500}
    return [one.text + str(one.headers) for one in answers]


def fail(*_: object, **__: object) -> None:
    raise KeyError(f"{FAMILY_NAMES[0]} 9990000018")


def patients() -> list[tuple[str, PatientAsSent]]:
    return [
        (
            f"ACC000000{number}",
            PatientAsSent(
                identifier=f"LOCAL900{number}",
                issuer="TEST",
                nhs_number=f"999000001{number}",
                family_name=name,
                given_name=f"Peregrine{number}",
                birth_date=date(1931 + number, 7, 9),
            ),
        )
        for number, name in enumerate(FAMILY_NAMES)
    ]


def identifiers() -> list[str]:
    found = ["9990000018"]
    for accession, one in patients():
        found += [accession, str(one.identifier), str(one.nhs_number), str(one.family_name), str(one.given_name)]
        found += [str(one.family_name).upper(), str(one.birth_date), str(one.birth_date).replace("-", "")]
    return found
