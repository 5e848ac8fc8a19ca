"""Opens an association with a PACS as its requestor, one at a time to each, under deadlines and bounds.

pynetdicom is the client; it reads a PDU of any length and waits for the rest of it for ever, so its reading is bounded
here. It must not know what is asked.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from threading import Lock
from time import monotonic
from typing import Any

from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context

from dicom_listener.client.checkpoint import stop_theft
from dicom_listener.client.query_address import Manners, QueryAddress
from dicom_listener.conformance import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from dicom_listener.upper_layer.negotiation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_LONGEST_PDU_BYTES = 1024 * 1024

#: One association at a time to each PACS, whoever asks.
_turns: defaultdict[tuple[str, int], Lock] = defaultdict(Lock)

# pynetdicom logs the identifiers of what it sends and receives, which name patients, and decodes them for that
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False
_library_log = logging.getLogger("pynetdicom")
_library_log.addHandler(logging.NullHandler())
_library_log.propagate = False


class WhyNot(StrEnum):
    """Why a PACS could not be asked, or gave no answer."""

    NO_TLS = "no-tls"
    NO_CONNECTION = "no-connection"
    REJECTED = "rejected"
    NOT_OFFERED = "not-offered"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    NO_IDENTIFIER = "no-identifier"


class Unreachable(Exception):
    """A PACS that did not accept an association for what is asked; nothing of its answer is repeated."""

    def __init__(self, why: WhyNot) -> None:
        super().__init__(why.value)
        self.why = why


@contextmanager
def associated(
    address: QueryAddress,
    sop_class_uid: str,
    manners: Manners,
    tls: ssl.SSLContext | None = None,
    role: SCP_SCU_RoleSelectionNegotiation | None = None,
) -> Iterator[Association]:
    """Hold an association for one SOP class; it is released at the end, or aborted after an error.

    Raises
    ------
    Unreachable
        When there is no connection, the peer rejects the association or the SOP class, or TLS is asked for and no
        context given.
    """
    if address.tls and tls is None:
        raise Unreachable(WhyNot.NO_TLS)
    with _turns[address.host, address.port]:
        association = _associate(address, sop_class_uid, manners, tls if address.tls else None, role)
        try:
            yield association
        except BaseException:
            if association.is_established:
                association.abort()
            raise
        if association.is_established:
            association.release()


def _associate(
    address: QueryAddress,
    sop_class_uid: str,
    manners: Manners,
    tls: ssl.SSLContext | None,
    role: SCP_SCU_RoleSelectionNegotiation | None,
) -> Association:
    entity = AE(ae_title=manners.calling_ae_title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    entity.connection_timeout = manners.connect_seconds
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = manners.answer_seconds
    opened: list[None] = []
    association = entity.associate(
        address.host,
        address.port,
        contexts=[build_context(sop_class_uid, [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])],
        ae_title=address.ae_title,
        ext_neg=[role] if role else None,
        tls_args=(tls, address.host) if tls else None,
        evt_handlers=[(evt.EVT_CONN_OPEN, stop_theft), (evt.EVT_CONN_OPEN, _bound_reading, [manners, opened])],
    )
    if not association.is_established:
        raise Unreachable(_why_not(association) if opened else WhyNot.NO_CONNECTION)
    return association


def _why_not(association: Association) -> WhyNot:
    """Say why a peer that took the connection is not associated with us."""
    if association.is_rejected:
        return WhyNot.REJECTED
    return WhyNot.NOT_OFFERED if association.rejected_contexts else WhyNot.NO_ANSWER


def _bound_reading(event: evt.Event, manners: Manners, opened: list[None]) -> None:
    opened.append(None)
    transport: Any = event.assoc.dul.socket
    transport.recv = _bounded_recv(transport.socket, manners)


def _bounded_recv(connection: socket.socket, manners: Manners) -> Callable[[int], bytearray]:
    """Give what reads exactly `count` bytes in time; an `OSError` ends the association."""
    left = manners.max_bytes

    def recv(count: int) -> bytearray:
        nonlocal left
        left -= count
        if count > _LONGEST_PDU_BYTES or left < 0:
            raise OSError
        deadline = monotonic() + manners.answer_seconds
        octets = bytearray()
        while len(octets) < count:
            connection.settimeout(max(0.001, deadline - monotonic()))
            part = connection.recv(count - len(octets))
            if not part:
                break
            octets += part
        connection.settimeout(manners.answer_seconds)
        return octets

    return recv
