"""Who gets in: tokens known, in date, not revoked, of a user who is not disabled; everybody else is refused."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from api.accounts import AccountRefused, add_user, issue_token
from api.permissions import Role, parse_roles
from tests.api.serving import Served, assert_problem
from tests.conftest import Database


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer radpool_unknown"},
        {"Authorization": "Bearer null"},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."},
        {"Authorization": "Bearer " + "x" * 4000},
        {"Authorization": "Bearer \xe9\xe8"},
        {"Authorization": "Bearer ' OR 1=1 --"},
    ],
)
def test_nobody_gets_in_without_a_token_that_is_known(shared_api: Served, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answered = httpx.get(f"{shared_api.url}/api/v1/me", headers=raw)
    assert_problem(answered, 401, "not-signed-in")
    assert answered.headers["www-authenticate"] == "Bearer"


def test_a_token_in_the_query_string_is_no_token(shared_api: Served) -> None:
    token = shared_api.token("query", Role.AUDITOR)
    assert_problem(httpx.get(f"{shared_api.url}/api/v1/me", params={"access_token": token}), 401, "not-signed-in")


def test_a_known_token_says_who_it_is(shared_api: Served) -> None:
    found = shared_api.manager("RXA").get("/me").json()
    assert (found["roles"], found["trust"], found["reporter_id"]) == (["trust_manager"], "RXA", None)
    assert found["now"].startswith("2026-06-10T10:00")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE api_token SET expires_at = radpool_now()",
        "UPDATE api_token SET revoked_at = radpool_now()",
        "UPDATE app_user SET disabled_at = radpool_now()",
    ],
    ids=["expired", "revoked", "disabled user"],
)
def test_a_token_that_was_good_is_refused_from_that_moment(api: Served, statement: str) -> None:
    client = api.reporter("hart")
    assert client.get("/me").status_code == 200
    with api.database.owner.begin() as connection:
        connection.execute(text(statement))
    assert_problem(client.get("/me"), 401, "not-signed-in")


def test_a_token_expires_by_the_clock_of_the_server(api: Served) -> None:
    client = api.reporter("hart")
    with api.database.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + interval '30 days 1 second'"))
    assert_problem(client.get("/me"), 401, "not-signed-in")


def test_the_database_never_holds_a_token(network: Database) -> None:
    with network.app.begin() as connection:
        add_user(connection, "ann", {Role.AUDITOR})
        token = issue_token(connection, "ann", days=1)
        stored = connection.execute(text("SELECT t::text FROM api_token t")).scalars().all()
        audited = connection.execute(text("SELECT payload FROM audit.entry")).scalars().all()
    assert token not in "".join([*stored, *audited])
    assert [one for one in audited if '"ann"' in one]


@pytest.mark.parametrize(
    ("roles", "trust", "reporter", "told"),
    [
        ({Role.REPORTER}, None, None, "needs --reporter"),
        ({Role.TRUST_MANAGER}, None, None, "needs --trust"),
        ({Role.TRUST_MANAGER}, "RXZ", None, "no trust 'RXZ'"),
        ({Role.REPORTER}, None, "nobody", "no reporter 'nobody'"),
    ],
)
def test_an_account_without_what_its_role_needs_is_not_made(
    network: Database, roles: set[Role], trust: str | None, reporter: str | None, told: str
) -> None:
    with network.app.begin() as connection, pytest.raises(AccountRefused, match=told):
        add_user(connection, "ann", roles, trust=trust, reporter_code=reporter)


@pytest.mark.parametrize("name", ["", " ", "command line", "ann\x1f", "a" * 65, "ris:RIS_A", "ann\nbob"])
def test_a_name_that_could_be_taken_for_another_actor_is_refused(network: Database, name: str) -> None:
    with network.app.begin() as connection, pytest.raises(AccountRefused, match="name"):
        add_user(connection, name, {Role.AUDITOR})


def test_no_token_is_made_for_a_user_who_is_unknown_or_disabled(network: Database) -> None:
    with network.app.begin() as connection:
        with pytest.raises(AccountRefused, match="no user 'ann'"):
            issue_token(connection, "ann", days=1)
        add_user(connection, "ann", {Role.AUDITOR})
        connection.execute(text("UPDATE app_user SET disabled_at = radpool_now()"))
        with pytest.raises(AccountRefused, match="no user 'ann'"):
            issue_token(connection, "ann", days=1)


def test_roles_are_read_as_people_write_them() -> None:
    assert parse_roles("reporter, trust-manager") == {Role.REPORTER, Role.TRUST_MANAGER}
    with pytest.raises(ValueError, match="'boss' is no role; use reporter, supervisor"):
        parse_roles("reporter,boss")
