"""The data folder of a one-machine server: its database, secrets, checkpoints and `run.json`."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, make_url

from cli.settings import Settings
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.db.migrate import migrate

#: What the application connects as where one URL is given for all.
APP_ROLE, OWNER_ROLE = "radpool_app", "radpool_owner"


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where the database is, as the application and as the owner (`role` is taken on connecting)."""

    app_url: str
    owner_url: str
    app_role: str | None = None
    owner_role: str | None = None

    def app_engine(self, *, pool_size: int = 10) -> Engine:
        """Make an engine of the application role."""
        return make_engine(self.app_url, pool_size=pool_size, role=self.app_role)

    def migration_engine(self) -> Engine:
        """Make an engine of the URL's own login: on a new database the owner role is yet to be made."""
        return make_engine(self.owner_url, pool_size=2)

    def owner_engine(self) -> Engine:
        """Make an engine of the owner role, for the test clock and partitions."""
        return make_engine(self.owner_url, pool_size=2, role=self.owner_role)


def given(url: str) -> DatabaseAddress:
    """Address a database by one URL; its role becomes the application or the owner as needed."""
    return DatabaseAddress(url, url, APP_ROLE, OWNER_ROLE)


def of_cluster(cluster: embedded.Cluster) -> DatabaseAddress:
    """Address the database of an embedded cluster; each role has a login of its own."""
    return DatabaseAddress(cluster.url("app"), cluster.url("owner"))


@contextmanager
def open_database(data: Path | None, settings: Settings, *, create: bool = False) -> Iterator[DatabaseAddress]:
    """Give the database of a data folder, whether its server is up or down.

    A database that only this call started is stopped again; one that is not there is made only with `create`.

    Raises
    ------
    ValueError
        If neither a folder nor a URL is given, or there is no database.
    """
    if settings.database_url is not None:
        yield given(settings.database_url.get_secret_value())
        return
    if data is None:
        raise ValueError("give --data DIR or --database-url URL")
    remembered = remembered_url(data)
    if remembered is not None:
        yield given(remembered)
        return
    cluster = embedded.running(data)
    if cluster is not None:
        yield of_cluster(cluster)
        return
    if not create and not (data / "postgres").exists():
        raise ValueError(f"{data} is no data folder of radpool; `radpool serve --data {data}` makes one")
    cluster = embedded.start(data)
    try:
        address = of_cluster(cluster)
        engine = address.migration_engine()
        migrate(engine)
        engine.dispose()
        yield address
    finally:
        embedded.stop(cluster)


def acting_as(url: str, role: str | None) -> str:
    """Give a URL by which any program connects as `role`; None leaves the URL's own login."""
    if role is None:
        return url
    # Without the usual space: it would be written as a plus, which libpq leaves as it is.
    return make_url(url).update_query_dict({"options": f"-crole={role}"}).render_as_string(hide_password=False)


def prepare(data: Path) -> None:
    """Make the data folder, for its owner alone."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "secrets").mkdir(mode=0o700, exist_ok=True)


@contextmanager
def served_alone(data: Path) -> Iterator[None]:
    """Hold a data folder for one server; what a killed one announced is withdrawn.

    Raises
    ------
    FolderInUse
        If a server runs on it.
    """
    with (data / "serve.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(data) from None
        (data / "run.json").unlink(missing_ok=True)
        yield


class FolderInUse(RuntimeError):
    """Another server runs on the data folder."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"another `radpool serve` runs on {data}; stop it first, or take another --data folder")


def remember_url(data: Path, url: str | None) -> None:
    """Remember the database URL a server was given, so that other commands find the same database."""
    path = data / "secrets" / "database-url"
    if url is None:
        path.unlink(missing_ok=True)
    else:
        write_private(path, url)


def remembered_url(data: Path) -> str | None:
    """Give the database URL that a server of this folder was last given, or None."""
    path = data / "secrets" / "database-url"
    return path.read_text() if path.exists() else None


def write_run_file(data: Path, run: dict[str, Any]) -> None:
    """Write `run.json` whole or not at all, readable by its owner alone: it holds a password."""
    write_private(data / "run.json", json.dumps(run) + "\n")


def write_private(path: Path, words: str) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    unfinished = path.with_name(path.name + ".part")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(words)
    unfinished.replace(path)
