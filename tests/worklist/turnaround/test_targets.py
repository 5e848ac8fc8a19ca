"""Turnaround: which target binds, what unknown facts cost, and when the clock starts."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest

from worklist.local_time import LONDON, LocalTime
from worklist.turnaround.bank_holidays import england_bank_holidays
from worklist.turnaround.span import Span
from worklist.turnaround.targets import (
    BACKSTOP_RULE_ID,
    RECEIPT,
    Due,
    Setting,
    TargetClock,
    TargetRule,
    TurnaroundFacts,
    Urgency,
    check_due,
    clock_start,
    due,
)

BANK_HOLIDAYS = england_bank_holidays(range(2025, 2029))
START = datetime(2026, 7, 1, 9, tzinfo=UTC)
LATEST = START + timedelta(days=28)


def rule(
    name: str,
    target: str,
    hard_limit: str | None = None,
    trust: str | None = None,
    setting: Setting | None = None,
    urgency: Urgency | None = None,
    modalities: set[str] | None = None,
    exam_codes: set[str] | None = None,
    valid_from: date = date(2023, 8, 9),
    valid_to: date | None = None,
    clock: TargetClock = TargetClock.REPORT,
) -> TargetRule:
    return TargetRule(
        id=name,
        trust=trust,
        setting=setting,
        urgency=urgency,
        modalities=None if modalities is None else frozenset(modalities),
        exam_codes=None if exam_codes is None else frozenset(exam_codes),
        target=Span.parse(target),
        hard_limit=None if hard_limit is None else Span.parse(hard_limit),
        valid_from=valid_from,
        valid_to=valid_to,
        source="test",
        confirmed_by=None,
        clock=clock,
    )


def facts(
    setting: Setting | None = Setting.GP,
    urgency: Urgency | None = Urgency.ROUTINE,
    modality: str | None = "XR",
    exam_codes: tuple[str | None, ...] = ("XCHES",),
    trust: str = "RXX",
    at: datetime = START,
) -> TurnaroundFacts:
    return TurnaroundFacts(trust, setting, urgency, modality, exam_codes, at)


def judge(about: TurnaroundFacts, *rules: TargetRule) -> Due:
    return due(about, rules, BANK_HOLIDAYS)


STROKE = rule("stroke", "30 minutes", "1 hour", urgency=Urgency.STROKE)
ROUTINE = rule("routine", "14 calendar days", "21 calendar days", urgency=Urgency.ROUTINE)
INPATIENT = rule("inpatient", "4 hours", "24 hours", setting=Setting.INPATIENT)


def test_without_a_rule_the_backstop_is_both_target_and_limit() -> None:
    assert judge(facts()) == Due(LATEST, LATEST, BACKSTOP_RULE_ID, BACKSTOP_RULE_ID)


def test_the_matching_rule_gives_target_and_limit() -> None:
    found = judge(facts(), STROKE, ROUTINE)
    assert found == Due(START + timedelta(days=14), START + timedelta(days=21), "routine", "routine")


@pytest.mark.parametrize(
    "other",
    [
        rule("other", "1 hour", trust="RYY"),
        rule("other", "1 hour", setting=Setting.INPATIENT),
        rule("other", "1 hour", urgency=Urgency.URGENT),
        rule("other", "1 hour", modalities={"CT", "MR"}),
        rule("other", "1 hour", exam_codes={"XHAND"}),
        rule("other", "1 hour", setting=Setting.GP, urgency=Urgency.URGENT),
    ],
)
def test_a_rule_with_a_condition_that_fails_does_not_match(other: TargetRule) -> None:
    assert judge(facts(), other).rule_id == BACKSTOP_RULE_ID


@pytest.mark.parametrize(
    "narrower",
    [
        rule("narrower", "10 calendar days", trust="RXX", modalities={"XR", "CT"}),
        rule("narrower", "10 calendar days", setting=Setting.GP, modalities={"XR", "CT"}),
        rule("narrower", "10 calendar days", urgency=Urgency.ROUTINE, modalities={"XR", "CT"}),
        rule("narrower", "10 calendar days", modalities={"XR"}),
        rule("narrower", "10 calendar days", modalities={"XR", "CT"}, exam_codes={"XCHES"}),
    ],
)
def test_a_looser_rule_that_says_more_replaces_the_wider_one(narrower: TargetRule) -> None:
    wider = rule("wider", "2 calendar days", modalities={"XR", "CT"})
    assert judge(facts(), wider, narrower).rule_id == "narrower"
    assert judge(facts(), narrower, wider).rule_id == "narrower"


def test_a_trust_s_looser_rule_for_everything_does_not_loosen_the_network_s_stroke_target() -> None:
    trust_wide = rule("trust", "10 calendar days", trust="RXX")
    assert judge(facts(urgency=Urgency.STROKE), STROKE, trust_wide).rule_id == "stroke"


def test_a_trust_s_own_stroke_rule_does() -> None:
    own = rule("own", "45 minutes", trust="RXX", urgency=Urgency.STROKE)
    assert judge(facts(urgency=Urgency.STROKE), STROKE, own).rule_id == "own"
    assert judge(facts(urgency=Urgency.STROKE, trust="RYY"), STROKE, own).rule_id == "stroke"


def test_of_two_rules_with_the_same_conditions_the_stricter_binds() -> None:
    again = rule("again", "7 calendar days", "28 calendar days", urgency=Urgency.ROUTINE)
    found = judge(facts(), again, ROUTINE)
    assert (found.rule_id, found.hard_rule_id) == ("again", "routine")


def test_a_refinement_without_a_limit_leaves_the_wider_rule_s_limit_in_force() -> None:
    own = rule("own", "45 minutes", trust="RXX", urgency=Urgency.STROKE)
    found = judge(facts(urgency=Urgency.STROKE), STROKE, own)
    assert (found.hard_rule_id, found.hard_limit_at) == ("stroke", START + timedelta(hours=1))


def test_a_target_beyond_the_limit_gives_way_to_it() -> None:
    own = rule("own", "3 hours", trust="RXX", urgency=Urgency.STROKE)
    found = judge(facts(urgency=Urgency.STROKE), STROKE, own)
    limit = START + timedelta(hours=1)
    assert found == Due(limit, limit, "stroke", "stroke")


def test_no_rule_reaches_beyond_the_backstop() -> None:
    found = judge(facts(), rule("slow", "60 calendar days", "90 calendar days"))
    assert found == Due(LATEST, LATEST, BACKSTOP_RULE_ID, BACKSTOP_RULE_ID)


def test_a_target_equal_to_its_limit_is_told_as_the_target() -> None:
    found = judge(
        facts(),
        rule("all", "30 minutes", trust="RXX"),
        rule("limit", "3 hours", "30 minutes", setting=Setting.GP),
    )
    assert (found.rule_id, found.hard_rule_id) == ("all", "limit")


def test_of_several_exams_the_strictest_makes_the_item_due() -> None:
    chest = rule("chest", "2 calendar days", exam_codes={"XCHES"})
    assert judge(facts(exam_codes=("XHAND", "XCHES")), ROUTINE, chest).rule_id == "chest"
    assert judge(facts(exam_codes=("XHAND",)), ROUTINE, chest).rule_id == "routine"


def test_a_refinement_for_one_exam_does_not_loosen_the_other() -> None:
    hand = rule("hand", "20 calendar days", "25 calendar days", urgency=Urgency.ROUTINE, exam_codes={"XHAND"})
    assert judge(facts(exam_codes=("XHAND",)), ROUTINE, hand).rule_id == "hand"
    assert judge(facts(exam_codes=("XHAND", "XCHES")), ROUTINE, hand).rule_id == "routine"


def test_an_unknown_urgency_takes_the_strictest_target_it_could_have() -> None:
    assert judge(facts(urgency=None), STROKE, ROUTINE).rule_id == "stroke"


def test_an_unknown_setting_takes_the_strictest_target_it_could_have() -> None:
    assert judge(facts(setting=None), INPATIENT, ROUTINE).rule_id == "inpatient"


def test_an_unknown_modality_takes_the_strictest_target_it_could_have() -> None:
    assert judge(facts(modality=None), rule("ct", "2 hours", modalities={"CT"}), ROUTINE).rule_id == "ct"


@pytest.mark.parametrize("exam_codes", [(), (None,), ("XHAND", None)])
def test_an_unknown_exam_takes_the_strictest_target_it_could_have(exam_codes: tuple[str | None, ...]) -> None:
    chest = rule("chest", "2 hours", exam_codes={"XCHES"})
    assert judge(facts(exam_codes=exam_codes), chest, ROUTINE).rule_id == "chest"


def test_an_unknown_exam_is_not_loosened_by_an_exam_it_may_not_be() -> None:
    hand = rule("hand", "20 calendar days", "25 calendar days", urgency=Urgency.ROUTINE, exam_codes={"XHAND"})
    assert judge(facts(exam_codes=(None,)), ROUTINE, hand).rule_id == "routine"


def test_when_every_setting_has_a_rule_an_unknown_one_has_no_stricter_value_beside_them() -> None:
    wide = rule("wide", "1 hour")
    each = [rule(setting.value, "5 hours", setting=setting) for setting in Setting]
    assert judge(facts(setting=None), wide, *each).due_at == START + timedelta(hours=5)


def test_an_unknown_urgency_never_turns_into_another_trust_s_target() -> None:
    theirs = rule("theirs", "10 minutes", trust="RYY", urgency=Urgency.STROKE)
    assert judge(facts(urgency=None), theirs, STROKE).rule_id == "stroke"


@pytest.mark.parametrize(
    ("start", "rule_id"),
    [
        ("2026-06-30T22:59:59+00:00", "old"),  # 23:59:59 BST on the last day of the old rule
        ("2026-06-30T23:00:00+00:00", "new"),  # 00:00 BST on the first day of the new one
        ("2026-07-31T22:59:59+00:00", "new"),
        ("2026-07-31T23:00:00+00:00", BACKSTOP_RULE_ID),
        ("2026-05-31T22:59:59+00:00", BACKSTOP_RULE_ID),
    ],
)
def test_the_rule_in_force_is_that_of_london_s_date_at_the_clock_start(start: str, rule_id: str) -> None:
    old = rule("old", "2 hours", valid_from=date(2026, 6, 1), valid_to=date(2026, 6, 30))
    new = rule("new", "3 hours", valid_from=date(2026, 7, 1), valid_to=date(2026, 7, 31))
    assert judge(facts(at=datetime.fromisoformat(start)), old, new).rule_id == rule_id


@pytest.mark.parametrize("start", ["2026-10-20T10:00:00", "2026-03-10T10:00:00"])
def test_the_backstop_keeps_the_wall_clock_over_both_clock_changes(start: str) -> None:
    local = datetime.fromisoformat(start).replace(tzinfo=LONDON)
    found = judge(facts(at=local.astimezone(UTC)))
    assert found.hard_limit_at == local + timedelta(days=28)  # wall-clock arithmetic in one zone


def test_a_working_day_target_skips_the_bank_holiday() -> None:
    found = judge(facts(at=datetime(2026, 8, 28, 9, tzinfo=UTC)), rule("day", "1 working day"))
    assert found.due_at == datetime(2026, 9, 1, 9, tzinfo=UTC)


def test_a_clock_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        facts(at=START.replace(tzinfo=None))


@pytest.mark.parametrize(
    "build",
    [
        lambda: rule("empty", "1 hour", modalities=set()),
        lambda: rule("empty", "1 hour", exam_codes=set()),
        lambda: rule("reversed", "1 hour", valid_from=date(2026, 7, 1), valid_to=date(2026, 6, 30)),
    ],
)
def test_a_rule_that_can_match_nothing_is_refused(build: object) -> None:
    with pytest.raises(ValueError, match=r"target (empty|reversed)"):
        build()  # type: ignore[operator]


# -- clock start -------------------------------------------------------------------------------


def sent(source: str, at: datetime) -> LocalTime:
    return LocalTime("as sent", "Europe/London", 0, source, at)


RECEIVED = datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_the_first_source_that_was_sent_starts_the_clock() -> None:
    first, second = sent("OBR-8", START), sent("OBR-7", START - timedelta(hours=1))
    assert clock_start([None, first, second], RECEIVED) == (START, "OBR-8")


def test_a_source_in_the_future_is_not_believed() -> None:
    ahead = sent("OBR-8", RECEIVED + timedelta(minutes=5, seconds=1))
    assert clock_start([ahead, sent("OBR-7", START)], RECEIVED) == (START, "OBR-7")


def test_a_source_whose_clock_is_five_minutes_fast_is_believed() -> None:
    ahead = RECEIVED + timedelta(minutes=5)
    assert clock_start([sent("OBR-8", ahead)], RECEIVED) == (ahead, "OBR-8")


def test_without_a_believable_source_the_clock_starts_at_receipt() -> None:
    ahead = sent("OBR-8", RECEIVED + timedelta(days=1))
    assert clock_start([None, ahead], RECEIVED.astimezone(LONDON)) == (RECEIVED, RECEIPT)
    assert clock_start([None, ahead], RECEIVED.astimezone(LONDON)).at.tzinfo is UTC


@pytest.mark.parametrize(
    ("needed_at", "due_at", "rule_id"),
    [
        (START + timedelta(days=3), START + timedelta(days=3), "needed-by"),
        (START + timedelta(days=14), START + timedelta(days=14), "routine"),
        (START + timedelta(days=20), START + timedelta(days=14), "routine"),  # never back
        (START, START + timedelta(days=14), "routine"),  # before there was anything to report
        (START - timedelta(days=3), START + timedelta(days=14), "routine"),
    ],
)
def test_when_a_report_is_needed_pulls_the_target_forward_and_never_back(
    needed_at: datetime, due_at: datetime, rule_id: str
) -> None:
    found = judge(dataclasses.replace(facts(), needed_by_at=needed_at), ROUTINE)
    assert found == Due(due_at, START + timedelta(days=21), rule_id, "routine")


CHECK = rule("check", "1 working day", "3 calendar days", clock=TargetClock.CHECK)
CHECK_OF_STROKES = rule("stroke-check", "2 hours", urgency=Urgency.STROKE, clock=TargetClock.CHECK)
PRELIMINARY_AT = START + timedelta(hours=5)


def judge_check(about: TurnaroundFacts, *rules: TargetRule, at: datetime = PRELIMINARY_AT) -> Due:
    return check_due(about, at, rules, BANK_HOLIDAYS, judge(about, *rules))


def test_the_check_is_due_by_the_rules_of_checks_from_the_preliminary_report_on() -> None:
    found = judge_check(facts(), ROUTINE, CHECK)
    assert found == Due(PRELIMINARY_AT + timedelta(days=1), PRELIMINARY_AT + timedelta(days=3), "check", "check")


def test_rules_of_checks_say_nothing_of_reports_and_rules_of_reports_nothing_of_checks() -> None:
    assert judge(facts(), CHECK) == judge(facts())
    assert judge_check(facts(), ROUTINE) == judge(facts(), ROUTINE)
    assert judge_check(facts(), ROUTINE, CHECK_OF_STROKES) == judge(facts(), ROUTINE)


def test_a_check_takes_no_longer_than_the_report_may() -> None:
    late = START + timedelta(days=20, hours=12)
    found = judge_check(facts(), ROUTINE, CHECK, at=late)
    assert (found.due_at, found.hard_limit_at) == (START + timedelta(days=21), START + timedelta(days=21))
    assert found.hard_rule_id == "routine"


def test_a_check_of_unknown_urgency_takes_the_strictest_that_it_could_have() -> None:
    found = judge_check(facts(urgency=None), ROUTINE, CHECK, CHECK_OF_STROKES)
    assert (found.due_at, found.rule_id) == (PRELIMINARY_AT + timedelta(hours=2), "stroke-check")
