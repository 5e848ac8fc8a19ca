"""Wake-ups are hints: heard where they can be, and nobody hangs or spins where they cannot."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.conftest import Database
from worklist.db import embedded
from worklist.log import events
from worklist.log.sequencer import sequence
from worklist.log.wakeups import Wakeups, listening, publish

REDIS = shutil.which("redis-server") or shutil.which("valkey-server")
with_redis = pytest.mark.skipif(REDIS is None, reason="no redis-server on this machine")


class Redis:
    """A real Redis on a port of its own that can be ended and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        words = [str(REDIS), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except redis.ConnectionError:
                    time.sleep(0.01)
                else:
                    return

    def signal(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)

    def end(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    found = Redis(tmp_path)
    yield found
    found.signal(signal.SIGCONT)
    found.end()


def test_postgresql_tells_of_new_positions(network: Database) -> None:
    with listening(network.app_url, None) as wakeups:
        assert not wakeups.wait(0.05)
        happen(network)
        assert heard_within(wakeups, 5)


def test_what_was_told_between_two_waits_is_heard(network: Database) -> None:
    with listening(network.app_url, None) as wakeups:
        assert not wakeups.wait(0.05)
        happen(network)
        time.sleep(0.05)
        assert wakeups.wait(5)


def test_a_cut_connection_is_made_anew_and_hears_again(network: Database, cluster: embedded.Cluster) -> None:
    with listening(network.app_url, None) as wakeups:
        assert not wakeups.wait(0.05)
        with psycopg.connect(cluster.superuser_url) as connection:
            assert connection.execute(_CUT, [network.app.url.database]).fetchall() == [(True,)]
        assert not wakeups.wait(0.2)
        assert not wakeups.wait(0.05)
        happen(network)
        assert heard_within(wakeups, 5)


@pytest.mark.parametrize("redis_url", [None, "redis://127.0.0.1:1/0"])
def test_who_hears_nothing_waits_as_long_as_asked(redis_url: str | None) -> None:
    with listening("postgresql://nobody@127.0.0.1:1/nothing", redis_url) as wakeups:
        began = time.monotonic()
        assert not wakeups.wait(0.3)
        assert 0.3 <= time.monotonic() - began < 2


@with_redis
def test_redis_tells_of_new_positions(server: Redis) -> None:
    with listening("", server.url) as wakeups:
        assert not wakeups.wait(0.1)
        publish(server.url, 7)
        assert heard_within(wakeups, 5)


@with_redis
def test_a_redis_that_was_ended_is_heard_again_once_it_is_back(server: Redis) -> None:
    with listening("", server.url) as wakeups:
        assert not wakeups.wait(0.1)
        server.end()
        publish(server.url, 7)
        assert not wakeups.wait(0.2)
        server.start()
        assert until_heard(wakeups, server) < 5


@with_redis
def test_a_redis_that_hangs_holds_nobody_up(server: Redis) -> None:
    """A sequencer publishes after every batch: were each to wait, positions would come late for everyone."""
    with listening("", server.url) as wakeups:
        assert not wakeups.wait(0.1)
        publish(server.url, 1)
        assert heard_within(wakeups, 5)
        server.signal(signal.SIGSTOP)
        began = time.monotonic()
        for position in range(50):
            publish(server.url, position)
        assert time.monotonic() - began < 1
        assert not wakeups.wait(0.2)
        server.signal(signal.SIGCONT)
        assert until_heard(wakeups, server) < 5


def heard_within(wakeups: Wakeups, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if wakeups.wait(0.5):
            return True
    return False


def until_heard(wakeups: Wakeups, server: Redis) -> float:
    began = time.monotonic()
    while time.monotonic() - began < 20:
        publish(server.url, 8)
        if wakeups.wait(0.2):
            break
    return time.monotonic() - began


def happen(network: Database) -> None:
    with network.app.begin() as connection:
        events.append(connection, "plan.changed")
    assert sequence(network.app) is not None


_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND query LIKE 'LISTEN%%'"
