"""Accepts connections under the limits and hands each to the worker that has fewest.

It must not read a byte of a connection. What workers ask for (who may associate, the commit of what they appended)
it passes to the function that answers.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import selectors
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from dicom_listener.limits import Limits
from dicom_listener.processes.link import Link, LinkLost
from dicom_listener.processes.places import Places

_ACCEPT_PAUSE_SECONDS = 0.1
_HIRE_PAUSE_SECONDS = 0.5
#: Calls of all workers that are answered at once; commits wait elsewhere.
_ANSWERERS = 16

#: Starts a worker that serves the socket of a link's other end.
Hire = Callable[[socket.socket], None]
#: Answers a call of a worker by name and fields; a Future is waited for by nobody but the caller.
Answer = Callable[[str, Mapping[str, Any]], "Mapping[str, Any] | Future[Mapping[str, Any] | None] | None"]


@dataclass(frozen=True, slots=True)
class Port:
    """A bound, listening socket; connections to a `protected` one begin with TLS."""

    listening_socket: socket.socket
    protected: bool = False


@dataclass(slots=True, eq=False)
class _Hand:
    """A worker as the acceptor knows it."""

    link: Link
    connections: set[int] = field(default_factory=set)
    drained: threading.Event = field(default_factory=threading.Event)


class Acceptor:
    """A DICOM listener on sockets that it owns from here on."""

    def __init__(
        self,
        ports: Sequence[Port],
        limits: Limits,
        hire: Hire,
        answer: Answer,
        log: logging.Logger | None = None,
        *,
        workers: int = 1,
    ) -> None:
        self._ports = ports
        self._limits = limits
        self._hire = hire
        self._answer = answer
        self._log = log or logging.getLogger(__name__)
        self._lock = threading.Lock()
        self._places = Places(limits)
        self._hands: list[_Hand] = []
        self._workers = workers
        self._numbers = 0
        self._answerers = ThreadPoolExecutor(_ANSWERERS, "answer")
        self._wake, self._waking = socket.socketpair()
        self._stopping = threading.Event()
        self._finished = threading.Event()
        self._serving: int | None = None

    @property
    def associations(self) -> dict[str, int]:
        """The open connections by peer address."""
        with self._lock:
            return self._places.taken()

    def serve_forever(self) -> None:
        """Accept until `stop`, then let the associations end and return."""
        self._serving = threading.get_ident()
        try:
            for _ in range(self._workers):
                self._take_on()
            self._accept_until_stopped()
        finally:
            for port in self._ports:
                port.listening_socket.close()
            self._let_go()
            self._answerers.shutdown(wait=False, cancel_futures=True)
            self._wake.close()
            self._waking.close()
            self._finished.set()

    def stop(self) -> None:
        """End: idle associations are aborted, messages in hand have `Limits.drain_seconds` left.

        Returns when all is over; in the serving thread (a signal handler) at once.
        """
        if not self._stopping.is_set():
            self._stopping.set()
            self._waking.send(b"\0")
        if self._serving is not None and self._serving != threading.get_ident():
            self._finished.wait()

    def tell(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Tell all workers something that concerns what they keep."""
        for hand in self._standing():
            with contextlib.suppress(LinkLost):
                hand.link.send(kind, fields)

    def _accept_until_stopped(self) -> None:
        with selectors.DefaultSelector() as selector:
            for port in self._ports:
                port.listening_socket.setblocking(False)
                selector.register(port.listening_socket, selectors.EVENT_READ, port)
            selector.register(self._wake, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if isinstance(key.data, Port):
                        self._accept(key.data)

    def _accept(self, port: Port) -> None:
        try:
            connection, address = port.listening_socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:
            # no file handle or memory left: some come back when associations end
            self._log.error("accept failed: errno=%s", error.errno)
            self._stopping.wait(_ACCEPT_PAUSE_SECONDS)
            return
        with connection:
            self._hand_over(connection, _peer_address(address), protected=port.protected)

    def _hand_over(self, connection: socket.socket, address: str, *, protected: bool) -> None:
        with self._lock:
            self._numbers += 1
            number = self._numbers
            taken, giving_way = self._places.take(number, address)
            hand = min(self._hands, key=lambda each: len(each.connections), default=None) if taken else None
            if hand is not None:
                hand.connections.add(number)
            elif taken:
                self._places.give_back(number)
        if giving_way is not None:
            self._cut(giving_way)
        if hand is None:
            self._log.warning("connection over the limit closed: peer=%s", address)
            return
        try:
            hand.link.send("connection", {"number": number, "address": address, "protected": protected}, connection)
        except LinkLost:
            self._over(hand, number)

    def _cut(self, number: int) -> None:
        for hand in self._standing():
            if number in hand.connections:
                with contextlib.suppress(LinkLost):
                    hand.link.send("close", {"number": number})

    def _standing(self) -> tuple[_Hand, ...]:
        with self._lock:
            return tuple(self._hands)

    def _take_on(self) -> None:
        link, theirs = Link.pair()
        hand = _Hand(link)
        with theirs:
            self._hire(theirs)
        with self._lock:
            self._hands.append(hand)
        threading.Thread(target=self._listen_to, args=(hand,), name="worker link", daemon=True).start()

    def _listen_to(self, hand: _Hand) -> None:
        while (message := hand.link.receive()) is not None:
            kind, fields, _ = message
            if kind == "call":
                self._answerers.submit(self._answer_call, hand, fields["call"], fields["name"], fields["fields"])
            elif kind == "established":
                with self._lock:
                    self._places.establish(fields["number"], fields["address"])
            elif kind == "over":
                self._over(hand, fields["number"])
            elif kind == "drained":
                hand.drained.set()
        self._lose(hand)

    def _over(self, hand: _Hand, number: int) -> None:
        with self._lock:
            hand.connections.discard(number)
            self._places.give_back(number)

    def _lose(self, hand: _Hand) -> None:
        """A worker is gone, and its connections with it; another takes its place."""
        hand.drained.set()
        hand.link.close()
        with self._lock:
            self._hands.remove(hand)
            for number in hand.connections:
                self._places.give_back(number)
        if self._stopping.is_set():
            return
        self._log.warning("a worker died with %d connections; another is started", len(hand.connections))
        while not self._stopping.is_set():
            try:
                self._take_on()
                return
            except OSError as error:
                self._log.error("no worker started: errno=%s", error.errno)
                self._stopping.wait(_HIRE_PAUSE_SECONDS)

    def _answer_call(self, hand: _Hand, number: int, name: str, fields: Mapping[str, Any]) -> None:
        try:
            value = self._answer(name, fields)
        except Exception as error:
            # the error's own text may quote a statement's parameters, so only its type is told
            self._log.error("call of a worker failed: name=%s error=%s", name, type(error).__name__)
            value = {"failed": type(error).__name__}
        if isinstance(value, Future):
            value.add_done_callback(lambda done: self._send_answer(hand, number, _result(done)))
        else:
            self._send_answer(hand, number, value)

    def _send_answer(self, hand: _Hand, number: int, value: Mapping[str, Any] | None) -> None:
        with contextlib.suppress(LinkLost):
            hand.link.send("answer", {"call": number, "value": value})

    def _let_go(self) -> None:
        """Let each worker's associations end, then let it go."""
        self._stopping.set()
        hands = self._standing()
        for hand in hands:
            with contextlib.suppress(LinkLost):
                hand.link.send("drain")
        until = monotonic() + self._limits.drain_seconds + self._limits.closing_seconds + 2
        for hand in hands:
            hand.drained.wait(max(0.0, until - monotonic()))
            hand.link.close()


def _result(done: Future[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    error = None if done.cancelled() else done.exception()
    if done.cancelled() or error is not None:
        return {"failed": type(error).__name__ if error else "cancelled"}
    return done.result()


def _peer_address(address: tuple[str, ...]) -> str:
    """Give the address in one form, so that IPv4 counts the same through a socket for both."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return str(mapped or ip)
