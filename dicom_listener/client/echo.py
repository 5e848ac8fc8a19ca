"""Asks a PACS whether it is there (PS3.4, Annex A, as user); must do nothing else."""

from __future__ import annotations

import ssl

from dicom_listener.client.association import Unreachable, associated
from dicom_listener.client.query_address import Manners, QueryAddress
from dicom_listener.conformance import VERIFICATION, Status


def answers_echo(address: QueryAddress, manners: Manners, tls: ssl.SSLContext | None = None) -> bool:
    """Tell whether a C-ECHO is answered with success."""
    try:
        with associated(address, VERIFICATION, manners, tls) as association:
            return bool(association.send_c_echo().get("Status") == Status.SUCCESS)
    except Unreachable:
        return False
