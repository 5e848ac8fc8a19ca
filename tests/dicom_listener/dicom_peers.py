"""Peers for the listener's tests: a running listener, a pynetdicom sender and a scripted raw socket."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.association import Association as Scu
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from dicom_listener.admission import Admit, Source
from dicom_listener.client.checkpoint import stop_theft
from dicom_listener.header.reader import ObjectHeader
from dicom_listener.limits import Limits
from dicom_listener.processes.acceptor import Acceptor, Port
from dicom_listener.processes.link import Link
from dicom_listener.processes.worker import Worker
from dicom_listener.services.echo import echo
from dicom_listener.services.storage import Refuse, StoreAnswer, store
from dicom_listener.upper_layer.association import Service
from dicom_listener.upper_layer.command_set import C_ECHO_RQ, C_STORE_RQ
from worklist.feeds.peer import Peer
from worklist.intake.study import ReceivedObject

HOST = "127.0.0.1"
OTHER_ADDRESS = "127.0.0.2"
VERIFICATION = "1.2.840.10008.1.1"
A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_RELEASE_RP = 0x07, 0x02, 0x03, 0x04, 0x06
RELEASE_RQ = struct.pack(">BxLL", 0x05, 4, 0)


@dataclass
class Listener:
    """A listener in this process and what reached its composition root."""

    port: int
    acceptor: Acceptor
    received: list[ReceivedObject] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def raw(self, bind_address: str = HOST) -> RawPeer:
        """Connect a scripted peer."""
        return RawPeer(self.port, bind_address)

    def wait_until_empty(self, seconds: float) -> None:
        """Wait until no connection holds a place."""
        until = time.monotonic() + seconds
        while self.acceptor.associations and time.monotonic() < until:
            time.sleep(0.01)
        assert self.acceptor.associations == {}


def admit_all(calling_ae_title: str, called_ae_title: str, peer: Peer) -> Source:
    return Source(calling_ae_title, "RXX")


@contextmanager
def running_listener(
    *,
    admit: Admit = admit_all,
    answer: Callable[[ReceivedObject], StoreAnswer] = lambda _: StoreAnswer(),
    refuse: Refuse | None = None,
    tls: ssl.SSLContext | None = None,
    on_unprotected: Callable[[str, str], None] | None = None,
    other_services: Mapping[int, Service] | None = None,
    **limits: Any,
) -> Iterator[Listener]:
    """Run a listener on a free port until the block ends."""
    listening = socket.create_server((HOST, 0), backlog=256)
    received: list[ReceivedObject] = []
    refused: list[tuple[str, str, str]] = []

    def receive(header: ObjectHeader) -> StoreAnswer:
        received.append(header.received())
        return answer(received[-1])

    bounds = Limits(**{"closing_seconds": 0.2, "drain_seconds": 0.5, **limits})
    log = logging.getLogger("tests.dicom_listener")
    refusing = refuse or (lambda *entry: refused.append(entry))
    services: dict[int, Service] = {C_ECHO_RQ: echo, C_STORE_RQ: partial(store, receive=receive, refuse=refusing)}
    services |= other_services or {}

    def hire(link: socket.socket) -> None:
        """Start a worker as a thread of this process, where tests can look at it."""
        worker = Worker(Link(link.dup()), bounds, admit, services, log, tls=tls, on_unprotected=on_unprotected)
        threading.Thread(target=worker.run, daemon=True).start()

    acceptor = Acceptor([Port(listening, protected=tls is not None)], bounds, hire, lambda *_: None, log)
    port = listening.getsockname()[1]
    thread = threading.Thread(target=acceptor.serve_forever, daemon=True)
    thread.start()
    try:
        yield Listener(port, acceptor, received, refused)
    finally:
        acceptor.stop()
        thread.join(10)


class RawPeer:
    """A scripted peer: sends what it is told and reads PDUs."""

    def __init__(self, port: int, bind_address: str = HOST) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=10, source_address=(bind_address, 0))

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def read_pdu(self) -> tuple[int, bytes] | None:
        """Read one PDU; None at the end of the connection."""
        header = self._read(6)
        if header is None:
            return None
        pdu_type, length = struct.unpack(">BxL", header)
        return pdu_type, self._read(length) or b""

    def associate(self, *contexts: Any, calling_ae_title: str = "RAWPEER") -> None:
        """Open an association; by default for CT in implicit VR as context 1."""
        self.send(associate_rq(*contexts, calling_ae_title=calling_ae_title))
        answer = self.read_pdu()
        assert answer is not None
        assert answer[0] == A_ASSOCIATE_AC

    def read_status(self) -> tuple[int, dict[int, bytes]]:
        """Read one DIMSE response and give its status and its elements by element number."""
        answer = self.read_pdu()
        assert answer is not None
        assert answer[0] == P_DATA_TF
        elements = {}
        data = answer[1][6:]
        while data:
            _, number, length = struct.unpack_from("<HHL", data)
            elements[number] = data[8 : 8 + length]
            data = data[8 + length :]
        return int.from_bytes(elements[0x0900], "little"), elements

    def _read(self, count: int) -> bytes | None:
        octets = b""
        while len(octets) < count:
            try:
                part = self.socket.recv(count - len(octets))
            except ConnectionResetError:
                return None
            if not part:
                return None
            octets += part
        return octets


def associate_rq(*contexts: Any, calling_ae_title: str = "RAWPEER", extra: tuple[Any, ...] = ()) -> bytes:
    """Encode an A-ASSOCIATE-RQ with pynetdicom; `extra` are more user information items."""
    proposed = list(contexts) or [build_context(CTImageStorage, ImplicitVRLittleEndian)]
    for index, context in enumerate(proposed):
        context.context_id = 2 * index + 1
    primitive = A_ASSOCIATE()
    primitive.application_context_name = "1.2.840.10008.3.1.1.1"
    primitive.calling_ae_title = calling_ae_title
    primitive.called_ae_title = "RADPOOL"
    primitive.presentation_context_definition_list = proposed
    maximum_length = MaximumLengthNotification()
    maximum_length.maximum_length_received = 16384
    class_uid = ImplementationClassUIDNotification()
    class_uid.implementation_class_uid = "1.2.3.4"
    primitive.user_information = [maximum_length, class_uid, *extra]
    return bytes(A_ASSOCIATE_RQ(primitive).encode())


def element(tag: int, value: bytes) -> bytes:
    """Encode one element in implicit VR little endian."""
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def command(field_value: int, *, message_id: int = 1, sop_instance_uid: str = "", data_set: bool = True) -> bytes:
    """Encode a request's command set for CT."""
    body = element(0x00000002, b"1.2.840.10008.5.1.4.1.1.2\0")
    body += element(0x00000100, struct.pack("<H", field_value))
    body += element(0x00000110, struct.pack("<H", message_id))
    body += element(0x00000800, struct.pack("<H", 0 if data_set else 0x0101))
    if sop_instance_uid:
        body += element(0x00001000, sop_instance_uid.encode() + b"\0" * (len(sop_instance_uid) % 2))
    return element(0x00000000, struct.pack("<L", len(body))) + body


def p_data(control: int, octets: bytes, context_id: int = 1) -> bytes:
    """Encode a P-DATA-TF PDU with one fragment; control 3 ends a command, 0 and 2 are data set."""
    return struct.pack(">BxLLBB", P_DATA_TF, len(octets) + 6, len(octets) + 2, context_id, control) + octets


def ct_object(**attributes: Any) -> Dataset:
    """Give a small synthetic CT object; attributes set to None are left out."""
    data_set = Dataset()
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": "1.2.826.0.1.3680043.8.498.1",
        "StudyDate": "20240105",
        "StudyTime": "103000",
        "AccessionNumber": "0012345",
        "Modality": "CT",
        "StudyDescription": "CT Head",
        "PatientName": "Probe^Anna",
        "PatientID": "P0001",
        "PatientBirthDate": "19500101",
        "PatientSex": "F",
        "PatientAge": "074Y",
        "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.2",
        "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.3",
        **attributes,
    }
    for keyword, value in values.items():
        if value is not None:
            setattr(data_set, keyword, value)
    return data_set


def code(value: str, scheme: str = "NICIP", meaning: str = "") -> Dataset:
    """Give one item of a code sequence."""
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = scheme
    item.CodeMeaning = meaning
    return item


def nested(levels: int, *, undefined: bool = False) -> Dataset:
    """Give a data set with sequences in sequences, `levels` deep."""
    inner = Dataset()
    inner.CodeValue = "X"
    for _ in range(levels):
        outer = Dataset()
        outer.ReferencedStudySequence = Sequence([inner])
        outer["ReferencedStudySequence"].is_undefined_length = undefined
        inner.is_undefined_length_sequence_item = undefined
        inner = outer
    return inner


def encoded(data_set: Dataset, *, implicit: bool = True, little: bool = True) -> bytes:
    """Encode a data set as a sender would."""
    octets = encode(data_set, implicit, little)
    assert octets is not None
    return octets


@contextmanager
def scu(
    port: int, *contexts: Any, ae_title: str = "SENDER", bind_address: str = HOST, **arguments: Any
) -> Iterator[Scu]:
    """Associate with pynetdicom; by default for CT in both common transfer syntaxes and Verification."""
    ae = AE(ae_title=ae_title)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 10
    proposed = list(contexts) or [
        build_context(CTImageStorage, [ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
        build_context(VERIFICATION),
    ]
    handlers = [(evt.EVT_CONN_OPEN, stop_theft), *arguments.pop("evt_handlers", ())]
    association = ae.associate(
        HOST, port, contexts=proposed, bind_address=(bind_address, 0), evt_handlers=handlers, **arguments
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        if association.is_alive():
            association.join(5)


def send(association: Scu, data_set: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> Dataset:
    """Send one object and give the response's command elements."""
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    return association.send_c_store(data_set)
