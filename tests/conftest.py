"""Real services for tests: one PostgreSQL cluster per test process, databases cloned from templates.

The clock of every cloned database stands at Wednesday 10 June 2026, 10:00 UTC (11:00 in London).
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Dialect, Engine, text
from sqlalchemy.util import LRUCache

from allocation.configuration.apply import apply
from allocation.configuration.read import read_files
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.db.migrate import migrate

settings.register_profile("radpool", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.load_profile("radpool")

# A run that was started in the background of a shell would hand the deafness to Ctrl-C on to all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

NOW = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
NETWORK = Path(__file__).parent / "network.toml"

_numbers = itertools.count(1)

#: The file system in memory that Linux has, and the bytes that the files of a test run may take.
_MEMORY, _ROOM = Path("/dev/shm"), 8 * 2**30
#: Statements as SQL: compiled once for all databases of a test process.
_compiled: LRUCache[Any, Any] = LRUCache(1000)
_dialects: list[Dialect] = []


#: Folders of tests that start servers and wait for them: begun first, so that no process is left alone with them.
_SLOW_FOLDERS = {Path(__file__).parent / name for name in ("attacks", "interop", "cli", "benchmarks")}


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Keep the files of a run in memory where there is room: a database is cloned several times as fast there."""
    if hasattr(config, "workerinput") or config.option.basetemp is not None or not _has_room():
        return
    folder = tempfile.mkdtemp(prefix="radpool-tests-", dir=_MEMORY)
    config.option.basetemp = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def _has_room() -> bool:
    if not _MEMORY.is_dir() or shutil.disk_usage(_MEMORY).free < _ROOM:
        return False
    return not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC and os.access(_MEMORY, os.W_OK)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the slow tests first; within a folder the order stays."""
    items.sort(key=lambda item: not _SLOW_FOLDERS & set(item.path.parents))


@dataclass(frozen=True)
class Database:
    """One cloned database: engines as the application and as the owner, and their URLs."""

    app: Engine
    owner: Engine
    app_url: str
    owner_url: str

    def begin(self) -> Connection:
        """Open a connection of the application in a transaction of the caller's."""
        return self.app.connect()

    def count(self, statement: str) -> int:
        """Give the one number that a statement gives the owner."""
        with self.owner.connect() as connection:
            return int(connection.execute(text(statement)).scalar_one())


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded.Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    started = embedded.start(folder, durable=False)
    yield started
    embedded.stop(started, immediate=True)


@pytest.fixture(scope="session")
def empty_template(cluster: embedded.Cluster) -> str:
    """A database with the newest schema and no rows but the schema's own."""
    engine = make_engine(cluster.url("owner"))
    migrate(engine)
    engine.dispose()
    return "radpool"


@pytest.fixture(scope="session")
def network_template(cluster: embedded.Cluster, empty_template: str) -> str:
    """A database with the small network of `network.toml`, its clock set."""
    embedded.clone_database(cluster, empty_template, "template_network")
    owner = make_engine(cluster.url("owner", "template_network"))
    set_clock(owner)
    with owner.begin() as connection:
        connection.execute(text("SELECT ensure_month_partitions(1)"))
    app = make_engine(cluster.url("app", "template_network"))
    with app.begin() as connection:
        apply(connection, read_files([NETWORK]), by="test")
    owner.dispose()
    app.dispose()
    return "template_network"


@pytest.fixture
def clone(cluster: embedded.Cluster) -> Iterator[Callable[[str], Database]]:
    """A function that clones a template; what it made is dropped after the test."""
    made: list[tuple[str, Database]] = []

    def _clone(template: str) -> Database:
        name = f"test_{next(_numbers)}"
        embedded.clone_database(cluster, template, name)
        app_url, owner_url = cluster.url("app", name), cluster.url("owner", name)
        database = Database(
            _compiled_once(make_engine(app_url, pool_size=60)),
            _compiled_once(make_engine(owner_url)),
            app_url,
            owner_url,
        )
        made.append((name, database))
        return database

    yield _clone
    for name, database in made:
        database.app.dispose()
        database.owner.dispose()
        embedded.drop_database(cluster, name)


def _compiled_once(engine: Engine) -> Engine:
    """Have an engine use what others of the process compiled; that is kept by dialect, so they share that too."""
    if not _dialects:
        engine.connect().close()  # the dialect learns from its first connection what the server is
        _dialects.append(engine.dialect)
    engine.dialect = _dialects[0]
    engine.update_execution_options(compiled_cache=_compiled)
    return engine


@pytest.fixture
def empty(clone: Callable[[str], Database], empty_template: str) -> Database:
    """A fresh database with the newest schema and no network."""
    return clone(empty_template)


@pytest.fixture
def network(clone: Callable[[str], Database], network_template: str) -> Database:
    """A fresh database with the small network, its clock at `NOW`."""
    database = clone(network_template)
    set_clock(database.owner)
    return database


def set_clock(owner: Engine, to: datetime = NOW) -> None:
    with owner.begin() as connection:
        connection.execute(
            text("UPDATE test_clock SET enabled = true, moved_by = :now - clock_timestamp()"), {"now": to}
        )
