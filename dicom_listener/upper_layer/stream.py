"""Reads and writes the bytes of one transport connection, each wait under a deadline.

One buffer, filled by `recv_into`, serves the whole association: what is not kept is overwritten by
what follows, so memory does not grow with what a peer sends. It must not know what the bytes mean
beyond the six of a PDU header (PS3.8, 9.3.1).
"""

from __future__ import annotations

import contextlib
import math
import socket
from struct import Struct
from time import monotonic
from typing import Any

from dicom_listener.limits import Limits

PDU_HEADER = Struct(">BxL")

#: The longest single wait: how soon a quiet association notices that the listener stops.
_TICK_SECONDS = 0.5
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_HANDSHAKE_BUFFER_BYTES = 16 * 1024


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
    """The buffered, deadline-bound side of one connection's socket.

    Every method that waits raises `TransportClosed`, `DeadlinePassed` or, between messages,
    `ListenerStopping`.
    """

    def __init__(self, connection: socket.socket, limits: Limits, drain: Drain) -> None:
        self._connection = connection
        self._limits = limits
        self._drain = drain
        self._buffer = memoryview(bytearray(min(_HANDSHAKE_BUFFER_BYTES, limits.receive_buffer_bytes)))
        self._start = self._end = 0
        self._deadline = math.inf
        self._timeout = 0.0
        self._between_messages = False

    def enlarge(self) -> None:
        """Change to the buffer for bulk data: an unknown peer is not worth that much memory."""
        waiting = self._buffer[self._start : self._end]
        buffer = memoryview(bytearray(self._limits.receive_buffer_bytes))
        buffer[: len(waiting)] = waiting
        self._buffer, self._start, self._end = buffer, 0, len(waiting)

    def begin_pdu(
        self, *, begin_by: float, complete_by: float | None = None, between_messages: bool = False
    ) -> tuple[int, int]:
        """Wait for the next PDU and give its type and length (PS3.8, 9.3.1).

        `begin_by` and `complete_by` are monotonic seconds; without `complete_by` the PDU has
        `Limits.pdu_seconds` from its first byte. The length is as claimed, nothing is allocated for it.
        """
        if between_messages and self._drain.requested:
            raise ListenerStopping
        self._deadline = begin_by
        self._between_messages = between_messages
        self._fill(1)
        self._between_messages = False
        self._deadline = monotonic() + self._limits.pdu_seconds if complete_by is None else complete_by
        pdu_type, length = self.unpack(PDU_HEADER)
        return pdu_type, length

    def renew_deadline(self) -> None:
        """Give the rest of the PDU its full time again: we, not the peer, were slow."""
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
        parts = bytearray()
        while len(parts) < length:
            parts += self.take(length - len(parts))
        return bytes(parts)

    def skip(self, length: int) -> None:
        """Let `length` bytes go by."""
        while length > self._end - self._start:
            length -= self._end - self._start
            self._start = self._end
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
            except TimeoutError:
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
                self._receive(self._buffer)
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
            self._end += self._receive(self._buffer[self._end :])

    def _receive(self, into: memoryview) -> int:
        while True:
            self._wait_at_most(min(self._deadline, self._drain.until))
            if not self._between_messages and _QUICKACK is not None:
                # a sender that left Nagle's algorithm on holds the rest back until we acknowledge,
                # which the kernel delays by 40 ms: most of the time of a small object
                self._connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            try:
                count = self._connection.recv_into(into)
            except TimeoutError:
                if self._between_messages and self._drain.requested:
                    raise ListenerStopping from None
                continue
            except OSError as error:
                raise TransportClosed from error
            if count == 0:
                raise TransportClosed
            return count

    def _wait_at_most(self, deadline: float) -> None:
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise DeadlinePassed
        timeout = min(remaining, _TICK_SECONDS)
        if timeout != self._timeout:
            self._connection.settimeout(timeout)
            self._timeout = timeout
