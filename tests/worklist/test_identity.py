"""Who a patient is: right or not known."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nhs_number.constants import REGION_SYNTHETIC
from nhs_number.generate import generate

from worklist.identity import age_at, name_key, nhs_number_status

EXAM = date(2026, 6, 10)


@pytest.mark.parametrize("number", [None, ""])
def test_a_number_that_was_not_sent_is_told_from_a_wrong_one(number: str | None) -> None:
    assert nhs_number_status(number) == "not-sent"


def test_a_number_of_the_synthetic_range_is_present_and_untraced() -> None:
    (number,) = generate(for_region=REGION_SYNTHETIC, quantity=1)
    assert nhs_number_status(number) == "present-untraced"


@pytest.mark.parametrize("number", ["9990000001", "123", "abcdefghij", "0000000000", "99900000018"])
def test_a_wrong_check_digit_range_or_form_is_invalid(number: str) -> None:
    assert nhs_number_status(number) == "invalid"


@pytest.mark.parametrize(
    ("birth", "exam", "years"),
    [
        (date(2010, 6, 10), EXAM, 16),
        (date(2010, 6, 11), EXAM, 15),
        (EXAM, EXAM, 0),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(1896, 6, 10), EXAM, 130),
    ],
)
def test_an_age_is_completed_years_at_the_exam(birth: date, exam: date, years: int) -> None:
    assert age_at(birth, exam) == years


@pytest.mark.parametrize("birth", [EXAM + timedelta(days=1), date(1890, 1, 1)])
def test_a_birth_date_that_cannot_be_says_nothing_and_the_age_as_sent_decides(birth: date) -> None:
    assert age_at(birth, EXAM) is None
    assert age_at(birth, EXAM, "045Y") == 45


def test_a_birth_date_decides_over_the_age_as_sent() -> None:
    assert age_at(date(2010, 6, 10), EXAM, "045Y") == 16


@pytest.mark.parametrize(
    ("sent", "years"),
    [
        ("045Y", 45),
        ("000Y", 0),
        ("130Y", 130),
        ("131Y", None),
        ("011M", 0),
        ("012M", 1),
        ("191M", 15),
        ("192M", 16),
        ("010W", 0),
        ("060W", 1),
        ("200D", 0),
        ("500D", 1),
        ("45Y", None),
        ("045y", None),
        ("045", None),
        ("", None),
        ("unknown", None),
    ],
)
def test_an_age_as_sent_is_read_in_its_own_unit(sent: str, years: int | None) -> None:
    assert age_at(None, EXAM, sent) == years


def test_fifteen_years_in_weeks_are_not_sixteen() -> None:
    weeks = (EXAM - date(2010, 6, 20)).days // 7
    assert age_at(None, EXAM, f"{weeks}W") in (15, None)


@given(st.dates(date(2008, 1, 1), date(2035, 12, 31)), st.integers(0, 6900))
def test_an_age_in_weeks_or_days_is_right_or_not_known(exam: date, days: int) -> None:
    birth = exam - timedelta(days=days)
    right = age_at(birth, exam)
    for sent in (f"{days // 7:03d}W", *([f"{days:03d}D"] if days < 1000 else ())):
        assert age_at(None, exam, sent) in (right, None)


@pytest.mark.parametrize(
    ("family", "given_name", "key"),
    [
        ("O'Neill", "Zoë", "O'NEILL^ZOE"),
        (" de  la Cruz ", None, "DE LA CRUZ^"),
        ("SMITH", "jo", "SMITH^JO"),
        (None, "Jo", None),
        ("", "Jo", None),
    ],
)
def test_names_are_compared_in_upper_case_without_accents(
    family: str | None, given_name: str | None, key: str | None
) -> None:
    assert name_key(family, given_name) == key
