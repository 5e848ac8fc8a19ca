"""Malformed messages by the thousand: each is answered, none ends anything, and good ones are taken meanwhile."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

import pytest
import structlog

from hl7_listener.desk import Sent
from hl7_listener.dialect import read_dialect
from hl7_listener.limits import Limits
from hl7_listener.service import Service
from tests.conftest import Database
from tests.hl7_listener.corpus_files import facts_of
from tests.hl7_listener.mutations import mutated_messages
from tests.hl7_listener.ris_peer import PEER, code_of, connected, listening, order

_T = TypeVar("_T")
SEED = 20260610
SLOW_SECONDS, ECHO_SECONDS = 2.0, 0.25


@pytest.mark.parametrize("runs", [6_000, pytest.param(500_000, marks=pytest.mark.proof)])
def test_mutated_messages_are_read_or_refused_by_the_name_of_a_field(runs: int) -> None:
    dialect, slow, outcomes = read_dialect({}), 0.0, Counter[str]()
    for octets in itertools.islice(mutated_messages(SEED), runs):
        facts, seconds = _timed(partial(facts_of, octets, dialect))
        slow = max(slow, seconds)
        outcomes["refused" if "fault" in facts else "read"] += 1
    print(f"seed={SEED} runs={runs} {dict(outcomes)} slowest={slow:.3f} s")
    assert min(outcomes["refused"], outcomes["read"]) > runs / 20
    assert slow < SLOW_SECONDS


@pytest.mark.parametrize("runs", [700, pytest.param(333_334, marks=pytest.mark.proof)])
def test_mutated_messages_are_accepted_or_rejected_and_none_is_asked_for_again(network: Database, runs: int) -> None:
    # AE asks the sender to send it again: of a message that fails each time it would be for ever.
    service, codes, slow = Service(network.app, Limits()), Counter[str](), 0.0
    with structlog.testing.capture_logs() as logs:
        for octets in itertools.islice(mutated_messages(SEED + 1), runs):
            answer, seconds = _timed(partial(service.answer, Sent(octets, PEER)))
            slow = max(slow, seconds)
            assert answer.startswith(b"MSH")
            codes[_code_in(answer)] += 1
            errors = [one for one in logs if one["log_level"] == "error"]
            assert errors == [], octets
            logs.clear()
    print(f"seed={SEED + 1} runs={runs} {dict(codes)} slowest={slow:.3f} s")
    assert set(codes) == {"AA", "AR"}
    assert slow < SLOW_SECONDS


@pytest.mark.parametrize("runs", [300, pytest.param(50_000, marks=pytest.mark.proof)])
def test_mutated_messages_over_sockets_keep_nobody_waiting(
    network: Database, request: pytest.FixtureRequest, runs: int
) -> None:
    inputs, lock, waits, done = mutated_messages(SEED + 2), threading.Lock(), list[float](), threading.Event()

    def attack(numbers: Iterator[int]) -> None:
        while True:
            with lock:
                if next(numbers, None) is None:
                    return
                octets = next(inputs)
            # what MLLP itself forbids within a message is told apart in test_mllp
            with connected(port) as peer:
                assert code_of(peer.tell(octets.replace(b"\x0b", b"").replace(b"\x1c", b""))) in ("AA", "AR")

    def ask(port: int) -> None:
        with connected(port) as peer:
            while not done.is_set() or len(waits) < 20:
                began = time.monotonic()
                assert code_of(peer.tell(order())) == "AA"
                waits.append(time.monotonic() - began)

    with listening(network.app) as port:
        numbers = iter(range(runs))
        attackers = [threading.Thread(target=attack, args=(numbers,)) for _ in range(2)]
        asking = threading.Thread(target=ask, args=(port,))
        for thread in (*attackers, asking):
            thread.start()
        for attacker in attackers:
            attacker.join()
        done.set()
        asking.join()
    waits.sort()
    p99 = waits[int(len(waits) * 0.99)]
    print(f"seed={SEED + 2} runs={runs}, {len(waits)} good messages meanwhile, p99={p99:.3f} s")
    assert p99 < (ECHO_SECONDS if request.node.get_closest_marker("proof") else SLOW_SECONDS)


def _timed(act: Callable[[], _T]) -> tuple[_T, float]:
    """Give what an act gives and its seconds; a busy machine is slow once, a slow input every time."""
    began = time.monotonic()
    found = act()
    seconds = time.monotonic() - began
    if seconds > SLOW_SECONDS:
        began = time.monotonic()
        act()
        seconds = min(seconds, time.monotonic() - began)
    return found, seconds


def _code_in(answer: bytes) -> str:
    msa = next(segment for segment in answer.split(b"\r") if segment.startswith(b"MSA"))
    return msa[4:6].decode()
