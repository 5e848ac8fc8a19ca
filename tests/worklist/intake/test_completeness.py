"""When a study is complete: the policies one by one, and what holds of them together whatever was said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import NOW
from worklist.intake.completeness import (
    ClaimWhileArriving,
    CompletedBy,
    Completeness,
    Evidence,
    Judgement,
    Signal,
    Step,
    doubts_about,
    judge,
)
from worklist.intake.study import StepStatus
from worklist.turnaround.targets import Setting, Urgency

QUIET, WAIT = timedelta(seconds=60), timedelta(minutes=30)
STEP, NOTICE, COUNT = Signal
RUNNING, ENDED, BROKEN = StepStatus


def evidence(instances: int = 10, **heard: Any) -> Evidence:
    """Objects of which the last came at `NOW`."""
    return Evidence(instances, NOW, NOW + QUIET, **heard)


def at(minutes: float, heard: Evidence, *signals: Signal) -> CompletedBy | None:
    return judge(Completeness(signals, WAIT), heard, NOW + timedelta(minutes=minutes)).completed_by


@pytest.mark.parametrize(
    ("signals", "heard", "soon", "quiet", "at_last"),
    [
        ((), {}, None, "quiet-period", "quiet-period"),
        ((), {"steps": (Step(ENDED, 10, 0),)}, None, "quiet-period", "quiet-period"),  # not listened to
        ((STEP,), {}, None, "quiet-period", "quiet-period"),  # a modality without MPPS
        ((STEP,), {"steps": (Step(RUNNING),)}, None, None, "longest-wait"),
        ((STEP,), {"steps": (Step(ENDED, 10, 0),)}, "procedure-step", "procedure-step", "procedure-step"),
        ((STEP,), {"steps": (Step(BROKEN, 10, 0),)}, "procedure-step", "procedure-step", "procedure-step"),
        ((STEP,), {"steps": (Step(ENDED, 12, 2),)}, None, None, "longest-wait"),
        ((STEP,), {"steps": (Step(ENDED),)}, None, "procedure-step", "procedure-step"),  # it counts nothing
        ((STEP,), {"steps": (Step(ENDED, 5, 0), Step(RUNNING))}, None, None, "longest-wait"),
        ((NOTICE,), {}, None, "quiet-period", "quiet-period"),
        ((NOTICE,), {"available": (10, True)}, "availability-notice", "availability-notice", "availability-notice"),
        ((NOTICE,), {"available": (10, False)}, None, None, "longest-wait"),
        ((NOTICE,), {"available": (11, True)}, None, None, "longest-wait"),
        ((COUNT,), {}, None, None, "longest-wait"),  # not asked yet
        ((COUNT,), {"answered": True}, None, "quiet-period", "quiet-period"),  # it tells no counts
        ((COUNT,), {"answered": True, "expected": 10}, None, "expected-count", "expected-count"),
        ((COUNT,), {"answered": True, "expected": 9}, None, "expected-count", "expected-count"),
        ((COUNT,), {"answered": True, "expected": 11}, None, None, "longest-wait"),
        ((STEP, NOTICE), {"steps": (Step(RUNNING),), "available": (10, True)}, *["availability-notice"] * 3),
        ((STEP, COUNT), {"steps": (Step(ENDED, 10, 0),)}, *["procedure-step"] * 3),
        ((STEP,), {"steps": (Step(RUNNING),), "forced": True}, *["forced"] * 3),
    ],
)
def test_a_study_is_complete_by(
    signals: tuple[Signal, ...], heard: dict[str, Any], soon: str | None, quiet: str | None, at_last: str
) -> None:
    known = evidence(**heard)
    assert [at(minutes, known, *signals) for minutes in (0.5, 1, 30)] == [soon, quiet, at_last]


def test_a_study_that_waits_is_judged_again_at_the_count_that_was_told_or_when_the_wait_is_over() -> None:
    heard = evidence(answered=True, expected=25)
    assert judge(Completeness((COUNT,), WAIT), heard, NOW) == Judgement(None, NOW + WAIT, 25)


def test_no_wait_is_shorter_than_the_quiet_period() -> None:
    heard = evidence(steps=(Step(RUNNING),))
    assert judge(Completeness((STEP,), timedelta()), heard, NOW).look_at == NOW + QUIET


@pytest.mark.parametrize(
    ("heard", "kinds"),
    [
        ({}, set()),
        ({"steps": (Step(ENDED, 10, 0),)}, set()),
        ({"steps": (Step(BROKEN, 10, 0),)}, {"acquisition-discontinued"}),
        ({"steps": (Step(ENDED, 12, 2),)}, {"instance-count-mismatch"}),
        ({"steps": (Step(RUNNING),)}, {"completeness-not-confirmed"}),
        ({"available": (11, True)}, {"instance-count-mismatch"}),
        ({"available": (10, False)}, {"completeness-not-confirmed"}),
        ({"steps": (Step(BROKEN, 12, 2),), "forced": True}, {"acquisition-discontinued"}),
    ],
)
def test_a_complete_study_is_doubted_for(heard: dict[str, Any], kinds: set[str]) -> None:
    found = doubts_about(Completeness((STEP, NOTICE), WAIT), evidence(**heard))
    assert {one.kind for one in found} == kinds


@pytest.mark.parametrize(
    ("setting", "urgency", "opened"),
    [
        (Setting.EMERGENCY, None, True),
        (None, Urgency.STROKE, True),
        (Setting.GP, Urgency.ROUTINE, False),
        (Setting.INPATIENT, Urgency.URGENT, False),
        (None, None, False),
    ],
)
def test_work_is_opened_while_it_arrives_by_setting_or_urgency_and_not_where_both_are_unknown(
    setting: Setting | None, urgency: Urgency | None, opened: bool
) -> None:
    assert ClaimWhileArriving().opens(setting, urgency) is opened
    assert not ClaimWhileArriving(frozenset(), frozenset()).opens(setting, urgency)


_STEPS = st.tuples(st.sampled_from(StepStatus), st.integers(0, 9), st.integers(0, 9)).map(
    lambda one: Step(one[0], one[1] + one[2], one[2])
)
_HEARD = st.builds(
    evidence,
    st.integers(1, 20),
    steps=st.lists(_STEPS, max_size=3).map(tuple),
    available=st.none() | st.tuples(st.integers(0, 20), st.booleans()),
    answered=st.booleans(),
    expected=st.none() | st.integers(0, 20),
    forced=st.booleans(),
)
_POLICIES = st.builds(
    Completeness,
    st.lists(st.sampled_from(Signal), unique=True).map(tuple),
    st.integers(0, 7200).map(lambda s: timedelta(seconds=s)),
)


@given(_POLICIES, _HEARD)
def test_nothing_stays_arriving_for_ever(policy: Completeness, heard: Evidence) -> None:
    late = NOW + max(QUIET, policy.longest_wait)
    assert judge(policy, heard, late).completed_by is not None


@given(_POLICIES, _HEARD, st.integers(0, 7200))
def test_a_study_that_is_not_complete_says_when_to_look_again_and_that_lies_ahead(
    policy: Completeness, heard: Evidence, seconds: int
) -> None:
    now = NOW + timedelta(seconds=seconds)
    found = judge(policy, heard, now)
    if found.completed_by is None:
        assert (found.look_at or heard.quiet_at) > now
        assert found.at_instances is None or found.at_instances > heard.instances


@given(_POLICIES, _HEARD, st.integers(0, 7200), st.integers(0, 7200))
def test_what_is_complete_stays_complete_as_time_goes_by(
    policy: Completeness, heard: Evidence, first: int, more: int
) -> None:
    then = NOW + timedelta(seconds=first)
    if judge(policy, heard, then).completed_by is not None:
        assert judge(policy, heard, then + timedelta(seconds=more)).completed_by is not None


@given(_POLICIES, _HEARD, st.integers(0, 7200))
def test_a_person_s_word_counts_before_all(policy: Completeness, heard: Evidence, seconds: int) -> None:
    told = replace(heard, forced=True)
    assert judge(policy, told, NOW + timedelta(seconds=seconds)).completed_by is CompletedBy.FORCED
