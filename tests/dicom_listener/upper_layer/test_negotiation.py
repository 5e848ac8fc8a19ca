"""Negotiation takes what is provided and storage of any kind, and nothing deflated."""

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
    SOPClassCommonExtendedNegotiation,
    SOPClassExtendedNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, build_role

from dicom_listener.conformance import PROVIDED, STORAGE_COMMITMENT_PUSH_MODEL
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

Item = (
    AsynchronousOperationsWindowNegotiation
    | SCP_SCU_RoleSelectionNegotiation
    | SOPClassCommonExtendedNegotiation
    | SOPClassExtendedNegotiation
    | UserIdentityNegotiation
)


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
        "1.2.840.10008.3.1.2.3.4",  # performed procedure step, retrieval
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


@pytest.mark.parametrize(("invoked", "answered"), [(0, 128), (1, 1), (16, 16), (5000, 128)])
def test_an_asynchronous_window_is_answered_with_no_more_than_was_asked(invoked: int, answered: int) -> None:
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = invoked
    window.maximum_number_operations_performed = 8
    items = user_information(agree(extra=(window,)))
    (answer,) = [item for item in items if isinstance(item, AsynchronousOperationsWindowNegotiation)]
    assert (answer.maximum_number_operations_invoked, answer.maximum_number_operations_performed) == (answered, 1)


def test_a_peer_that_asks_for_no_window_is_answered_with_none() -> None:
    assert not any(isinstance(item, AsynchronousOperationsWindowNegotiation) for item in user_information(agree()))


@pytest.mark.parametrize("uid", sorted(PROVIDED))
def test_every_service_that_is_provided_is_agreed(uid: str) -> None:
    context = build_context(uid, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
    assert agree(context).contexts == {1: AcceptedContext(1, uid, ExplicitVRLittleEndian)}


@pytest.mark.parametrize("uid", sorted(set(PROVIDED) - {VERIFICATION}))
def test_a_service_without_pixels_is_not_agreed_in_a_compressed_transfer_syntax(uid: str) -> None:
    assert agree(build_context(uid, "1.2.840.10008.1.2.4.50")).contexts == {}


def test_a_peer_that_would_provide_storage_commitment_gets_no_context() -> None:
    role = build_role(STORAGE_COMMITMENT_PUSH_MODEL, scu_role=False, scp_role=True)
    assert agree(build_context(STORAGE_COMMITMENT_PUSH_MODEL), extra=(role,)).contexts == {}


def test_extended_negotiation_and_user_identity_are_let_be() -> None:
    extended = SOPClassExtendedNegotiation()
    extended.sop_class_uid = CTImageStorage
    extended.service_class_application_information = b"\x02\x00\x03\x00\x01\x00"
    shared = SOPClassCommonExtendedNegotiation()
    shared.sop_class_uid = CTImageStorage
    shared.service_class_uid = "1.2.840.10008.4.2"
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = b"somebody", b"secret"
    identity.positive_response_requested = True
    agreement = agree(extra=(extended, shared, identity))
    assert list(agreement.contexts) == [1]
    kinds = {type(item) for item in user_information(agreement)}
    assert kinds.isdisjoint({SOPClassExtendedNegotiation, SOPClassCommonExtendedNegotiation, UserIdentityNegotiation})


@pytest.mark.parametrize("where", ["request", "presentation context", "user information"])
def test_items_that_nobody_knows_are_ignored(where: str) -> None:
    body = associate_rq()[6:]
    unknown = struct.pack(">BxH", 0x7A, 4) + b"new?"
    assert negotiate(decode_request(with_item(body, unknown, where)), 131072).contexts == agree().contexts


def with_item(body: bytes, item: bytes, where: str) -> bytes:
    """Add an item at the end of the request, or of the item of that name."""
    if where == "request":
        return body + item
    kind = {"presentation context": 0x20, "user information": 0x50}[where]
    position = 68
    while body[position] != kind:
        position += 4 + struct.unpack_from(">H", body, position + 2)[0]
    (length,) = struct.unpack_from(">H", body, position + 2)
    end = position + 4 + length
    head = struct.pack(">BxH", kind, length + len(item))
    return body[:position] + head + body[position + 4 : end] + item + body[end:]


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
