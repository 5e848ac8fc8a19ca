"""Walks the data elements of an encoded data set and picks the wanted ones, within bounds.

Only structure (PS3.5, 7): it must not decode a value. It does not recurse into what a sender
nests, reads no further than the last wanted tag, and takes data that end anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from struct import Struct
from typing import NamedTuple, TypeAlias

from pydicom.datadict import tag_for_keyword
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

Octets: TypeAlias = bytes | bytearray | memoryview
#: Values as encoded, by keyword; a sequence is the list of its items.
Elements: TypeAlias = "dict[str, bytes | list[Elements]]"
#: Wanted keywords by tag; the second of a pair says what is wanted of a sequence's items.
Wanted: TypeAlias = "Mapping[int, tuple[str, Wanted | None]]"

MAX_SEQUENCE_DEPTH = 32
MAX_ITEMS = 64

_UNDEFINED = 0xFFFFFFFF
_BEFORE_DELIMITATIONS = 0xFFFDFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_SHORT_VRS = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()  # PS3.5, 7.1.2
)
_SEQUENCE_VRS = frozenset({b"SQ", b"UN", b""})


class Ending(Enum):
    """How a walk came to its end."""

    PASSED = "went past the last wanted attribute"
    ENDED = "ended"
    CUT = "is cut short"
    MALFORMED = "is malformed"


class NestedTooDeep(Exception):
    """Sequences lie in sequences more than `MAX_SEQUENCE_DEPTH` deep."""


class Syntax(NamedTuple):
    """How elements are encoded: VR written or not, and the byte order as `struct` layouts."""

    implicit: bool
    tag_and_length: Struct
    short_head: Struct
    long_length: Struct


_IMPLICIT_LITTLE = Syntax(True, Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
_EXPLICIT_LITTLE = Syntax(False, Struct("<HHL"), Struct("<HH2sH"), Struct("<L"))
_EXPLICIT_BIG = Syntax(False, Struct(">HHL"), Struct(">HH2sH"), Struct(">L"))


class CannotBeFollowed(Exception):
    """Elements that cannot be followed; `cut` when the data simply stop in them."""

    def __init__(self, *, cut: bool = False) -> None:
        super().__init__(cut)
        self.cut = cut


class _Value(NamedTuple):
    """Where one element's value lies: `end` is what encloses it while its length is undefined."""

    tag: int
    vr: bytes
    start: int
    end: int
    undefined: bool


class _Frame(NamedTuple):
    """One open sequence or item while nested content is walked."""

    holds_items: bool
    limit: int
    undefined: bool
    syntax: Syntax
    raw: bool = False


def read_elements(
    data: Octets, transfer_syntax_uid: str, wanted: Wanted, last: int, *, max_items: int = MAX_ITEMS
) -> tuple[Elements, frozenset[str], Ending]:
    """Give the wanted elements up to tag `last`, the keywords at fault, and how the walk ended.

    A keyword is at fault when its element occurs again, is a sequence where a value is wanted, or
    cannot be followed inside. The first occurrence counts. A wanted sequence of more than `max_items` items
    cannot be followed.

    Raises
    ------
    NestedTooDeep
        Whatever the sequence: also in one that nobody wants.
    """
    walk = _Walk(data, max_items)
    found: Elements = {}
    whole = _Frame(False, len(data), False, _syntax_of(transfer_syntax_uid))
    try:
        _, ending = walk.read(0, whole, wanted, found, last)
    except CannotBeFollowed as broken:
        ending = Ending.CUT if broken.cut else Ending.MALFORMED
    return found, frozenset(walk.faulty), ending


def end_of_sequence(data: Octets, position: int, *, explicit: bool) -> int:
    """Give where an element ends that is or may hold a sequence, in little endian, following all that is in it.

    Raises
    ------
    CannotBeFollowed
        When it is malformed or cut short.
    NestedTooDeep
        When sequences lie too deep in it.
    """
    syntax = _EXPLICIT_LITTLE if explicit else _IMPLICIT_LITTLE
    value = _head(data, position, len(data), syntax)
    _check_end(value, len(data))
    return _Walk(data, MAX_ITEMS).skip(value, syntax)


def wanted_tags(*keywords: str, **sequences: Wanted) -> Wanted:
    """Name what `read_elements` shall find: keywords of values, and sequences with their own."""
    entries: dict[int, tuple[str, Wanted | None]] = {_tag(keyword): (keyword, None) for keyword in keywords}
    entries.update({_tag(keyword): (keyword, inner) for keyword, inner in sequences.items()})
    return entries


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


def _syntax_of(transfer_syntax_uid: str) -> Syntax:
    if transfer_syntax_uid == ImplicitVRLittleEndian:
        return _IMPLICIT_LITTLE
    if transfer_syntax_uid == ExplicitVRBigEndian:
        return _EXPLICIT_BIG
    return _EXPLICIT_LITTLE  # PS3.5, A.2 and A.4: also everything encapsulated


class _Walk:
    """One walk over one data set."""

    def __init__(self, data: Octets, max_items: int) -> None:
        self.data = data
        self.max_items = max_items
        self.faulty: set[str] = set()
        self.depth = 0

    def read(self, position: int, within: _Frame, wanted: Wanted, found: Elements, last: int) -> tuple[int, Ending]:
        """Read elements up to the end of the frame, the tag after `last`, or an item's delimitation."""
        data, syntax, limit = self.data, within.syntax, within.limit
        while position < limit:
            value = _head(data, position, limit, syntax)
            if value.tag == _ITEM_END and self.depth:
                return value.start, Ending.ENDED
            if value.tag > last:
                if value.tag >> 16 == 0xFFFE:
                    raise CannotBeFollowed
                return position, Ending.PASSED
            _check_end(value, limit)
            keyword, inner = wanted.get(value.tag, (None, None))
            if keyword is None:
                position = self.skip(value, syntax)
            elif keyword in found or not _fits(inner is not None, value):
                self.faulty.add(keyword)
                position = self.skip(value, syntax)
            elif inner is None:
                found[keyword] = bytes(data[value.start : value.end])
                position = value.end
            else:
                found[keyword] = items = list[Elements]()
                position = self._sequence(keyword, value, syntax, inner, items)
        return position, Ending.ENDED

    def _sequence(self, keyword: str, value: _Value, syntax: Syntax, wanted: Wanted, items: list[Elements]) -> int:
        inside = _IMPLICIT_LITTLE if value.vr == b"UN" else syntax
        self.depth += 1
        try:
            return self._items(value.start, _Frame(True, value.end, value.undefined, inside), wanted, items)
        except CannotBeFollowed:
            self.faulty.add(keyword)
            if value.undefined:
                raise
            return value.end
        finally:
            self.depth -= 1

    def _items(self, position: int, within: _Frame, wanted: Wanted, items: list[Elements]) -> int:
        last = max(wanted)
        while position < within.limit:
            tag, length, start = _item_head(self.data, position, within.limit, within.syntax)
            if tag == _SEQUENCE_END and within.undefined:
                return start
            undefined = length == _UNDEFINED
            end = within.limit if undefined else start + length
            if tag != _ITEM or len(items) == self.max_items:
                raise CannotBeFollowed
            if end > within.limit:
                raise CannotBeFollowed(cut=within.undefined)
            items.append({})
            # without a length only the delimitation tells where the item ends
            up_to = _BEFORE_DELIMITATIONS if undefined else last
            item = _Frame(False, end, undefined, within.syntax)
            position, _ = self.read(start, item, wanted, items[-1], up_to)
            if not undefined:
                position = end
        if within.undefined:
            raise CannotBeFollowed(cut=True)
        return within.limit

    def skip(self, value: _Value, syntax: Syntax) -> int:
        """Give the position after a value that nobody wants, looking into sequences only for depth."""
        frame = _frame_of(self.data, value, syntax)
        if frame is None:
            return value.end
        frames = [frame]
        position = value.start
        while frames:
            frame = frames[-1]
            if position >= frame.limit and not frame.undefined:
                frames.pop()
                continue
            try:
                position = _step(self.data, position, frames)
            except CannotBeFollowed:
                while frames and frames[-1].undefined:
                    frames.pop()
                if not frames:
                    raise
                position = frames.pop().limit
            if self.depth + (len(frames) + 1) // 2 > MAX_SEQUENCE_DEPTH:  # sequences and items alternate
                raise NestedTooDeep
        return position


def _fits(sequence_wanted: bool, value: _Value) -> bool:
    if sequence_wanted:
        return value.vr in _SEQUENCE_VRS
    return not value.undefined and value.vr != b"SQ"


def _head(data: Octets, position: int, limit: int, syntax: Syntax) -> _Value:
    """Read tag, VR (empty when implicit) and length, and find the value (PS3.5, 7.1)."""
    if limit - position < 8:
        raise CannotBeFollowed(cut=True)
    start = position + 8
    group, element, vr, length = syntax.short_head.unpack_from(data, position)
    if syntax.implicit or group == 0xFFFE:
        vr = b""
        (length,) = syntax.long_length.unpack_from(data, position + 4)
    elif vr not in _SHORT_VRS:
        if not (vr.isalpha() and vr.isupper()):
            raise CannotBeFollowed
        start = position + 12
        if limit < start:
            raise CannotBeFollowed(cut=True)
        (length,) = syntax.long_length.unpack_from(data, position + 8)
    if length == _UNDEFINED:
        return _Value(group << 16 | element, vr, start, limit, True)
    return _Value(group << 16 | element, vr, start, start + length, False)


def _check_end(value: _Value, limit: int) -> None:
    if value.end > limit:
        raise CannotBeFollowed(cut=True)


def _item_head(data: Octets, position: int, limit: int, syntax: Syntax) -> tuple[int, int, int]:
    if limit - position < 8:
        raise CannotBeFollowed(cut=True)
    group, element, length = syntax.tag_and_length.unpack_from(data, position)
    return group << 16 | element, length, position + 8


def _step(data: Octets, position: int, frames: list[_Frame]) -> int:
    """Take one element or item of the innermost frame, closing or opening frames."""
    frame = frames[-1]
    if frame.holds_items:
        return _step_item(data, position, frames)
    value = _head(data, position, frame.limit, frame.syntax)
    if value.tag == _ITEM_END and frame.undefined:
        frames.pop()
        return value.start
    if value.tag >> 16 == 0xFFFE:
        raise CannotBeFollowed
    _check_end(value, frame.limit)
    inner = _frame_of(data, value, frame.syntax)
    if inner is None:
        return value.end
    frames.append(inner)
    return value.start


def _step_item(data: Octets, position: int, frames: list[_Frame]) -> int:
    frame = frames[-1]
    tag, length, start = _item_head(data, position, frame.limit, frame.syntax)
    if tag == _SEQUENCE_END and frame.undefined:
        frames.pop()
        return start
    undefined = length == _UNDEFINED
    if tag != _ITEM or (frame.raw and undefined):
        raise CannotBeFollowed
    end = frame.limit if undefined else start + length
    if end > frame.limit:
        raise CannotBeFollowed(cut=frame.undefined)
    if frame.raw:
        return end
    frames.append(_Frame(False, end, undefined, frame.syntax))
    return start


def _frame_of(data: Octets, value: _Value, syntax: Syntax) -> _Frame | None:
    """Give the frame for a value that holds items, None for any other of a known length."""
    if value.vr == b"SQ":
        return _Frame(True, value.end, value.undefined, syntax)
    if value.vr in _SEQUENCE_VRS:
        # PS3.5, 6.2.2: UN of undefined length is a sequence in implicit little endian. A known
        # length says nothing, so what begins like an item is looked at as one.
        inside = _IMPLICIT_LITTLE if value.vr else syntax
        if value.undefined:
            return _Frame(True, value.end, True, inside)
        if value.end - value.start >= 8 and _item_head(data, value.start, value.end, inside)[0] == _ITEM:
            return _Frame(True, value.end, False, inside)
        return None
    return _Frame(True, value.end, True, syntax, raw=True) if value.undefined else None
