"""The Storage Commitment Push Model as its provider (PS3.4, Annex J), answered as it is: nothing is stored here.

A request is taken, and the report that follows names each of its objects as failed. It must not promise to keep an
object, and keeps nothing of a request.

The Failure Reason is 0112H, no such object instance: "one or more of the elements in the Referenced SOP Instance
Sequence was not available" (PS3.3, C.14.1.1) is the plain truth of every object. The other candidate, 0122H, says that
the SOP class is not supported, and would be untrue of classes that a C-STORE was accepted for a moment before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID
from pynetdicom.dsutils import encode

from dicom_listener.admission import Source
from dicom_listener.conformance import STORAGE_COMMITMENT_INSTANCE, STORAGE_COMMITMENT_PUSH_MODEL, Status
from dicom_listener.header.data_elements import wanted_tags
from dicom_listener.header.values import AttributeReader
from dicom_listener.services.attribute_list import Refused, answer, read_attributes, required_items
from dicom_listener.upper_layer.command_set import Report, Response
from dicom_listener.upper_layer.message import Message

REQUEST_STORAGE_COMMITMENT = 1
#: Storage Commitment Request Complete - Failures Exist (PS3.4, J.3.3.1).
FAILURES_EXIST = 2
NO_SUCH_OBJECT_INSTANCE = 0x0112

_WANTED = wanted_tags(
    "SpecificCharacterSet",
    "TransactionUID",
    ReferencedSOPSequence=wanted_tags("ReferencedSOPClassUID", "ReferencedSOPInstanceUID"),
)


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a source asked us to keep: its transaction and the SOP class and instance of each object."""

    ae_title: str
    transaction_uid: str
    references: tuple[tuple[str, str], ...]


#: Takes the report of a commitment's failure over, to send it on an association of its own; whether it could.
Deliver = Callable[[Commitment], bool]


def refuse_commitment(message: Message, source: Source, deliver: Deliver) -> Response:
    """Answer an N-ACTION-RQ with success and let the report of failure follow (PS3.4, J.3.2 and J.3.3).

    Where `deliver` knows no address to report to, the report goes out on the association that the request came on.
    """

    def act() -> Response:
        _check_action(message)
        commitment = read_attributes(message, _WANTED, lambda attributes: _commitment(attributes, source))
        if deliver(commitment):
            return Response(Status.SUCCESS)
        information = event_information(commitment, message.context.transfer_syntax_uid)
        report = Report(STORAGE_COMMITMENT_PUSH_MODEL, STORAGE_COMMITMENT_INSTANCE, FAILURES_EXIST, information)
        return Response(Status.SUCCESS, then=report)

    return answer(message, source, act)


def event_information(commitment: Commitment, transfer_syntax_uid: str) -> bytes:
    """Encode the event information that names every object as failed."""
    syntax = UID(transfer_syntax_uid)
    octets = encode(event_data_set(commitment), syntax.is_implicit_VR, syntax.is_little_endian)
    if octets is None:
        raise AssertionError  # UIDs and a number can be encoded
    return bytes(octets)


def event_data_set(commitment: Commitment) -> Dataset:
    """Give the event information as a data set (PS3.4, Table J.3-2)."""
    failed = []
    for sop_class_uid, sop_instance_uid in commitment.references:
        item = Dataset()
        item.ReferencedSOPClassUID = sop_class_uid
        item.ReferencedSOPInstanceUID = sop_instance_uid
        item.FailureReason = NO_SUCH_OBJECT_INSTANCE
        failed.append(item)
    information = Dataset()
    information.TransactionUID = commitment.transaction_uid
    information.FailedSOPSequence = Sequence(failed)
    return information


def _check_action(message: Message) -> None:
    if message.command.sop_instance_uid != STORAGE_COMMITMENT_INSTANCE:
        raise Refused(Status.NO_SUCH_SOP_INSTANCE, "RequestedSOPInstanceUID", "is not the well-known instance")
    if message.command.action_type_id != REQUEST_STORAGE_COMMITMENT:
        raise Refused(Status.NO_SUCH_ACTION, "ActionTypeID", "is not 1")


def _commitment(attributes: AttributeReader, source: Source) -> Commitment:
    return Commitment(
        source.ae_title,
        attributes.uid("TransactionUID"),
        tuple(
            (reference.uid("ReferencedSOPClassUID"), reference.uid("ReferencedSOPInstanceUID"))
            for reference in required_items(attributes, "ReferencedSOPSequence")
        ),
    )
