"""Cuts the JSON array of a metadata request (PS3.18, F.2.1) into its data sets as it arrives.

Holds one data set at a time and no more of it than a bound. It must not decode: it knows strings, brackets and
what may stand between two data sets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dicom_listener.header.data_elements import MAX_SEQUENCE_DEPTH
from dicom_listener.header.values import UnreadableHeader

#: A sequence is an attribute, its Value and an item: three levels of JSON. One more is the data set itself.
MAX_JSON_DEPTH = 3 * MAX_SEQUENCE_DEPTH + 3

#: A bracket, or a string; one that does not end here is taken as far as it goes.
_MARK = re.compile(rb'[{}\[\]]|"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_OPENING, _QUOTE = b"{[", b'"'[0]
_SPACE = re.compile(rb"[ \t\r\n]*")


class NotAnArray(ValueError):
    """What came is no array of JSON objects; nothing after it can be told apart."""


class DataSets:
    """The data sets of one array: `take` its bytes in pieces of any size, then `end` it.

    Each data set comes as its bytes, or as the reason why it was not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept = bytearray()
        self._fault: UnreadableHeader | None = None
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._between = b""
        self._in_array = False
        self._over = False

    @property
    def kept_bytes(self) -> int:
        """How much is held now."""
        return len(self._kept)

    def take(self, octets: bytes) -> Iterator[bytes | UnreadableHeader]:
        """Take the next bytes, giving each data set that they complete.

        Raises
        ------
        NotAnArray
            When something other than a data set stands where one is expected.
        """
        position = 0
        while position < len(octets):
            if self._depth == 0:
                position = self._to_next(octets, position)
                continue
            position, complete = self._follow(octets, position)
            if complete:
                yield self._fault or bytes(self._kept)
                self._kept = bytearray()
                self._fault = None

    def end(self) -> None:
        """Say that all has come.

        Raises
        ------
        NotAnArray
            When the array is not complete.
        """
        if self._depth or self._in_array or not self._over:
            raise NotAnArray

    def _to_next(self, octets: bytes, position: int) -> int:
        """Go over what stands between data sets, to the brace that opens the next."""
        position = _end_of(_SPACE, octets, position)
        octet = octets[position : position + 1]
        if not octet:
            return position
        if self._over:
            raise NotAnArray
        if octet == b"{" and self._between in (b"", b"[", b","):
            self._depth = 1
            self._keep(octet)
            return position + 1
        if octet == b"[" and self._between == b"":
            self._in_array = True
        elif octet == b"]" and self._between in (b"[", b"}"):
            self._in_array, self._over = False, True
        elif octet != b"," or self._between != b"}":
            raise NotAnArray
        self._between = octet
        return position + 1

    def _follow(self, octets: bytes, position: int) -> tuple[int, bool]:
        """Go on in a data set to the end of a string or the next bracket; tell whether the data set is over there."""
        if self._in_string:
            return self._follow_string(octets, position), False
        depth, deepest = self._depth, 0
        for match in _MARK.finditer(octets, position):
            first = octets[match.start()]
            if first in _OPENING:
                depth += 1
                deepest = max(deepest, depth)
            elif first != _QUOTE:
                depth -= 1
                if depth == 0:
                    break
            elif match.end() == len(octets):
                self._note_open_string(match[0])
        end = match.end() if depth == 0 else len(octets)
        self._depth = depth
        self._keep(octets[position:end])
        if deepest > MAX_JSON_DEPTH:
            self._give_up("has sequences nested too deep")
        if depth == 0:
            self._between, self._over = b"}", not self._in_array
        return end, depth == 0

    def _note_open_string(self, string: bytes) -> None:
        """Note whether a string that reaches the end of the bytes goes on after them, and whether in an escape."""
        end = _end_of(_REST_OF_STRING, string, 1)
        self._escaped = string[end : end + 1] == b"\\"
        self._in_string = string[end : end + 1] != b'"'

    def _follow_string(self, octets: bytes, position: int) -> int:
        """Go to the quote that ends the string, or as far as the bytes reach; an escape may be cut in two."""
        end = _end_of(_REST_OF_STRING, octets, position + self._escaped)
        self._escaped = octets[end : end + 1] == b"\\"
        self._in_string = octets[end : end + 1] != b'"'
        end = min(end + 1, len(octets))
        self._keep(octets[position:end])
        return end

    def _keep(self, octets: bytes) -> None:
        if self._fault is not None:
            return
        if len(self._kept) + len(octets) > self._most_bytes:
            self._give_up("is longer than what is kept of a header")
            return
        self._kept += octets

    def _give_up(self, reason: str) -> None:
        if self._fault is None:
            self._fault = UnreadableHeader("DataSet", reason)
        self._kept = bytearray()


def _end_of(pattern: re.Pattern[bytes], octets: bytes, position: int) -> int:
    """Give where a pattern that matches anywhere ends."""
    match = pattern.match(octets, position)
    assert match is not None
    return match.end()
