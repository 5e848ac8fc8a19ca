"""Reads the header (MSH) of an HL7 v2 message, whatever the rest is like, and names its character set.

Pure: no I/O, no clock, no settings. It must not judge whether the message is taken.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from hl7_listener.fault import Condition, MessageFault

#: Most bytes of a header that are looked into, and most characters of one of its fields.
_MAX_HEADER_BYTES, _MAX_VALUE = 4096, 200
#: HL7 table 0211 and what senders write instead.
_CODECS = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859_{part}" for part in (*range(1, 10), 15)},
    "UNICODE UTF-8": "utf-8",
    "UNICODE": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "WINDOWS-1252": "cp1252",
}
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Header:
    """The MSH segment; `separators` are field, component, repetition, escape, subcomponent."""

    separators: str
    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str
    made_at: str
    message_type: str
    event: str
    control_id: str
    processing_id: str
    version: str
    character_set: str

    @property
    def kind(self) -> str:
        """Message type and event, as `ORM^O01`."""
        return f"{self.message_type}^{self.event}" if self.event else self.message_type


def read_header(octets: bytes) -> Header:
    """Read the MSH segment alone, whatever the rest is like.

    Raises
    ------
    MessageFault
        When there is none, or its separators are not what HL7 allows.
    """
    first = re.split(rb"[\r\n]", octets.lstrip()[:_MAX_HEADER_BYTES], maxsplit=1)[0].decode("latin_1")
    if not first.startswith("MSH") or len(first) < 8:
        raise MessageFault("MSH", Condition.SEGMENT_SEQUENCE_ERROR, "the message does not begin with an MSH segment")
    fields = first.split(first[3])
    stated = (first[3] + fields[1])[:5]
    separators = stated + "&" if len(stated) == 4 else stated  # one that is not stated must not be another's
    if len(separators) < 5 or len(set(separators)) != len(separators) or not all(map(_separates, separators)):
        raise MessageFault("MSH-2", Condition.DATA_TYPE_ERROR, "the separators are not what HL7 allows")

    def field(number: int) -> str:
        return _UNPRINTABLE.sub("", fields[number - 1] if number <= len(fields) else "").strip()[:_MAX_VALUE]

    message_type, event = (*field(9).split(separators[1]), "", "")[:2]
    facility = field(4).split(separators[1])[0]
    return Header(
        separators,
        field(3),
        facility,
        field(5),
        field(6),
        field(7).split(separators[1])[0],
        message_type,
        event,
        field(10),
        field(11),
        field(12).split(separators[1])[0],
        field(18).split(separators[2])[0],
    )


def codec_of(character_set: str, place: str) -> str:
    """Give the Python codec of a character set of HL7 table 0211.

    Raises
    ------
    MessageFault
        When it is not one that is read here.
    """
    codec = _CODECS.get(character_set.strip().upper())
    if codec is None:
        raise MessageFault(place, Condition.TABLE_VALUE_NOT_FOUND, f"known character sets are {', '.join(_CODECS)}")
    return codecs.lookup(codec).name


def _separates(character: str) -> bool:
    return character.isascii() and character.isprintable() and not character.isalnum() and character != " "
