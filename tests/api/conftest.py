"""The API served over real databases: one of a test's own, and one that a module's readers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.serving import Served, serving
from tests.builders import shared
from tests.conftest import Database
from worklist.db import embedded


@pytest.fixture
def api(network: Database) -> Iterator[Served]:
    """The application over a database of the test's own."""
    with serving(network) as served:
        yield served


@pytest.fixture(scope="module")
def shared_api(cluster: embedded.Cluster, network_template: str) -> Iterator[Served]:
    """The application over a database that the module's tests share."""
    with shared(cluster, network_template) as database, serving(database) as served:
        yield served
