"""The table of moves: what may happen to an item, and what never."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from worklist.item import (
    REPORTED,
    TRANSITIONS,
    UNREPORTED,
    ForbiddenMove,
    ItemState,
    Move,
    Mover,
    move_item,
    moves_from,
)

#: Moves one of which every item that is read has taken. (Only what was read here is recalled: `worklist.life.recall`.)
OPENING = {Move.OPENED_WHILE_ARRIVING, Move.COMPLETED, Move.COMPLETED_WITH_DOUBT, Move.HELD, Move.RECALLED}
#: Moves by which a reporter's or a home RIS's report comes to stand.
REPORTING = {Move.VERIFIED, Move.ADDED_TO, Move.REPORTED_AT_HOME}


def test_every_move_stands_in_the_table_once() -> None:
    assert set(TRANSITIONS) == set(Move)
    assert all(transition.move is move for move, transition in TRANSITIONS.items())


def test_every_move_has_someone_who_may_cause_it_and_a_state_to_start_from() -> None:
    assert all(transition.movers and transition.sources for transition in TRANSITIONS.values())


def test_every_state_but_the_two_that_intake_begins_with_is_reached_by_some_move() -> None:
    reached = {transition.target for transition in TRANSITIONS.values()}
    assert set(ItemState) - reached <= {ItemState.ORDERED}


def test_every_state_belongs_to_waiting_reported_or_not_to_be_reported_here() -> None:
    assert set(ItemState) == UNREPORTED | REPORTED | {ItemState.CANCELLED, ItemState.NOT_OFFERED}
    assert not UNREPORTED & REPORTED


def test_only_a_report_makes_an_item_reported() -> None:
    makers = {move for move, transition in TRANSITIONS.items() if transition.target in REPORTED}
    assert makers == REPORTING


def test_a_reported_item_never_waits_again_unless_a_report_made_here_is_recalled() -> None:
    for state in REPORTED:
        back = {move for move in moves_from(state) if TRANSITIONS[move].target not in REPORTED}
        assert back <= {Move.RECALLED}
    assert Move.RECALLED not in moves_from(ItemState.REPORTED_ELSEWHERE)


def test_only_the_home_ris_takes_an_item_out_of_its_cancel_by_its_report_or_a_newer_order() -> None:
    out = [TRANSITIONS[move] for move in moves_from(ItemState.CANCELLED)]
    assert {one.target for one in out} == {ItemState.REPORTED_ELSEWHERE, ItemState.ORDERED}
    assert all(one.movers == {Mover.HOME_RIS} for one in out)


def test_only_a_claim_puts_an_item_in_progress_and_only_from_where_it_waits() -> None:
    makers = [transition for transition in TRANSITIONS.values() if transition.target is ItemState.IN_PROGRESS]
    assert [(one.move, one.sources) for one in makers] == [
        (Move.CLAIMED, frozenset({ItemState.READY, ItemState.RECALLED}))
    ]


def test_no_move_takes_an_item_on_hold_to_a_reporter_but_through_a_person_or_the_home_ris() -> None:
    readable = {
        ItemState.READY,
        ItemState.RECALLED,
        ItemState.IN_PROGRESS,
        ItemState.PRELIMINARY,
        ItemState.VERIFIED,
    }
    out = [one for move in moves_from(ItemState.ON_HOLD) if (one := TRANSITIONS[move]).target in readable]
    assert out
    assert all(one.movers <= {Mover.PERSON, Mover.HOME_RIS} for one in out)


def test_whatever_waits_can_be_cancelled_and_reported_at_home() -> None:
    for state in UNREPORTED:
        assert {Move.CANCELLED, Move.REPORTED_AT_HOME} <= moves_from(state)


@pytest.mark.parametrize("state", ItemState)
@pytest.mark.parametrize("move", Move)
def test_a_move_leads_where_the_table_says_or_is_refused_with_what_would_be_allowed(
    state: ItemState, move: Move
) -> None:
    if move in moves_from(state):
        assert move_item(state, move) is TRANSITIONS[move].target
    else:
        with pytest.raises(ForbiddenMove) as refusal:
            move_item(state, move)
        assert all(str(allowed.value) in str(refusal.value) for allowed in moves_from(state))


class Life(RuleBasedStateMachine):
    """An item that takes any moves in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.state = ItemState.ORDERED
        self.taken: list[Move] = []

    @rule(move=st.sampled_from(Move))
    def try_a_move(self, move: Move) -> None:
        try:
            self.state = move_item(self.state, move)
        except ForbiddenMove:
            assert move not in moves_from(self.state)
        else:
            self.taken.append(move)

    @precondition(lambda self: bool(moves_from(self.state)))
    @rule(data=st.data())
    def take_an_allowed_move(self, data: st.DataObject) -> None:
        move = data.draw(st.sampled_from(sorted(moves_from(self.state))))
        self.state = move_item(self.state, move)
        self.taken.append(move)

    @invariant()
    def it_is_reported_only_if_a_report_was_given(self) -> None:
        if self.state in REPORTED:
            assert REPORTING & set(self.taken)

    @invariant()
    def it_is_read_only_if_it_was_completed_or_opened_while_it_arrived(self) -> None:
        if self.state in {ItemState.IN_PROGRESS, ItemState.PRELIMINARY, ItemState.VERIFIED}:
            assert OPENING & set(self.taken)

    @invariant()
    def what_was_reported_stays_reported_until_it_is_recalled(self) -> None:
        since = self.taken[::-1].index(Move.RECALLED) if Move.RECALLED in self.taken else len(self.taken)
        if REPORTING & set(self.taken[len(self.taken) - since :]):
            assert self.state in REPORTED


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20)
