"""Peers that begin and do not go on cannot keep others out, and lose their places in time."""

from __future__ import annotations

import time
from contextlib import ExitStack

from tests.attacks.attacked import PACS, PACS_ANYWHERE, STRANGER, Attacked, echo_seconds
from tests.attacks.wire import ASSOCIATE_RQ, associate_rq, echo_rq, pdu

#: The listener's own: `Limits.association_seconds` as the conformance statement gives it.
HANDSHAKE_SECONDS = 10.0
ELSEWHERE = [f"127.0.0.{last}" for last in range(2, 6)]
#: How far a stranger gets before it falls silent.
PARTS = (
    b"\x01",
    b"\x01\x00\x00",
    pdu(ASSOCIATE_RQ, b"", 2000),
    associate_rq(STRANGER)[:60],
    associate_rq(STRANGER)[:-1],
    associate_rq(PACS)[:-1],
    b"\x04\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01",
)


def test_an_allowed_peer_is_answered_within_a_second_beside_200_partial_pdus_and_50_silent_connections(
    radpool: Attacked,
) -> None:
    with ExitStack() as open_until_the_end:
        strangers = []
        began = time.monotonic()
        for number in range(250):
            stranger = open_until_the_end.enter_context(radpool.peer(ELSEWHERE[number % 4]))
            if number < 200:
                stranger.send(PARTS[number % len(PARTS)])
            strangers.append(stranger)
        echoes = []
        while time.monotonic() < began + HANDSHAKE_SECONDS + 0.5:
            echoes.append(echo_seconds(radpool.port))
            time.sleep(0.2)
        until = time.monotonic() + 1.5
        late = [one for one in strangers if not one.closed_within(max(0.01, until - time.monotonic()))]
    print(f"echoes={len(echoes)} slowest={max(echoes):.3f} s, still open {len(late)} of {len(strangers)}")
    assert max(echoes) < 1.0
    assert late == []


def test_all_places_are_free_again_after_strangers_lost_theirs(radpool: Attacked) -> None:
    with ExitStack() as open_until_the_end:
        for address in ELSEWHERE:
            for _ in range(45):
                peer = open_until_the_end.enter_context(radpool.peer(address))
                peer.associate(PACS_ANYWHERE)
        assert echo_seconds(radpool.port) < 1.0


def test_a_peer_that_falls_silent_inside_a_message_keeps_nobody_else_waiting(radpool: Attacked) -> None:
    with ExitStack() as open_until_the_end:
        for number in range(40):
            peer = open_until_the_end.enter_context(radpool.peer())
            peer.associate(PACS)
            peer.send(echo_rq()[: 1 + number])
        assert max(echo_seconds(radpool.port) for _ in range(5)) < 1.0
