"""What the DICOM side offers and uses: every service with its SOP classes, role, transfer syntaxes and status codes.

Pure: the conformance statement as a table. It must not do any of it; negotiation and the services read it, and a
test holds the written statement against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum

VERIFICATION = "1.2.840.10008.1.1"
MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
INSTANCE_AVAILABILITY_NOTIFICATION = "1.2.840.10008.5.1.4.33"
STORAGE_COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"

#: The instance that every request for storage commitment names (PS3.4, J.3.5).
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
#: Implicit and explicit little endian, encapsulated uncompressed, and explicit big endian (retired).
UNCOMPRESSED = frozenset(
    {IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.2"}
)


class Status(IntEnum):
    """Every status that is answered to a peer (PS3.7, Annex C; PS3.4, Tables B.2-1 and F.7.2-2)."""

    SUCCESS = 0x0000
    INVALID_ATTRIBUTE_VALUE = 0x0106
    PROCESSING_FAILURE = 0x0110
    DUPLICATE_SOP_INSTANCE = 0x0111
    NO_SUCH_SOP_INSTANCE = 0x0112
    INVALID_SOP_INSTANCE = 0x0117
    NO_SUCH_SOP_CLASS = 0x0118
    MISSING_ATTRIBUTE = 0x0120
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    NO_SUCH_ACTION = 0x0123
    UNRECOGNIZED_OPERATION = 0x0211
    RESOURCE_LIMITATION = 0x0213
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_DOES_NOT_MATCH_SOP_CLASS = 0xA900
    CANNOT_UNDERSTAND = 0xC000


class Role(Enum):
    """Our part in a service, whoever opens the association."""

    SCU = "user"
    SCP = "provider"


class TransferSyntaxes(Enum):
    """Which transfer syntaxes are taken or proposed."""

    NOT_DEFLATED = "all uncompressed and all encapsulated ones; nothing deflated"
    UNCOMPRESSED = "all uncompressed ones"
    LITTLE_ENDIAN = "explicit, then implicit VR little endian"


@dataclass(frozen=True, slots=True)
class Service:
    """One service: `sop_classes` are UID and name, none for storage, which takes every storage class.

    `statuses` are those that we answer, by operation; a peer's statuses are not in it.
    """

    name: str
    role: Role
    transfer_syntaxes: TransferSyntaxes
    statuses: dict[str, tuple[Status, ...]]
    sop_classes: tuple[tuple[str, str], ...] = ()


_WRONG_CLASS = Status.NO_SUCH_SOP_CLASS
_UNREADABLE = (Status.INVALID_ATTRIBUTE_VALUE, Status.MISSING_ATTRIBUTE, Status.RESOURCE_LIMITATION)

#: Any other operation in an agreed context is answered with `Status.UNRECOGNIZED_OPERATION`.
SERVICES = (
    Service(
        "Verification",
        Role.SCP,
        TransferSyntaxes.NOT_DEFLATED,
        {"C-ECHO": (Status.SUCCESS, Status.SOP_CLASS_NOT_SUPPORTED)},
        ((VERIFICATION, "Verification"),),
    ),
    Service(
        "Storage",
        Role.SCP,
        TransferSyntaxes.NOT_DEFLATED,
        {
            "C-STORE": (
                Status.SUCCESS,
                Status.SOP_CLASS_NOT_SUPPORTED,
                Status.OUT_OF_RESOURCES,
                Status.DATA_SET_DOES_NOT_MATCH_SOP_CLASS,
                Status.CANNOT_UNDERSTAND,
            )
        },
    ),
    Service(
        "Modality Performed Procedure Step",
        Role.SCP,
        TransferSyntaxes.UNCOMPRESSED,
        {
            "N-CREATE": (
                Status.SUCCESS,
                Status.PROCESSING_FAILURE,
                Status.DUPLICATE_SOP_INSTANCE,
                Status.INVALID_SOP_INSTANCE,
                _WRONG_CLASS,
                *_UNREADABLE,
            ),
            "N-SET": (
                Status.SUCCESS,
                Status.PROCESSING_FAILURE,
                Status.NO_SUCH_SOP_INSTANCE,
                Status.INVALID_SOP_INSTANCE,
                _WRONG_CLASS,
                *_UNREADABLE,
            ),
        },
        ((MODALITY_PERFORMED_PROCEDURE_STEP, "Modality Performed Procedure Step"),),
    ),
    Service(
        "Instance Availability Notification",
        Role.SCP,
        TransferSyntaxes.UNCOMPRESSED,
        {
            "N-CREATE": (
                Status.SUCCESS,
                Status.PROCESSING_FAILURE,
                Status.INVALID_SOP_INSTANCE,
                _WRONG_CLASS,
                *_UNREADABLE,
            )
        },
        ((INSTANCE_AVAILABILITY_NOTIFICATION, "Instance Availability Notification"),),
    ),
    Service(
        "Storage Commitment",
        Role.SCP,
        TransferSyntaxes.UNCOMPRESSED,
        {
            "N-ACTION": (
                Status.SUCCESS,
                Status.PROCESSING_FAILURE,
                Status.NO_SUCH_SOP_INSTANCE,
                Status.NO_SUCH_ACTION,
                _WRONG_CLASS,
                *_UNREADABLE,
            ),
            "N-EVENT-REPORT": (),
        },
        ((STORAGE_COMMITMENT_PUSH_MODEL, "Storage Commitment Push Model"),),
    ),
    Service(
        "Verification",
        Role.SCU,
        TransferSyntaxes.LITTLE_ENDIAN,
        {"C-ECHO": ()},
        ((VERIFICATION, "Verification"),),
    ),
    Service(
        "Query",
        Role.SCU,
        TransferSyntaxes.LITTLE_ENDIAN,
        {"C-FIND": ()},
        ((STUDY_ROOT_FIND, "Study Root Query/Retrieve Information Model - FIND"),),
    ),
)

#: What a peer may ask of us besides storage, with the rule for its transfer syntaxes.
PROVIDED = {
    uid: service.transfer_syntaxes for service in SERVICES if service.role is Role.SCP for uid, _ in service.sop_classes
}
