"""Asks a PACS whether it is there (PS3.4, Annex A, as user); must do nothing else."""

from __future__ import annotations

import ssl

from dicom_listener.client.association import Unreachable, WhyNot, associated
from dicom_listener.client.query_address import Manners, QueryAddress
from dicom_listener.conformance import VERIFICATION, Status


def why_no_echo(address: QueryAddress, manners: Manners, tls: ssl.SSLContext | None = None) -> WhyNot | None:
    """Send a C-ECHO, and say why it was not answered with success; None when it was."""
    try:
        with associated(address, VERIFICATION, manners, tls) as association:
            status = association.send_c_echo().get("Status")
    except Unreachable as unreachable:
        return unreachable.why
    if status == Status.SUCCESS:
        return None
    return WhyNot.NO_ANSWER if status is None else WhyNot.FAILED
