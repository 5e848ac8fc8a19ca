"""An association answers each fault of a peer as the standard says, and ends in time."""

from __future__ import annotations

import random
import struct
import time

import pytest
from pydicom.uid import CTImageStorage
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation
from pynetdicom.presentation import build_context

from dicom_listener.admission import Rejection, RejectionReason, Source
from tests.dicom_listener.dicom_peers import (
    A_ABORT,
    A_ASSOCIATE_RJ,
    A_RELEASE_RP,
    RELEASE_RQ,
    VERIFICATION,
    associate_rq,
    command,
    ct_object,
    element,
    encoded,
    p_data,
    running_listener,
    scu,
)
from worklist.feeds.peer import Peer

C_STORE, C_FIND, C_ECHO, C_CANCEL, C_ECHO_RSP = 0x0001, 0x0020, 0x0030, 0x0FFF, 0x8030
AS_USER = bytes((0, 0, 0, 0))
UNRECOGNIZED = bytes((0, 0, 2, 1))
UNEXPECTED = bytes((0, 0, 2, 2))
INVALID_PARAMETER = bytes((0, 0, 2, 6))
INSTANCE = "1.2.826.0.1.3680043.8.498.1"


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        p_data(3, command(C_STORE)),
        RELEASE_RQ,
        struct.pack(">BxL", 0x01, 12) + b"\0" * 12,
        struct.pack(">BxL", 0x01, 0x80000000),
        struct.pack(">BxL", 0x01, 1024 * 1024 + 1),
    ],
    ids=["http", "tls", "p-data", "release", "short request", "2 GiB request", "request over the limit"],
)
def test_anything_but_a_proper_request_first_is_aborted(first: bytes) -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.send(first)
        assert peer.read_pdu() == (A_ABORT, AS_USER)
        assert peer.read_pdu() is None


def test_a_request_that_cannot_be_decoded_is_aborted() -> None:
    request = associate_rq()
    with running_listener() as listener, listener.raw() as peer:
        peer.send(request[:100] + b"\xff" * (len(request) - 100))
        assert peer.read_pdu() == (A_ABORT, INVALID_PARAMETER)


def test_an_unknown_calling_ae_title_is_rejected_as_such() -> None:
    def admit(calling: str, called: str, peer: Peer) -> Source | Rejection:
        assert (calling, called, peer) == ("STRANGER", "RADPOOL", Peer("127.0.0.1"))
        return Rejection(RejectionReason.CALLING_AE_TITLE_NOT_RECOGNIZED)

    with running_listener(admit=admit) as listener, listener.raw() as peer:
        peer.send(associate_rq(calling_ae_title="STRANGER"))
        assert peer.read_pdu() == (A_ASSOCIATE_RJ, bytes((0, 1, 1, 3)))


def test_another_called_ae_title_is_rejected_as_such() -> None:
    def admit(calling: str, called: str, peer: Peer) -> Source | Rejection:
        return Rejection(RejectionReason.CALLED_AE_TITLE_NOT_RECOGNIZED)

    with running_listener(admit=admit) as listener, listener.raw() as peer:
        peer.send(associate_rq())
        assert peer.read_pdu() == (A_ASSOCIATE_RJ, bytes((0, 1, 1, 7)))


def test_an_unknown_application_context_is_rejected_as_such() -> None:
    request = associate_rq().replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2")
    with running_listener() as listener, listener.raw() as peer:
        peer.send(request)
        assert peer.read_pdu() == (A_ASSOCIATE_RJ, bytes((0, 1, 1, 2)))


def test_an_unknown_protocol_version_is_rejected_as_such() -> None:
    request = bytearray(associate_rq())
    request[6:8] = b"\0\2"
    with running_listener() as listener, listener.raw() as peer:
        peer.send(bytes(request))
        assert peer.read_pdu() == (A_ASSOCIATE_RJ, bytes((0, 1, 2, 2)))


def test_an_admission_that_fails_is_a_transient_rejection() -> None:
    def admit(calling: str, called: str, peer: Peer) -> Source:
        raise ConnectionError

    with running_listener(admit=admit) as listener, listener.raw() as peer:
        peer.send(associate_rq())
        assert peer.read_pdu() == (A_ASSOCIATE_RJ, bytes((0, 2, 3, 1)))


@pytest.mark.parametrize(
    ("octets", "abort"),
    [
        (struct.pack(">BxL", 0x04, 0x80000000), INVALID_PARAMETER),
        (struct.pack(">BxL", 0x04, 131073), INVALID_PARAMETER),
        (struct.pack(">BxL", 0x05, 0x7FFFFFFF), INVALID_PARAMETER),
        (struct.pack(">BxL", 0x99, 4), UNRECOGNIZED),
        (associate_rq()[:6], INVALID_PARAMETER),
        (struct.pack(">BxLL", 0x06, 4, 0), UNEXPECTED),
        (struct.pack(">BxLLBB", 0x04, 6, 0x7FFFFFFF, 1, 3), INVALID_PARAMETER),
        (struct.pack(">BxLLBB", 0x04, 6, 1, 1, 3), INVALID_PARAMETER),
        (struct.pack(">BxL", 0x04, 3) + b"abc", INVALID_PARAMETER),
        (p_data(3, command(C_STORE), context_id=9), INVALID_PARAMETER),
        (p_data(3, b"\xff" * 40), INVALID_PARAMETER),
        (p_data(2, b"data before a command"), INVALID_PARAMETER),
        (p_data(3, command(C_STORE)) + p_data(3, command(C_STORE)), INVALID_PARAMETER),
        (p_data(3, command(C_ECHO_RSP, data_set=False)), INVALID_PARAMETER),
        (p_data(1, b"\0" * 60_000) * 2, INVALID_PARAMETER),
    ],
    ids=[
        "PDU of 2 GiB",
        "PDU over the announced length",
        "release of 2 GiB",
        "unknown PDU type",
        "second request",
        "release response",
        "PDV of 2 GiB",
        "PDV without a fragment",
        "PDU without a PDV",
        "context not agreed",
        "junk for a command",
        "data set without a command",
        "command for a data set",
        "response",
        "endless command",
    ],
)
def test_a_breach_of_the_protocol_is_aborted_by_the_provider(octets: bytes, abort: bytes) -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(octets)
        assert peer.read_pdu() == (A_ABORT, abort)
        assert peer.read_pdu() is None


def test_a_release_is_answered() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(RELEASE_RQ)
        assert peer.read_pdu() == (A_RELEASE_RP, b"\0" * 4)


def test_an_abort_ends_the_association_without_an_answer() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(struct.pack(">BxLL", A_ABORT, 4, 0))
        assert peer.read_pdu() is None
        listener.wait_until_empty(1)


def test_an_operation_that_is_not_offered_is_answered_as_unrecognized() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(p_data(3, command(C_FIND, message_id=7)) + p_data(2, element(0x00080052, b"STUDY ")))
        status, elements = peer.read_status()
        assert status == 0x0211
        assert elements[0x0100] == struct.pack("<H", C_FIND | 0x8000)
        assert elements[0x0120] == struct.pack("<H", 7)


def test_a_cancel_has_no_answer_and_the_association_goes_on() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate(build_context(VERIFICATION))
        peer.send(p_data(3, command(C_CANCEL, data_set=False)))
        peer.send(p_data(3, command(C_ECHO, message_id=2, data_set=False)))
        status, elements = peer.read_status()
        assert (status, elements[0x0120]) == (0, struct.pack("<H", 2))


@pytest.mark.parametrize(("abstract_syntax", "field"), [(VERIFICATION, C_STORE), (CTImageStorage, C_ECHO)])
def test_a_command_in_the_context_of_another_service_is_not_supported(abstract_syntax: str, field: int) -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate(build_context(abstract_syntax))
        peer.send(p_data(3, command(field, data_set=False)))
        assert peer.read_status()[0] == 0x0122


def test_sixteen_objects_sent_before_an_answer_is_read_are_answered_in_order() -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 16
    window.maximum_number_operations_performed = 1
    with running_listener() as listener, listener.raw() as peer:
        peer.send(associate_rq(extra=(window,)))
        accepted = peer.read_pdu()
        assert accepted is not None
        assert struct.pack(">BxHHH", 0x53, 4, 16, 1) in accepted[1]
        for number in range(16):
            uid = f"{INSTANCE}.{number}"
            peer.send(p_data(3, command(C_STORE, message_id=number, sop_instance_uid=uid)))
            peer.send(p_data(2, encoded(ct_object(SOPInstanceUID=uid))))
        answers = [peer.read_status() for _ in range(16)]
    assert [status for status, _ in answers] == [0] * 16
    assert [int.from_bytes(elements[0x0120], "little") for _, elements in answers] == list(range(16))


def test_a_message_in_fragments_of_a_few_bytes_is_put_together() -> None:
    data = encoded(ct_object())
    request = command(C_STORE, sop_instance_uid=INSTANCE)
    parts = [p_data(1, request[at : at + 7]) for at in range(0, len(request), 7)] + [p_data(3, b"")]
    parts += [p_data(0, data[at : at + 5]) for at in range(0, len(data), 5)] + [p_data(2, b"")]
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(b"".join(parts))
        assert peer.read_status()[0] == 0
        assert [each.accession_number for each in listener.received] == ["0012345"]


def test_several_fragments_in_one_pdu_are_put_together() -> None:
    request, data = command(C_STORE, sop_instance_uid=INSTANCE), encoded(ct_object())
    values = b"".join(
        struct.pack(">LBB", len(octets) + 2, 1, control) + octets
        for control, octets in ((1, request[:9]), (3, request[9:]), (0, data[:99]), (2, data[99:]))
    )
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(struct.pack(">BxL", 0x04, len(values)) + values)
        assert peer.read_status()[0] == 0


def test_attributes_behind_a_large_private_value_are_still_read() -> None:
    data_set = ct_object(RequestedProcedurePriority="STAT")
    data = encoded(data_set[:0x0029]) + element(0x00291010, b"\0" * 500_000) + encoded(data_set[0x0030:])
    data += element(0x7FE00010, b"\0" * 500_000)
    request = p_data(3, command(C_STORE, sop_instance_uid=INSTANCE))
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(request + b"".join(p_data(0, data[at : at + 100_000]) for at in range(0, len(data), 100_000)))
        peer.send(p_data(2, b""))
        assert peer.read_status()[0] == 0
        assert listener.received[0].requested_procedure_priority == "STAT"
        assert listener.received[0].header_faults == ()


def test_a_silent_connection_is_closed_at_the_deadline() -> None:
    with running_listener(association_seconds=0.2) as listener, listener.raw() as peer:
        before = time.monotonic()
        assert peer.read_pdu() is None
        assert time.monotonic() - before < 1


def test_one_byte_at_a_time_does_not_hold_a_place_beyond_the_handshake_deadline() -> None:
    request = associate_rq()
    with running_listener(association_seconds=0.5) as listener, listener.raw() as peer:
        assert seconds_until_cut(peer.socket.send, request) < 1.5


def test_one_byte_at_a_time_does_not_hold_a_place_beyond_the_pdu_deadline() -> None:
    with running_listener(pdu_seconds=0.5) as listener, listener.raw() as peer:
        peer.associate()
        assert seconds_until_cut(peer.socket.send, p_data(3, command(C_STORE) * 10)) < 1.5


def test_empty_fragments_do_not_hold_a_place_beyond_the_message_deadline() -> None:
    with running_listener(message_seconds=0.5) as listener, listener.raw() as peer:
        peer.associate()
        assert seconds_until_cut(peer.socket.send, p_data(1, b"") * 60, step=12) < 1.5


def test_an_idle_association_is_aborted_at_its_deadline() -> None:
    with running_listener(idle_seconds=0.2) as listener, listener.raw() as peer:
        peer.associate()
        assert peer.read_pdu() == (A_ABORT, AS_USER)


def test_a_peer_that_never_reads_is_given_up() -> None:
    echo = p_data(3, command(C_ECHO, data_set=False))
    with running_listener(pdu_seconds=0.3) as listener, listener.raw() as peer:
        peer.associate(build_context(VERIFICATION))
        peer.socket.settimeout(0.2)
        with pytest.raises(OSError, match=r"timed out|reset|Broken pipe"):
            peer.send(echo * 1_000_000)
        listener.wait_until_empty(60)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_peer_may_associate_with_uids_that_are_not_quite_right() -> None:
    request = associate_rq(build_context("1.2.840.10008.5.1.4.1.1.2"))
    with running_listener() as listener, listener.raw() as peer:
        peer.send(request.replace(b"1.2.3.4", b"1.2.003"))
        answer = peer.read_pdu()
        assert answer is not None
        assert answer[0] == 0x02


def test_random_octets_leave_the_listener_well(caplog: pytest.LogCaptureFixture) -> None:
    choose = random.Random(20240105)
    with running_listener(pdu_seconds=0.2, closing_seconds=0.05, association_seconds=1) as listener:
        for _ in range(150):
            octets = bytearray(associate_rq() + p_data(3, command(C_STORE)) + p_data(2, encoded(ct_object())))
            for _ in range(choose.randrange(1, 8)):
                octets[choose.randrange(len(octets))] = choose.randrange(256)
            with listener.raw() as peer:
                peer.send(bytes(octets[: choose.randrange(len(octets))]))
        with scu(listener.port) as association:
            assert association.send_c_echo().Status == 0
        listener.wait_until_empty(3)
    assert "failed" not in caplog.text


def seconds_until_cut(send: object, octets: bytes, step: int = 1) -> float:
    """Send a piece every 50 ms until the connection is cut, and give the time it took."""
    assert callable(send)
    before = time.monotonic()
    for at in range(0, len(octets), step):
        try:
            send(octets[at : at + step])
        except OSError:
            return time.monotonic() - before
        if time.monotonic() - before > 5:
            break
        time.sleep(0.05)
    return 99.0
