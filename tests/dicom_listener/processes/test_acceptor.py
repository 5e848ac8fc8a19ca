"""The acceptor keeps its limits exactly and stops in order."""

from __future__ import annotations

import struct
import threading
import time
from contextlib import ExitStack, suppress

import pytest

from dicom_listener.limits import Limits
from dicom_listener.services.storage import StoreAnswer
from tests.dicom_listener.dicom_peers import (
    A_ABORT,
    HOST,
    OTHER_ADDRESS,
    Listener,
    associate_rq,
    command,
    ct_object,
    encoded,
    p_data,
    running_listener,
    scu,
)

STORE = p_data(3, command(0x0001, sop_instance_uid="1.2.826.0.1.3680043.8.498.1")) + p_data(2, encoded(ct_object()))


def test_two_hundred_partial_pdus_of_four_addresses_keep_nobody_waiting() -> None:
    partial = associate_rq()[:40]
    with running_listener(association_seconds=1.5) as listener, ExitStack() as stack:
        for number in range(200):
            peer = stack.enter_context(listener.raw(f"127.0.0.{number % 4 + 3}"))
            with suppress(ConnectionError):  # it had to give way
                peer.send(partial)
        with scu(listener.port, bind_address=OTHER_ADDRESS) as association:
            assert association.send_c_echo().Status == 0
        assert sum(listener.acceptor.associations.values()) <= 65
        listener.wait_until_empty(1.5 + 2)


def test_an_unfinished_handshake_gives_way_to_a_new_connection_of_its_address() -> None:
    with running_listener(max_associations_per_address=1) as listener, listener.raw() as first:
        first.send(b"\1")
        with scu(listener.port) as association:
            assert association.send_c_echo().Status == 0
        assert first.read_pdu() is None


def test_a_connection_over_the_limit_of_its_address_is_closed_at_once() -> None:
    with running_listener(max_associations_per_address=1) as listener, listener.raw() as first:
        first.associate()
        assert any(is_closed_at_once(listener, HOST) for _ in range(3))


def test_a_connection_over_the_limit_of_all_is_closed_at_once() -> None:
    with running_listener(max_associations=1) as listener, listener.raw() as first:
        first.associate()
        assert any(is_closed_at_once(listener, OTHER_ADDRESS) for _ in range(3))


def is_closed_at_once(listener: Listener, address: str) -> bool:
    """Connect once more: until the acceptor has heard of the association it lets a handshake make way."""
    with listener.raw(address) as peer:
        peer.socket.settimeout(2)
        try:
            return peer.read_pdu() is None
        except TimeoutError:
            return False


def test_a_place_is_free_again_when_its_association_is_over() -> None:
    with running_listener(max_associations_per_address=1) as listener:
        for _ in range(20):
            with scu(listener.port) as association:
                assert association.is_established
            listener.wait_until_empty(2)


def test_no_thread_stays_behind() -> None:
    with running_listener(association_seconds=0.2) as listener:
        for _ in range(20):
            with listener.raw() as peer:
                peer.send(b"junk")
        listener.wait_until_empty(3)
        until = time.monotonic() + 1
        while any("association" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < until


def test_threads_are_named_after_their_peer_and_do_not_hold_the_process() -> None:
    with running_listener() as listener, listener.raw() as peer:
        peer.associate()
        (thread,) = [each for each in threading.enumerate() if each.name == "association 127.0.0.1"]
        assert thread.daemon


def test_a_stop_aborts_an_idle_association_before_the_drain_time_is_over() -> None:
    with running_listener(drain_seconds=30) as listener, listener.raw() as peer:
        peer.associate()
        before = time.monotonic()
        threading.Thread(target=listener.acceptor.stop).start()
        assert peer.read_pdu() == (A_ABORT, b"\0" * 4)
        assert time.monotonic() - before < 2


def test_a_stop_lets_the_message_in_hand_be_answered() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def answer(_: object) -> StoreAnswer:
        begun.set()
        assert go_on.wait(5)
        return StoreAnswer()

    with running_listener(answer=answer, drain_seconds=5) as listener, listener.raw() as peer:
        peer.associate()
        peer.send(STORE)
        assert begun.wait(5)
        stopping = threading.Thread(target=listener.acceptor.stop)
        stopping.start()
        go_on.set()
        assert peer.read_status()[0] == 0
        assert peer.read_pdu() == (A_ABORT, b"\0" * 4)
        stopping.join(5)


def test_a_stop_aborts_a_message_that_does_not_come_to_its_end() -> None:
    with running_listener(drain_seconds=0.3) as listener, listener.raw() as peer:
        peer.associate()
        peer.send(STORE[:-10])
        time.sleep(0.1)
        before = time.monotonic()
        listener.acceptor.stop()
        assert time.monotonic() - before < 2
        assert peer.read_pdu() == (A_ABORT, b"\0" * 4)
        assert listener.received == []


def test_a_limit_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="pdu_seconds"):
        Limits(pdu_seconds=0)


def test_an_association_of_pieces_is_as_good_as_one_of_a_piece() -> None:
    request = associate_rq()
    with running_listener() as listener, listener.raw() as peer:
        for at in range(0, len(request), 50):
            peer.send(request[at : at + 50])
            time.sleep(0.001)
        answer = peer.read_pdu()
        assert answer is not None
        assert answer[0] == struct.unpack("B", b"\2")[0]
