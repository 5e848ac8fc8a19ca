"""What managers, finance and reporters read: people, pay, metrics; each sees what is theirs."""

from __future__ import annotations

import itertools

import httpx
import pytest
from sqlalchemy import text

from allocation.pay import ledger
from api.permissions import Role
from tests.api.serving import Served, assert_problem
from tests.api.test_claims import act, claim
from tests.builders import arrive
from worklist.log.events import consume

EARNED_BY_HART = 300


@pytest.fixture
def paid(api: Served) -> Served:
    """Two hands of two trusts that Hana Hart reported in her insourced session."""
    arrive(api.database, exam="XHANL")
    act(api, "hart", claim(api, "hart", session_id="hart-insourced"), "report", status="verified")
    arrive(api.database, trust="RXB", exam="XHANL")
    act(api, "hart", claim(api, "hart", session_id="hart-insourced"), "report", status="verified")
    api.sequence()
    while consume(api.database.app, ledger.CONSUMER, ledger.post):
        pass
    return api


def test_who_is_only_a_reporter_sees_their_own_pay(paid: Served) -> None:
    found = paid.reporter("hart").get("/pay/lines").json()
    assert {one["reporter"] for one in found["lines"]} == {"hart"}
    assert found["total_pence"] == 2 * EARNED_BY_HART
    assert paid.reporter("reed").get("/pay/lines").json() == {"lines": [], "total_pence": 0}
    assert paid.reporter("reed").get("/pay/statements").json() == {"statements": [], "held": []}


@pytest.mark.parametrize(
    ("role", "trust"),
    [
        (Role.CLINICAL_LEAD, None),
        (Role.SUPERVISOR, None),
        (Role.COORDINATOR, None),
        (Role.TRUST_MANAGER, "RXA"),
        (Role.PACS_MANAGER, "RXA"),
    ],
)
def test_a_reporter_with_a_role_that_is_not_about_pay_sees_nobody_elses(
    paid: Served, role: Role, trust: str | None
) -> None:
    both = paid.as_(Role.REPORTER, role, trust=trust, reporter="reed")
    assert both.get("/pay/lines").json()["lines"] == []
    assert both.get("/pay/statements").json() == {"statements": [], "held": []}


def test_a_trusts_finance_sees_what_it_pays_and_hosts(paid: Served) -> None:
    for trust, hosts in (("RXA", ["RXA", "RXB"]), ("RXB", ["RXB"])):
        found = paid.as_(Role.FINANCE, trust=trust).get("/pay/lines").json()
        assert [one["host"] for one in found["lines"]] == hosts


def test_the_networks_finance_sees_all_and_every_line_can_be_recomputed(paid: Served) -> None:
    found = paid.as_(Role.FINANCE).get("/pay/lines").json()
    (line, _) = found["lines"]
    assert {name: line[name] for name in ("payer", "host", "tariff_code", "amount_pence", "rate_card_version")} == {
        "payer": "RXA",
        "host": "RXA",
        "tariff_code": "xr",
        "amount_pence": 300,
        "rate_card_version": 1,
    }
    assert line["derivation"][-1] == "Total: 300p"
    assert not {"patient", "accession_number", "item_id"} & set(line)


def test_pay_lines_are_walked_by_their_number(paid: Served) -> None:
    finance, found, after = paid.as_(Role.FINANCE), [], 0
    while lines := finance.get("/pay/lines", params={"after": after, "limit": 1}).json()["lines"]:
        after = lines[-1]["id"]
        found += lines
    assert found == finance.get("/pay/lines").json()["lines"]


def test_a_period_takes_its_first_instant_and_not_its_last(paid: Served) -> None:
    finance = paid.as_(Role.FINANCE)
    first, second = (one["earned_at"] for one in finance.get("/pay/lines").json()["lines"])
    found = finance.get("/pay/lines", params={"from": first, "to": second}).json()["lines"]
    assert [one["earned_at"] for one in found] == [first]


def test_statements_sum_to_the_lines(paid: Served) -> None:
    finance = paid.as_(Role.FINANCE)
    lines = finance.get("/pay/lines").json()["lines"]
    found = finance.get("/pay/statements").json()["statements"]
    assert found == [
        {
            "reporter": "hart",
            "month": "2026-06",
            "payer": "RXA",
            "lines": 2,
            "total_pence": sum(one["amount_pence"] for one in lines),
            "by_tariff": {"xr": 600},
        }
    ]


def test_pay_that_is_held_is_told_to_its_reporter_and_their_trusts_alone(api: Served) -> None:
    arrive(api.database, exam="XHANL")
    held = claim(api, "hart", session_id="hart-insourced")
    with api.database.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + interval '6 hours'"))
    act(api, "hart", held, "report", status="verified")
    api.sequence()
    consume(api.database.app, ledger.CONSUMER, ledger.post)
    sees = [
        api.reporter("hart"),
        api.as_(Role.FINANCE),
        api.as_(Role.FINANCE, trust="RXA"),
    ]
    for client in sees:
        (one,) = client.get("/pay/statements").json()["held"]
        assert (one["reporter"], one["reason"]) == ("hart", "verified more than an hour after the session's end")
    for client in (api.reporter("reed"), api.as_(Role.FINANCE, trust="RXB")):
        assert client.get("/pay/statements").json()["held"] == []


def test_every_look_at_pay_is_audited(paid: Served) -> None:
    finance = paid.as_(Role.FINANCE)
    for path, action in (("/pay/lines", "pay lines read"), ("/pay/statements", "pay statements read")):
        finance.get(path)
        with paid.database.owner.connect() as connection:
            rows = connection.execute(text("SELECT actor FROM audit.entry WHERE action = :a"), {"a": action}).scalars()
            assert rows.all() == ["finance-network"]


def test_the_workforce_is_listed_by_its_names(shared_api: Served) -> None:
    manager = shared_api.as_(Role.NETWORK_MANAGER)
    reporters = manager.get("/reporters").json()["reporters"]
    assert [one["id"] for one in reporters] == ["cole", "hart", "reed", "tran"]
    assert reporters[1]["registrations"][0]["body"] == "HCPC"
    assert reporters[1]["engagements"][0]["payer"] == "RXA"
    assert {one["code"] for one in manager.get("/scopes").json()["scopes"]} >= {"msk-xr", "general"}
    grants = manager.get("/grants").json()["grants"]
    assert ("hart", "msk-xr", "autonomous") in {(one["reporter"], one["scope"], one["level"]) for one in grants}
    entitlements = manager.get("/entitlements").json()["entitlements"]
    assert ("hart", "RXB", "staff_passport") in {
        (one["reporter"], one["trust_ods"], one["basis"]) for one in entitlements
    }
    (card,) = manager.get("/rate-cards").json()["rate_cards"]
    assert (card["code"], card["version"], len(card["tariffs"]), len(card["windows"])) == ("network", 1, 4, 1)


def test_a_reporter_sees_their_own_sessions_and_a_manager_everyones(shared_api: Served) -> None:
    def sessions(client: httpx.Client, **params: str) -> list[str]:
        return [one["id"] for one in client.get("/sessions", params=params).json()["sessions"]]

    everyones = ["reed-planned", "tran-planned", "hart-insourced"]
    assert sessions(shared_api.as_(Role.NETWORK_MANAGER)) == everyones
    assert sessions(shared_api.reporter("hart")) == ["hart-insourced"]
    manager = shared_api.as_(Role.NETWORK_MANAGER)
    assert sessions(manager, **{"from": "2026-06-10T12:00:00Z"}) == ["reed-planned", "hart-insourced"]
    assert sessions(manager, to="2026-06-10T08:00:01Z") == ["reed-planned", "tran-planned"]


def test_an_instant_without_an_offset_is_londons(shared_api: Served) -> None:
    manager = shared_api.as_(Role.NETWORK_MANAGER)
    starts = manager.get("/sessions", params={"to": "2026-06-10T09:00:00"}).json()["sessions"]
    assert starts == []  # 08:00 UTC, when the first ones begin
    starts = manager.get("/sessions", params={"to": "2026-06-10T09:00:01"}).json()["sessions"]
    assert len(starts) == 2


QUESTIONS = ("backlog", "turnaround", "skill-mix", "value")


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_figure_is_given_for_the_network_and_for_a_trust(api: Served, question: str) -> None:
    arrive(api.database, trust="RXA")
    arrive(api.database, trust="RXB")
    network = api.as_(Role.NETWORK_MANAGER).get(f"/metrics/{question}")
    assert network.status_code == 200
    assert network.json()
    own = api.manager("RXB")
    implied = own.get(f"/metrics/{question}").json()
    stated = own.get(f"/metrics/{question}", params={"trust": "RXB"}).json()
    assert {**implied, "at": None} == {**stated, "at": None}
    assert_problem(own.get(f"/metrics/{question}", params={"trust": "RXA"}), 404, "not-found")


def test_a_trusts_manager_counts_their_own_backlog_alone(api: Served) -> None:
    arrive(api.database, trust="RXA")
    arrive(api.database, trust="RXB")
    found = api.manager("RXB").get("/metrics/backlog", params={"by": "trust"}).json()
    assert "RXA" not in str(found)
    assert "RXB" in str(found)


@pytest.mark.parametrize(
    ("question", "params"),
    [
        *itertools.product(
            QUESTIONS,
            (
                {"from": "2026-06-10T00:00:00", "to": "2026-06-11T00:00:00Z"},
                {"from": "2026-06-11T00:00:00Z", "to": "2026-06-10T00:00:00"},
                {"from": "0001-01-01T00:00:00Z"},
                {"to": "9999-12-31T23:59:59Z"},
                {"from": "now"},
                {"by": "shoe size"},
                {"by": "trust,trust"},
                {"by": ","},
                {"by": "trust,modality,setting"},
            ),
        )
    ],
)
def test_no_question_is_our_fault(shared_api: Served, question: str, params: dict[str, str]) -> None:
    answered = shared_api.as_(Role.NETWORK_MANAGER).get(f"/metrics/{question}", params=params)
    if answered.status_code != 200:
        assert_problem(answered, 422, "invalid-request")


def test_a_server_says_that_it_lives_and_that_it_is_ready(api: Served) -> None:
    assert httpx.get(f"{api.url}/healthz/live").json() == {"status": "live"}
    arrive(api.database)
    api.sequence()
    found = httpx.get(f"{api.url}/healthz/ready")
    assert found.status_code == 200
    assert (found.json()["ready"], found.json()["schema_is_newest"]) == (True, True)
    assert found.json()["last_position"] > 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = '0000'",
        "INSERT INTO consumer_checkpoint (consumer, position) VALUES ('pay', -5001)",
        "ALTER TABLE event_position RENAME TO taken_away",
    ],
    ids=["old schema", "a consumer far behind", "no answer"],
)
def test_a_server_that_cannot_serve_says_so(api: Served, statement: str) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(text(statement))
    found = httpx.get(f"{api.url}/healthz/ready")
    assert (found.status_code, found.json()["ready"]) == (503, False)


def test_figures_for_monitoring_count_what_there_is(api: Served) -> None:
    arrive(api.database, service="Emergency Department")
    arrive(api.database, trust="RXB")
    arrive(api.database, accession=None)
    claim(api, "hart")
    with api.database.owner.begin() as connection:
        connection.execute(text("UPDATE test_clock SET moved_by = moved_by + interval '2 hours'"))
    found = httpx.get(f"{api.url}/metrics").text
    for line in (
        'radpool_items{state="ready",trust="RXB"} 1.0',
        'radpool_items{state="on_hold",trust="RXA"} 1.0',
        'radpool_items{state="in_progress",trust="RXA"} 1.0',
        "radpool_overdue_items 1.0",
        "radpool_open_exceptions 1.0",
        "radpool_live_claims 1.0",
        "radpool_studies_arriving 0.0",
    ):
        assert line in found.splitlines()
