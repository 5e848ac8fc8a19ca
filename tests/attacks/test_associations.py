"""Associations that come and go, however they end, leave nothing behind in the listener's processes."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.attacks.attacked import PACS_ANYWHERE, STRANGER, Attacked, Held, echo_seconds, held_by
from tests.attacks.mutations import mutated_conversations
from tests.attacks.objects import CONTEXT_OF, ct_object
from tests.attacks.wire import ABORTED, C_STORE_RQ, CT, EXPLICIT, Peer, associate_rq, command_set, p_data

#: How long the mixed load of the long form goes on; an hour before a release.
MIXED_SECONDS = int(os.environ.get("PROOF_SECONDS", "3600"))
SEED = 14
MORE_THREADS_OR_HANDLES = 2
MORE_MEMORY = 0.05


def released(peer: Peer) -> None:
    peer.associate(PACS_ANYWHERE)
    assert peer.echo() == 0
    peer.release()


def stored_and_released(peer: Peer) -> None:
    peer.associate(PACS_ANYWHERE)
    sent = ct_object(study=1)
    assert peer.store(CONTEXT_OF[EXPLICIT], sent.sop_instance, sent.encoded()) == 0
    peer.release()


def aborted(peer: Peer) -> None:
    peer.associate(PACS_ANYWHERE)
    peer.send(ABORTED)
    assert peer.closed_within(2)


def aborted_inside_an_object(peer: Peer) -> None:
    begin_an_object(peer)
    peer.send(ABORTED)
    assert peer.closed_within(2)


def cut(peer: Peer) -> None:
    peer.associate(PACS_ANYWHERE)


def cut_inside_an_object(peer: Peer) -> None:
    begin_an_object(peer)
    peer.send(p_data(CONTEXT_OF[EXPLICIT], 0, bytes(5000))[:2000])


def cut_inside_the_request(peer: Peer) -> None:
    peer.send(associate_rq(PACS_ANYWHERE)[:100])


def refused(peer: Peer) -> None:
    peer.send(associate_rq(STRANGER))
    assert peer.closed_within(2)


def begin_an_object(peer: Peer) -> None:
    peer.associate(PACS_ANYWHERE)
    begun = command_set(C_STORE_RQ, sop_class=CT, sop_instance=ct_object().sop_instance)
    peer.send(p_data(CONTEXT_OF[EXPLICIT], 3, begun) + p_data(CONTEXT_OF[EXPLICIT], 0, bytes(5000)))


ENDS: tuple[Callable[[Peer], None], ...] = (
    released,
    stored_and_released,
    aborted,
    aborted_inside_an_object,
    cut,
    cut_inside_an_object,
    cut_inside_the_request,
    refused,
)


@pytest.mark.parametrize(
    ("warm_up", "count"), [(300, 1_500), pytest.param(1_000, 10_000, marks=pytest.mark.proof)], ids=str
)
def test_associations_that_are_released_aborted_or_cut_leave_nothing_behind(
    radpool: Attacked, warm_up: int, count: int
) -> None:
    come_and_go(radpool, warm_up)
    before = at_rest(radpool)
    come_and_go(radpool, count)
    assert_as_before(before, at_rest(radpool, before))


@pytest.mark.proof
def test_mixed_load_leaves_nothing_behind(radpool: Attacked) -> None:
    warm_up = min(600.0, MIXED_SECONDS / 6)
    mixed_load(radpool, warm_up)
    before = at_rest(radpool)
    mixed_load(radpool, MIXED_SECONDS)
    assert_as_before(before, at_rest(radpool, before))


def come_and_go(radpool: Attacked, count: int, *, at_once: int = 4) -> None:
    """Open and end so many associations, each way as often as any other."""

    def one(number: int) -> None:
        with radpool.peer(f"127.0.0.{8 + number % 4}") as peer:
            ENDS[number % len(ENDS)](peer)

    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(count)))


def mixed_load(radpool: Attacked, seconds: float) -> None:
    """Let associations come and go, objects arrive and malformed conversations be cut for so long."""
    chance, malformed = random.Random(SEED), mutated_conversations(SEED)
    until = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < until:
        come_and_go(radpool, 40)
        with radpool.peer() as peer:
            peer.associate(PACS_ANYWHERE)
            for _ in range(chance.randrange(1, 50)):
                sent = ct_object(study=chance.randrange(10_000), pixels=chance.choice((0, 1_000, 500_000)))
                assert peer.store(CONTEXT_OF[EXPLICIT], sent.sop_instance, sent.encoded()) == 0
            peer.release()
        for _ in range(20):
            with radpool.peer() as peer:
                peer.send(next(malformed)[:60_000])
        assert echo_seconds(radpool.port) < 1.0
        rounds += 1
    print(f"seed={SEED} {rounds} rounds in {seconds:.0f} s")


def at_rest(radpool: Attacked, wanted: Held | None = None) -> Held:
    """Give what the listener's processes hold when their associations are over: the least of some looks at it."""
    pids = radpool.listening_processes()
    until = time.monotonic() + 6
    looks = [held_by(pids)]
    while time.monotonic() < until and (wanted is None or not within(wanted, looks[-1])):
        time.sleep(0.25)
        looks.append(held_by(pids))
    last = looks[-4:]
    return Held(
        min(one.resident_bytes for one in last), min(one.threads for one in last), min(one.handles for one in last)
    )


def assert_as_before(before: Held, after: Held) -> None:
    print(f"before {before}, after {after}")
    assert within(before, after)


def within(before: Held, after: Held) -> bool:
    return (
        after.resident_bytes <= before.resident_bytes * (1 + MORE_MEMORY)
        and after.threads <= before.threads + MORE_THREADS_OR_HANDLES
        and after.handles <= before.handles + MORE_THREADS_OR_HANDLES
    )
