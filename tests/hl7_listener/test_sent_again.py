"""Orders, results and patients of a day, each sent three times and shuffled over several connections: once in order."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import Database
from tests.hl7_listener.ris_peer import code_of, connected, listening
from tests.worklist.a_day import Day, Message
from tests.worklist.a_day_told import left_by, tell
from worklist.intake.placing import place_noted

CONNECTIONS = 4


@pytest.mark.parametrize("studies", [30, pytest.param(1_000, marks=pytest.mark.proof)])
def test_everything_sent_three_times_and_shuffled_leaves_what_once_in_order_leaves(
    network: Database, clone: Callable[[str], Database], network_template: str, studies: int
) -> None:
    seed = random.Random(studies)
    facts = Day(seed).of(studies)
    messages = [one.octets for one in facts if isinstance(one, Message)]
    expected = tell(network, [one for one in facts if isinstance(one, Message)])

    again = clone(network_template)
    three_times = seed.sample(messages * 3, 3 * len(messages))
    with listening(again.app) as port, ThreadPoolExecutor(CONNECTIONS) as pool:
        shares = [three_times[place::CONNECTIONS] for place in range(CONNECTIONS)]
        assert set().union(*pool.map(lambda share: _send(port, share), shares)) == {"AA"}
    place_noted(again.app)
    found = left_by(again)
    for name, rows in expected.items():
        assert found[name] == rows, name


def _send(port: int, messages: list[bytes]) -> set[str]:
    with connected(port) as peer:
        return {code_of(peer.tell(one)) for one in messages}
