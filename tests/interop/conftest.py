"""A whole radpool with the demonstration network, started as its users start it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.attacks.attacked import Attacked, attacked
from tests.cli.commanding import serving

ROOT = Path(__file__).parents[2]
NETWORK = [
    *(ROOT / "worklist" / "data" / "demonstration").glob("*.toml"),
    *(path for path in (ROOT / "allocation" / "data" / "demonstration").glob("*.toml") if path.name != "rota.toml"),
]


@dataclass(frozen=True)
class Server:
    """A running server: its addresses, and a manager of the network who asks it."""

    run: dict[str, Any]
    manager: httpx.Client

    def get(self, path: str, **params: Any) -> Any:
        """Ask the API as the manager."""
        return self.manager.get(path, params=params).raise_for_status().json()

    def worklist(self) -> list[dict[str, Any]]:
        """Walk all pages of the worklist."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get("/worklist", limit=200, **({"cursor": cursor} if cursor else {}))
            items += page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return items

    def settled(self, count: Callable[[], int], wanted: int, seconds: float = 20) -> int:
        """Wait until a count has reached what is wanted and give it."""
        deadline = time.monotonic() + seconds
        while (found := count()) < wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        return found

    def now(self) -> datetime:
        """Give the server's time."""
        return datetime.fromisoformat(self.get("/me")["now"]).astimezone(UTC)


@pytest.fixture(scope="package", name="radpool")
def small_radpool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Give a radpool with the small network, shared by the tests that count only what they send themselves."""
    with attacked(tmp_path_factory.mktemp("interop")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), "--test-clock", RADPOOL_QUIET_SECONDS="1") as started:
        started.command("import", *map(str, NETWORK))
        started.command("user", "add", "manager", "--role", "network_manager")
        with started.client("manager") as manager:
            yield Server(started.run, manager)
