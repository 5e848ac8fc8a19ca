"""Negotiation takes verification and storage of any kind, and nothing deflated."""

from __future__ import annotations

import struct
import time

import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.pdu import A_ASSOCIATE_AC
from pynetdicom.pdu_primitives import (
    AsynchronousOperationsWindowNegotiation,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, build_role

from dicom_listener.upper_layer.negotiation import (
    AcceptedContext,
    Agreement,
    InvalidRequest,
    decode_request,
    negotiate,
    takes_abstract_syntax,
    takes_transfer_syntax,
)
from tests.dicom_listener.dicom_peers import VERIFICATION, associate_rq

Item = AsynchronousOperationsWindowNegotiation | SCP_SCU_RoleSelectionNegotiation


def agree(*contexts: PresentationContext, extra: tuple[Item, ...] = ()) -> Agreement:
    return negotiate(decode_request(associate_rq(*contexts, extra=extra)[6:]), 131072)


def user_information(agreement: Agreement) -> list[object]:
    pdu = A_ASSOCIATE_AC()
    pdu.decode(agreement.accept_pdu)
    return list(pdu.to_primitive().user_information)


@pytest.mark.parametrize("context", AllStoragePresentationContexts, ids=lambda each: str(each.abstract_syntax))
def test_every_storage_class_is_taken(context: PresentationContext) -> None:
    assert takes_abstract_syntax(str(context.abstract_syntax))


@pytest.mark.parametrize(
    "uid",
    [
        VERIFICATION,
        "1.2.840.10008.5.1.4.1.1.12.3",  # retired
        "1.2.840.10008.5.1.4.1.1.999.1",  # not yet published
        "1.3.12.2.1107.5.9.1",  # private
    ],
)
def test_verification_and_retired_new_and_private_storage_are_taken(uid: str) -> None:
    assert takes_abstract_syntax(uid)


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.5.1.4.1.2.2.1",  # query
        "1.2.840.10008.5.1.4.1.2.2.2",  # retrieve
        "1.2.840.10008.5.1.4.31",  # modality worklist
        "1.2.840.10008.3.1.2.3.3",  # performed procedure step
        "1.2.840.10008.1.20.1",  # storage commitment
        "1.2.840.10008.5.1.4.34.6.1",  # unified procedure step
    ],
)
def test_other_services_are_not(uid: str) -> None:
    assert not takes_abstract_syntax(uid)


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.1.2",
        "1.2.840.10008.1.2.1",
        "1.2.840.10008.1.2.2",
        "1.2.840.10008.1.2.4.50",
        "1.2.840.10008.1.2.4.203",
        "1.2.840.10008.1.2.5",
    ],
)
def test_uncompressed_and_compressed_transfer_syntaxes_are_taken(uid: str) -> None:
    assert takes_transfer_syntax(uid)


@pytest.mark.parametrize(
    "uid",
    [
        "1.2.840.10008.1.2.1.99",
        "1.2.840.10008.1.2.4.95",
        "1.2.840.10008.1.2.4.205",
        "1.2.840.10008.1.2.8.1",
        "1.2.840.113619.5.2",
    ],
)
def test_deflated_and_unknown_transfer_syntaxes_are_not(uid: str) -> None:
    assert not takes_transfer_syntax(uid)


def test_the_senders_first_transfer_syntax_that_can_be_read_is_agreed() -> None:
    context = build_context(CTImageStorage, ["1.2.840.10008.1.2.1.99", ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    assert agree(context).contexts == {1: AcceptedContext(1, CTImageStorage, ExplicitVRLittleEndian)}


def test_a_context_with_only_deflated_data_is_refused_and_the_next_agreed() -> None:
    deflated = build_context(CTImageStorage, "1.2.840.10008.1.2.1.99")
    plain = build_context(CTImageStorage, ImplicitVRLittleEndian)
    assert list(agree(deflated, plain).contexts) == [3]


def test_a_hundred_and_twenty_eight_contexts_are_agreed() -> None:
    contexts = [build_context(f"1.2.840.10008.5.1.4.1.1.{number}") for number in range(128)]
    assert len(agree(*contexts).contexts) == 128


def test_an_asynchronous_window_is_answered_with_one_each() -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 0
    window.maximum_number_operations_performed = 8
    items = user_information(agree(extra=(window,)))
    (answer,) = [item for item in items if isinstance(item, AsynchronousOperationsWindowNegotiation)]
    assert (answer.maximum_number_operations_invoked, answer.maximum_number_operations_performed) == (1, 1)


def test_a_sender_that_offers_both_roles_stays_the_sender() -> None:
    role = build_role(CTImageStorage, scu_role=True, scp_role=True)
    agreement = agree(extra=(role,))
    items = user_information(agreement)
    (answer,) = [item for item in items if isinstance(item, SCP_SCU_RoleSelectionNegotiation)]
    assert (answer.scu_role, answer.scp_role) == (True, False)
    assert list(agreement.contexts) == [1]


def test_a_peer_that_would_only_receive_gets_no_context() -> None:
    role = build_role(CTImageStorage, scu_role=False, scp_role=True)
    assert agree(extra=(role,)).contexts == {}


def test_our_longest_pdu_is_announced() -> None:
    items = user_information(agree())
    (answer,) = [item for item in items if isinstance(item, MaximumLengthNotification)]
    assert answer.maximum_length_received == 131072


def test_a_repeated_context_id_is_invalid() -> None:
    request = associate_rq(build_context(CTImageStorage), build_context(VERIFICATION))
    body = request[6:].replace(b"\x03\0\0\0\x30", b"\x01\0\0\0\x30")
    with pytest.raises(InvalidRequest):
        decode_request(body)


@pytest.mark.parametrize("kind", [0x10, 0x20, 0x50])
def test_a_mebibyte_of_empty_items_is_refused_at_once(kind: int) -> None:
    fixed = associate_rq()[6:74]
    items = struct.pack(">BxH", kind, 0) * (262_144 - 17)
    before = time.process_time()
    with pytest.raises(InvalidRequest):
        decode_request(fixed + items)
    assert time.process_time() - before < 1


def test_thousands_of_transfer_syntaxes_in_one_context_are_refused() -> None:
    inner = b"\1\0\0\0" + struct.pack(">BxH", 0x40, 5) + b"1.2.3"
    inner += (struct.pack(">BxH", 0x40, 5) + b"1.2.4") * 5000
    with pytest.raises(InvalidRequest):
        decode_request(associate_rq()[6:74] + struct.pack(">BxH", 0x20, len(inner)) + inner)
