"""What a peer claims or sends does not decide how much memory the listener's processes take."""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.attacks.attacked import PACS, Attacked, echo_seconds, forget_peak, held_by, peak_resident_bytes
from tests.attacks.objects import CONTEXT_OF, Element, Object, ct_object
from tests.attacks.wire import (
    ABORT,
    ASSOCIATE_RQ,
    C_STORE_RQ,
    CT,
    EXPLICIT,
    P_DATA,
    Peer,
    associate_rq,
    command_set,
    p_data,
    pdu,
)

MEBIBYTE = 1024 * 1024
TWO_GIBIBYTES = 2**31
ALLOWED_BYTES = 16 * MEBIBYTE
#: What the association is sent of a claim of 2 GiB before the test gives up: a listener that takes it in has grown.
PUSHED_BYTES = 64 * MEBIBYTE


def grown_by(radpool: Attacked, attack: Callable[[], None]) -> int:
    """Give by how many bytes the listener's processes grew at most during an attack, after one round to warm up."""
    attack()
    pids = radpool.listening_processes()
    before = held_by(pids).resident_bytes
    forget_peak(pids)
    attack()
    grown = peak_resident_bytes(pids) - before
    print(f"grown by {grown / MEBIBYTE:.1f} MiB")
    return grown


def push(peer: Peer, at_most: int = PUSHED_BYTES, octets: bytes = bytes(MEBIBYTE)) -> None:
    """Send on after what was claimed, until the other side has had enough or so many bytes are gone."""
    with contextlib.suppress(OSError):
        for _ in range(at_most // len(octets)):
            peer.send(octets)


def test_an_association_request_that_claims_two_gibibytes_is_cut_before_it_is_taken_in(radpool: Attacked) -> None:
    def attack() -> None:
        with radpool.peer() as peer:
            peer.send(pdu(ASSOCIATE_RQ, associate_rq(PACS)[6:], TWO_GIBIBYTES))
            answer = peer.read()
            assert answer is not None
            assert answer[0] == ABORT
            push(peer)
            assert peer.closed_within(3)

    assert grown_by(radpool, attack) < ALLOWED_BYTES


def test_twenty_pdus_that_claim_two_gibibytes_are_cut_before_they_are_taken_in(radpool: Attacked) -> None:
    def attack() -> None:
        with ExitStack() as open_until_the_end:
            peers = [open_until_the_end.enter_context(radpool.peer()) for _ in range(20)]
            for peer in peers:
                peer.associate(PACS)
                peer.send(struct.pack(">BxLLBB", P_DATA, TWO_GIBIBYTES, TWO_GIBIBYTES - 4, 1, 3))
            for peer in peers:
                answer = peer.read()
                assert answer is not None
                assert answer[0] == ABORT
                push(peer, 4 * MEBIBYTE)

    assert grown_by(radpool, attack) < ALLOWED_BYTES


def test_a_command_set_without_end_is_cut(radpool: Attacked) -> None:
    def attack() -> None:
        with radpool.peer() as peer:
            peer.associate(PACS)
            push(peer, octets=p_data(1, 1, bytes(16000)) * 64)
            assert peer.closed_within(3)

    assert grown_by(radpool, attack) < ALLOWED_BYTES


@pytest.mark.parametrize("mebibytes", [256, pytest.param(4096, marks=pytest.mark.proof)])
def test_an_object_of_any_length_goes_through_with_flat_memory(radpool: Attacked, mebibytes: int) -> None:
    def attack() -> None:
        pixels = min(mebibytes * MEBIBYTE, 2**32 - 2)
        sent = ct_object().but(Element(0x7FE00010, "OW", length=pixels))
        assert store_with_tail(radpool, sent, pixels) == 0

    assert grown_by(radpool, attack) < ALLOWED_BYTES
    assert echo_seconds(radpool.port) < 1.0


@pytest.mark.parametrize("tag", [0x00090010, 0x00080005, 0x00081030])
def test_a_header_value_of_64_megabytes_is_not_kept(radpool: Attacked, tag: int) -> None:
    """Before the identifying UIDs stands a value that fills the header's bound many times over."""

    def attack() -> None:
        long = 64 * MEBIBYTE
        sent = ct_object()
        head = Object(sent.sop_instance, {each: sent.elements[each] for each in sent.elements if each < tag})
        assert store_with_tail(radpool, head.but(Element(tag, "UN", length=long)), long) & 0xF000 in {0xC000, 0xA000}

    assert grown_by(radpool, attack) < ALLOWED_BYTES


def test_a_bomb_of_deflated_bytes_is_never_inflated(radpool: Attacked) -> None:
    from zlib import Z_BEST_COMPRESSION, compressobj

    packer = compressobj(Z_BEST_COMPRESSION, wbits=-15)
    bomb = packer.compress(ct_object().encoded()) + packer.compress(bytes(256 * MEBIBYTE)) + packer.flush()

    def attack() -> None:
        with radpool.peer() as peer:
            peer.associate(PACS)
            assert peer.store(CONTEXT_OF[EXPLICIT], ct_object().sop_instance, bomb) & 0xF000 in {0xC000, 0xA000}

    assert grown_by(radpool, attack) < ALLOWED_BYTES


def store_with_tail(radpool: Attacked, head: Object, tail_bytes: int) -> int:
    """Store an object whose last element's value of zeros is streamed, and give the status."""
    fragment = p_data(CONTEXT_OF[EXPLICIT], 0, bytes(65536))
    with radpool.peer() as peer:
        peer.socket.settimeout(60)
        peer.associate(PACS)
        peer.send(
            p_data(CONTEXT_OF[EXPLICIT], 3, command_set(C_STORE_RQ, sop_class=CT, sop_instance=head.sop_instance))
            + p_data(CONTEXT_OF[EXPLICIT], 0, head.encoded())
        )
        for _ in range(tail_bytes // 65536):
            peer.send(fragment)
        peer.send(p_data(CONTEXT_OF[EXPLICIT], 2, bytes(tail_bytes % 65536)))
        return peer.status()


def test_this_process_may_reset_the_peak_that_it_measures(radpool: Attacked) -> None:
    """Without it the tests above would compare with a peak of the past and could not fail."""
    own = frozenset({os.getpid()})
    ballast = bytearray(64 * MEBIBYTE)
    del ballast
    forget_peak(own)
    assert peak_resident_bytes(own) - held_by(own).resident_bytes < 8 * MEBIBYTE
