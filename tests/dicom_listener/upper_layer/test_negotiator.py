"""What an admitted peer asked for before is not worked out again, and nothing else is remembered."""

from __future__ import annotations

from itertools import count

import pytest
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian
from pynetdicom.presentation import build_context

from dicom_listener.admission import Rejection, RejectionReason, Source
from dicom_listener.upper_layer import negotiator
from dicom_listener.upper_layer.negotiation import InvalidRequest, Request, decode_request
from dicom_listener.upper_layer.negotiator import Negotiator
from tests.dicom_listener.dicom_peers import A_ASSOCIATE_RJ, associate_rq, running_listener
from worklist.feeds.peer import Peer


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The requests that were decoded, in order."""
    bodies: list[bytes] = []

    def note(body: bytes) -> Request:
        bodies.append(body)
        return decode_request(body)

    monkeypatch.setattr(negotiator, "decode_request", note)
    return bodies


def a_request(calling_ae_title: str = "PACS_A", contexts: int = 1) -> bytes:
    proposed = [build_context(CTImageStorage, ImplicitVRLittleEndian) for _ in range(contexts)]
    return associate_rq(*proposed, calling_ae_title=calling_ae_title)[6:]


def agreed(one: Negotiator, body: bytes) -> tuple[bytes, str]:
    request = one.decode(body)
    return one.agree(body, request).accept_pdu, request.calling_ae_title


def test_the_same_request_gets_the_same_answer_without_being_decoded_again(decoded: list[bytes]) -> None:
    one = Negotiator(131072)
    answers = {agreed(one, body) for _ in range(3) for body in (a_request("PACS_A"), a_request("PACS_B"))}
    assert answers == {agreed(Negotiator(131072), a_request(title)) for title in ("PACS_A", "PACS_B")}
    assert decoded[:-2] == [a_request("PACS_A"), a_request("PACS_B")]


def test_what_a_stranger_asks_is_not_remembered(decoded: list[bytes]) -> None:
    one = Negotiator(131072)
    for _ in range(2):
        one.decode(a_request("STRANGER"))
    assert len(decoded) == 2


def test_a_few_requests_of_ordinary_length_are_remembered(
    decoded: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(negotiator, "_MOST_REQUESTS", 2)
    monkeypatch.setattr(negotiator, "_LONGEST_REQUEST_BYTES", 1000)
    one = Negotiator(131072)
    first, second, third, long = *(a_request(title) for title in "ABC"), a_request(contexts=64)
    for body in (first, second, third, long):
        agreed(one, body)
    decoded.clear()
    for body in (third, second, first, long):
        agreed(one, body)
    assert decoded == [first, long]


def test_a_request_that_cannot_be_decoded_is_refused_each_time() -> None:
    one = Negotiator(131072)
    for _ in range(2):
        with pytest.raises(InvalidRequest):
            one.decode(a_request()[:100])


def test_who_asked_before_is_admitted_each_time_anew() -> None:
    asked = count()

    def admit(calling: str, called: str, peer: Peer) -> Source | Rejection:
        if next(asked):
            return Rejection(RejectionReason.CALLING_AE_TITLE_NOT_RECOGNIZED)
        return Source(calling, "RXX")

    with running_listener(admit=admit) as listener:
        with listener.raw() as peer:
            peer.associate()
        with listener.raw() as peer:
            peer.send(associate_rq())
            answer = peer.read_pdu()
    assert answer is not None
    assert answer[0] == A_ASSOCIATE_RJ
