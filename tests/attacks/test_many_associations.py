"""Many associations at once cost little memory, busy or idle."""

from __future__ import annotations

import struct
import threading
from contextlib import ExitStack

import pytest

from tests.attacks.attacked import PACS_ANYWHERE, Attacked, forget_peak, held_by, peak_resident_bytes
from tests.attacks.objects import CONTEXT_OF, ct_object
from tests.attacks.wire import C_STORE_RQ, CT, EXPLICIT, Peer, command_set, p_data

MEBIBYTE = 1024 * 1024
_PIECE = 65536
_PIXELS = struct.Struct("<HH2sHL")


def send_big(peer: Peer, mebibytes: int) -> None:
    """Store one object whose pixels are zeros."""
    head = ct_object()
    context = CONTEXT_OF[EXPLICIT]
    peer.socket.settimeout(300)
    peer.send(p_data(context, 0x03, command_set(C_STORE_RQ, sop_class=CT, sop_instance=head.sop_instance)))
    peer.send(p_data(context, 0x00, head.encoded() + _PIXELS.pack(0x7FE0, 0x0010, b"OW", 0, mebibytes * MEBIBYTE)))
    piece = p_data(context, 0x00, bytes(_PIECE))
    for _ in range(mebibytes * MEBIBYTE // _PIECE - 1):
        peer.send(piece)
    peer.send(p_data(context, 0x02, bytes(_PIECE)))
    assert peer.status() == 0


def all_at_once(radpool: Attacked, mebibytes: int) -> int:
    """Let fifty associations send at once; give the highest memory of any process that took part."""
    processes = radpool.listening_processes()
    with ExitStack() as stack:
        peers = [stack.enter_context(radpool.peer(f"127.0.0.{2 + number % 4}")) for number in range(50)]
        for peer in peers:
            peer.associate(PACS_ANYWHERE)
        forget_peak(processes)
        threads = [threading.Thread(target=send_big, args=(peer, mebibytes)) for peer in peers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return max(peak_resident_bytes(frozenset({pid})) for pid in processes)


def test_fifty_associations_that_send_big_objects_cost_no_process_150_mebibytes(radpool: Attacked) -> None:
    assert all_at_once(radpool, 20) < 150 * MEBIBYTE


@pytest.mark.proof
def test_fifty_associations_that_send_500_megabytes_each_cost_no_process_150_mebibytes(radpool: Attacked) -> None:
    assert all_at_once(radpool, 500) < 150 * MEBIBYTE


def test_two_hundred_idle_associations_cost_less_than_50_mebibytes(radpool: Attacked) -> None:
    processes = radpool.listening_processes()
    before = held_by(processes).resident_bytes
    with ExitStack() as stack:
        for number in range(200):
            peer = stack.enter_context(radpool.peer(f"127.0.0.{2 + number % 4}"))
            peer.associate(PACS_ANYWHERE)
            assert peer.echo() == 0
        assert held_by(processes).resident_bytes - before < 50 * MEBIBYTE
