"""Finds messages in a stream of bytes by MLLP's blocks: 0x0B, the message, 0x1C 0x0D.

Pure: bytes in, messages out. It must not read the messages (HL7 Version 3 Standard: Transport
Specification, MLLP, Release 1).
"""

from __future__ import annotations

START_BLOCK = b"\x0b"
END_BLOCK = b"\x1c\x0d"


class FrameTooLong(ValueError):
    """A message longer than the limit; `beginning` is what came of it, its header for an answer."""

    def __init__(self, limit: int, beginning: bytes) -> None:
        super().__init__(f"a message longer than {limit} bytes")
        self.beginning = beginning


class FramingBroken(ValueError):
    """The stream is not MLLP any more: nobody can tell where the next message begins."""


def framed(message: bytes) -> bytes:
    """Give a message between its start and end block."""
    return START_BLOCK + message + END_BLOCK


class Framer:
    """Takes a connection's bytes as they come and gives whole messages, in order.

    Bytes between messages are dropped, up to `max_junk_bytes` before each.
    """

    def __init__(self, *, max_message_bytes: int, max_junk_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._max_junk_bytes = max_junk_bytes
        self._buffer = bytearray()
        self._begun = False
        self._searched = 0
        self._junk = 0

    @property
    def begun(self) -> bool:
        """Whether a message has begun that has not ended."""
        return self._begun

    def feed(self, octets: bytes) -> None:
        """Take bytes that have arrived."""
        self._buffer += octets

    def next_message(self) -> bytes | None:
        """Give the next whole message without its blocks, or None until more has arrived.

        Raises
        ------
        FrameTooLong
            When the message is longer than the limit.
        FramingBroken
            When too much stands between messages, or a message begins inside another.
        """
        if not self._begun:
            self._skip_junk()
        if not self._begun:
            return None
        end = self._buffer.find(END_BLOCK, max(0, self._searched - 1))
        length = len(self._buffer) if end < 0 else end
        if self._buffer.find(START_BLOCK, self._searched, length) >= 0:
            msg = "a start block inside a message"
            raise FramingBroken(msg)
        # Half of the end block may have come.
        if length > self._max_message_bytes + (end < 0):
            raise FrameTooLong(self._max_message_bytes, bytes(self._buffer[: self._max_message_bytes]))
        if end < 0:
            self._searched = length
            return None
        message = bytes(self._buffer[:end])
        del self._buffer[: end + len(END_BLOCK)]
        self._begun, self._searched, self._junk = False, 0, 0
        return message

    def _skip_junk(self) -> None:
        start = self._buffer.find(START_BLOCK)
        self._junk += len(self._buffer) if start < 0 else start
        if self._junk > self._max_junk_bytes:
            msg = f"more than {self._max_junk_bytes} bytes between messages"
            raise FramingBroken(msg)
        del self._buffer[: len(self._buffer) if start < 0 else start + 1]
        self._begun = start >= 0
