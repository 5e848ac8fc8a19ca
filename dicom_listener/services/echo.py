"""The Verification service (PS3.4, Annex A): answers C-ECHO and must do nothing else."""

from __future__ import annotations

from dicom_listener.admission import Source
from dicom_listener.conformance import VERIFICATION, Status
from dicom_listener.upper_layer.command_set import Response
from dicom_listener.upper_layer.message import Message


def echo(message: Message, source: Source) -> Response:  # noqa: ARG001 - every service has this shape
    """Answer a C-ECHO-RQ, which belongs to a context of its own."""
    if message.context.abstract_syntax_uid != VERIFICATION:
        return Response(Status.SOP_CLASS_NOT_SUPPORTED, "C-ECHO belongs to the Verification SOP Class")
    return Response(Status.SUCCESS)
