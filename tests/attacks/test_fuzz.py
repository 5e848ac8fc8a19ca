"""Malformed PDUs and data sets by the thousand end no process, take no long time and keep nobody waiting."""

from __future__ import annotations

import itertools
import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.attacks.attacked import PACS_ANYWHERE, Attacked, echoing, percentile
from tests.attacks.mutations import mutated_conversations, mutated_data_sets, mutated_requests
from tests.attacks.wire import ABORT, RELEASE, Peer, store_rq

SEED = 20260610
#: Threads that send; there are two cores, and the listener and the database need one.
SENDERS = 2
#: Of data sets each waits for a commit, which those of many senders share.
DATA_SET_SENDERS = 16
SLOW_SECONDS = 2.0
#: What an echo may take while nothing else uses the machine; beside other tests it need only be no slow input itself.
ECHO_SECONDS = 0.25
OBJECTS_IN_AN_ASSOCIATION = 50
LONG = pytest.param(333_334, marks=pytest.mark.proof)

#: Sends inputs by a seed until the count has run out, noting seconds by outcome.
Attack = Callable[[int, int, Iterator[int], "Outcomes"], None]


class Outcomes:
    """What came of the inputs of all senders."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.slow: list[str] = []
        self.lock = threading.Lock()

    def note(self, outcome: str, seconds: float, told: str) -> None:
        with self.lock:
            self.counts[outcome] += 1
            if seconds > SLOW_SECONDS:
                self.slow.append(f"{told}: {seconds:.1f} s, {outcome}")


@pytest.mark.parametrize("runs", [8_000, LONG])
def test_mutated_association_requests_end_no_process_and_take_no_long_time(
    radpool: Attacked, request: pytest.FixtureRequest, runs: int
) -> None:
    outcomes, echoes = attack(radpool, partial(send_conversations, mutated_requests), runs)
    assert outcomes.slow == []
    assert percentile(echoes, 99) < echo_seconds(request)


@pytest.mark.parametrize("runs", [1_000, LONG])
def test_mutated_conversations_end_no_process_and_take_no_long_time(
    radpool: Attacked, request: pytest.FixtureRequest, runs: int
) -> None:
    outcomes, echoes = attack(radpool, partial(send_conversations, mutated_conversations), runs)
    assert outcomes.slow == []
    assert percentile(echoes, 99) < echo_seconds(request)


@pytest.mark.parametrize("runs", [600, LONG])
def test_mutated_data_sets_are_each_answered_with_a_status(
    radpool: Attacked, request: pytest.FixtureRequest, runs: int
) -> None:
    outcomes, echoes = attack(radpool, send_data_sets, runs, DATA_SET_SENDERS)
    assert outcomes.slow == []
    assert set(outcomes.counts) <= {"0000", "a900", "c000"}
    assert percentile(echoes, 99) < echo_seconds(request)


def echo_seconds(request: pytest.FixtureRequest) -> float:
    """Give what the 99th of a hundred echoes may take: the proof form has the machine to itself."""
    return ECHO_SECONDS if request.node.get_closest_marker("proof") else SLOW_SECONDS


def attack(radpool: Attacked, how: Attack, runs: int, count: int = SENDERS) -> tuple[Outcomes, list[float]]:
    """Send `runs` inputs from `count` threads beside a peer that echoes, and give what came of both."""
    outcomes, numbers = Outcomes(), iter(range(runs))
    began = time.monotonic()
    with echoing(radpool.port) as echoes:
        senders = [
            threading.Thread(target=how, args=(radpool.port, SEED + one, numbers, outcomes)) for one in range(count)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    seconds = time.monotonic() - began
    print(
        f"seed={SEED} runs={runs} in {seconds:.0f} s, {dict(sorted(outcomes.counts.items()))}, slow={outcomes.slow[:5]}"
    )
    print(
        f"{len(echoes)} echoes, p50={percentile(echoes, 50):.3f} p99={percentile(echoes, 99):.3f} max={max(echoes):.3f}"
    )
    assert sum(outcomes.counts.values()) == runs
    assert not math.isinf(max(echoes))
    return outcomes, echoes


def send_conversations(
    mutated: Callable[[int], Iterator[bytes]], port: int, seed: int, numbers: Iterator[int], outcomes: Outcomes
) -> None:
    """Send each conversation in a connection of its own, then the end, and wait until the other side ends too."""
    for own, (_, octets) in enumerate(zip(numbers, mutated(seed), strict=False)):
        outcome, seconds = in_connection(port, octets)
        if seconds > SLOW_SECONDS:
            outcome, seconds = in_connection(port, octets)  # a busy machine is slow once, a slow input every time
        outcomes.note(outcome, seconds, f"seed {seed}, input {own}")


def in_connection(port: int, octets: bytes) -> tuple[str, float]:
    began = time.monotonic()
    with Peer(port, "127.0.0.6") as peer:
        return exchange(peer, octets), time.monotonic() - began


def exchange(peer: Peer, octets: bytes) -> str:
    """Send all, say that it was all, and give how the connection ended: by which last PDU, or reset."""
    answer = b""
    try:
        peer.send(octets)
        peer.socket.shutdown(socket.SHUT_WR)
        while part := peer.socket.recv(65536):
            answer = (answer + part)[-200:]
    except TimeoutError:
        return "no end"
    except OSError:
        return "reset"
    return "aborted" if answer[-10:-9] == bytes([ABORT]) else "closed"


def send_data_sets(port: int, seed: int, numbers: Iterator[int], outcomes: Outcomes) -> None:
    """Send many objects in one association, a new one for each `OBJECTS_IN_AN_ASSOCIATION`."""
    inputs = mutated_data_sets(seed)
    while batch := list(itertools.islice(numbers, OBJECTS_IN_AN_ASSOCIATION)):
        with Peer(port, "127.0.0.7") as peer:
            peer.associate(PACS_ANYWHERE)
            for number in batch:
                sent = next(inputs)
                outcome, seconds = in_association(peer, *sent)
                if seconds > SLOW_SECONDS:
                    _, seconds = in_association(peer, *sent)
                outcomes.note(outcome, seconds, f"seed {seed}, near input {number // SENDERS}")
            peer.send(RELEASE)


def in_association(peer: Peer, context_id: int, sop_instance: str, data_set: bytes) -> tuple[str, float]:
    began = time.monotonic()
    peer.send(store_rq(context_id, sop_instance, data_set))
    return f"{peer.status():04x}", time.monotonic() - began
