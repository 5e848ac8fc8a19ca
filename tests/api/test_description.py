"""The API's description is OpenAPI, tells every operation, and answers are what it says."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from api.permissions import RULES, Role
from api.schemas import work as schemas
from tests.api.serving import Served
from tests.api.test_claims import act, claim
from tests.builders import arrive


@pytest.fixture(scope="module")
def described(shared_api: Served) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{shared_api.url}/api/openapi.json").json()
    return found


def test_every_operation_has_a_summary_and_says_what_it_does(described: dict[str, Any]) -> None:
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (path, method)
            assert operation["description"], (path, method)
            assert operation["operationId"], (path, method)


def test_every_rule_is_described_with_its_problems_and_its_sign_in(described: dict[str, Any]) -> None:
    for rule in RULES:
        method, path = rule.split()
        operation = described["paths"][f"/api/v1{path}"][method.lower()]
        assert operation["security"] == [{"HTTPBearer": []}]
        for status in ("401", "403", "404", "409", "422", "503"):
            told = (
                "application/dicom+json"
                if (status, "/dicom-web/") == ("409", path[:11])
                else "application/problem+json"
            )
            assert list(operation["responses"][status]["content"]) == [told], (rule, status)


def test_operation_ids_are_each_ones_own(described: dict[str, Any]) -> None:
    names = [one["operationId"] for operations in described["paths"].values() for one in operations.values()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    references = list(references_in(described))
    assert references
    for one in references:
        place: Any = described
        for step in one.removeprefix("#/").split("/"):
            place = place[step]


def test_what_acts_answer_is_told_by_a_schema(described: dict[str, Any]) -> None:
    told = {
        "POST /claims": ("201", "Claim"),
        "POST /claims/{claim_id}/renew": ("200", "Renewed"),
        "POST /claims/{claim_id}/report": ("200", "Filed"),
        "POST /items/{item_id}/classify": ("200", "Item"),
        "POST /items/{item_id}/accession": ("200", "Item"),
        "GET /items/{item_id}": ("200", "Item"),
        "GET /worklist": ("200", "ItemPage"),
        "GET /claims": ("200", "ItemPage"),
    }
    for rule, (status, name) in told.items():
        method, path = rule.split()
        answer = described["paths"][f"/api/v1{path}"][method.lower()]["responses"][status]
        assert answer["content"]["application/json"]["schema"] == {"$ref": f"#/components/schemas/{name}"}, rule


def test_what_acts_answer_is_what_the_schema_says(api: Served) -> None:
    item_id = arrive(api.database, exam=None)
    arrive(api.database, accession=None)
    manager = api.as_(Role.PACS_MANAGER, trust="RXA")
    held = claim(api, "reed")
    classified = manager.post(f"/items/{item_id}/classify", json={"exam_codes": ["XHANL"]})
    holding = api.reporter("reed").get("/claims")
    renewed = act(api, "reed", held, "renew")
    filed = act(api, "reed", held, "report", status="verified")
    assert_exactly(schemas.Claim, held)
    assert_exactly(schemas.Item, classified.json())
    assert_exactly(schemas.Item, manager.get(f"/items/{item_id}").json())
    assert_exactly(schemas.ItemPage, holding.json())
    assert_exactly(schemas.ItemPage, manager.get("/worklist").json())
    assert_exactly(schemas.Renewed, renewed.json())
    assert_exactly(schemas.Filed, filed.json())


def assert_exactly(model: Any, answered: Any) -> None:
    """Hold an answer to a model, with every field of it and none besides."""
    again = TypeAdapter(model).validate_python(answered)
    assert TypeAdapter(model).dump_python(again, mode="json") == answered


def references_in(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return [*own, *(one for value in part.values() for one in references_in(value))]
    if isinstance(part, list):
        return [one for value in part for one in references_in(value)]
    return []
