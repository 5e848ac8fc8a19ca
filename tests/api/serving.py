"""The application over real HTTP: uvicorn on a free port in a thread, and its people, each with a token."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import QueuePool, text

from api.accounts import add_user, issue_token
from api.acts import Services
from api.app import make_app
from api.live import Follower
from api.permissions import NEEDS_TRUST, Role
from tests.conftest import Database
from worklist.log.sequencer import CHANNEL, sequence

LEASE_SECONDS = 900.0


@dataclass
class Served:
    """An application that answers at `url`."""

    database: Database
    app: FastAPI
    url: str
    _clients: dict[str, httpx.Client] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def as_(self, *roles: Role, trust: str | None = None, reporter: str | None = None) -> httpx.Client:
        """Give a client signed in with these roles; the same one for the same person."""
        name = "-".join([*sorted(roles), trust or "network", reporter or ""]).strip("-")
        with self._lock:
            if name not in self._clients:
                self._clients[name] = self.client(self.token(name, *roles, trust=trust, reporter=reporter))
            return self._clients[name]

    def reporter(self, code: str) -> httpx.Client:
        """Give a reporter's client."""
        return self.as_(Role.REPORTER, reporter=code)

    def manager(self, trust: str) -> httpx.Client:
        """Give the client of a trust's manager."""
        return self.as_(Role.TRUST_MANAGER, trust=trust)

    def token(self, name: str, *roles: Role, trust: str | None = None, reporter: str | None = None) -> str:
        """Add a user and give a token of theirs."""
        with self.database.app.begin() as connection:
            add_user(connection, name, roles, trust=trust, reporter_code=reporter)
            return issue_token(connection, name, days=30)

    def client(self, token: str | None = None) -> httpx.Client:
        """Give a client that carries a token, or none."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=20, verify=False)

    def sequence(self) -> int:
        """Give positions to what was committed, and the newest position."""
        placed = sequence(self.database.app)
        assert placed is not None
        return placed.last_position

    def close(self) -> None:
        """Close the clients."""
        for one in self._clients.values():
            one.close()


def person(served: Served, role: Role, trust: str | None = None) -> httpx.Client:
    """Give a client of one role: a reporter is Hana Hart, whoever needs a trust is of RXA."""
    if role is Role.REPORTER:
        return served.reporter("hart")
    return served.as_(role, trust=trust or ("RXA" if role in NEEDS_TRUST else None))


@contextmanager
def serving(database: Database) -> Iterator[Served]:
    """Serve a database's application until the block ends."""
    app = make_app(database.app, database.app_url, lease_seconds=LEASE_SECONDS)
    with listening(app) as url:
        served = Served(database, app, url)
        try:
            yield served
        finally:
            served.close()
            app.state.follower.stop()


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Run an application on a free port in a thread until the block ends, and give its address."""
    bound = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    try:
        yield "http://{}:{}".format(*bound.getsockname())
    finally:
        server.should_exit = True
        thread.join()
        bound.close()


@contextmanager
def turned_to(app: FastAPI, url: str, database: Database) -> Iterator[Served]:
    """Let a running application serve another database until the block ends: cheaper than one more application."""
    before = app.state.services, app.state.follower
    app.state.services = Services(database.app, LEASE_SECONDS)
    app.state.follower = Follower(database.app, database.app_url, None)
    app.state.follower.start()
    served = Served(database, app, url)
    try:
        yield served
    finally:
        served.close()
        app.state.follower.stop()
        with database.owner.begin() as connection:  # a wake-up, so that its thread sees that it is to end
            connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})
        app.state.follower.join()
        _wait_until_idle(database)
        app.state.services, app.state.follower = before


def _wait_until_idle(database: Database) -> None:
    """Wait for what a stream that was just left still reads: a connection opened later would be nobody's."""
    pool = database.app.pool
    assert isinstance(pool, QueuePool)
    deadline = time.monotonic() + 10
    while pool.checkedout() and time.monotonic() < deadline:
        time.sleep(0.005)


def assert_problem(response: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Hold an answer to be problem details of a kind, and give them."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == kind
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found
