"""Whose work a study is, over invented statements."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from worklist.intake.ownership import ELSEWHERE, Copy, is_in_doubt, is_old, owners, performers

NINE = datetime(2026, 6, 10, 9, tzinfo=UTC)
KNOWN = performers({"RXA": ["Alder Vale Infirmary"], "RXB": []}, ["Beacon  Clinic"])


def copy(number: int, performed_by: str | None = None, *, ordered: bool = False) -> Copy:
    """The copy of trust RX`number`, which came `number` minutes after nine."""
    return Copy(number, f"RX{number}", performed_by, ordered, NINE + timedelta(minutes=number))


@pytest.mark.parametrize(
    ("issuer", "institution", "named"),
    [
        ("RXA", None, "RXA"),
        (None, "ALDER VALE   infirmary", "RXA"),
        ("RXB", "Alder Vale Infirmary", "RXB"),
        ("PACS_INTERNAL", "Alder Vale Infirmary", "RXA"),
        ("PACS_INTERNAL", "Somewhere", None),
        (None, "beacon clinic", ELSEWHERE),
        (None, None, None),
        ("", "", None),
    ],
)
def test_the_issuer_names_the_performer_before_the_institution_and_unknown_words_name_nobody(
    issuer: str | None, institution: str | None, named: str | None
) -> None:
    assert KNOWN.named_by(issuer, institution) == named


@pytest.mark.parametrize(
    ("copies", "work"),
    [
        ([copy(1)], {1}),
        ([copy(1, "RX1")], {1}),
        ([copy(1, "RX2")], set()),  # performed by a trust that has not sent it yet
        ([copy(1, ELSEWHERE)], set()),
        ([copy(1), copy(2)], {1}),
        ([copy(1), copy(2, "RX2")], {2}),
        ([copy(1, "RX2"), copy(2)], {2}),  # the other's copy names it
        ([copy(1), copy(2, ordered=True)], {2}),
        ([copy(1, ordered=True), copy(2, "RX2")], {2}),
        ([copy(1, ordered=True), copy(2, ordered=True), copy(3)], {1, 2}),  # each of two orders waits for a report
        ([copy(1, ELSEWHERE), copy(2)], {2}),
        ([copy(1, "RX2"), copy(2, "RX1")], {1, 2}),  # nobody's work is lost over a contradiction
    ],
)
def test_a_study_is_the_performers_by_name_else_by_order_else_by_whose_came_first(
    copies: list[Copy], work: set[int]
) -> None:
    assert owners(copies) == work
    assert owners(copies[::-1]) == work


@pytest.mark.parametrize(
    ("copies", "doubtful"),
    [
        ([copy(1)], False),
        ([copy(1), copy(2)], True),
        ([copy(1), copy(2, "RX2")], False),
        ([copy(1), copy(2, ordered=True)], False),
        ([copy(1, ordered=True), copy(2, ordered=True)], True),
        ([copy(1, ELSEWHERE), copy(2)], False),
        ([copy(1, "RX2"), copy(2, "RX1")], True),
    ],
)
def test_it_is_put_before_a_person_where_nothing_says_which_of_several_trusts_performed_it(
    copies: list[Copy], doubtful: bool
) -> None:
    assert is_in_doubt(copies) is doubtful


@pytest.mark.parametrize(
    ("study_date", "after_days", "old"),
    [
        (date(2026, 5, 11), 30, False),
        (date(2026, 5, 10), 30, True),
        (date(2026, 6, 12), 30, False),
        (None, 30, False),
        (date(1999, 1, 1), None, False),
    ],
)
def test_a_study_is_old_only_by_a_date_that_is_known_and_a_rule_that_is_stated(
    study_date: date | None, after_days: int | None, old: bool
) -> None:
    assert is_old(study_date, date(2026, 6, 10), after_days) is old
