"""Live events for open screens: ids and states only, resumed by position, filtered by permission.

One thread per process follows the positions; each stream has a bounded queue. A stream that cannot
keep up, or is old enough that its viewer's rights may have changed, is ended: its client signs in
anew and resumes from its Last-Event-ID.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from api.permissions import Principal
from worklist.log.events import Event, last_position, read_after
from worklist.log.wakeups import listening

log = structlog.get_logger(__name__)

_QUEUE_EVENTS = 1000
_HEARTBEAT_SECONDS = 15.0
_BATCH_EVENTS = 1000
#: A stream is ended after this long, so that a revoked token does not go on listening.
_LONGEST_SECONDS = 900.0


@dataclass(eq=False)
class Stream:
    """One open stream: its loop, its queue, and whose it is."""

    loop: asyncio.AbstractEventLoop
    principal: Principal
    trusts: frozenset[str]
    queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(_QUEUE_EVENTS))

    def shows(self, one: Event) -> bool:
        """Whether an event is for this viewer: their trust's, the network's, or a trust they report for."""
        if one.trust is None:
            return one.kind == "plan.changed"
        if one.kind.startswith("pay."):
            reporter_id = self.principal.reporter_id
            return reporter_id is not None and one.dimensions.get("reporter") == reporter_id
        return self.principal.sees_trust(one.trust) or one.trust in self.trusts


class Follower:
    """Follows the positions in a thread and hands events to the streams."""

    def __init__(self, engine: Engine, database_url: str, redis_url: str | None) -> None:
        self._engine, self._database_url, self._redis_url = engine, database_url, redis_url
        self._streams: set[Stream] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._following = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._thread = threading.Thread(target=self._follow, name="live events", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End following and every stream."""
        self._stop.set()
        for stream in self._taken():
            stream.loop.call_soon_threadsafe(_end, stream)

    def join(self) -> None:
        """Wait until following has ended, after `stop`; a second at most."""
        if self._thread is not None:
            self._thread.join()

    def add(self, stream: Stream) -> None:
        """Hand events to a stream from now on."""
        with self._lock:
            self._streams.add(stream)

    def remove(self, stream: Stream) -> None:
        """Hand no more to a stream."""
        with self._lock:
            self._streams.discard(stream)

    def wait_until_following(self, seconds: float) -> bool:
        """Wait until every later event is handed out; what came before is for the stream to read."""
        return self._following.wait(seconds)

    def _taken(self) -> list[Stream]:
        with self._lock:
            return list(self._streams)

    def _follow(self) -> None:
        position: int | None = None
        with listening(self._database_url, self._redis_url) as wakeups:
            while not self._stop.is_set():
                try:
                    with self._engine.connect() as connection:
                        if position is None:
                            position = last_position(connection)
                            self._following.set()
                        while batch := read_after(connection, position, limit=_BATCH_EVENTS):
                            position = batch[-1].position
                            for one in batch:
                                self._hand_out(one)
                except SQLAlchemyError as error:
                    log.warning("live events wait for the database", error=type(error).__name__)
                    self._stop.wait(0.5)
                    continue
                wakeups.wait(1.0)

    def _hand_out(self, one: Event) -> None:
        for stream in self._taken():
            if stream.shows(one):
                with contextlib.suppress(RuntimeError):  # its loop has just ended, and the stream with it
                    stream.loop.call_soon_threadsafe(_put, stream, one)


async def stream_events(engine: Engine, follower: Follower, stream: Stream, after: int | None) -> AsyncIterator[str]:
    """Yield server-sent events: first those after a position that was missed, then the live ones."""
    follower.add(stream)
    until = stream.loop.time() + _LONGEST_SECONDS
    try:
        sent = 0
        yield ": open\n\n"
        if after is not None:
            # In this order nothing lies between what is read here and what is handed out.
            if not await asyncio.to_thread(follower.wait_until_following, _HEARTBEAT_SECONDS):
                return
            sent = after
            while missed := await asyncio.to_thread(_missed, engine, sent):
                sent = missed[-1].position
                for one in missed:
                    if stream.shows(one):
                        yield render(one)
        while (left := until - stream.loop.time()) > 0:
            try:
                live = await asyncio.wait_for(stream.queue.get(), min(left, _HEARTBEAT_SECONDS))
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if live is None:
                return
            if live.position > sent:
                yield render(live)
    finally:
        follower.remove(stream)


def render(one: Event) -> str:
    """Render an event for the wire."""
    data = {
        "position": one.position,
        "kind": one.kind,
        "at": one.at.isoformat(),
        "trust": one.trust,
        "item_id": one.item_id,
        "item_version": one.item_version,
        "reading_id": one.reading_id,
        "state": one.dimensions.get("state"),
        "arriving": one.dimensions.get("arriving", False),
    }
    return f"id: {one.position}\nevent: {one.kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"


def _missed(engine: Engine, after: int) -> list[Event]:
    with engine.connect() as connection:
        return read_after(connection, after, limit=_BATCH_EVENTS)


def _put(stream: Stream, one: Event) -> None:
    try:
        stream.queue.put_nowait(one)
    except asyncio.QueueFull:
        _end(stream)


def _end(stream: Stream) -> None:
    """End a stream at once; what it had not read it asks for again."""
    while not stream.queue.empty():
        stream.queue.get_nowait()
    stream.queue.put_nowait(None)
