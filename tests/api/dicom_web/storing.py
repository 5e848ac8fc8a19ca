"""The server's side in the tests of storing over HTTP: its limits, and what it has kept and refused."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from api.dicom_web.exchange import Storing
from api.dicom_web.limits import StoreLimits
from tests.api.dicom_web.sending import (
    INSTANCES,
    STUDIES,
    pacs,
)
from tests.api.serving import Served
from tests.conftest import Database, set_clock
from worklist.intake.completion import complete_quiet_studies

STATE = """
    SELECT i.state, i.modality, i.age_years, i.setting, i.urgency, i.clock_start_at, i.due_at,
           o.accession_number, p.family_name, p.given_name, p.birth_date, s.instance_count, s.series_count, s.facts
    FROM item i JOIN order_identity o ON o.item_id = i.id JOIN item_study x ON x.item_id = i.id
    JOIN study s ON s.id = x.study_id JOIN patient p ON p.id = s.patient_id
    ORDER BY o.accession_number
"""


@contextmanager
def limited(api: Served, **limits: Any) -> Iterator[Storing]:
    """Serve under other limits until the block ends."""
    before = api.app.state.storing
    api.app.state.storing = Storing(0, StoreLimits(**limits))
    try:
        yield api.app.state.storing
    finally:
        api.app.state.storing = before


@contextmanager
def pacs_socket(api: Served, begun: bytes) -> Iterator[socket.socket]:
    """Begin a request of a mebibyte by hand, send as much of its body, and leave it there."""
    token = pacs(api).headers["Authorization"]
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        head = f"POST /api/v1{STUDIES} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n"
        peer.sendall(f"{head}Content-Type: {INSTANCES}\r\nContent-Length: 1048576\r\n\r\n".encode() + begun)
        yield peer


def a_database_at_the_same_time(clone: Any, template: str) -> Database:
    database: Database = clone(template)
    set_clock(database.owner)
    return database


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert holds()


def rss_bytes() -> int:
    """Give what of this process is in memory now; the server is a thread of it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def state_of(database: Database) -> list[Any]:
    """Complete what is there, and give all of the worklist that an object's header decides."""
    complete_quiet_studies(database.app)
    with database.owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text(STATE))]


def counts(database: Database) -> list[tuple[int, int]]:
    """Give series and instances of each study."""
    with database.owner.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT series_count, instance_count FROM study"))]


def accessions(database: Database) -> list[str]:
    with database.owner.connect() as connection:
        return list(connection.scalars(text("SELECT accession_number FROM order_identity")))


def exceptions(api: Served, kind: str = "object-refused") -> list[str]:
    found = pacs(api).get("/exceptions", params={"kind": kind}).json()["exceptions"]
    return [one["detail"] for one in found]


def refusals(database: Database) -> list[str]:
    with database.owner.connect() as connection:
        return list(
            connection.scalars(text("SELECT payload::json ->> 'why' FROM audit.entry WHERE action = 'store refused'"))
        )
