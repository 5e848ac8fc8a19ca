"""Each route lets exactly the roles of its rule through, and there is no route without a rule."""

from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import iter_route_contexts
from sqlalchemy import create_engine

from api.acts import Act, permitted
from api.app import OPEN_PATHS, RouteWithoutRule, make_app
from api.permissions import NEEDS_TRUST, RULES, Principal, Role
from tests.api.serving import Served, assert_problem, person


@pytest.mark.parametrize("rule", sorted(RULES))
def test_exactly_the_roles_of_a_rule_get_through(shared_api: Served, rule: str) -> None:
    through = {role for role in Role if status_of(person(shared_api, role), rule) not in (401, 403)}
    assert through == RULES[rule]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_role_outside_the_rule_learns_which_roles_may(shared_api: Served, rule: str) -> None:
    outside = sorted(set(Role) - RULES[rule])
    if not outside:
        return
    method, path = request_of(rule)
    found = assert_problem(person(shared_api, outside[0]).request(method, path, json={}), 403, "not-permitted")
    assert min(RULES[rule]) in found["detail"]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_no_route_answers_who_is_not_signed_in(shared_api: Served, rule: str) -> None:
    with shared_api.client() as nobody:
        method, path = request_of(rule)
        assert_problem(nobody.request(method, path, json={}), 401, "not-signed-in")


def test_every_rule_is_of_a_route_and_every_route_has_a_rule(shared_api: Served) -> None:
    served = {
        f"{method} {route.path.removeprefix('/api/v1')}"
        for route in iter_route_contexts(shared_api.app.routes)
        if route.path and route.path not in OPEN_PATHS
        for method in route.methods or ()
    }
    assert served == set(RULES)


def test_an_application_with_a_route_without_a_rule_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/secrets")
    def secrets(act: Annotated[Act, Depends(permitted)]) -> str:
        return "all of them"

    monkeypatch.setattr("api.routes.work.router", router)
    with pytest.raises(RouteWithoutRule, match="GET /secrets has no rule"):
        make_app(create_engine("postgresql+psycopg://"), "postgresql://")


def test_an_application_with_a_route_that_does_not_ask_who_it_is_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/me")
    def me() -> str:
        return "anyone"

    monkeypatch.setattr("api.routes.work.router", router)
    with pytest.raises(RouteWithoutRule, match=r"GET /me .* does not ask who it is"):
        make_app(create_engine("postgresql+psycopg://"), "postgresql://")


def test_an_application_with_an_open_route_beside_the_known_ones_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    router = APIRouter()

    @router.get("/healthz/patients")
    def patients() -> str:
        return "all of them"

    monkeypatch.setattr("api.routes.health.router", router)
    with pytest.raises(RouteWithoutRule, match="/healthz/patients"):
        make_app(create_engine("postgresql+psycopg://"), "postgresql://")


def test_a_role_beside_reporter_adds_only_what_that_role_is_for() -> None:
    both = Principal(1, "ann", frozenset({Role.REPORTER, Role.PAY_APPROVER}), "RXA", 7)
    assert not both.lists_work
    assert not both.sees_trust("RXA")
    assert both.viewer.trust is None
    lead = Principal(1, "ann", frozenset({Role.REPORTER, Role.CLINICAL_LEAD}), "RXA", 7)
    assert not lead.sees_pay_of_others
    assert lead.sees_trust("RXA")
    assert not lead.sees_trust("RXB")
    assert not lead.network_wide


@pytest.mark.parametrize("role", sorted(Role))
def test_nobody_without_a_trust_sees_a_trusts_patients_by_their_role(role: Role) -> None:
    viewer = Principal(1, "ann", frozenset({role}), None, 7).viewer
    assert viewer.trust is None
    assert (viewer.reporter_id is not None) == (role is Role.REPORTER)


def status_of(client: httpx.Client, rule: str) -> int:
    method, path = request_of(rule)
    with client.stream(method, path, json={} if method == "POST" else None) as answered:
        return answered.status_code


def request_of(rule: str) -> tuple[str, str]:
    method, path = rule.split()
    return method, path.replace("{item_id}", "987654321").replace("{claim_id}", "987654321").replace(
        "{alert_id}", "987654321"
    ).replace("{merge_id}", "987654321")


assert frozenset({Role.TRUST_MANAGER}) == NEEDS_TRUST
