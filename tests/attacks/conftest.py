"""One radpool for all attacks of a test process: what one attack leaves behind, the next has to live with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.attacked import Attacked, attacked


@pytest.fixture(scope="package")
def radpool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("attacked")) as running:
        yield running


@pytest.fixture(autouse=True)
def the_listener_survives(radpool: Attacked) -> Iterator[None]:
    """Hold every attack to it that no process of the listener ended or was replaced."""
    before = radpool.listening_processes()
    yield
    assert radpool.listening_processes() == before, radpool.server.log()[-2000:]
