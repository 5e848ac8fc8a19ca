"""Who sends, and whether it answers: by role and trust, with DCMTK's archive as the PACS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import text, update

from api.pacs_calls import PacsCalls, TooManyCalls
from api.permissions import Role
from dicom_listener.client.query_address import QueryAddress
from tests.api.serving import Served, assert_problem
from tests.builders import arrive
from tests.dicom_listener.client.pacs_peers import archived, dcmqrscp
from tests.dicom_listener.dicom_peers import HOST
from tests.free_ports import free_port
from worklist.db.tables.network import source

# pynetdicom leaves the socket of a refused connection to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SEEING = [Role.PACS_MANAGER, Role.NETWORK_MANAGER, Role.ADMINISTRATOR]


@pytest.mark.parametrize("role", SEEING)
def test_who_looks_after_the_network_sees_every_source_and_who_after_a_trust_its_own(api: Served, role: Role) -> None:
    assert titles(api.as_(role).get("/sources").json()) == ["PACS_A", "PACS_B"]
    assert titles(api.as_(role, trust="RXB").get("/sources").json()) == ["PACS_B"]


def test_a_source_says_how_it_is_bound_and_asked_and_when_it_last_sent(api: Served) -> None:
    query = stated(QueryAddress("PACS_A", "10.20.30.5", 104, "QR"))
    configure(api, "PACS_A", query=query, certificate_subject="CN=pacs", completeness={"signals": ["expected_count"]})
    arrive(api.database, trust="RXA")
    first, second = api.as_(Role.NETWORK_MANAGER).get("/sources").json()["sources"]
    last_sent_at = first.pop("last_sent_at")
    assert first == {
        "ae_title": "PACS_A",
        "trust": "RXA",
        "address": "127.0.0.1",
        "certificate_subject": "CN=pacs",
        "quiet_seconds": 0,
        "completeness": {"signals": ["expected_count"]},
        "claim_while_arriving": None,
        "query": query,
        "active": True,
        "swept_at": None,
    }
    assert last_sent_at.startswith("2026-06-10T10:0")
    assert (second["last_sent_at"], second["query"]) == (None, None)


def test_dcmtk_s_archive_answers_an_echo_and_the_audit_says_who_asked(api: Served, tmp_path: Path) -> None:
    with dcmqrscp(tmp_path, archived(7)) as address:
        configure(api, "PACS_A", query=stated(address))
        answered = api.as_(Role.PACS_MANAGER, trust="RXA").post("/sources/PACS_A/echo")
    assert answered.status_code == 200
    assert answered.json() == {"ae_title": "PACS_A", "answered": True, "why": None, "detail": None}
    assert audited(api, "source asked for an echo") == [("pacs_manager-RXA", '{"source":"PACS_A"}')]


def test_an_archive_that_is_called_by_another_name_rejects_and_the_echo_says_so(api: Served, tmp_path: Path) -> None:
    with dcmqrscp(tmp_path, archived(7)) as address:
        configure(api, "PACS_A", query={**stated(address), "ae_title": "SOMEBODY"})
        # on a busy machine the archive may start a process for longer than anybody waits for it
        assert "rejected" in (echoed(api) for _ in range(4))


def test_where_nobody_listens_an_echo_finds_no_connection(api: Served) -> None:
    configure(api, "PACS_A", query=stated(QueryAddress("PACS_A", HOST, free_port(), "QR")))
    assert echoed(api) == "no-connection"


def test_a_source_that_asks_for_tls_is_not_called_without_a_certificate_of_ours(api: Served) -> None:
    configure(api, "PACS_A", query=stated(QueryAddress("PACS_A", HOST, free_port(), "QR"), tls=True))
    assert echoed(api) == "no-tls"


def test_a_peer_that_says_nothing_is_given_up_and_keeps_no_other_request_waiting(api: Served) -> None:
    with silent_peer() as address:
        configure(api, "PACS_A", query=stated(address))
        found: list[str] = []
        asking = Thread(target=lambda: found.append(echoed(api)))
        asking.start()
        while not api.app.state.pacs_calls._asked:
            asking.join(0.01)
        again = api.as_(Role.NETWORK_MANAGER).post("/sources/PACS_A/echo")
        assert_problem(again, 503, "busy")
        assert api.as_(Role.NETWORK_MANAGER).get("/me").status_code == 200
        asking.join(20)
    assert found == ["no-answer"]


def test_more_pacs_than_may_are_not_asked_at_once() -> None:
    calls = PacsCalls()
    one, *others = (QueryAddress(f"PACS_{number}", HOST, 104, "QR") for number in range(5))
    with calls._turn(others), pytest.raises(TooManyCalls):
        calls.echo(one)
    assert not calls._asked


def test_a_source_without_an_address_and_one_of_another_trust_cannot_be_asked(api: Served) -> None:
    assert_problem(api.as_(Role.NETWORK_MANAGER).post("/sources/PACS_A/echo"), 409, "no-address")
    assert_problem(api.as_(Role.PACS_MANAGER, trust="RXB").post("/sources/PACS_A/echo"), 404, "unknown-source")
    assert_problem(api.as_(Role.NETWORK_MANAGER).post("/sources/NOBODY/echo"), 404, "unknown-source")
    assert audited(api, "source asked for an echo") == []


@contextmanager
def silent_peer() -> Iterator[QueryAddress]:
    """Take connections and say nothing."""
    with socket.create_server((HOST, 0)) as server:
        yield QueryAddress("PACS_A", HOST, server.getsockname()[1], "QR")


def echoed(api: Served) -> str:
    answered = api.as_(Role.PACS_MANAGER, trust="RXA").post("/sources/PACS_A/echo").json()
    assert answered["answered"] is False
    assert answered["detail"]
    return str(answered["why"])


def stated(address: QueryAddress, *, tls: bool = False) -> dict[str, Any]:
    """Give an address as the configuration states it."""
    where = {"host": address.host, "port": address.port, "ae_title": address.ae_title}
    return {**where, "from": None, "to": None, "tls": tls}


def configure(api: Served, ae_title: str, **values: Any) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(update(source).where(source.c.ae_title == ae_title).values(**values))


def audited(api: Served, action: str) -> list[tuple[str, str]]:
    with api.database.owner.connect() as connection:
        rows = connection.execute(text("SELECT actor, payload FROM audit.entry WHERE action = :a"), {"a": action})
        return [(row.actor, row.payload) for row in rows]


def titles(found: dict[str, Any]) -> list[str]:
    return [one["ae_title"] for one in found["sources"]]
