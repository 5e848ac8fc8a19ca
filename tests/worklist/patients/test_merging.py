"""Who is whom follows from all that was said and from when it was said, whatever order it was heard in."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worklist.patients.merging import Identity, Kind, Said, weigh

A, B, C, D = (("RXA", f"H{number}") for number in range(1, 5))


def said(minute: int, retired: Identity, surviving: Identity, kind: Kind = Kind.MERGE) -> Said:
    return Said(kind, retired, surviving, datetime(2026, 6, 10, 9, tzinfo=UTC) + timedelta(minutes=minute))


def test_a_chain_ends_at_who_was_retired_by_nobody() -> None:
    outcome = weigh([said(1, A, B), said(2, B, C)])
    assert [outcome.survivor_of(one) for one in (A, B, C, D)] == [C, C, C, D]


def test_the_newest_merge_of_an_identifier_counts_and_ends_the_one_before() -> None:
    first, second = said(1, A, B), said(2, A, C)
    outcome = weigh([second, first])
    assert (outcome.survivor_of(A), outcome.survivor_of(B)) == (C, B)
    assert outcome.ended == {first: second}


def test_an_unlink_ends_a_merge_said_before_it_in_either_direction_and_none_said_after() -> None:
    for pair in ((A, B), (B, A)):
        assert weigh([said(1, A, B), said(2, *pair, Kind.UNLINK)]).standing == {}
    assert weigh([said(3, A, B), said(2, A, B, Kind.UNLINK)]).survivor_of(A) == B


def test_an_unlink_of_the_ends_of_a_chain_separates_nothing_in_between() -> None:
    assert weigh([said(1, A, B), said(2, B, C), said(3, A, C, Kind.UNLINK)]).survivor_of(A) == C


def test_after_an_unlink_an_older_merge_of_the_identifier_does_not_come_back() -> None:
    outcome = weigh([said(1, A, B), said(2, A, C), said(3, A, C, Kind.UNLINK)])
    assert outcome.survivor_of(A) == A


def test_what_is_said_again_stands_since_it_was_first_said() -> None:
    assert weigh([said(1, A, B), said(5, A, B)]).standing == {A: said(1, A, B)}


def test_a_merge_back_is_a_cycle_and_so_is_a_longer_way_round() -> None:
    assert weigh([said(1, A, B), said(2, B, A)]).cyclic == (said(2, B, A),)
    assert weigh([said(1, A, B), said(2, B, C), said(3, C, A)]).cyclic == (said(3, C, A),)
    assert weigh([said(1, A, A)]).cyclic == (said(1, A, A),)
    turned = weigh([said(1, A, B), said(2, C, A), said(3, A, C)])
    assert (turned.cyclic, turned.survivor_of(C)) == ((said(3, A, C),), B)


def test_a_change_of_identifiers_is_taken_back_by_the_opposite_change_and_by_no_merge() -> None:
    there, back = said(1, A, B, Kind.CHANGE), said(2, B, A, Kind.CHANGE)
    outcome = weigh([there, back])
    assert (outcome.standing, outcome.ended, outcome.cyclic) == ({}, {there: back, back: back}, ())
    assert weigh([there, said(2, B, A)]).cyclic == (said(2, B, A),)
    assert weigh([said(1, A, B), back]).cyclic == (back,)


_facts = st.lists(
    st.builds(
        said,
        st.integers(0, 9),
        st.sampled_from([A, B, C, D]),
        st.sampled_from([A, B, C, D]),
        st.sampled_from(list(Kind)),
    ),
    max_size=12,
)


@given(_facts, st.randoms(use_true_random=False))
def test_order_and_repetition_change_nothing(facts: list[Said], chance: random.Random) -> None:
    shuffled = [*facts, *chance.choices(facts, k=len(facts))] if facts else []
    chance.shuffle(shuffled)
    assert weigh(shuffled) == weigh(facts)


@given(_facts)
def test_whatever_was_said_everybody_survives_as_somebody_who_stands(facts: list[Said]) -> None:
    outcome = weigh(facts)
    for one in (A, B, C, D):
        assert outcome.survivor_of(one) not in outcome.standing
    assert not set(outcome.standing.values()) & set(outcome.ended)
