"""Wakes processes when new events have positions: by Redis where there is one, else by PostgreSQL.

A wake-up is a hint. One that is lost costs a second, never a fact: everybody also looks by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import psycopg
import redis
import structlog

from worklist.log.sequencer import CHANNEL

log = structlog.get_logger(__name__)

_CONNECT_SECONDS = 10


class Wakeups(Protocol):
    """Waits for news."""

    def wait(self, seconds: float) -> bool:
        """Wait until something was heard (True) or the seconds are over (False)."""


@contextmanager
def listening(database_url: str, redis_url: str | None) -> Iterator[Wakeups]:
    """Listen for wake-ups, by Redis where a URL is given, else by PostgreSQL's LISTEN."""
    wakeups = RedisWakeups(redis_url) if redis_url else PostgresWakeups(database_url)
    try:
        yield wakeups
    finally:
        wakeups.close()


def publish(redis_url: str | None, position: int) -> None:
    """Tell Redis listeners of a new position; a Redis that is away, or hangs, is left alone for a while."""
    if not redis_url or time.monotonic() < _away_until.get(redis_url, 0.0):
        return
    try:
        _client(redis_url).publish(CHANNEL, str(position))
    except redis.RedisError as error:
        _away_until[redis_url] = time.monotonic() + _AWAY_SECONDS
        log.warning("redis is away; work goes on without it", error=type(error).__name__)


class PostgresWakeups:
    """Hears `pg_notify` on a connection of its own, made anew when it breaks."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._connection: psycopg.Connection | None = None

    def wait(self, seconds: float) -> bool:
        """Wait until something was heard (True) or the seconds are over (False)."""
        deadline = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
                self._connection.execute(f"LISTEN {CHANNEL}")
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error:
            self.close()
            time.sleep(max(0.0, min(seconds, deadline - time.monotonic())))
            return False

    def close(self) -> None:
        """Stop listening."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class RedisWakeups:
    """Hears Redis publications; while Redis is away it only waits, so its owner looks by the clock."""

    def __init__(self, redis_url: str) -> None:
        self._subscription = _client(redis_url).pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        self._subscribed = False

    def wait(self, seconds: float) -> bool:
        """Wait until something was heard (True) or the seconds are over (False)."""
        deadline = time.monotonic() + seconds
        try:
            if not self._subscribed:
                self._subscription.subscribe(CHANNEL)
                self._subscribed = True
            while (left := deadline - time.monotonic()) > 0:
                if self._subscription.get_message(timeout=left) is not None:
                    return True
        except redis.RedisError:
            self._subscribed = False
            time.sleep(max(0.0, deadline - time.monotonic()))
        return False

    def close(self) -> None:
        """Stop listening."""
        self._subscription.close()


#: Who publishes waits no longer than this for an answer; after none it does without for a while.
_PATIENCE_SECONDS, _AWAY_SECONDS = 0.25, 1.0

_clients: dict[str, redis.Redis] = {}
_away_until: dict[str, float] = {}


def _client(redis_url: str) -> redis.Redis:
    if redis_url not in _clients:
        _clients[redis_url] = redis.Redis.from_url(
            redis_url,
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=_PATIENCE_SECONDS,
            health_check_interval=15,
        )
    return _clients[redis_url]
