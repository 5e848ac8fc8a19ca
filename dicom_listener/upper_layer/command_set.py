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
N_EVENT_REPORT_RQ = 0x0100
N_SET_RQ = 0x0120
N_ACTION_RQ = 0x0130
N_CREATE_RQ = 0x0140
RESPONSE = 0x8000
NO_DATA_SET = 0x0101
_DATA_SET = 0x0001

_US = Struct("<H")
_WANTED = wanted_tags(
    "AffectedSOPClassUID",
    "RequestedSOPClassUID",
    "CommandField",
    "MessageID",
    "MessageIDBeingRespondedTo",
    "CommandDataSetType",
    "Status",
    "AffectedSOPInstanceUID",
    "RequestedSOPInstanceUID",
    "ActionTypeID",
)
_NUMBERS = (
    "CommandField",
    "CommandDataSetType",
    "MessageID",
    "MessageIDBeingRespondedTo",
    "Status",
    "ActionTypeID",
)
_LAST = 0x0000FFFF
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
    try:
        elements, _, ending = read_elements(data, ImplicitVRLittleEndian, _WANTED, _LAST)
    except NestedTooDeep:
        raise UnreadableCommand from None
    if ending is not Ending.ENDED:
        raise UnreadableCommand
    values = {keyword: value for keyword, value in elements.items() if isinstance(value, bytes)}
    instance = values.get("AffectedSOPInstanceUID") or values.get("RequestedSOPInstanceUID")
    try:
        numbers = {keyword: int(_US.unpack(values[keyword])[0]) for keyword in _NUMBERS if keyword in values}
        return Command(
            field=numbers["CommandField"],
            message_id=numbers.get("MessageID"),
            has_data_set=numbers["CommandDataSetType"] != NO_DATA_SET,
            sop_class_uid=_uid(values.get("AffectedSOPClassUID") or values.get("RequestedSOPClassUID")),
            sop_instance_uid=_uid(instance),
            sop_instance_uid_malformed=bool((instance or b"").strip(b" \0")) and not _uid(instance),
            action_type_id=numbers.get("ActionTypeID"),
            message_id_being_responded_to=numbers.get("MessageIDBeingRespondedTo"),
            status=numbers.get("Status"),
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
    if response.error_id is not None:
        parts.append(_element(0x0903, _US.pack(response.error_id)))
    if sop_instance_uid := response.sop_instance_uid or command.sop_instance_uid:
        parts.append(_element(0x1000, _padded(sop_instance_uid, b"\0")))
    if command.field == N_ACTION_RQ and command.action_type_id is not None:
        parts.append(_element(0x1008, _US.pack(command.action_type_id)))
    return _with_group_length(parts)


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


def _uid(value: bytes | None) -> str:
    octets = (value or b"").strip(b" \0")
    return octets.decode("ascii") if _UID.fullmatch(octets) else ""
