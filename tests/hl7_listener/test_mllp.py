"""The server keeps its limits against peers that send too much, too little or nothing, and ends in order."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

import tests.hl7_listener.ris_peer as ris
from hl7_listener.framing import framed
from hl7_listener.limits import Limits
from hl7_listener.mllp import Port, Server
from tests.hl7_listener.ris_peer import connected
from worklist.feeds.peer import Peer

QUICK = Limits(idle_seconds=0.3, message_seconds=0.3, closing_seconds=0.2, drain_seconds=5)


@contextmanager
def serving(
    limits: Limits, answer: Callable[[bytes], bytes] = bytes.upper
) -> Iterator[tuple[int, Callable[[], None], threading.Thread]]:
    """Serve on a free port: gives the port, what stops the server, and its thread."""
    listening_socket = socket.create_server(("127.0.0.1", 0), backlog=200)
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def in_a_thread(message: bytes, _: Peer) -> bytes:
        return await asyncio.to_thread(answer, message)

    server = Server(
        [Port(listening_socket)], limits, answer=in_a_thread, refuse=lambda beginning: b"REFUSED " + beginning[:3]
    )

    def run() -> None:
        loop.run_until_complete(server.serve(stop))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

    def ask_to_stop() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listening_socket.getsockname()[1], ask_to_stop, thread
    finally:
        ask_to_stop()
        thread.join(20)
        assert not thread.is_alive()


def hear(peer: ris.Peer) -> bytes:
    return peer.connection.recv(65536)


def test_a_message_in_pieces_is_answered_once_it_is_whole() -> None:
    with serving(Limits()) as (port, *_), connected(port) as peer:
        for piece in (b"\x0bo", b"ne", b"\x1c", b"\r"):
            peer.connection.sendall(piece)
        assert hear(peer) == framed(b"ONE")


def test_messages_sent_at_once_are_answered_in_order() -> None:
    with serving(Limits()) as (port, *_), connected(port) as peer:
        peer.connection.sendall(framed(b"one") + b"\r\n" + framed(b"two"))
        heard = b""
        while len(heard) < len(framed(b"one") * 2):
            heard += hear(peer)
        assert heard == framed(b"ONE") + framed(b"TWO")


def test_a_peer_that_closes_its_side_after_the_message_still_gets_its_answer() -> None:
    with serving(Limits()) as (port, *_), connected(port) as peer:
        peer.send(b"one")
        peer.connection.shutdown(socket.SHUT_WR)
        assert hear(peer) == framed(b"ONE")


def test_a_message_over_the_limit_is_refused_and_the_connection_closed() -> None:
    with serving(Limits(max_message_bytes=1000)) as (port, *_), connected(port) as peer:
        peer.connection.sendall(b"\x0b" + b"x" * 500_000)
        assert hear(peer) == framed(b"REFUSED xxx")
        assert peer.is_closed()


def test_junk_without_end_closes_the_connection() -> None:
    with serving(Limits()) as (port, *_), connected(port) as peer:
        peer.connection.sendall(b"GET / HTTP/1.1\r\n" * 100)
        assert peer.is_closed()


@pytest.mark.parametrize("beginning", [b"", b"\x0bMSH|^~\\&|", b"junk"])
def test_a_peer_that_falls_silent_is_closed_at_the_deadline(beginning: bytes) -> None:
    with serving(QUICK) as (port, *_), connected(port) as peer:
        peer.connection.sendall(beginning)
        begun = time.monotonic()
        assert peer.is_closed()
        assert 0.2 < time.monotonic() - begun < 2


def test_bytes_that_drip_in_do_not_put_off_the_deadline_of_a_message() -> None:
    with serving(QUICK) as (port, *_), connected(port) as peer:
        peer.connection.sendall(b"\x0b")
        peer.connection.settimeout(0.05)
        begun = time.monotonic()
        while not _closed_while_sending(peer):
            assert time.monotonic() - begun < 2


def test_connections_over_the_limit_of_an_address_are_closed_and_places_come_back() -> None:
    with serving(Limits(max_connections_per_address=3)) as (port, *_), ExitStack() as stack:
        peers = [stack.enter_context(connected(port)) for _ in range(3)]
        for peer in peers:
            peer.send(b"one")
            assert hear(peer) == framed(b"ONE")
        with connected(port) as fourth:
            assert fourth.is_closed()
        peers[0].connection.close()
        answered = b""
        while not answered:  # the place comes back when the server has seen the close
            with connected(port) as another:
                try:
                    another.send(b"two")
                    answered = hear(another)
                except ConnectionError:
                    answered = b""
        assert answered == framed(b"TWO")


def test_many_silent_connections_of_other_addresses_leave_room_up_to_the_limit_of_all() -> None:
    with serving(Limits(max_connections=40, max_connections_per_address=20)) as (port, *_), ExitStack() as stack:
        for address in ("127.0.0.2", "127.0.0.3"):
            for number in range(20):
                source = (address, 0)
                held = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10, source))
                if number < 19:
                    held.sendall(b"\x0bMSH")
        with connected(port) as peer:
            assert peer.is_closed()


def test_at_a_stop_a_message_in_hand_is_answered_and_idle_connections_are_closed() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(message: bytes) -> bytes:
        begun.set()
        go_on.wait(10)
        return message.upper()

    with serving(Limits(), slow) as (port, stop, thread), connected(port) as busy, connected(port) as idle:
        busy.send(b"one")
        assert begun.wait(10)
        stop()
        assert idle.is_closed()
        go_on.set()
        assert hear(busy) == framed(b"ONE")
        assert busy.is_closed()
        thread.join(10)
        assert not thread.is_alive()


def test_connections_cut_in_the_middle_leave_the_server_well() -> None:
    with serving(Limits(max_connections=400, max_connections_per_address=400)) as (port, *_):
        before = threading.active_count()
        for _ in range(300):
            with connected(port) as peer:
                peer.connection.sendall(b"\x0bcut")
        with connected(port) as peer:
            peer.send(b"one")
            assert hear(peer) == framed(b"ONE")
        assert threading.active_count() <= before + Limits().workers


def test_a_limit_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="max_connections"):
        Limits(max_connections=0)


def _closed_while_sending(peer: ris.Peer) -> bool:
    try:
        peer.connection.sendall(b"x")
        return peer.connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
