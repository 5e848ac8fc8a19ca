"""Carries messages, and with some of them a socket, between the acceptor and one worker.

A message is one packet of JSON over a Unix socket that keeps packets apart. It must not know what messages mean.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from itertools import count
from typing import Any

_PACKET_BYTES = 192 * 1024


class LinkLost(Exception):
    """The process at the other end is gone."""


class Link:
    """One end of a link; may be used from many threads, `receive` from one."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._numbers = count(1)
        self._calls: dict[int, Future[Any]] = {}

    @classmethod
    def pair(cls) -> tuple[Link, socket.socket]:
        """Make a link and give the socket of its other end."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(ours), theirs

    def send(self, kind: str, fields: Mapping[str, Any] | None = None, passed: socket.socket | None = None) -> None:
        """Send one message, and a socket with it.

        Raises
        ------
        LinkLost
            When the other end is gone.
        """
        packet = json.dumps({**(fields or {}), "kind": kind}).encode()
        if len(packet) > _PACKET_BYTES:
            raise ValueError("a message of the link is too long")
        try:
            with self._sending:
                if passed is None:
                    self._connection.send(packet)
                else:
                    socket.send_fds(self._connection, [packet], [passed.fileno()])
        except OSError as error:
            raise LinkLost from error

    def call(self, name: str, fields: Mapping[str, Any], seconds: float) -> Any:
        """Ask the other end and wait for its answer.

        Raises
        ------
        LinkLost
            When the other end is gone.
        TimeoutError
            When it did not answer in time.
        """
        number, answer = next(self._numbers), Future[Any]()
        self._calls[number] = answer
        try:
            self.send("call", {"call": number, "name": name, "fields": fields})
            return answer.result(seconds)
        finally:
            del self._calls[number]

    def receive(self) -> tuple[str, dict[str, Any], socket.socket | None] | None:
        """Give the next message that is no answer to a call; None when the other end is gone."""
        while True:
            try:
                packet, descriptors, _, _ = socket.recv_fds(self._connection, _PACKET_BYTES, 1)
            except OSError:
                packet, descriptors = b"", []
            if not packet:
                self._lose_calls()
                return None
            message: dict[str, Any] = json.loads(packet)
            kind = message.pop("kind")
            if kind == "answer":
                answer = self._calls.get(message["call"])
                if answer is not None:
                    answer.set_result(message["value"])
                continue
            return kind, message, socket.socket(fileno=descriptors[0]) if descriptors else None

    def close(self) -> None:
        """Close this end; the other sees it."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _lose_calls(self) -> None:
        for answer in tuple(self._calls.values()):
            if not answer.done():
                answer.set_exception(LinkLost())
