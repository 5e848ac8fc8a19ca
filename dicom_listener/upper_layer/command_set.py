"""Reads and writes DIMSE command sets (PS3.7, 6.3 and Annex E).

It must not judge a command: which are known and what they mean is the services' matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, pack

from dicom_listener.header.data_elements import Octets

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
N_EVENT_REPORT_RQ = 0x0100
N_SET_RQ = 0x0120
N_ACTION_RQ = 0x0130
N_CREATE_RQ = 0x0140
RESPONSE = 0x8000
NO_DATA_SET = 0x0101
_DATA_SET = 0x0001

_US = Struct("<H")
_ANSWER = Struct("<HHLHHHLH")
_ELEMENT = Struct("<HHL")
#: Elements by number, all of group 0000 (PS3.7, Table E.1-1).
_AFFECTED_SOP_CLASS_UID, _REQUESTED_SOP_CLASS_UID, _COMMAND_FIELD = 0x0002, 0x0003, 0x0100
_MESSAGE_ID, _MESSAGE_ID_BEING_RESPONDED_TO, _COMMAND_DATA_SET_TYPE = 0x0110, 0x0120, 0x0800
_STATUS, _AFFECTED_SOP_INSTANCE_UID, _REQUESTED_SOP_INSTANCE_UID, _ACTION_TYPE_ID = 0x0900, 0x1000, 0x1001, 0x1008
_UID = re.compile(rb"[0-9.]{1,64}")


class UnreadableCommand(Exception):
    """A command set that is malformed or lacks its command field or data set type."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a request, or a response to a request of ours, says of itself; UIDs are empty when absent or no UIDs.

    The SOP class and instance are the affected ones, or those that a request of DIMSE-N asks for (PS3.7, 10.3).
    `message_id` is None for a command that carries none, to which no response can be written.
    `sop_instance_uid_malformed` tells a UID that is none from one that is absent.
    """

    field: int
    message_id: int | None
    has_data_set: bool
    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    sop_instance_uid_malformed: bool = False
    action_type_id: int | None = None
    message_id_being_responded_to: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """An N-EVENT-REPORT of ours: what it is about, its event type and its encoded event information."""

    sop_class_uid: str
    sop_instance_uid: str
    event_type_id: int
    information: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """A status with its Error Comment (0000,0902), Offending Element (0000,0901) and Error ID (0000,0903).

    `sop_instance_uid` names an instance that we created (PS3.7, 10.1.5.1.4); else the request's own is repeated.
    `then` is sent on the same association after the response.
    """

    status: int
    comment: str = ""
    offending_tag: int | None = None
    error_id: int | None = None
    sop_instance_uid: str = ""
    then: Report | None = None


def decode_command(data: Octets) -> Command:
    """Read a command set.

    Raises
    ------
    UnreadableCommand
        When it cannot be read.
    """
    values = _values(bytes(data))
    instance = values.get(_AFFECTED_SOP_INSTANCE_UID) or values.get(_REQUESTED_SOP_INSTANCE_UID) or b""
    uid = _uid(instance)
    field, data_set_type = _number(values, _COMMAND_FIELD), _number(values, _COMMAND_DATA_SET_TYPE)
    if field is None or data_set_type is None:
        raise UnreadableCommand
    return Command(
        field=field,
        message_id=_number(values, _MESSAGE_ID),
        has_data_set=data_set_type != NO_DATA_SET,
        sop_class_uid=_uid(values.get(_AFFECTED_SOP_CLASS_UID) or values.get(_REQUESTED_SOP_CLASS_UID) or b""),
        sop_instance_uid=uid,
        sop_instance_uid_malformed=not uid and bool(instance.strip(b" \0")),
        action_type_id=_number(values, _ACTION_TYPE_ID),
        message_id_being_responded_to=_number(values, _MESSAGE_ID_BEING_RESPONDED_TO),
        status=_number(values, _STATUS),
    )


def _values(data: bytes) -> dict[int, bytes]:
    """Give the values by element number; of one that stands twice the first (PS3.7, 6.3.1)."""
    values: dict[int, bytes] = {}
    position, end = 0, len(data)
    while position < end:
        if end - position < _ELEMENT.size:
            raise UnreadableCommand
        group, element, length = _ELEMENT.unpack_from(data, position)
        position += _ELEMENT.size
        if group or length > end - position:
            raise UnreadableCommand
        values.setdefault(element, data[position : position + length])
        position += length
    return values


def _number(values: dict[int, bytes], element: int) -> int | None:
    value = values.get(element)
    if value is None:
        return None
    if len(value) != _US.size:
        raise UnreadableCommand
    return int(_US.unpack(value)[0])


def encode_response(command: Command, response: Response) -> bytes:
    """Write the response to a request that has a message id, in implicit VR little endian."""
    parts = [_begun(command.sop_class_uid, command.field | RESPONSE)]
    parts.append(_ANSWER.pack(0, 0x0120, 2, command.message_id or 0, 0, 0x0800, 2, NO_DATA_SET))
    parts.append(_element(0x0900, _US.pack(response.status)))
    if response.offending_tag is not None:
        parts.append(_element(0x0901, pack("<HH", response.offending_tag >> 16, response.offending_tag & 0xFFFF)))
    if response.comment:
        parts.append(_element(0x0902, _padded(response.comment[:64], b" ")))
    if response.error_id is not None:
        parts.append(_element(0x0903, _US.pack(response.error_id)))
    if sop_instance_uid := response.sop_instance_uid or command.sop_instance_uid:
        parts.append(_element(0x1000, _padded(sop_instance_uid, b"\0")))
    if command.field == N_ACTION_RQ and command.action_type_id is not None:
        parts.append(_element(0x1008, _US.pack(command.action_type_id)))
    return _with_group_length(parts)


@lru_cache(maxsize=256)
def _begun(sop_class_uid: str, field: int) -> bytes:
    """Write what all responses to one kind of request begin with."""
    named = _element(0x0002, _padded(sop_class_uid, b"\0")) if sop_class_uid else b""
    return named + _element(0x0100, _US.pack(field))


def encode_report(report: Report, message_id: int) -> bytes:
    """Write the command set of an N-EVENT-REPORT-RQ that a data set follows (PS3.7, 10.3.1.1)."""
    return _with_group_length(
        [
            _element(0x0002, _padded(report.sop_class_uid, b"\0")),
            _element(0x0100, _US.pack(N_EVENT_REPORT_RQ)),
            _element(0x0110, _US.pack(message_id)),
            _element(0x0800, _US.pack(_DATA_SET)),
            _element(0x1000, _padded(report.sop_instance_uid, b"\0")),
            _element(0x1002, _US.pack(report.event_type_id)),
        ]
    )


def _with_group_length(parts: list[bytes]) -> bytes:
    body = b"".join(parts)
    return _element(0x0000, pack("<L", len(body))) + body


def _element(element: int, value: bytes) -> bytes:
    return pack("<HHL", 0, element, len(value)) + value


def _padded(text: str, pad: bytes) -> bytes:
    octets = text.encode("ascii", "replace")
    return octets + pad if len(octets) % 2 else octets


def _uid(value: bytes) -> str:
    octets = value.strip(b" \0")
    return octets.decode("ascii") if _UID.fullmatch(octets) else ""
