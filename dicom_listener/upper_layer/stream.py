"""Reads and writes the bytes of one transport connection, each wait under a deadline.

One small buffer serves the whole association; bytes that nobody wants are dropped in the kernel where it
can, so memory does not grow with what a peer sends. It must not know what the bytes mean beyond the six of
a PDU header (PS3.8, 9.3.1).
"""

from __future__ import annotations

import contextlib
import math
import mmap
import socket
import ssl
import sys
from struct import Struct
from time import monotonic
from typing import Any

from dicom_listener.limits import Limits

PDU_HEADER = Struct(">BxL")

#: The longest single wait: how soon a quiet association notices that the listener stops.
_TICK_SECONDS = 0.5
_TIMEVAL = Struct("@ll")
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
#: tcp(7): the bytes are dropped without a copy, as many as asked for unless a wait ends first.
_DROP = socket.MSG_TRUNC | socket.MSG_WAITALL if sys.platform == "linux" else 0
#: Where dropped bytes would stand; nothing reads it, and with `_DROP` nothing writes it either.
_SINK = mmap.mmap(-1, 1024 * 1024)
#: Below this it is cheaper to read on than to drop; no more is read at once after a drop, as another will follow.
_WORTH_DROPPING = 4096


class TransportClosed(Exception):
    """The peer closed or lost the transport connection."""


class DeadlinePassed(Exception):
    """What the peer began, or should have begun, did not come in time."""


class ListenerStopping(Exception):
    """The listener stops and the association has no message in hand."""


class Drain:
    """Whether the listener stops, and until when messages in hand may go on (monotonic seconds)."""

    def __init__(self) -> None:
        self.requested = False
        self.until = math.inf

    def begin(self, seconds: float) -> None:
        """Ask every association to end: at once when idle, within `seconds` otherwise."""
        self.until = monotonic() + seconds
        self.requested = True


class Stream:
    """The buffered, deadline-bound side of one connection's socket, which may be a TLS one.

    Every method that waits raises `TransportClosed`, `DeadlinePassed` or, between messages,
    `ListenerStopping`.
    """

    def __init__(self, connection: socket.socket, limits: Limits, drain: Drain) -> None:
        self._connection = connection
        self._limits = limits
        self._drain = drain
        self._buffer = memoryview(bytearray(limits.receive_buffer_bytes))
        self._start = self._end = 0
        self._deadline = math.inf
        self._between_messages = False
        self._last_count = 0
        self._ahead_bytes = limits.receive_buffer_bytes
        self._protected = isinstance(connection, ssl.SSLSocket)
        self._drop_flags = 0 if self._protected else _DROP
        self._wait_seconds = 0.0
        connection.settimeout(None)

    def begin_pdu(
        self, *, begin_by: float, complete_by: float | None = None, between_messages: bool = False
    ) -> tuple[int, int]:
        """Wait for the next PDU and give its type and length (PS3.8, 9.3.1).

        `begin_by` and `complete_by` are monotonic seconds; without `complete_by` the PDU has
        `Limits.pdu_seconds` from its first byte. The length is as claimed, nothing is allocated for it.
        """
        if between_messages and self._drain.requested:
            raise ListenerStopping
        if self._start == self._end:
            self._deadline = begin_by
            self._between_messages = between_messages
            if between_messages:
                self._ahead_bytes = len(self._buffer)
            self._fill(1)
            self._between_messages = False
        self._deadline = monotonic() + self._limits.pdu_seconds if complete_by is None else complete_by
        pdu_type, length = self.unpack(PDU_HEADER)
        return pdu_type, length

    def renew_deadline(self) -> None:
        """Give the rest of the PDU its full time again: answering what came before took some of it."""
        self._deadline = monotonic() + self._limits.pdu_seconds

    def unpack(self, layout: Struct) -> tuple[Any, ...]:
        """Read one fixed layout of a few bytes."""
        if self._end - self._start < layout.size:
            self._fill(layout.size)
        fields = layout.unpack_from(self._buffer, self._start)
        self._start += layout.size
        return fields

    def take(self, at_most: int) -> memoryview:
        """Give the next bytes, at least one; the view is good until the next call."""
        if self._start == self._end:
            self._fill(1)
        start = self._start
        self._start = min(self._end, start + at_most)
        return self._buffer[start : self._start]

    def read(self, length: int) -> bytes:
        """Give exactly `length` bytes; memory grows only with what has arrived."""
        if length <= self._end - self._start:
            return bytes(self.take(length)) if length else b""
        parts = bytearray()
        while len(parts) < length:
            parts += self.take(length - len(parts))
        return bytes(parts)

    def skip(self, length: int) -> None:
        """Let `length` bytes go by."""
        while length > self._end - self._start:
            length -= self._end - self._start
            self._start = self._end = 0
            if length >= _WORTH_DROPPING:
                length -= self._receive(_SINK, min(length, len(_SINK)), self._drop_flags)
                self._ahead_bytes = _WORTH_DROPPING
            else:
                self._fill(1)
        self._start += length

    def send(self, octets: bytes, *, last_word: bool = False) -> None:
        """Send all of `octets` within `Limits.pdu_seconds`, a last word within `closing_seconds`."""
        limits = self._limits
        deadline = monotonic() + (limits.closing_seconds if last_word else limits.pdu_seconds)
        rest = memoryview(octets)
        while rest:
            self._wait_at_most(deadline)
            try:
                rest = rest[self._connection.send(rest) :]
            except (TimeoutError, BlockingIOError):
                continue
            except OSError as error:
                raise TransportClosed from error

    def await_close(self) -> bool:
        """Let the peer close first, throwing away what it still sends; whether it did in time.

        Closing a socket with unread bytes resets the connection, and the peer would lose our last
        word.
        """
        self._deadline = monotonic() + self._limits.closing_seconds
        try:
            self._connection.shutdown(socket.SHUT_WR)
            while True:
                self._receive(_SINK, len(_SINK), self._drop_flags & ~socket.MSG_WAITALL)
        except DeadlinePassed:
            return False
        except (TransportClosed, OSError):
            return True

    def close(self) -> None:
        """Close the transport connection."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def _fill(self, needed: int) -> None:
        """Receive until `needed` bytes lie together in the buffer."""
        waiting = self._end - self._start
        if waiting == 0:
            self._start = self._end = 0
        elif self._start + needed > len(self._buffer):
            self._buffer[:waiting] = self._buffer[self._start : self._end]
            self._start, self._end = 0, waiting
        while self._end - self._start < needed:
            into = self._buffer[self._end :]
            self._end += self._receive(into, min(len(into), self._ahead_bytes), 0)

    def _receive(self, into: memoryview | mmap.mmap, at_most: int, flags: int) -> int:
        """Receive once, at least one byte."""
        while True:
            self._wait_at_most(min(self._deadline, self._drain.until))
            if not self._between_messages and self._last_count < _WORTH_DROPPING and _QUICKACK is not None:
                # a sender that left Nagle's algorithm on holds the rest back until we acknowledge,
                # which the kernel delays by 40 ms: most of the time of a small object
                self._connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            try:
                count = self._connection.recv_into(into, at_most, flags)
            except (TimeoutError, BlockingIOError):
                if self._between_messages and self._drain.requested:
                    raise ListenerStopping from None
                continue
            except OSError as error:
                raise TransportClosed from error
            if count == 0:
                raise TransportClosed
            self._last_count = count
            return count

    def _wait_at_most(self, deadline: float) -> None:
        """Bound the next call to the socket by the deadline, or by a tick where that is far off."""
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise DeadlinePassed
        seconds = min(remaining, _TICK_SECONDS)
        if seconds == self._wait_seconds:
            return
        self._wait_seconds = seconds
        if self._protected:
            self._connection.settimeout(seconds)
        else:
            # the kernel ends the wait, which saves a poll before each call; zero would mean for ever
            timeval = _TIMEVAL.pack(0, max(1, int(seconds * 1_000_000)))
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
