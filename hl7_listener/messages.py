"""Reads the orders, results or patients of an HL7 v2 message: segments in groups, their fields as text.

Pure: no I/O, no clock, no settings. It must not know what a field means to radpool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import hl7

from hl7_listener.fault import Condition, MessageFault
from hl7_listener.header import Header, codec_of

#: Most characters that are looked into; texts of reports are dropped before this is counted.
MAX_TEXT = 64 * 1024
#: What stands in the place of a value that is not there any more.
CLEARED = '""'
#: Fields of a segment that are looked into.
MAX_FIELDS = 60
#: Most characters of a value, unless its reader asks for more.
_MAX_VALUE = 200
_MAX_GROUPS = 100
_OBSERVATION_VALUE = 5

_PATH = re.compile(r"^([A-Z][A-Z0-9]{2})-([1-9]\d?)(?:\.([1-9]\d?))?$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment's fields, by their HL7 number, as raw text."""

    name: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """One order, result or patient of a message with the segments of the whole message that go with it."""

    separators: str
    codec: str
    segments: Mapping[str, tuple[Segment, ...]]

    def text(self, path: str, *, at_most: int = _MAX_VALUE) -> str | None:
        """Give a value such as `OBR-4.2` of the first segment of its name; no component asks for the first.

        Raises
        ------
        MessageFault
            When it is longer than `at_most`, or cannot be read.
        """
        _, _, component = parts_of(path)
        field = self._field(path)
        repetition = field.split(self.separators[2])[0]
        return self._value(path, _part(repetition.split(self.separators[1]), component or 1), at_most)

    def repetitions(self, path: str, *, cleared: bool = False) -> list[list[list[str | None]]]:
        """Give all of a field: its repetitions, their components, their subcomponents.

        With `cleared` those alone whose first component is said not to be there any more.
        """
        component, repetition, subcomponent = self.separators[1], self.separators[2], self.separators[4]
        return [
            [
                [self._value(path, part, _MAX_VALUE) for part in whole.split(subcomponent)]
                for whole in one.split(component)
            ]
            for one in self._field(path).split(repetition)
            if one and (not cleared or one.split(component)[0].strip() == CLEARED)
        ]

    def is_cleared(self, path: str) -> bool:
        """Whether the sender says that a value, or all of its field, is not there any more (HL7 v2.5.1, 2.5.3)."""
        _, _, component = parts_of(path)
        repetition = self._field(path).split(self.separators[2])[0]
        parts = [part.strip() for part in repetition.split(self.separators[1])]
        is_all = parts[0] == CLEARED and not any(parts[1:])  # empty components at the end may be left out or written
        return is_all or _part(parts, component or 1) == CLEARED

    def every(self, path: str) -> list[str]:
        """Give a value from each segment of its name and each of its repetitions, where it is valued."""
        name, number, component = parts_of(path)
        found = []
        for segment in self.segments.get(name, ()):
            for repetition in _part(segment.fields, number + 1).split(self.separators[2]):
                value = self._value(path, _part(repetition.split(self.separators[1]), component or 1), _MAX_VALUE)
                if value is not None:
                    found.append(value)
        return found

    def _field(self, path: str) -> str:
        name, number, _ = parts_of(path)
        segments = self.segments.get(name, ())
        return _part(segments[0].fields, number + 1) if segments else ""

    def _value(self, path: str, raw: str, at_most: int) -> str | None:
        text = _UNPRINTABLE.sub(" ", unescaped(raw, self.separators, self.codec, path)).strip()
        if not text or text == CLEARED:
            return None
        if len(text) > at_most:
            raise MessageFault(path, Condition.DATA_TYPE_ERROR, f"longer than {at_most} characters")
        return text


def read_groups(octets: bytes, header: Header, *, default_character_set: str, wanted: Iterable[str]) -> list[Group]:
    """Read the orders or results of a message: a group begins with each ORC, and each OBR that repeats.

    `wanted` names the segments to keep; values of observations (OBX-5) are dropped unread. An OBR
    without an ORC of its own goes with the ORC before it.

    Raises
    ------
    MessageFault
        When the text is not in its character set, too long, or of more than one patient.
    """
    codec, segments = _read(octets, header, default_character_set, wanted)
    if sum(segment.name == "PID" for segment in segments) > 1:
        raise MessageFault("PID", Condition.SEGMENT_SEQUENCE_ERROR, "more than one patient in a message")
    common: dict[str, Segment] = {}
    groups: list[list[Segment]] = []
    has_request = False
    for segment in segments:
        if segment.name == "ORC" or (segment.name == "OBR" and not groups):
            groups.append([segment])
            has_request = segment.name == "OBR"
        elif segment.name == "OBR" and has_request:
            groups.append([*groups[-1][: groups[-1][0].name == "ORC"], segment])
        elif groups:
            groups[-1].append(segment)
            has_request = has_request or segment.name == "OBR"
        else:
            common.setdefault(segment.name, segment)
        if len(groups) > _MAX_GROUPS:
            raise MessageFault(segment.name, Condition.SEGMENT_SEQUENCE_ERROR, f"more than {_MAX_GROUPS} in a message")
    return [Group(header.separators, codec, _by_name([*group, *common.values()])) for group in groups]


def read_patients(octets: bytes, header: Header, *, default_character_set: str, wanted: Iterable[str]) -> list[Group]:
    """Read the patients of a message: a group begins with each PID, and takes the segments before the first along.

    Raises
    ------
    MessageFault
        When the text is not in its character set, or too long, or names no patient or too many.
    """
    codec, segments = _read(octets, header, default_character_set, wanted)
    common: list[Segment] = []
    groups: list[list[Segment]] = []
    for segment in segments:
        if segment.name == "PID":
            groups.append([segment])
        else:
            (groups[-1] if groups else common).append(segment)
    if not groups:
        raise MessageFault("PID", Condition.SEGMENT_SEQUENCE_ERROR, "the message names no patient")
    if len(groups) > _MAX_GROUPS:
        raise MessageFault("PID", Condition.SEGMENT_SEQUENCE_ERROR, f"more than {_MAX_GROUPS} in a message")
    return [Group(header.separators, codec, _by_name([*group, *common])) for group in groups]


@lru_cache(maxsize=1024)
def parts_of(path: str) -> tuple[str, int, int | None]:
    """Part a path such as `OBR-4.2` into segment, field and component (None: not said).

    Raises
    ------
    ValueError
        When it is not of that form.
    """
    match = _PATH.match(path)
    if match is None:
        msg = f"{path[:20]!r} is not a field such as OBR-4 or OBR-4.2"
        raise ValueError(msg)
    return match[1], int(match[2]), int(match[3]) if match[3] else None


def unescaped(raw: str, separators: str, codec: str, place: str) -> str:
    r"""Replace escape sequences (HL7 v2, 2.7): separators and bytes by themselves, formatting by a space.

    The `hl7` package's own way of doing this writes what it cannot read to the log.

    Raises
    ------
    MessageFault
        When `\X..\` holds no bytes of the character set.
    """
    escape = separators[3]
    if escape not in raw:
        return raw
    plain = {"H": "", "N": "", **dict(zip("FSRET", separators, strict=True))}
    parts = raw.split(escape)
    # Text and sequences alternate; an escape character that nothing closes stands for itself.
    found = [parts[0]]
    for place_in, part in enumerate(parts[1:], start=1):
        if place_in % 2 == 0:
            found.append(part)
        elif place_in == len(parts) - 1:
            found.append(escape + part)
        elif part in plain:
            found.append(plain[part])
        elif part.startswith("X"):
            found.append(_from_hex(part[1:], codec, place))
        else:
            found.append(" ")
    return "".join(found)


def _read(
    octets: bytes, header: Header, default_character_set: str, wanted: Iterable[str]
) -> tuple[str, list[Segment]]:
    codec = codec_of(header.character_set or default_character_set, "MSH-18")
    return codec, _segments(_decoded(octets, codec), header.separators, frozenset(wanted))


def _from_hex(digits: str, codec: str, place: str) -> str:
    try:
        return bytes.fromhex(digits).decode(codec)
    except ValueError:
        raise MessageFault(place, Condition.DATA_TYPE_ERROR, "an escape sequence that cannot be read") from None


def _part(parts: tuple[str, ...] | list[str], number: int) -> str:
    """Give the part of an HL7 number, counted from 1; one that is not there is empty."""
    return parts[number - 1] if 0 < number <= len(parts) else ""


def _decoded(octets: bytes, codec: str) -> str:
    try:
        text = octets.decode(codec)
    except UnicodeDecodeError:
        raise MessageFault("MSH-18", Condition.DATA_TYPE_ERROR, "the message is not in its character set") from None
    if _CONTROL.search(text):
        raise MessageFault("MSH", Condition.DATA_TYPE_ERROR, "the message has control characters")
    return text.strip().replace("\r\n", "\r").replace("\n", "\r")


def _segments(text: str, separators: str, wanted: frozenset[str]) -> list[Segment]:
    """Split what is wanted of a message into fields; the rest is not looked into."""
    separator = separators[0]
    kept = []
    for line in text.split("\r")[1:]:
        if line[:3] not in wanted or line[3:4] not in (separator, ""):
            continue
        fields = line.split(separator, MAX_FIELDS)[:MAX_FIELDS]
        if fields[0] == "OBX" and len(fields) > _OBSERVATION_VALUE:
            fields[_OBSERVATION_VALUE] = ""
        kept.append(separator.join(fields))
    body = "\r".join(kept)
    if len(body) > MAX_TEXT:
        raise MessageFault("MSH", Condition.DATA_TYPE_ERROR, f"what it says exceeds {MAX_TEXT} characters")
    parsed = hl7.parse(f"MSH{separator}{separators[1:]}{separator}\r{body}")
    return [
        Segment(str(segment[0]), tuple(str(field) for field in segment))
        for segment in list(parsed)[1:]
        if str(segment[0])
    ]


def _by_name(segments: Iterable[Segment]) -> dict[str, tuple[Segment, ...]]:
    found: dict[str, list[Segment]] = {}
    for segment in segments:
        found.setdefault(segment.name, []).append(segment)
    return {name: tuple(several) for name, several in found.items()}
