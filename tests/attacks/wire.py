"""DICOM as bytes: PDUs, command sets and elements by `struct`, so that a test can make them wrong.

It must not import the product: what is written here is what a peer sends (PS3.8, 9.3; PS3.7, 6.3 and E).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Sequence
from time import monotonic

HOST = "127.0.0.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
C_STORE_RQ, C_ECHO_RQ = 0x0001, 0x0030
RELEASE = struct.pack(">BxLL", RELEASE_RQ, 4, 0)
ABORTED = struct.pack(">BxLL", ABORT, 4, 0)
#: Context ids by what is stored under them, when `associate_rq` is asked for its usual contexts.
CONTEXTS = ((1, VERIFICATION, (IMPLICIT,)), (3, CT, (IMPLICIT,)), (5, CT, (EXPLICIT,)), (7, CT, (BIG_ENDIAN,)))


def pdu(pdu_type: int, body: bytes, claimed: int | None = None) -> bytes:
    """Give a PDU; `claimed` is the length that it states, whatever it has."""
    return struct.pack(">BxL", pdu_type, len(body) if claimed is None else claimed) + body


def associate_rq(
    calling_ae_title: str, contexts: Iterable[tuple[int, str, Sequence[str]]] = CONTEXTS, *, claimed: int | None = None
) -> bytes:
    """Give an A-ASSOCIATE-RQ that takes PDUs of up to 16,384 bytes."""
    body = struct.pack(">H2x16s16s32x", 1, b"RADPOOL".ljust(16), calling_ae_title.encode().ljust(16))
    body += _item(0x10, APPLICATION_CONTEXT.encode())
    for context_id, abstract_syntax, transfer_syntaxes in contexts:
        inside = _item(0x30, abstract_syntax.encode())
        inside += b"".join(_item(0x40, each.encode()) for each in transfer_syntaxes)
        body += _item(0x20, struct.pack(">B3x", context_id) + inside)
    user_information = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.826.0.1.3680043.8.498.9")
    return pdu(ASSOCIATE_RQ, body + _item(0x50, user_information), claimed)


def p_data(context_id: int, control: int, octets: bytes) -> bytes:
    """Give a P-DATA-TF of one fragment; control 3 ends a command set, 0 and 2 are of the data set."""
    return pdu(P_DATA, struct.pack(">LBB", len(octets) + 2, context_id, control) + octets)


def command_set(field: int, *, sop_class: str, sop_instance: str = "", message_id: int = 1) -> bytes:
    """Give a request's command set; with a SOP instance it has a data set."""
    body = element(0x00000002, uid(sop_class))
    body += element(0x00000100, struct.pack("<H", field)) + element(0x00000110, struct.pack("<H", message_id))
    if sop_instance:
        body += element(0x00000700, struct.pack("<H", 0))
    body += element(0x00000800, struct.pack("<H", 0 if sop_instance else 0x0101))
    if sop_instance:
        body += element(0x00001000, uid(sop_instance))
    return element(0x00000000, struct.pack("<L", len(body))) + body


def echo_rq(context_id: int = 1) -> bytes:
    """Give a C-ECHO-RQ."""
    return p_data(context_id, 3, command_set(C_ECHO_RQ, sop_class=VERIFICATION))


def store_rq(context_id: int, sop_instance: str, data_set: bytes, *, sop_class: str = CT) -> bytes:
    """Give a C-STORE-RQ with its data set in PDUs of at most 16,384 bytes."""
    parts = [data_set[start : start + 16000] for start in range(0, len(data_set), 16000)] or [b""]
    sent = p_data(context_id, 3, command_set(C_STORE_RQ, sop_class=sop_class, sop_instance=sop_instance))
    sent += b"".join(p_data(context_id, 0, part) for part in parts[:-1])
    return sent + p_data(context_id, 2, parts[-1])


def element(tag: int, value: bytes, *, vr: str = "", big_endian: bool = False, length: int | None = None) -> bytes:
    """Give one element; without a VR it is implicit. `length` is what it states, whatever it has (PS3.5, 7.1)."""
    order = ">" if big_endian else "<"
    stated = len(value) if length is None else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if not vr:
        return head + struct.pack(f"{order}L", stated) + value
    if vr in {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}:
        return head + vr.encode("latin_1") + struct.pack(f"{order}2xL", stated) + value
    return head + vr.encode("latin_1") + struct.pack(f"{order}H", stated & 0xFFFF) + value


def uid(value: str) -> bytes:
    """Give a UID padded to even length."""
    return value.encode() + b"\0" * (len(value) % 2)


class Peer:
    """One transport connection: sends what it is told, reads PDUs."""

    def __init__(self, port: int, address: str = HOST, seconds: float = 10.0) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=seconds, source_address=(address, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def associate(self, calling_ae_title: str, contexts: Iterable[tuple[int, str, Sequence[str]]] = CONTEXTS) -> bytes:
        """Associate and give the body of the A-ASSOCIATE-AC."""
        self.send(associate_rq(calling_ae_title, contexts))
        answer = self.read()
        assert answer is not None, "closed instead of an A-ASSOCIATE-AC"
        assert answer[0] == ASSOCIATE_AC, answer
        return answer[1]

    def echo(self) -> int:
        self.send(echo_rq())
        return self.status()

    def store(self, context_id: int, sop_instance: str, data_set: bytes) -> int:
        self.send(store_rq(context_id, sop_instance, data_set))
        return self.status()

    def status(self) -> int:
        """Read a response and give its status (0000,0900)."""
        answer = self.read()
        assert answer is not None, "closed instead of a response"
        assert answer[0] == P_DATA, answer
        at = answer[1].index(b"\0\0\0\x09\x02\0\0\0")
        return int.from_bytes(answer[1][at + 8 : at + 10], "little")

    def release(self) -> None:
        self.send(RELEASE)
        assert self.read() == (RELEASE_RP, bytes(4))

    def read(self) -> tuple[int, bytes] | None:
        """Read one PDU; None at the end of the connection."""
        head = self._exactly(6)
        if head is None:
            return None
        pdu_type, length = struct.unpack(">BxL", head)
        return pdu_type, self._exactly(length) or b""

    def closed_within(self, seconds: float) -> bool:
        """Whether the connection comes to its end in time, reading whatever is still said."""
        until = monotonic() + seconds
        try:
            while (left := until - monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.socket.recv(65536):
                    return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return False

    def _exactly(self, count: int) -> bytes | None:
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


def _item(item_type: int, value: bytes) -> bytes:
    return struct.pack(">BxH", item_type, len(value)) + value
