"""Who asks us to keep images is told that none of them is here."""

from __future__ import annotations

import struct
from queue import Queue
from threading import Event

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt, pdu
from pynetdicom.presentation import build_context, build_role

from dicom_listener.conformance import STORAGE_COMMITMENT_INSTANCE, STORAGE_COMMITMENT_PUSH_MODEL, Status
from dicom_listener.services.storage_commitment import Commitment
from tests.dicom_listener.dicom_peers import A_ABORT, A_RELEASE_RP, P_DATA_TF, RELEASE_RQ, encoded, p_data, scu
from tests.dicom_listener.services.requests import COMMIT, CT, SERIES, Asked, commitment, keeping, padded

PUSH = STORAGE_COMMITMENT_PUSH_MODEL
TRANSACTION = "1.2.826.0.1.3680043.8.498.9"
UNCOMPRESSED = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"]


@pytest.mark.parametrize("uid", UNCOMPRESSED)
@pytest.mark.parametrize("max_pdu", [4096, 0])
def test_a_request_is_taken_and_every_object_reported_as_failed(uid: str, max_pdu: int) -> None:
    reports: Queue[tuple[int | None, Dataset]] = Queue()
    answered = Event()

    def reported(event: evt.Event) -> tuple[int, None]:
        reports.put((event.event_type, event.event_information))
        return 0x0000, None

    def sent(event: evt.Event) -> None:
        if isinstance(event.pdu, pdu.P_DATA_TF) and not reports.empty():
            answered.set()  # a client that releases before its answer has gone breaks its own state machine

    with (
        keeping() as kept,
        scu(
            kept.listener.port,
            build_context(PUSH, uid),
            ext_neg=[build_role(PUSH, scu_role=True)],
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, reported), (evt.EVT_PDU_SENT, sent)],
            max_pdu=max_pdu,
        ) as asking,
    ):
        status, _ = asking.send_n_action(commitment(200), 1, PUSH, STORAGE_COMMITMENT_INSTANCE)
        assert answered.wait(30)
        event_type, information = reports.get(timeout=10)
        assert asking.is_established
    assert status.Status == 0
    assert (event_type, information.TransactionUID) == (2, TRANSACTION)
    assert "ReferencedSOPSequence" not in information
    assert [
        (each.ReferencedSOPClassUID, each.ReferencedSOPInstanceUID, each.FailureReason)
        for each in information.FailedSOPSequence
    ] == [(CT, f"{SERIES}.{number}", 0x0112) for number in range(200)]


def test_where_the_report_has_an_association_of_its_own_none_follows_on_this_one() -> None:
    with keeping(delivers=True) as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        assert COMMIT.ask(peer, encoded(commitment(1))) == 0
        peer.send(RELEASE_RQ)
        assert peer.read_pdu() == (A_RELEASE_RP, b"\0" * 4)
    assert kept.commitments == [Commitment("RAWPEER", TRANSACTION, ((CT, f"{SERIES}.0"),))]


@pytest.mark.parametrize(
    ("asked", "instance", "status"),
    [
        (COMMIT, "1.2.3", Status.NO_SUCH_SOP_INSTANCE),
        (COMMIT, "", Status.NO_SUCH_SOP_INSTANCE),
    ],
)
def test_another_instance_is_unknown(asked: Asked, instance: str, status: Status) -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(asked.context())
        assert asked.ask(peer, encoded(commitment()), instance=instance) == status
    assert kept.commitments == []


def test_another_action_is_unknown() -> None:
    with keeping() as kept, scu(kept.listener.port, build_context(PUSH)) as asking:
        status, _ = asking.send_n_action(commitment(), 2, PUSH, STORAGE_COMMITMENT_INSTANCE)
    assert status.Status == Status.NO_SUCH_ACTION


def test_a_request_without_objects_is_refused() -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        assert COMMIT.ask(peer, encoded(commitment(0))) == Status.MISSING_ATTRIBUTE


def test_one_report_at_a_time_waits_for_its_answer() -> None:
    request = p_data(2, encoded(commitment(1)))
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        peer.send(p_data(3, COMMIT.command()) + request + p_data(3, COMMIT.command(message_id=2)) + request)
        sent = [peer.read_pdu() for _ in range(4)]
        assert [_command_field(pdu) for pdu in sent] == [0x8130, 0x0100, None, 0x8130]
        peer.send(p_data(3, _answer(1)))
        assert [_command_field(peer.read_pdu()) for _ in range(2)] == [0x0100, None]
        peer.send(p_data(3, _answer(2)) + RELEASE_RQ)
        assert peer.read_pdu() == (A_RELEASE_RP, b"\0" * 4)


def test_a_peer_that_goes_on_asking_and_never_answers_is_given_up() -> None:
    request = p_data(3, COMMIT.command()) + p_data(2, encoded(commitment(1)))
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        peer.send(request * 6)
        kinds = []
        while (pdu := peer.read_pdu()) is not None:
            kinds.append(pdu[0])
    assert kinds == [P_DATA_TF] * 8 + [A_ABORT]


def test_an_answer_to_another_message_ends_the_association() -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        assert COMMIT.ask(peer, encoded(commitment(1))) == 0
        assert [_command_field(peer.read_pdu()) for _ in range(2)] == [0x0100, None]
        peer.send(p_data(3, _answer(99)))
        assert peer.read_pdu() == (A_ABORT, bytes((0, 0, 2, 6)))


def test_a_report_that_was_not_answered_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with keeping() as kept, kept.listener.raw() as peer:
        peer.associate(COMMIT.context())
        assert COMMIT.ask(peer, encoded(commitment(1))) == 0
        peer.send(RELEASE_RQ)
        while peer.read_pdu() is not None:
            pass
        kept.listener.wait_until_empty(2)
    assert "event report not answered" in caplog.text


def _command_field(pdu: tuple[int, bytes] | None) -> int | None:
    """Give the command field of a P-DATA-TF PDU with a command, None of one with a data set."""
    assert pdu is not None
    assert pdu[0] == P_DATA_TF
    if not pdu[1][5] & 1:
        return None
    at = pdu[1].index(struct.pack("<HHL", 0, 0x0100, 2))
    return int.from_bytes(pdu[1][at + 8 : at + 10], "little")


def _answer(message_id: int) -> bytes:
    def element(number: int, value: bytes) -> bytes:
        return struct.pack("<HHL", 0, number, len(value)) + value

    body = element(0x0002, padded(PUSH)) + element(0x0100, b"\x00\x81") + element(0x0120, struct.pack("<H", message_id))
    body += element(0x0800, b"\x01\x01") + element(0x0900, b"\0\0") + element(0x1000, padded("1.2.840.10008.1.20.1.1"))
    return element(0x0000, struct.pack("<L", len(body))) + body
