"""What work is valued at: the cases of `valuation_cases.csv`, and the order in which minutes are found."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from worklist.exams.codes import Exam
from worklist.exams.valuation import (
    MinutesRule,
    Modifier,
    ModifierKind,
    RelevantPrior,
    Valued,
    ValuedExam,
    counts_priors,
    minutes_of_exam,
    reading_minutes,
    value_accession,
)
from worklist.reading import Purpose

FROM = date(2026, 1, 1)
DAY = date(2026, 6, 10)
MODIFIERS = (
    Modifier(ModifierKind.FURTHER_EXAM, Decimal(60), FROM),
    Modifier(ModifierKind.PAEDIATRIC, Decimal(130), FROM, below_years=16),
    Modifier(ModifierKind.PAEDIATRIC, Decimal(150), date(2026, 7, 1), below_years=16),
    Modifier(ModifierKind.RELEVANT_PRIOR, Decimal(110), FROM),
    Modifier(ModifierKind.CHECK, Decimal(50), FROM, date(2026, 12, 31)),
    Modifier(ModifierKind.SECOND_OPINION, Decimal(150), FROM),
)
CASES = list(csv.DictReader((Path(__file__).parent / "valuation_cases.csv").read_text(encoding="utf-8").splitlines()))

CT_CHEST = Exam("CCHES", "CT Chest", "CT", None, None, True, body_region="Chest")
ANY = MinutesRule("ct", "CT", Decimal(15), FROM)
CHEST = MinutesRule("ct-chest", "CT", Decimal(14), FROM, body_regions=frozenset({"chest"}))
THIS = MinutesRule("this", "CT", Decimal(12), FROM, exam_codes=frozenset({"CCHES"}))


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_an_accession_is_valued_as_the_case_says(case: dict[str, str]) -> None:
    found = value_accession(
        [ValuedExam("X", Valued(Decimal(one), "network")) for one in case["exams"].split()],
        MODIFIERS,
        date.fromisoformat(case["on"]),
        age_years=int(case["age"]) if case["age"] else None,
        prior=RelevantPrior("CCHES", FROM) if case["prior"] == "yes" else None,
    )
    assert found.minutes == Decimal(case["minutes"])


def test_the_derivation_tells_every_step_by_which_one_can_do_the_sum_again() -> None:
    exams = [ValuedExam("XCHES", Valued(Decimal("1.50"), "network")), ValuedExam(None, Valued(Decimal(15), "none"))]
    found = value_accession(exams, MODIFIERS, DAY, age_years=9, prior=RelevantPrior("CCHES", date(2025, 3, 1)))
    assert found.steps == (
        "unmapped exam: 15 minutes (none)",
        "XCHES: 1.5 minutes (network), a further exam: 60%",
        "below 16 years: 130%",
        "relevant prior, CCHES of 2025-03-01: 110%",
        "22.74 minutes",
    )
    assert found.minutes == Decimal("22.74")  # (15 + 1.5 x 0.6) x 1.3 x 1.1 = 22.737


def test_without_a_modifier_a_prior_changes_nothing_and_is_not_looked_for() -> None:
    exams = [ValuedExam("XCHES", Valued(Decimal(10), "network"))]
    found = value_accession(exams, MODIFIERS[:3], DAY, prior=RelevantPrior("CCHES", FROM))
    assert (found.minutes, found.steps) == (Decimal(10), ("XCHES: 10 minutes (network)", "10 minutes"))
    assert (counts_priors(MODIFIERS, DAY), counts_priors(MODIFIERS, date(2025, 12, 31))) == (True, False)


@pytest.mark.parametrize(
    ("exam", "rules", "expected"),
    [
        (replace(CT_CHEST, reporting_minutes=Decimal(9)), (ANY, THIS), Valued(Decimal(9), "network")),
        (CT_CHEST, (ANY, CHEST, THIS), Valued(Decimal(12), "this")),
        (CT_CHEST, (ANY, CHEST), Valued(Decimal(14), "ct-chest")),
        (CT_CHEST, (CHEST, ANY), Valued(Decimal(14), "ct-chest")),
        (replace(CT_CHEST, body_region="head"), (ANY, CHEST), Valued(Decimal(15), "ct")),
        (replace(CT_CHEST, body_region=None), (ANY, CHEST), Valued(Decimal(15), "ct")),
        (replace(CT_CHEST, modality="MR"), (ANY, CHEST, THIS), Valued(Decimal(15), "none")),
        (CT_CHEST, (), Valued(Decimal(15), "none")),
        (CT_CHEST, (replace(ANY, valid_from=date(2026, 6, 11)),), Valued(Decimal(15), "none")),
        (CT_CHEST, (replace(ANY, valid_to=date(2026, 6, 9)),), Valued(Decimal(15), "none")),
        (CT_CHEST, (ANY, replace(ANY, code="new", minutes=Decimal(16), valid_from=DAY)), Valued(Decimal(16), "new")),
        (None, (ANY,), Valued(Decimal(15), "none")),
    ],
)
def test_the_network_s_own_minutes_count_then_the_narrowest_rule_in_force(
    exam: Exam | None, rules: tuple[MinutesRule, ...], expected: Valued
) -> None:
    assert minutes_of_exam(exam, rules, DAY) == expected


@pytest.mark.parametrize(
    ("purpose", "on", "minutes"),
    [
        (Purpose.FIRST, DAY, "2.90"),
        (Purpose.CHECK, DAY, "1.45"),
        (Purpose.CHECK, date(2027, 1, 1), "2.90"),
        (Purpose.SECOND, DAY, "4.35"),
        (Purpose.SAMPLE, DAY, "2.90"),
    ],
)
def test_a_reading_is_valued_by_its_purpose(purpose: Purpose, on: date, minutes: str) -> None:
    assert reading_minutes(Decimal("2.90"), purpose, MODIFIERS, on) == Decimal(minutes)
