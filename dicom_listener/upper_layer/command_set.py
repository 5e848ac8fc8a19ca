"""Reads and writes DIMSE command sets (PS3.7, 6.3 and Annex E).

It must not judge a command: which are known and what they mean is the services' matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct, error, pack

from pydicom.uid import ImplicitVRLittleEndian

from dicom_listener.header.data_elements import Ending, NestedTooDeep, Octets, read_elements, wanted_tags

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000
NO_DATA_SET = 0x0101

_US = Struct("<H")
_WANTED = wanted_tags(
    "AffectedSOPClassUID",
    "RequestedSOPClassUID",
    "CommandField",
    "MessageID",
    "CommandDataSetType",
    "AffectedSOPInstanceUID",
)
_LAST = 0x0000FFFF
_UID = re.compile(rb"[0-9.]{1,64}")


class UnreadableCommand(Exception):
    """A command set that is malformed or lacks its command field or data set type."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a request says of itself; UIDs are empty when absent or no UIDs.

    `message_id` is None for a command that carries none, to which no response can be written.
    """

    field: int
    message_id: int | None
    has_data_set: bool
    sop_class_uid: str = ""
    sop_instance_uid: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A status with its Error Comment (0000,0902) and Offending Element (0000,0901)."""

    status: int
    comment: str = ""
    offending_tag: int | None = None


def decode_command(data: Octets) -> Command:
    """Read a command set.

    Raises
    ------
    UnreadableCommand
        When it cannot be read.
    """
    try:
        elements, _, ending = read_elements(data, ImplicitVRLittleEndian, _WANTED, _LAST)
    except NestedTooDeep:
        raise UnreadableCommand from None
    if ending is not Ending.ENDED:
        raise UnreadableCommand
    values = {keyword: value for keyword, value in elements.items() if isinstance(value, bytes)}
    try:
        numbers = {
            keyword: int(_US.unpack(values[keyword])[0])
            for keyword in ("CommandField", "CommandDataSetType", "MessageID")
            if keyword in values
        }
        return Command(
            field=numbers["CommandField"],
            message_id=numbers.get("MessageID"),
            has_data_set=numbers["CommandDataSetType"] != NO_DATA_SET,
            sop_class_uid=_uid(values.get("AffectedSOPClassUID") or values.get("RequestedSOPClassUID")),
            sop_instance_uid=_uid(values.get("AffectedSOPInstanceUID")),
        )
    except (KeyError, error):
        raise UnreadableCommand from None


def encode_response(command: Command, response: Response) -> bytes:
    """Write the response to a request that has a message id, in implicit VR little endian."""
    parts = []
    if command.sop_class_uid:
        parts.append(_element(0x0002, _padded(command.sop_class_uid, b"\0")))
    parts.append(_element(0x0100, _US.pack(command.field | RESPONSE)))
    parts.append(_element(0x0120, _US.pack(command.message_id or 0)))
    parts.append(_element(0x0800, _US.pack(NO_DATA_SET)))
    parts.append(_element(0x0900, _US.pack(response.status)))
    if response.offending_tag is not None:
        parts.append(_element(0x0901, pack("<HH", response.offending_tag >> 16, response.offending_tag & 0xFFFF)))
    if response.comment:
        parts.append(_element(0x0902, _padded(response.comment[:64], b" ")))
    if command.sop_instance_uid:
        parts.append(_element(0x1000, _padded(command.sop_instance_uid, b"\0")))
    body = b"".join(parts)
    return _element(0x0000, pack("<L", len(body))) + body


def _element(element: int, value: bytes) -> bytes:
    return pack("<HHL", 0, element, len(value)) + value


def _padded(text: str, pad: bytes) -> bytes:
    octets = text.encode("ascii", "replace")
    return octets + pad if len(octets) % 2 else octets


def _uid(value: bytes | None) -> str:
    octets = (value or b"").strip(b" \0")
    return octets.decode("ascii") if _UID.fullmatch(octets) else ""
