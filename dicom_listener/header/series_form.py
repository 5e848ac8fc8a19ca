"""Knows one more object of a series again by the bytes that all of them share, and gives what is its own.

A form is learnt from two objects that the flat walk found in order and alike; whatever does not fit it is walked. It
must not decode a value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from struct import Struct, error

from pydicom.uid import ImplicitVRLittleEndian

from dicom_listener.header.top_level import SHORT_VRS, UNDEFINED_LENGTH

_SHORT_LENGTH, _LONG_LENGTH = Struct("<H"), Struct("<L")
_ITEM = b"\xfe\xff\x00\xe0"
#: The head of an element in explicit encoding with a length of four bytes.
_LONGEST_HEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class WalkedObject:
    """A data set as the flat walk went over it: where each element begins, the one past the last wanted as well."""

    data: bytes
    positions: tuple[int, ...]
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class SeriesForm:
    """What the objects of a series share: bytes up to the length of an element that varies, again and again.

    With each piece goes the keyword of the element if its value is wanted. `varying` are the tags of these elements.
    """

    transfer_syntax_uid: str
    pieces: tuple[tuple[bytes, str | None], ...]
    rest: bytes
    varying: frozenset[bytes]

    def own_values(self, data: bytes) -> dict[str, bytes] | None:
        """Give the wanted values that vary, as encoded, by keyword; None where the data set has another form."""
        implicit = self.transfer_syntax_uid == ImplicitVRLittleEndian
        layout = _LONG_LENGTH if implicit else _SHORT_LENGTH
        length_of, length_bytes = layout.unpack_from, layout.size
        own: dict[str, bytes] = {}
        position = 0
        try:
            for piece, keyword in self.pieces:
                if not data.startswith(piece, position):
                    return None
                position += len(piece)
                start = position + length_bytes
                position = start + length_of(data, position)[0]
                if implicit and data.startswith(_ITEM, start):
                    return None
                if keyword is not None:
                    own[keyword] = data[start:position]
        except error:  # the data set ends here
            return None
        if not data.startswith(self.rest, position) or position + len(self.rest) + _LONGEST_HEAD_BYTES > len(data):
            return None
        return own


def learn_form(
    one: WalkedObject, other: WalkedObject, own: Mapping[int, str], wanted: Collection[int], known: SeriesForm | None
) -> SeriesForm | None:
    """Give the form of two objects of a series in one encoding; None where they differ in more than short values.

    `own` are the tags of wanted values that may vary, with their keywords; `known` is a form that did not fit.
    """
    if len(one.positions) != len(other.positions):
        return None
    explicit = other.transfer_syntax_uid != ImplicitVRLittleEndian
    head_bytes = 6 if explicit else 4
    varying = set(known.varying) if known else set()
    pieces: list[tuple[bytes, str | None]] = []
    begin = 0
    for place, (before, start) in enumerate(zip(one.positions[:-1], other.positions[:-1], strict=True)):
        end = other.positions[place + 1]
        head = other.data[start : start + head_bytes]
        if head != one.data[before : before + head_bytes]:
            return None
        tag = int.from_bytes(head[:2], "little") << 16 | int.from_bytes(head[2:4], "little")
        same = other.data[start:end] == one.data[before : one.positions[place + 1]]
        if same and tag not in own and head not in varying:
            continue
        if (tag in wanted and tag not in own) or not _is_short(other.data, start, explicit=explicit):
            return None
        varying.add(head)
        pieces.append((other.data[begin : start + head_bytes], own.get(tag)))
        begin = end
    rest = other.data[begin : other.positions[-1] + 4]
    return SeriesForm(other.transfer_syntax_uid, tuple(pieces), rest, frozenset(varying))


def _is_short(data: bytes, start: int, *, explicit: bool) -> bool:
    """Whether an element's value stands behind its length, and is no sequence."""
    if explicit:
        return data[start + 4 : start + 6] in SHORT_VRS
    length = int.from_bytes(data[start + 4 : start + 8], "little")
    return length != UNDEFINED_LENGTH and not data.startswith(_ITEM, start + 8)
