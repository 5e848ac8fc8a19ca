"""A database for questions that write nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from worklist.db import embedded
from worklist.db.engine import make_engine


@pytest.fixture(scope="session")
def _nothing(cluster: embedded.Cluster, empty_template: str) -> Iterator[str]:
    embedded.clone_database(cluster, empty_template, "nothing")
    yield cluster.url("app", "nothing")
    embedded.drop_database(cluster, "nothing")


@pytest.fixture
def nothing(_nothing: str) -> Iterator[Connection]:
    """A connection to a database without a network, shared by tests, rolled back after each."""
    engine = make_engine(_nothing)
    with engine.connect() as connection:
        yield connection
    engine.dispose()
