"""Decodes an A-ASSOCIATE-RQ and negotiates what the listener takes (PS3.8, 7.1 and Annex D; PS3.7, D.3).

It must not decide who may associate. PDUs are decoded and encoded by pynetdicom, after a look at
how many items they claim, because its decoding time grows with the square of some of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from struct import Struct
from typing import Any

from pydicom.uid import UID
from pynetdicom import AllStoragePresentationContexts
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    AsynchronousOperationsWindowNegotiation,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from dicom_listener.conformance import PROVIDED, UNCOMPRESSED, TransferSyntaxes

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"
IMPLEMENTATION_CLASS_UID = "2.25.276316178402113942386414571337012816412"
IMPLEMENTATION_VERSION_NAME = "RADPOOL_0_1"
#: So many responses, of up to 300 bytes, lie in any socket's buffers until a peer that sends on and on reads them.
MAX_OPERATIONS_INVOKED = 128

_DICOM_ROOT = "1.2.840.10008."
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_STORAGE = frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
_ENCAPSULATED_ROOT = "1.2.840.10008.1.2.4."
_RLE_LOSSLESS = "1.2.840.10008.1.2.5"
#: JPIP Referenced Deflate and JPIP HTJ2K Referenced Deflate. Deflated Explicit VR Little Endian
#: (1.2.840.10008.1.2.1.99) is refused by not being among the others.
_DEFLATED = frozenset({"1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

_PDU_HEADER = Struct(">BxL")
_ITEM_HEADER = Struct(">BxH")
_FIXED_BYTES = 68
_APPLICATION_CONTEXT, _PRESENTATION_CONTEXT, _USER_INFORMATION = 0x10, 0x20, 0x50
_MAX_ITEMS = 160
#: How many sub-items an item may have, and which of them are read (PS3.8, Tables 9-14 to 9-16 and D.1; PS3.7, D.3).
_SUB_ITEMS = {
    _PRESENTATION_CONTEXT: (128, frozenset({0x30, 0x40})),
    _USER_INFORMATION: (1024, frozenset({0x51, 0x52, 0x53, 0x54, 0x55})),
}


class InvalidRequest(Exception):
    """An A-ASSOCIATE-RQ that the standard does not allow."""


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """One agreed presentation context."""

    context_id: int
    abstract_syntax_uid: str
    transfer_syntax_uid: str

    @property
    def is_storage(self) -> bool:
        """Whether objects may be stored under it."""
        return self.abstract_syntax_uid not in PROVIDED


@dataclass(frozen=True, slots=True)
class Request:
    """A decoded A-ASSOCIATE-RQ; AE titles without padding."""

    calling_ae_title: str
    called_ae_title: str
    protocol_version: int
    application_context_name: str
    primitive: A_ASSOCIATE


@dataclass(frozen=True, slots=True)
class Agreement:
    """The A-ASSOCIATE-AC to send, the contexts by id, and the longest PDU that the peer takes (0: any)."""

    accept_pdu: bytes
    contexts: dict[int, AcceptedContext]
    peer_max_pdu_bytes: int


def decode_request(body: bytes) -> Request:
    """Decode the variable field of an A-ASSOCIATE-RQ PDU (PS3.8, 9.3.2).

    Raises
    ------
    InvalidRequest
        When it cannot be decoded, repeats a context id or claims too many items.
    """
    body = _understood(body)
    pdu = A_ASSOCIATE_RQ()
    try:
        pdu.decode(_PDU_HEADER.pack(0x01, len(body)) + body)
        primitive = pdu.to_primitive()
        context_ids = [context.context_id for context in primitive.presentation_context_definition_list]
    except Exception:
        # The decoder asserts, indexes and decodes as it goes: whatever it raises, the PDU is bad.
        raise InvalidRequest from None
    if not context_ids or len(set(context_ids)) != len(context_ids):
        raise InvalidRequest
    return Request(
        calling_ae_title=pdu.calling_ae_title.strip(),
        called_ae_title=pdu.called_ae_title.strip(),
        protocol_version=pdu.protocol_version,
        application_context_name=str(pdu.application_context_name or ""),
        primitive=primitive,
    )


def negotiate(request: Request, max_pdu_bytes: int) -> Agreement:
    """Agree on what `conformance` says we provide and on storage of any kind.

    A sender's first acceptable transfer syntax is taken, so that it need not convert. Storage is
    unrestricted (PS3.4, B.4.1): retired, newer and private classes too, in every transfer syntax that is not
    deflated.

    Raises
    ------
    InvalidRequest
        When the request contradicts itself.
    """
    information = request.primitive.user_information
    roles = {
        UID(str(item.sop_class_uid)): (item.scu_role, item.scp_role)
        for item in information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation)
    }
    peer_max_pdu_bytes = next(
        (item.maximum_length_received for item in information if isinstance(item, MaximumLengthNotification)), 0
    )
    if 0 < peer_max_pdu_bytes <= 6:
        raise InvalidRequest
    proposed = request.primitive.presentation_context_definition_list
    try:
        results, role_replies = negotiate_as_acceptor(proposed, _offered_for(proposed), roles)
        accept_pdu = _accept_pdu(request, results, role_replies, max_pdu_bytes)
    except Exception:
        raise InvalidRequest from None
    contexts = {
        int(result.context_id): AcceptedContext(
            int(result.context_id), str(result.abstract_syntax), str(result.transfer_syntax[0])
        )
        for result in results
        if result.result == 0x00 and result.context_id is not None
    }
    return Agreement(accept_pdu, contexts, peer_max_pdu_bytes)


def takes_abstract_syntax(uid: str) -> bool:
    """Tell whether a service of the listener stands behind an abstract syntax."""
    if uid in PROVIDED or uid in _STORAGE or uid.startswith(_STORAGE_ROOT):
        return True
    return not uid.startswith(_DICOM_ROOT)


def takes_transfer_syntax(uid: str, rule: TransferSyntaxes = TransferSyntaxes.NOT_DEFLATED) -> bool:
    """Tell whether data in a transfer syntax can be read, for a service, without inflating anything."""
    if uid in UNCOMPRESSED:
        return True
    if rule is not TransferSyntaxes.NOT_DEFLATED:
        return False
    if uid == _RLE_LOSSLESS:
        return True
    return uid.startswith(_ENCAPSULATED_ROOT) and uid not in _DEFLATED


def _offered_for(proposed: list[PresentationContext]) -> list[PresentationContext]:
    syntaxes: dict[str, dict[UID, None]] = {}
    for context in proposed:
        abstract_syntax = str(context.abstract_syntax)
        if takes_abstract_syntax(abstract_syntax):
            rule = PROVIDED.get(abstract_syntax, TransferSyntaxes.NOT_DEFLATED)
            taken = (each for each in context.transfer_syntax if takes_transfer_syntax(str(each), rule))
            syntaxes.setdefault(abstract_syntax, {}).update(dict.fromkeys(taken))
    offered = []
    for abstract_syntax, transfer_syntaxes in syntaxes.items():
        context = PresentationContext()
        context.abstract_syntax = UID(abstract_syntax)
        context.transfer_syntax = list(transfer_syntaxes)
        context.scu_role = True  # the peer's role, as it may propose it (PS3.7, D.3.3.4)
        context.scp_role = False
        offered.append(context)
    return offered


def _accept_pdu(
    request: Request,
    results: list[PresentationContext],
    role_replies: list[SCP_SCU_RoleSelectionNegotiation],
    max_pdu_bytes: int,
) -> bytes:
    maximum_length = MaximumLengthNotification()
    maximum_length.maximum_length_received = max_pdu_bytes
    class_uid = ImplementationClassUIDNotification()
    class_uid.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version_name = ImplementationVersionNameNotification()
    version_name.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    information: list[Any] = [maximum_length, class_uid, version_name, *role_replies]
    windows = (
        item for item in request.primitive.user_information if isinstance(item, AsynchronousOperationsWindowNegotiation)
    )
    information += [_window(asked) for asked in islice(windows, 1)]
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT_NAME)
    answer.calling_ae_title = request.primitive.calling_ae_title
    answer.called_ae_title = request.primitive.called_ae_title
    answer.result = 0x00
    answer.result_source = 0x01
    answer.presentation_context_definition_results_list = results
    answer.user_information = information
    return bytes(A_ASSOCIATE_AC(answer).encode())


def _window(asked: AsynchronousOperationsWindowNegotiation) -> AsynchronousOperationsWindowNegotiation:
    """Answer a window, where 0 asks for no bound, with no more than was asked (PS3.7, D.3.3.3).

    Requests are read one after another and answered in order, so what a peer has under way costs us only the
    responses that it has not read. Of ours one at a time is under way.
    """
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = min(
        asked.maximum_number_operations_invoked or MAX_OPERATIONS_INVOKED, MAX_OPERATIONS_INVOKED
    )
    window.maximum_number_operations_performed = 1
    return window


def _understood(body: bytes) -> bytes:
    """Give the variable field without the items that nothing here reads, counted before anything is built from them.

    Unknown items are ignored (PS3.8, 9.3.1), and so is extended negotiation, which an acceptor need not answer
    (PS3.7, D.3.3.5 to D.3.3.7): storage here depends on nothing that it could agree.
    """
    kept = [body[:_FIXED_BYTES]]
    for count, (item_type, start, end) in enumerate(_items(body, _FIXED_BYTES, len(body)), 1):
        if count > _MAX_ITEMS:
            raise InvalidRequest
        if item_type == _APPLICATION_CONTEXT:
            kept.append(body[start - _ITEM_HEADER.size : end])
        elif item_type in _SUB_ITEMS:
            kept.append(_understood_item(body, item_type, start, end))
    return b"".join(kept)


def _understood_item(body: bytes, item_type: int, start: int, end: int) -> bytes:
    allowed, known = _SUB_ITEMS[item_type]
    # a presentation context has its id and three reserved bytes first (PS3.8, 9.3.2.2)
    first = start + 4 if item_type == _PRESENTATION_CONTEXT else start
    sub_items = _items(body, first, end)
    if len(sub_items) > allowed:
        raise InvalidRequest
    content = body[start:first] + b"".join(
        body[inner - _ITEM_HEADER.size : inner_end] for kind, inner, inner_end in sub_items if kind in known
    )
    return _ITEM_HEADER.pack(item_type, len(content)) + content


def _items(body: bytes, position: int, end: int) -> list[tuple[int, int, int]]:
    items = []
    if position > end:
        raise InvalidRequest
    while position < end:
        if end - position < _ITEM_HEADER.size:
            raise InvalidRequest
        item_type, length = _ITEM_HEADER.unpack_from(body, position)
        start = position + _ITEM_HEADER.size
        position = start + length
        if position > end:
            raise InvalidRequest
        items.append((item_type, start, position))
    return items
