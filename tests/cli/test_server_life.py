"""A whole server through the deaths of its parts: what dies comes back, nothing acknowledged is lost."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.builders import arrive
from tests.cli.commanding import (
    FREE_PORTS,
    Server,
    answers,
    children_of,
    end,
    lives,
    radpool,
    ready,
    serving,
    start,
    until,
)
from tests.conftest import NETWORK, Database
from worklist.db import embedded
from worklist.db.embedded.process import server_processes
from worklist.db.engine import make_engine

PLACE_OF = {"api": "http", "listener": "dicom", "hl7": "hl7"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the small network and two people."""
    with serving(tmp_path_factory.mktemp("life"), "--test-clock") as started:
        started.command("import", str(NETWORK))
        started.command("user", "add", "hart", "--role", "reporter", "--reporter", "hart")
        started.command("user", "add", "manager", "--role", "trust_manager", "--trust", "RXA")
        yield started


@pytest.mark.parametrize("service", ["sequencer", "allocator", "listener", "hl7", "api"])
def test_a_service_that_is_killed_is_replaced_and_its_port_never_refuses(server: Server, service: str) -> None:
    killed = services(server)[service]
    os.kill(killed, signal.SIGKILL)
    if service in PLACE_OF:
        assert answers(server.run[PLACE_OF[service]])
    until(lambda: services(server).get(service) not in (None, killed))
    until(lambda: ready(server))
    if service in PLACE_OF:
        assert answers(server.run[PLACE_OF[service]])
    assert json.loads((server.data / "run.json").read_text()) == server.run


def test_a_request_that_meets_a_dying_api_is_answered_by_the_next(server: Server) -> None:
    """The listening socket outlives the process: who connects in between waits."""
    os.kill(services(server)["api"], signal.SIGKILL)
    assert httpx.get(f"{server.url}/healthz/live", timeout=30).status_code == 200


def test_postgresql_that_is_killed_comes_back_with_everything_that_was_acknowledged(server: Server) -> None:
    items = [arrive_at(server) for _ in range(3)]
    with server.client("hart") as hart, server.client("manager") as manager:
        held = hart.post("/claims", json={}).json()
        before = services(server)
        for _ in range(2):
            kill_postgres(server)
            until(lambda: manager_sees(manager) is not None)
            assert manager_sees(manager) == items
        assert services(server) == before  # they waited; nobody had to be replaced
        body = {"token": held["token"], "status": "verified"}
        assert hart.post(f"/claims/{held['claim_id']}/report", json=body).status_code == 200
        assert hart.post("/claims", json={}).status_code == 201
    server.command("check")
    server.command("verify-audit")


def test_live_events_go_on_after_postgresql_was_killed(server: Server) -> None:
    with server.client("manager") as manager, manager.stream("GET", "/events", timeout=30) as answered:
        lines = answered.iter_lines()
        assert next(lines) == ": open"
        kill_postgres(server)
        until(lambda: ready(server))
        item_id = arrive_at(server)
        assert any(f'"item_id":{item_id}' in line for line in lines)


def test_postgresql_that_finds_its_port_taken_is_announced_anew(server: Server) -> None:
    place = psycopg.conninfo.conninfo_to_dict(str(server.run["database_url"]))
    os.kill(server.process.pid, signal.SIGSTOP)
    kill_postgres(server)
    with socket.create_server(("127.0.0.1", int(str(place["port"])))):
        os.kill(server.process.pid, signal.SIGCONT)
        until(lambda: announced(server) not in (None, server.run))
        until(lambda: ready(server))
    server.run = announced(server) or {}
    with psycopg.connect(str(server.run["database_url"])) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("radpool_app",)
    with server.client("manager") as manager:
        assert manager.get("/worklist").status_code == 200


def test_a_server_whose_supervisor_is_killed_ends_and_the_next_one_takes_over(server: Server, tmp_path: Path) -> None:
    """Beside another server of another folder, which nobody disturbs."""
    second = start(tmp_path / "second")
    second.command("import", str(NETWORK))
    item_id = arrive_at(second)
    served = services(second).values()
    assert len(served) == 5
    end(second, signal.SIGKILL)
    until(lambda: not any(lives(pid) for pid in served))
    assert not answers(second.run["http"])
    assert (second.data / "run.json").exists()
    third = start(second.data)
    try:
        assert announced(third) == third.run
        third.command("user", "add", "manager", "--role", "trust_manager", "--trust", "RXA")
        with third.client("manager") as manager:
            assert manager_sees(manager) == [item_id]
        assert ready(server)
    finally:
        stopped = end(third)
    assert stopped == 0
    assert not (third.data / "run.json").exists()
    assert server_processes(third.data / "postgres") == []
    assert ready(server)
    # With the server down the same commands start the database for themselves and stop it again.
    assert radpool("token", "--user", "manager", "--data", str(third.data)).startswith("radpool_")
    assert "user new: auditor" in radpool("user", "add", "new", "--role", "auditor", "--data", str(third.data))
    assert server_processes(third.data / "postgres") == []
    # Without --test-clock the time is what it is.
    refused = radpool("clock", "+1h", "--data", str(third.data), status=2)
    assert "start the server with `radpool serve --test-clock`" in refused


def test_a_server_that_is_asked_to_end_ends_in_order_with_a_stream_open(tmp_path: Path) -> None:
    with serving(tmp_path / "ended", "--test-clock") as server:
        server.command("import", str(NETWORK))
        server.command("user", "add", "manager", "--role", "trust_manager", "--trust", "RXA")
        assert datetime_of(server.command("clock", "+3h")) > time.time() + 10700
        children = list(children_of(server.process.pid))
        with server.client("manager") as manager, manager.stream("GET", "/events") as answered:
            lines = answered.iter_lines()
            assert next(lines) == ": open"
            began = time.monotonic()
            server.process.terminate()
            assert [line for line in lines if line.startswith("data")] == []
            assert server.process.wait(30) == 0
            assert time.monotonic() - began < 15
        assert not [pid for pid in children if lives(pid)]
        assert server_processes(server.data / "postgres") == []
        assert not (server.data / "run.json").exists()
        assert "Traceback" not in server.log()
    # A clock that was moved is not taken for the real one.
    refused = radpool("serve", "--data", str(server.data), *FREE_PORTS, status=2)
    assert "off the real time" in refused
    assert server_processes(server.data / "postgres") == []


def test_a_given_database_is_served_as_the_application_and_found_again(
    cluster: embedded.Cluster, tmp_path: Path
) -> None:
    """The URL is a superuser's, before whom row-level security would be nothing."""
    with psycopg.connect(cluster.superuser_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE given")
    url = cluster.url("superuser", "given")
    with serving(tmp_path, "--database-url", url) as server:
        assert not (tmp_path / "postgres").exists()
        with psycopg.connect(str(server.run["database_url"])) as connection:
            assert connection.execute("SELECT current_user").fetchone() == ("radpool_app",)
        server.command("import", str(NETWORK))
        server.command("user", "add", "wide", "--role", "network_manager")
        server.command("user", "add", "manager", "--role", "trust_manager", "--trust", "RXA")
        item_id = arrive_at(server)
        with server.client("wide") as wide, server.client("manager") as manager:
            assert wide.get(f"/items/{item_id}").json()["patient"] is None
            assert manager.get(f"/items/{item_id}").json()["patient"] is not None
        for role in ("app", "owner"):
            with psycopg.connect(server.command("db-url", "--role", role).strip()) as connection:
                assert connection.execute("SELECT current_user").fetchone() == (f"radpool_{role}",)
        with psycopg.connect(url) as connection:
            owners = connection.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
            assert owners.fetchall() == [("radpool_owner",)]
    assert "radpool_" in radpool("token", "--user", "manager", "--data", str(tmp_path))
    assert not (tmp_path / "postgres").exists()
    assert url not in server.log()


def services(server: Server) -> dict[str, int]:
    return {
        words[2]: pid for pid, words in children_of(server.process.pid).items() if words[:2] == ["radpool", "serve"]
    }


def announced(server: Server) -> dict[str, object] | None:
    try:
        found: dict[str, object] = json.loads((server.data / "run.json").read_text())
    except FileNotFoundError:
        return None
    return found


def kill_postgres(server: Server) -> None:
    pid = int((server.data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not lives(pid))


def manager_sees(manager: httpx.Client) -> list[int] | None:
    """Give the items of the list, or None while the server cannot tell."""
    answered = manager.get("/worklist")
    if answered.status_code != 200:
        assert answered.status_code == 503
        return None
    return [one["id"] for one in answered.json()["items"]]


def arrive_at(server: Server) -> int:
    """Take a study in and give its item."""
    app_url = str(server.run["database_url"])
    owner_url = server.command("db-url", "--role", "owner").strip()
    database = Database(make_engine(app_url, pool_size=2), make_engine(owner_url, pool_size=2), app_url, owner_url)
    try:
        return arrive(database)
    finally:
        database.app.dispose()
        database.owner.dispose()


def datetime_of(words: str) -> float:
    return datetime.fromisoformat(words.strip()).timestamp()
