"""What is not offered for network reporting: a table of cases, and that no unknown fact takes work away."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.exams.codes import CodedExam
from worklist.exams.not_offered import NotOfferedReason, NotOfferedRule, OfferFacts, not_offered
from worklist.turnaround.targets import Setting

DAY = date(2026, 6, 10)
US, XR_HAND, XR_CHEST, UNMAPPED_US, UNKNOWN = (
    CodedExam("UABDO", "US"),
    CodedExam("XHANL", "XR"),
    CodedExam("XCHES", "XR"),
    CodedExam(None, "US"),
    CodedExam(None, None),
)


def rule(
    name: str,
    *,
    trust: str | None = None,
    modalities: set[str] | None = None,
    exams: set[str] | None = None,
    settings: set[Setting] | None = None,
    first: date = date(2026, 1, 1),
    last: date | None = None,
) -> NotOfferedRule:
    return NotOfferedRule(
        id=name,
        trust=trust,
        modalities=None if modalities is None else frozenset(modalities),
        exam_codes=None if exams is None else frozenset(exams),
        settings=None if settings is None else frozenset(settings),
        reason=NotOfferedReason.REPORTED_BY_OPERATOR,
        valid_from=first,
        valid_to=last,
        source="test",
        confirmed_by=None,
    )


RULES = (
    rule("ultrasound", modalities={"US"}),
    rule("hands-of-the-emergency-department", trust="RXA", exams={"XHANL"}, settings={Setting.EMERGENCY}),
    rule("chests-for-a-while", exams={"XCHES"}, first=DAY, last=DAY),
    rule("screening-of-b", trust="RXB", modalities={"MG"}),
)


@pytest.mark.parametrize(
    ("trust", "setting", "day", "exams", "expected"),
    [
        ("RXA", None, DAY, [US], "ultrasound"),
        ("RXB", Setting.GP, DAY, [US, US], "ultrasound"),
        ("RXA", None, DAY, [UNMAPPED_US], "ultrasound"),
        ("RXA", None, DAY, [UNKNOWN], None),
        ("RXA", None, DAY, [], None),
        ("RXA", Setting.EMERGENCY, DAY, [XR_HAND], "hands-of-the-emergency-department"),
        ("RXA", Setting.GP, DAY, [XR_HAND], None),
        ("RXA", None, DAY, [XR_HAND], None),
        ("RXB", Setting.EMERGENCY, DAY, [XR_HAND], None),
        ("RXA", Setting.EMERGENCY, DAY, [CodedExam(None, "XR")], None),
        ("RXA", None, DAY, [XR_CHEST], "chests-for-a-while"),
        ("RXA", None, date(2026, 6, 9), [XR_CHEST], None),
        ("RXA", None, date(2026, 6, 11), [XR_CHEST], None),
        ("RXA", None, date(2025, 12, 31), [US], None),
        ("RXA", None, DAY, [US, XR_HAND], None),
        ("RXA", Setting.EMERGENCY, DAY, [US, XR_HAND], "ultrasound"),
        ("RXA", Setting.EMERGENCY, DAY, [XR_HAND, US], "hands-of-the-emergency-department"),
        ("RXA", None, DAY, [US, UNKNOWN], None),
        ("RXA", None, DAY, [CodedExam("MMAMM", "MG")], None),
        ("RXB", None, DAY, [CodedExam("MMAMM", "MG")], "screening-of-b"),
    ],
)
def test_which_rule_keeps_an_item_back(
    trust: str, setting: Setting | None, day: date, exams: list[CodedExam], expected: str | None
) -> None:
    found = not_offered(OfferFacts(trust, setting, day, tuple(exams)), RULES)
    assert (found.id if found else None) == expected
    again = not_offered(OfferFacts(trust, setting, day, tuple(exams)), RULES[::-1])
    assert again == found


@given(
    exams=st.lists(st.sampled_from([US, XR_HAND, XR_CHEST, UNMAPPED_US]), min_size=1, max_size=3),
    setting=st.sampled_from([None, *Setting]),
)
def test_an_exam_of_which_nothing_is_known_keeps_the_whole_item_on_offer(
    exams: list[CodedExam], setting: Setting | None
) -> None:
    assert not_offered(OfferFacts("RXA", setting, DAY, (*exams, UNKNOWN)), RULES) is None


@given(exams=st.lists(st.sampled_from([US, XR_HAND, XR_CHEST]), min_size=1, max_size=3))
def test_what_is_offered_in_some_setting_is_offered_where_the_setting_is_unknown(exams: list[CodedExam]) -> None:
    possible = [not_offered(OfferFacts("RXA", setting, DAY, tuple(exams)), RULES) for setting in Setting]
    if None in possible:
        assert not_offered(OfferFacts("RXA", None, DAY, tuple(exams)), RULES) is None


def test_a_rule_without_a_condition_or_with_an_empty_one_is_refused() -> None:
    for wrong in ({}, {"modalities": set[str]()}, {"modalities": {"US"}, "exams": set[str]()}):
        with pytest.raises(ValueError, match="needs modalities"):
            rule("wrong", **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ends before"):
        rule("wrong", modalities={"US"}, first=DAY, last=date(2026, 6, 9))
