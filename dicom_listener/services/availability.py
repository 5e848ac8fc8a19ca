"""The Instance Availability Notification service as its provider (PS3.4, Annex R): N-CREATE.

It must not answer success before the function that keeps the notice has returned.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from dicom_listener.admission import Source
from dicom_listener.conformance import Status
from dicom_listener.header.data_elements import wanted_tags
from dicom_listener.header.values import AttributeReader
from dicom_listener.services.attribute_list import (
    Refused,
    answer,
    named_instance,
    read_attributes,
    required_items,
    required_text,
)
from dicom_listener.upper_layer.command_set import Response
from dicom_listener.upper_layer.message import Message
from worklist.intake.study import AvailabilityNotice

#: Terms of InstanceAvailability (PS3.3, C.4.23.1.1), and whether the object can be fetched without a person's help.
_AVAILABLE = {"ONLINE": True, "NEARLINE": True, "OFFLINE": False, "UNAVAILABLE": False}
_WANTED = wanted_tags(
    "SpecificCharacterSet",
    "StudyInstanceUID",
    ReferencedSeriesSequence=wanted_tags(
        ReferencedSOPSequence=wanted_tags("InstanceAvailability", "ReferencedSOPInstanceUID")
    ),
)

#: Keeps a notice and returns only when it is durable.
Announce = Callable[[AvailabilityNotice], None]


def take_notice(message: Message, source: Source, announce: Announce) -> Response:
    """Answer an N-CREATE-RQ; a notice that the user gives no UID gets one from us (PS3.7, 10.1.5.1.4)."""

    def act() -> Response:
        notice_uid = named_instance(message.command) or f"2.25.{uuid4().int}"
        announce(read_attributes(message, _WANTED, lambda attributes: _notice(attributes, source, notice_uid)))
        return Response(Status.SUCCESS, sop_instance_uid=notice_uid)

    return answer(message, source, act)


def _notice(attributes: AttributeReader, source: Source, notice_uid: str) -> AvailabilityNotice:
    study_instance_uid = attributes.uid("StudyInstanceUID")
    available: dict[str, bool] = {}
    for series in required_items(attributes, "ReferencedSeriesSequence"):
        for each in required_items(series, "ReferencedSOPSequence"):
            available[each.uid("ReferencedSOPInstanceUID")] = _is_available(each)
    return AvailabilityNotice(
        calling_ae_title=source.ae_title,
        notice_uid=notice_uid,
        study_instance_uid=study_instance_uid,
        instances=sum(available.values()),
        whole=all(available.values()),
    )


def _is_available(reference: AttributeReader) -> bool:
    try:
        return _AVAILABLE[required_text(reference, "InstanceAvailability")]
    except KeyError:
        raise Refused(Status.INVALID_ATTRIBUTE_VALUE, "InstanceAvailability", "is not a defined term") from None
