"""Reads a multipart body (RFC 2046, 5.1) as it arrives: where parts begin and end, and their bytes between.

Holds no part. It must not know what a part is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from api.dicom_web.limits import StoreLimits


class Mark(Enum):
    """What is no bytes in the course of a body."""

    PART_ENDED = "part ended"
    MALFORMED = "not multipart, or a part's header over the limits: nothing after it can be told apart"


@dataclass(frozen=True, slots=True)
class PartBegun:
    """A part begins; `headers` by lower-case name, the last of several alike."""

    headers: Mapping[str, str]


#: What a body is made of, in order: for each part its beginning, its bytes in pieces, its end.
Event: TypeAlias = PartBegun | memoryview | Mark


class MultipartReader:
    """Reads one body: `take` its bytes in pieces of any size, then `end` it."""

    def __init__(self, boundary: bytes, limits: StoreLimits) -> None:
        self._events: list[Event] = []
        self._headers: dict[str, str] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._take_name,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_part,
                "on_part_data": self._take_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
            max_header_count=limits.part_header_lines,
            max_header_size=limits.part_header_bytes,
        )

    def take(self, octets: bytes) -> list[Event]:
        """Take the next bytes and give what they hold; pieces lie in `octets`, and nothing follows a `MALFORMED`."""
        self._events = []
        try:
            self._parser.write(octets)
        except FormParserError:
            self._events.append(Mark.MALFORMED)
        return self._events

    @property
    def is_whole(self) -> bool:
        """Whether the last boundary has come."""
        return self._ended

    def _take_name(self, octets: bytes, start: int, end: int) -> None:
        self._name += octets[start:end]

    def _take_value(self, octets: bytes, start: int, end: int) -> None:
        self._value += octets[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.decode("latin_1").lower()] = self._value.decode("latin_1").strip()
        self._name, self._value = bytearray(), bytearray()

    def _begin_part(self) -> None:
        self._events.append(PartBegun(dict(self._headers)))

    def _take_data(self, octets: bytes, start: int, end: int) -> None:
        if end > start:
            self._events.append(memoryview(octets)[start:end])

    def _end_part(self) -> None:
        self._events.append(Mark.PART_ENDED)

    def _end(self) -> None:
        self._ended = True
