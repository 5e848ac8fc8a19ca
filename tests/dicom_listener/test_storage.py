"""C-STORE is answered with what came of the object, and no header value in any answer or log."""

from __future__ import annotations

import logging

import pytest
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.presentation import build_context

from dicom_listener.services.storage import StoreAnswer
from tests.dicom_listener.dicom_peers import (
    VERIFICATION,
    command,
    ct_object,
    element,
    encoded,
    nested,
    p_data,
    running_listener,
    scu,
    send,
)

INSTANCE = "1.2.826.0.1.3680043.8.498.1"


def test_an_echo_is_answered() -> None:
    with running_listener() as listener, scu(listener.port) as association:
        assert association.send_c_echo().Status == 0


def test_an_object_reaches_the_receiver_with_its_sender() -> None:
    with running_listener() as listener, scu(listener.port, ae_title="CT_ROOM_1") as association:
        assert send(association, ct_object()).Status == 0
    (received,) = listener.received
    assert received.calling_ae_title == "CT_ROOM_1"
    assert received.sop_instance_uid == INSTANCE


@pytest.mark.parametrize("uid", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_objects_of_each_transfer_syntax_are_taken(uid: str) -> None:
    with running_listener() as listener, scu(listener.port, build_context(CTImageStorage, uid)) as association:
        assert send(association, ct_object(), uid).Status == 0
    assert listener.received[0].accession_number == "0012345"


def test_deflated_data_are_refused_at_negotiation() -> None:
    contexts = [build_context(CTImageStorage, DeflatedExplicitVRLittleEndian), build_context(VERIFICATION)]
    with running_listener() as listener, scu(listener.port, *contexts) as association:
        assert [str(each.abstract_syntax) for each in association.accepted_contexts] == [VERIFICATION]


def test_a_sender_may_propose_every_context_there_can_be() -> None:
    contexts = [build_context(f"1.2.840.10008.5.1.4.1.1.{number}") for number in range(3, 130)]
    with running_listener() as listener, scu(listener.port, build_context(CTImageStorage), *contexts) as association:
        assert len(association.accepted_contexts) == 128
        assert send(association, ct_object(), ImplicitVRLittleEndian).Status == 0


def test_many_objects_are_taken_in_one_association() -> None:
    with running_listener() as listener, scu(listener.port) as association:
        statuses = {send(association, ct_object(SOPInstanceUID=f"1.2.{n}")).Status for n in range(50)}
    assert statuses == {0}
    assert len({each.sop_instance_uid for each in listener.received}) == 50


def test_the_receivers_own_status_is_the_answer() -> None:
    answer = StoreAnswer(0xA701, "queue full")
    with running_listener(answer=lambda _: answer) as listener, scu(listener.port) as association:
        response = send(association, ct_object())
    assert (response.Status, response.ErrorComment) == (0xA701, "queue full")


def test_a_receiver_that_fails_asks_for_another_try_and_tells_no_value(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> StoreAnswer:
        msg = "INSERT ... VALUES ('Probe', 'Anna')"
        raise RuntimeError(msg)

    caplog.set_level(logging.DEBUG, "dicom_listener")
    with running_listener(answer=fail) as listener, scu(listener.port) as association:
        response = send(association, ct_object())
    assert (response.Status, response.ErrorComment) == (0xA700, "not kept, try again")
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("dicom_listener")]
    assert any("RuntimeError" in each for each in ours)
    assert not any("Probe" in each for each in ours)


def test_an_unreadable_header_is_refused_by_keyword_and_listed() -> None:
    with running_listener() as listener, scu(listener.port) as association:
        response = send(association, ct_object(StudyInstanceUID=None))
    assert response.Status == 0xC000
    assert response.ErrorComment == "StudyInstanceUID is missing"
    assert response.OffendingElement == 0x0020000D
    assert listener.refused == [("SENDER", "StudyInstanceUID", "is missing")]
    assert listener.received == []


def test_two_hundred_nested_sequences_are_refused_and_listed() -> None:
    data_set = ct_object(ReferencedStudySequence=Sequence([nested(200)]))
    request = p_data(3, command(0x0001, sop_instance_uid=INSTANCE))
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(request + p_data(2, encoded(data_set)))
        assert peer.read_status()[0] == 0xC000
        assert [keyword for _, keyword, _ in listener.refused] == ["DataSet"]


def test_another_instance_in_the_command_than_in_the_data_set_is_refused_and_listed() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(p_data(3, command(0x0001, sop_instance_uid="1.2.3")) + p_data(2, encoded(ct_object())))
        status, elements = peer.read_status()
        assert status == 0xA900
        assert b"SOPInstanceUID" in elements[0x0902]
        assert [keyword for _, keyword, _ in listener.refused] == ["SOPInstanceUID"]


def test_a_store_without_a_data_set_is_refused() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(p_data(3, command(0x0001, sop_instance_uid=INSTANCE, data_set=False)))
        assert peer.read_status()[0] == 0xC000


@pytest.mark.parametrize(
    "octets",
    [
        element(0x00080018, b"9" * 300),
        element(0x00080018, b"1.2.3\x00\x07"),
        b"\x08\x00\x18\x00\xf0\xff\xff\xff1.2",
        b"\xff" * 500,
    ],
    ids=["300 characters", "control characters", "length of 4 GiB", "junk"],
)
def test_hostile_values_are_answered_with_a_failure_and_the_association_goes_on(octets: bytes) -> None:
    request = p_data(3, command(0x0001, sop_instance_uid=INSTANCE))
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        peer.send(request + p_data(2, octets))
        assert peer.read_status()[0] == 0xC000
        peer.send(request + p_data(2, encoded(ct_object())))
        assert peer.read_status()[0] == 0


def test_an_object_that_cannot_be_listed_is_to_be_sent_again() -> None:
    def refuse(_calling_ae_title: str, _keyword: str, _reason: str) -> None:
        raise ConnectionError

    with running_listener(refuse=refuse) as listener, scu(listener.port) as association:
        assert send(association, ct_object(StudyInstanceUID=None)).Status == 0xA700
