"""Turnaround: what holds of every item and all rules, by drawn ones."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worklist.turnaround.test_targets import BANK_HOLIDAYS, judge
from worklist.turnaround.span import Span, ends_at
from worklist.turnaround.targets import Setting, TargetRule, TurnaroundFacts, Urgency

MODALITIES = ("XR", "CT")
EXAMS = ("XCHES", "CHEAD")
optional_setting = st.none() | st.sampled_from((Setting.GP, Setting.INPATIENT))
optional_urgency = st.none() | st.sampled_from((Urgency.STROKE, Urgency.ROUTINE))
spans = st.builds(Span, st.integers(1, 40), st.sampled_from(("hours", "calendar_days", "working_days")))
starts = st.datetimes(
    datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-06-01"), timezones=st.just(UTC)
)
numbers = itertools.count()
rules_drawn = st.builds(
    TargetRule,
    id=st.builds(lambda: f"rule-{next(numbers)}"),
    trust=st.sampled_from((None, None, "RXX", "RYY")),
    setting=optional_setting,
    urgency=optional_urgency,
    modalities=st.none() | st.frozensets(st.sampled_from(MODALITIES), min_size=1),
    exam_codes=st.none() | st.frozensets(st.sampled_from(EXAMS), min_size=1),
    target=spans,
    hard_limit=st.none() | spans,
    valid_from=st.just(date(2023, 8, 9)),
    valid_to=st.none(),
    source=st.just("test"),
    confirmed_by=st.none(),
)
facts_drawn = st.builds(
    TurnaroundFacts,
    trust=st.just("RXX"),
    setting=optional_setting,
    urgency=optional_urgency,
    modality=st.none() | st.sampled_from(MODALITIES),
    exam_codes=st.lists(st.none() | st.sampled_from(EXAMS), max_size=2).map(tuple),
    clock_start_at=starts,
)


def every_known_form(about: TurnaroundFacts) -> Iterator[TurnaroundFacts]:
    """Every concrete form of the facts, one exam at a time: the oracle that tries all values."""
    for exam in about.exam_codes or (None,):
        for setting, urgency, modality, code in itertools.product(
            [about.setting] if about.setting else Setting,
            [about.urgency] if about.urgency else Urgency,
            [about.modality] if about.modality else (*MODALITIES, "NM"),
            [exam] if exam else (*EXAMS, "OTHER"),
        ):
            yield TurnaroundFacts(about.trust, setting, urgency, modality, (code,), about.clock_start_at)


@settings(deadline=None)  # an item of unknowns has hundreds of forms
@given(facts_drawn, st.lists(rules_drawn, max_size=6))
def test_unknown_facts_are_due_exactly_when_their_strictest_known_form_is(
    about: TurnaroundFacts, rules: list[TargetRule]
) -> None:
    known = [judge(form, *rules) for form in every_known_form(about)]
    found = judge(about, *rules)
    assert found.due_at == min(each.due_at for each in known)
    assert found.hard_limit_at == min(each.hard_limit_at for each in known)


@given(facts_drawn, st.lists(rules_drawn, max_size=6), rules_drawn)
def test_adding_a_stricter_rule_never_makes_anything_due_later(
    about: TurnaroundFacts, rules: list[TargetRule], extra: TargetRule
) -> None:
    before = judge(about, *rules)
    strict_target = ends_at(extra.target, about.clock_start_at, BANK_HOLIDAYS) <= before.due_at
    limit = extra.hard_limit or Span(28, "calendar_days")
    strict_limit = ends_at(limit, about.clock_start_at, BANK_HOLIDAYS) <= before.hard_limit_at
    stricter = dataclasses.replace(
        extra,
        target=extra.target if strict_target else Span(1, "minutes"),
        hard_limit=extra.hard_limit if strict_limit else Span(1, "hours"),
    )
    after = judge(about, *rules, stricter)
    assert after.due_at <= before.due_at
    assert after.hard_limit_at <= before.hard_limit_at


@given(facts_drawn, st.lists(rules_drawn, max_size=6))
def test_nothing_is_due_after_its_limit_nor_limited_beyond_28_days(
    about: TurnaroundFacts, rules: list[TargetRule]
) -> None:
    found = judge(about, *rules)
    backstop = ends_at(Span(28, "calendar_days"), about.clock_start_at, BANK_HOLIDAYS)
    assert about.clock_start_at < found.due_at <= found.hard_limit_at <= backstop


@given(facts_drawn, st.lists(rules_drawn, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_the_rules_does_not_matter(
    about: TurnaroundFacts, rules: list[TargetRule], random: Random
) -> None:
    shuffled = random.sample(rules, len(rules))
    assert judge(about, *shuffled) == judge(about, *rules)
