"""A whole radpool with the demonstration network, started as its users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.attacks.attacked import Attacked, attacked

ROOT = Path(__file__).parents[2]
NETWORK = [
    *(ROOT / "worklist" / "data" / "demonstration").glob("*.toml"),
    *(path for path in (ROOT / "allocation" / "data" / "demonstration").glob("*.toml") if path.name != "rota.toml"),
]


@dataclass(frozen=True)
class Server:
    """A running server: its data folder, its addresses, and tokens by user name."""

    data: Path
    run: dict[str, Any]
    tokens: dict[str, str]

    def radpool(self, *words: str) -> str:
        """Run a command on the server's data folder and give what it printed."""
        return command(*words, "--data", str(self.data))

    def get(self, path: str, user: str = "manager", **params: Any) -> Any:
        """Ask the API as a user."""
        headers = {"Authorization": f"Bearer {self.tokens[user]}"}
        answer = httpx.get(f"http://{self.run['http']}/api/v1{path}", params=params, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

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


def command(*words: str) -> str:
    """Run a command and give what it printed."""
    done = subprocess.run([sys.executable, "-m", "cli.main", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="package", name="radpool")
def small_radpool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """Give a radpool with the small network, shared by the tests that count only what they send themselves."""
    with attacked(tmp_path_factory.mktemp("interop")) as running:
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("server")
    log = (data / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "cli.main", "serve", "--data", str(data), "--test-clock"]
        + [word for name in ("http", "dicom", "hl7") for word in (f"--{name}", "127.0.0.1:0")],
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, "RADPOOL_QUIET_SECONDS": "1"},
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, (data / "server.log").read_text()[-2000:]
        command("import", *map(str, NETWORK), "--data", str(data))
        command("user", "add", "manager", "--role", "network_manager", "--data", str(data))
        token = command("token", "--user", "manager", "--data", str(data))
        yield Server(data, json.loads(line), {"manager": token})
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        log.close()
