"""Finds the service for a DIMSE-N request by the SOP class that it is about.

It must not answer for a service: it only turns away what none of them is for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from dicom_listener.admission import Source
from dicom_listener.conformance import (
    INSTANCE_AVAILABILITY_NOTIFICATION,
    MODALITY_PERFORMED_PROCEDURE_STEP,
    STORAGE_COMMITMENT_PUSH_MODEL,
    Status,
)
from dicom_listener.services.availability import Announce, take_notice
from dicom_listener.services.performed_procedure_step import Note, change_step, create_step
from dicom_listener.services.storage_commitment import Deliver, refuse_commitment
from dicom_listener.upper_layer.association import Service
from dicom_listener.upper_layer.command_set import N_ACTION_RQ, N_CREATE_RQ, N_SET_RQ, Response
from dicom_listener.upper_layer.message import Message


def normalized_services(note: Note, announce: Announce, deliver: Deliver) -> dict[int, Service]:
    """Give the services of DIMSE-N by command field; the three functions may be called from many threads."""
    return {
        N_CREATE_RQ: _by_sop_class(
            {
                MODALITY_PERFORMED_PROCEDURE_STEP: partial(create_step, note=note),
                INSTANCE_AVAILABILITY_NOTIFICATION: partial(take_notice, announce=announce),
            }
        ),
        N_SET_RQ: _by_sop_class({MODALITY_PERFORMED_PROCEDURE_STEP: partial(change_step, note=note)}),
        N_ACTION_RQ: _by_sop_class({STORAGE_COMMITMENT_PUSH_MODEL: partial(refuse_commitment, deliver=deliver)}),
    }


def _by_sop_class(services: Mapping[str, Callable[[Message, Source], Response]]) -> Service:
    def serve(message: Message, source: Source) -> Response:
        service = services.get(message.context.abstract_syntax_uid)
        if service is None:
            return Response(Status.UNRECOGNIZED_OPERATION, "operation not supported")
        if message.command.sop_class_uid != message.context.abstract_syntax_uid:
            return Response(Status.NO_SUCH_SOP_CLASS, "SOP class is not that of the presentation context")
        return service(message, source)

    return serve
