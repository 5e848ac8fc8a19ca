"""What is known of an exclusion flag: a table of cases, and that no unknown fact clears anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.exams.codes import NOT_MAPPED, CodedExam
from worklist.exclusions.flags import FlagFacts, FlagRule, FlagState, Statement, Told, flags_of, looked_at
from worklist.turnaround.targets import Setting, Urgency

DAY = date(2026, 6, 10)
HAND, CHEST, HEAD = CodedExam("XHANL", "XR"), CodedExam("XCHES", "XR"), CodedExam("CHEAD", "CT")
YES, NO, UNKNOWN = FlagState.YES, FlagState.NO, FlagState.UNKNOWN
FACTS = FlagFacts("RXA", DAY, (HAND,), 40, Setting.GP, Urgency.ROUTINE, "Fell on the hand")


def rule(name: str, state: FlagState = YES, flag: str = "trauma", **conditions: Any) -> FlagRule:
    several = {"exam_codes", "modalities", "settings", "urgencies"}
    given_ = {key: frozenset(value) if key in several else value for key, value in conditions.items()}
    nothing: dict[str, Any] = dict.fromkeys(
        (*several, "trust", "min_age_years", "max_age_years", "words", "valid_to", "confirmed_by")
    )
    return FlagRule(
        **{**nothing, "valid_from": date(2026, 1, 1), "source": "test", **given_}, id=name, flag=flag, state=state
    )


@pytest.mark.parametrize(
    ("told_by", "changed", "expected"),
    [
        (rule("r", exam_codes={"XHANL"}), {}, YES),
        (rule("r", exam_codes={"XHANL"}), {"exams": (CHEST,)}, None),
        (rule("r", exam_codes={"XHANL"}), {"exams": (CHEST, HAND)}, YES),
        (rule("r", exam_codes={"XHANL"}), {"exams": (NOT_MAPPED,)}, None),
        (rule("r", exam_codes={"XHANL"}), {"exams": ()}, None),
        (rule("r", NO, exam_codes={"XHANL"}), {}, NO),
        (rule("r", NO, exam_codes={"XHANL"}), {"exams": (HAND, CHEST)}, None),
        (rule("r", NO, exam_codes={"XHANL", "XCHES"}), {"exams": (HAND, CHEST)}, NO),
        (rule("r", NO, exam_codes={"XHANL"}), {"exams": (HAND, NOT_MAPPED)}, None),
        (rule("r", NO, modalities={"XR"}), {"exams": (HAND, CHEST)}, NO),
        (rule("r", NO, modalities={"XR"}), {"exams": (HAND, HEAD)}, None),
        (rule("r", NO, modalities={"XR"}), {"exams": ()}, None),
        (rule("r", NO, settings={Setting.GP}), {}, NO),
        (rule("r", NO, settings={Setting.GP}), {"setting": None}, None),
        (rule("r", NO, settings={Setting.GP}), {"setting": Setting.EMERGENCY}, None),
        (rule("r", NO, urgencies={Urgency.ROUTINE}), {}, NO),
        (rule("r", NO, urgencies={Urgency.ROUTINE}), {"urgency": None}, None),
        (rule("r", NO, min_age_years=18), {"age_years": 18}, NO),
        (rule("r", NO, min_age_years=18), {"age_years": 17}, None),
        (rule("r", NO, min_age_years=18), {"age_years": None}, None),
        (rule("r", NO, max_age_years=15), {"age_years": 15}, NO),
        (rule("r", NO, max_age_years=15), {"age_years": 16}, None),
        (rule("r", NO, min_age_years=18, settings={Setting.GP}), {"setting": None}, None),
        (rule("r", trust="RXA", exam_codes={"XHANL"}), {}, YES),
        (rule("r", trust="RXB", exam_codes={"XHANL"}), {}, None),
        (rule("r", exam_codes={"XHANL"}, valid_from=DAY, valid_to=DAY), {}, YES),
        (rule("r", exam_codes={"XHANL"}, valid_from=date(2026, 6, 11)), {}, None),
        (rule("r", exam_codes={"XHANL"}, valid_to=date(2026, 6, 9)), {}, None),
        (rule("r", words=("nai",)), {"clinical_question": "? NAI, please advise"}, YES),
        (rule("r", words=("nai",)), {"clinical_question": "Nail bed injury"}, None),
        (rule("r", words=("nai",)), {"clinical_question": None}, None),
        (rule("r", words=("trauma call",)), {"clinical_question": "TRAUMA\n  Call 0240"}, YES),
        (rule("r", words=("post-op",)), {"clinical_question": "post-op check"}, YES),
        (rule("r", words=("c.diff",)), {"clinical_question": "cadiff"}, None),
        (rule("r", words=("nai",), exam_codes={"XCHES"}), {"clinical_question": "nai"}, None),
    ],
)
def test_a_rule_tells_by_known_facts_alone(
    told_by: FlagRule, changed: dict[str, Any], expected: FlagState | None
) -> None:
    told = flags_of(replace(FACTS, **changed), [told_by])
    assert told == ({} if expected is None else {"trauma": Told(expected, "r")})


def test_of_rules_that_differ_the_one_that_says_yes_counts_then_the_first_by_id() -> None:
    no, b, a = rule("0", NO, settings={Setting.GP}), rule("b", exam_codes={"XHANL"}), rule("a", modalities={"XR"})
    assert flags_of(FACTS, [no, b, a]) == {"trauma": Told(YES, "a")}
    assert flags_of(FACTS, [no, replace(no, id="9")]) == {"trauma": Told(NO, "0")}


def test_each_flag_is_told_by_its_own_rules_in_the_order_of_their_names() -> None:
    rules = [rule("1", NO, "trauma", settings={Setting.GP}), rule("2", YES, "abuse", exam_codes={"XHANL"})]
    assert list(flags_of(FACTS, rules).items()) == [("abuse", Told(YES, "2")), ("trauma", Told(NO, "1"))]


def test_a_person_counts_before_rules_both_ways() -> None:
    for state, said in ((YES, NO), (NO, YES)):
        rules = [rule("r", state, exam_codes={"XHANL"})]
        assert flags_of(FACTS, rules, {"trauma": Statement(said, True)}) == {"trauma": Told(said, "person")}


def test_that_a_flag_is_not_so_lapses_with_what_was_looked_at_and_that_it_is_so_does_not() -> None:
    assert flags_of(FACTS, [], {"trauma": Statement(NO, False)}) == {}
    assert flags_of(FACTS, [], {"trauma": Statement(YES, False)}) == {"trauma": Told(YES, "person")}
    rules = [rule("r", exam_codes={"XHANL"})]
    assert flags_of(FACTS, rules, {"trauma": Statement(NO, False)}) == {"trauma": Told(YES, "r")}


def test_what_a_person_looks_at_are_the_exams_and_the_clinical_question() -> None:
    seen = looked_at(FACTS)
    assert seen != looked_at(replace(FACTS, exams=(CHEST,)))
    assert seen != looked_at(replace(FACTS, exams=(HAND, NOT_MAPPED)))
    assert seen != looked_at(replace(FACTS, clinical_question="Fell on the hand at work"))
    assert seen != looked_at(replace(FACTS, clinical_question=None))
    assert seen == looked_at(replace(FACTS, clinical_question="fell on  the hand ", age_years=None, urgency=None))
    assert looked_at(replace(FACTS, exams=(HAND, CHEST))) == looked_at(replace(FACTS, exams=(CHEST, HAND)))


@pytest.mark.parametrize(
    ("conditions", "what"),
    [
        ({}, "needs a condition"),
        ({"exam_codes": set()}, "nothing meets"),
        ({"words": ("nai",), "state": NO}, "only tell that a flag is so"),
        ({"exam_codes": {"X"}, "state": UNKNOWN}, "says yes or no"),
        ({"exam_codes": {"X"}, "valid_to": date(2025, 1, 1)}, "ends before it begins"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(conditions: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        rule("r", **conditions)


_exam = st.sampled_from([HAND, CHEST, HEAD, NOT_MAPPED])
_facts = st.builds(
    FlagFacts,
    st.sampled_from(["RXA", "RXB"]),
    st.just(DAY),
    st.lists(_exam, max_size=2).map(tuple),
    st.one_of(st.none(), st.integers(0, 100)),
    st.one_of(st.none(), st.sampled_from(Setting)),
    st.one_of(st.none(), st.sampled_from(Urgency)),
    st.sampled_from([None, "", "nai", "fell"]),
)
_rule = st.builds(
    lambda state, given_: rule("r", state, **given_),
    st.sampled_from([YES, NO]),
    st.fixed_dictionaries(
        {"modalities": st.sets(st.sampled_from(["XR", "CT"]), min_size=1)},
        optional={
            "exam_codes": st.sets(st.sampled_from(["XHANL", "CHEAD"]), min_size=1),
            "settings": st.sets(st.sampled_from(Setting), min_size=1),
            "urgencies": st.sets(st.sampled_from(Urgency), min_size=1),
            "min_age_years": st.integers(0, 40),
        },
    ),
)


@given(_facts, st.lists(_rule, max_size=4), st.sampled_from(["age_years", "setting", "urgency", "exams"]))
def test_a_missing_fact_clears_nothing(facts: FlagFacts, rules: list[FlagRule], what: str) -> None:
    unknown: Any = (*facts.exams, NOT_MAPPED) if what == "exams" else None
    missing = replace(facts, **{what: unknown})
    if flags_of(missing, rules).get("trauma") == Told(NO, "r"):
        told = flags_of(facts, rules)["trauma"]
        assert told.state is NO or any(one.state is YES and one.tells(facts) for one in rules)


@given(_facts, st.lists(_rule, max_size=4), _exam)
def test_one_more_exam_clears_nothing(facts: FlagFacts, rules: list[FlagRule], exam: CodedExam) -> None:
    more = flags_of(replace(facts, exams=(*facts.exams, exam)), rules).get("trauma")
    if facts.exams and more is not None and more.state is NO:
        assert flags_of(facts, rules)["trauma"].state is NO
