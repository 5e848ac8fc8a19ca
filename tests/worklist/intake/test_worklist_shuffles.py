"""Whatever PACS and RIS send of 200 studies, in any order, again and late: it ends in the same worklist."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.builders import empty_of_work, shared
from tests.conftest import Database
from tests.worklist.a_day import PREPARED, Day, Fact
from tests.worklist.a_day_told import shuffled, tell
from worklist.db import embedded


@pytest.fixture(scope="module")
def one(cluster: embedded.Cluster, network_template: str) -> Iterator[Database]:
    with shared(cluster, network_template) as database:
        with database.owner.begin() as connection:
            connection.execute(text(PREPARED))
        yield database


@pytest.mark.parametrize("seed", range(5))
def test_facts_of_studies_shuffled_repeated_and_delayed_end_in_the_same_worklist(one: Database, seed: int) -> None:
    _assert_ends_alike(one, Day(random.Random(seed)).of(40), random.Random(1000 + seed))


@settings(max_examples=8, phases=(Phase.explicit, Phase.generate))
@given(st.integers(0, 2**32), st.integers(1, 5), st.randoms(use_true_random=False))
def test_facts_of_a_few_studies_end_in_the_same_worklist(
    one: Database, seed: int, studies: int, chance: random.Random
) -> None:
    _assert_ends_alike(one, Day(random.Random(seed)).of(studies), chance)


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(10))
def test_facts_of_two_hundred_studies_end_in_the_same_worklist(one: Database, seed: int) -> None:
    facts = Day(random.Random(100 + seed)).of(200)
    for again in range(3):
        _assert_ends_alike(one, facts, random.Random(1000 * again + seed))


def _assert_ends_alike(database: Database, facts: list[Fact], chance: random.Random) -> None:
    empty_of_work(database)
    expected = tell(database, facts)
    empty_of_work(database)
    found = tell(database, shuffled(facts, chance), chance)
    for name, rows in expected.items():
        assert found[name] == rows, name
