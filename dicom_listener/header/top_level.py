"""Walks the top level of an encoded data set in one flat loop: the way of nearly every object.

Only the two little-endian encodings, and only what is in order: whatever is not (cut short, malformed, an
attribute twice, a value of undefined length where none may be) it leaves to `data_elements`, which finds
the same and says what is wrong. It must not decode a value.
"""

from __future__ import annotations

from struct import Struct

from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dicom_listener.header.data_elements import CannotBeFollowed, Wanted, end_of_sequence

_EXPLICIT = Struct("<HH2sH").unpack_from
_IMPLICIT = Struct("<HHL").unpack_from
_LENGTH = Struct("<L").unpack_from
UNDEFINED_LENGTH = 0xFFFFFFFF
#: VRs with a length of four bytes whose value is no sequence (PS3.5, 7.1.2); UN may hold one (6.2.2).
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SV", b"UC", b"UR", b"UT", b"UV"})
SHORT_VRS = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_MOST_SEQUENCES = 64


class TopLevelWalk:
    """Walks one data set after another; a sequence that was followed once is known again by its bytes.

    `wanted` and `last` are those of `data_elements.read_elements`. `positions` has where each element of the last
    data set begins, up to and with the first past the last wanted one.
    """

    def __init__(self, wanted: Wanted, last: int) -> None:
        self._keywords = {tag: keyword for tag, (keyword, _) in wanted.items()}
        self._sequences = frozenset(keyword for keyword, inner in wanted.values() if inner is not None)
        self._last = last
        self._followed: dict[int, bytes] = {}
        self.positions: list[int] = []

    def read(self, data: bytes, transfer_syntax_uid: str) -> dict[str, bytes] | None:
        """Give wanted values as encoded, by keyword, a sequence with its element's head; None: not in order.

        Not in order is also a data set that ends at or before the last wanted attribute, since only
        the other walk tells an end from a cut.
        """
        if transfer_syntax_uid == ExplicitVRBigEndian:
            return None
        try:
            if transfer_syntax_uid == ImplicitVRLittleEndian:
                return self._read_implicit(data)
            return self._read_explicit(data)
        except CannotBeFollowed:
            return None

    def _read_explicit(self, data: bytes) -> dict[str, bytes] | None:
        found: dict[str, bytes] = {}
        keywords, last, short = self._keywords, self._last, SHORT_VRS
        position, most = 0, len(data) - 12
        self.positions = positions = []
        while position <= most:
            positions.append(position)
            group, element, vr, length = _EXPLICIT(data, position)
            tag = group << 16 | element
            if tag > last:
                return found if group != 0xFFFE else None
            if vr in short:
                end = position + 8 + length
                if tag in keywords:
                    keyword = keywords[tag]
                    if keyword in found or keyword in self._sequences:
                        return None
                    found[keyword] = data[position + 8 : end]
            else:
                (length,) = _LENGTH(data, position + 8)
                if vr in _LONG_VRS and length != UNDEFINED_LENGTH:
                    end = position + 12 + length
                    if tag in keywords:
                        return None
                elif vr in {b"SQ", b"UN"}:
                    end = self._end_of_sequence(data, position, tag, explicit=True)
                    if tag in keywords and not self._take_sequence(found, tag, data[position:end]):
                        return None
                else:
                    return None
            position = end
        positions.append(position)
        return found if position < len(data) and self._is_past(data, position) else None

    def _read_implicit(self, data: bytes) -> dict[str, bytes] | None:
        found: dict[str, bytes] = {}
        keywords, last = self._keywords, self._last
        position, most = 0, len(data) - 8
        self.positions = positions = []
        while position <= most:
            positions.append(position)
            group, element, length = _IMPLICIT(data, position)
            tag = group << 16 | element
            if tag > last:
                return found if group != 0xFFFE else None
            keyword = keywords.get(tag)
            start = position + 8
            # in implicit encoding only the bytes tell a sequence: of undefined length, or an item first
            if length == UNDEFINED_LENGTH or data[start : start + 4] == b"\xfe\xff\x00\xe0":
                end = self._end_of_sequence(data, position, tag, explicit=False)
                if keyword is not None and not self._take_sequence(found, tag, data[position:end]):
                    return None
            else:
                end = start + length
                if keyword is not None:
                    if keyword in found or (keyword in self._sequences and length):
                        return None
                    if keyword not in self._sequences:
                        found[keyword] = data[start:end]
            position = end
        return None

    def _take_sequence(self, found: dict[str, bytes], tag: int, element: bytes) -> bool:
        keyword = self._keywords[tag]
        if keyword in found or keyword not in self._sequences:
            return False
        found[keyword] = element
        return True

    def _end_of_sequence(self, data: bytes, position: int, tag: int, *, explicit: bool) -> int:
        """Give the end of an element that is or may hold a sequence; equal bytes are followed once only."""
        known = self._followed.get(tag)
        if known is not None and data.startswith(known, position):
            return position + len(known)
        end = end_of_sequence(data, position, explicit=explicit)
        if tag in self._followed or len(self._followed) < _MOST_SEQUENCES:
            self._followed[tag] = data[position:end]
        return end

    def _is_past(self, data: bytes, position: int) -> bool:
        """Whether an element head that is cut after its tag lies past the last wanted attribute."""
        if len(data) - position < 4:
            return False
        group, element = data[position] | data[position + 1] << 8, data[position + 2] | data[position + 3] << 8
        return group != 0xFFFE and group << 16 | element > self._last
