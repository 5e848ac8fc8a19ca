"""The API served over real databases: one of a test's own, and one that a module's readers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from api.app import make_app
from tests.api.serving import Served, listening, serving, turned_to
from tests.builders import shared
from tests.conftest import Database
from worklist.db import embedded
from worklist.db.engine import make_engine


@pytest.fixture(scope="session")
def running(cluster: embedded.Cluster, empty_template: str) -> Iterator[tuple[FastAPI, str]]:
    """An application that runs, and where; tests turn it to their databases."""
    engine = make_engine(cluster.url("app", "nowhere"), pool_size=1)
    app = make_app(engine, cluster.url("app", "nowhere"))
    app.state.follower.start = lambda: None  # there is nothing to follow
    with listening(app) as url:
        yield app, url
    engine.dispose()


@pytest.fixture
def api(running: tuple[FastAPI, str], network: Database) -> Iterator[Served]:
    """The application over a database of the test's own."""
    with turned_to(*running, network) as served:
        yield served


@pytest.fixture(scope="module")
def shared_api(cluster: embedded.Cluster, network_template: str) -> Iterator[Served]:
    """The application over a database that the module's tests share."""
    with shared(cluster, network_template) as database, serving(database) as served:
        yield served
