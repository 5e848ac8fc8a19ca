"""Prices: tables worked by hand, and what must hold for every report and every card."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.pay.pricing import NoTariff, PayableWork, Price, PricedExam, price
from allocation.pay.rate_card import RateCard, Tariff, TariffUnit, Window
from worklist.local_time import LONDON
from worklist.turnaround.bank_holidays import england_bank_holidays

BANK_HOLIDAYS = england_bank_holidays(range(2026, 2028))
FIRST, CHECK = frozenset({"first"}), frozenset({"check"})
PER_EXAM, PER_MINUTE = TariffUnit.PER_EXAM, TariffUnit.PER_MINUTE_VALUE
EVERY_DAY = frozenset(range(7))
CARD = RateCard(
    id=1,
    code="NETWORK",
    version=3,
    valid_from=date(2026, 4, 1),
    valid_to=None,
    approved_by=("Finance", "Workforce"),
    tariffs=(
        Tariff("XR", PER_EXAM, 300, FIRST, modalities=frozenset({"XR"})),
        Tariff("CT-HEAD", PER_EXAM, 1500, FIRST, exam_codes=frozenset({"CHEAD", "CHEADC"})),
        Tariff("CT-MR", PER_EXAM, 4000, FIRST, modalities=frozenset({"CT", "MR"})),
        Tariff("CHECK", PER_MINUTE, 75, CHECK),
        Tariff("SESSION", TariffUnit.PER_SESSION, 60000, FIRST | CHECK, modalities=frozenset({"NM"})),
    ),
    windows=(
        Window("evening", frozenset(range(5)), time(19), time(23), False, 125),
        Window("weekend", frozenset({5, 6}), time(7), time(23), False, 125),
        Window("night", EVERY_DAY, time(23), time(7), False, 150),
        Window("bank holiday", frozenset(), time(0), time(0), True, 150),
    ),
)
CHEST = PricedExam("XCHES", "XR", Decimal(2))
HAND = PricedExam("XHAND", "XR", Decimal("1.5"))
HEAD = PricedExam("CHEAD", "CT", Decimal(8))
KNEE = PricedExam("MKNEE", "MR", Decimal(15))
UNMAPPED_XR = PricedExam(None, "XR", Decimal(2))

DAY, EVENING = "2026-07-01T10:00:00", "2026-07-01T20:00:00"


def london(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


def work(
    *exams: PricedExam, opened: str = DAY, purpose: str = "first", session: str = "2026-07-01T09:00:00"
) -> PayableWork:
    return PayableWork(purpose, exams, london(opened), london(session))


def priced(about: PayableWork, card: RateCard = CARD) -> Price:
    return price(about, card, BANK_HOLIDAYS)


@pytest.mark.parametrize(
    ("exams", "opened", "pence", "window"),
    [
        ((CHEST,), DAY, 300, "standard"),
        ((UNMAPPED_XR,), DAY, 300, "standard"),
        ((HEAD,), DAY, 1500, "standard"),
        ((KNEE,), DAY, 4000, "standard"),
        ((CHEST,), EVENING, 375, "evening"),
        ((CHEST, HAND), EVENING, 750, "evening"),
        ((HEAD, KNEE, CHEST), DAY, 5800, "standard"),
        ((KNEE,), "2026-07-04T12:00:00", 5000, "weekend"),
        ((KNEE,), "2026-07-01T23:00:00", 6000, "night"),
        ((KNEE,), "2026-07-02T00:00:00", 6000, "night"),
        ((KNEE,), "2026-07-02T06:59:59", 6000, "night"),
        ((KNEE,), "2026-07-02T07:00:00", 4000, "standard"),
        ((KNEE,), "2026-12-25T12:00:00", 6000, "bank holiday"),
        ((KNEE,), "2026-12-26T12:00:00", 5000, "weekend"),
        ((KNEE,), "2026-12-28T12:00:00", 6000, "bank holiday"),
        ((KNEE,), "2026-03-29T06:30:00", 6000, "night"),
        ((KNEE,), "2026-03-29T07:00:00", 5000, "weekend"),
        ((KNEE,), "2026-10-25T01:30:00", 6000, "night"),
        ((KNEE,), "2026-10-25T07:00:00", 5000, "weekend"),
    ],
)
def test_a_report_is_paid_as_the_table_says(
    exams: tuple[PricedExam, ...], opened: str, pence: int, window: str
) -> None:
    found = priced(work(*exams, opened=opened))
    assert (found.total_pence, found.window) == (pence, window)


@pytest.mark.parametrize(
    ("opened_at", "pence"),
    [
        (datetime(2026, 3, 29, 5, 59, tzinfo=UTC), 6000),  # 06:59 in London, an hour into summer time
        (datetime(2026, 3, 29, 6, 0, tzinfo=UTC), 5000),  # 07:00
        (datetime(2026, 3, 28, 6, 59, tzinfo=UTC), 6000),  # 06:59, the day before
        (datetime(2026, 10, 25, 6, 59, tzinfo=UTC), 6000),  # 06:59, back in winter time
        (datetime(2026, 10, 25, 7, 0, tzinfo=UTC), 5000),  # 07:00
        (datetime(2026, 10, 24, 6, 0, tzinfo=UTC), 5000),  # 07:00, the day before
    ],
)
def test_the_window_follows_london_s_clock_over_both_changes(opened_at: datetime, pence: int) -> None:
    about = replace(work(KNEE), first_opened_at=opened_at)
    assert priced(about).total_pence == pence


def test_exams_under_one_tariff_make_one_line() -> None:
    found = priced(work(CHEST, KNEE, HAND, opened=EVENING))
    lines = {line.tariff_code: line for line in found.lines}
    assert len(found.lines) == 2
    assert lines["XR"].units == 2
    assert (lines["XR"].rate_pence, lines["XR"].multiplier_percent) == (300, 125)
    assert lines["XR"].amount_pence == 750
    assert set(lines["XR"].exams) == {CHEST, HAND}
    assert lines["CT-MR"].exams == (KNEE,)


def test_two_exams_that_are_alike_are_both_paid() -> None:
    assert priced(work(CHEST, CHEST)).total_pence == 600


def test_a_tariff_by_the_minute_pays_the_minutes_valued() -> None:
    found = priced(work(HAND, KNEE, purpose="check"))
    assert [(line.units, line.amount_pence) for line in found.lines] == [(Decimal("16.5"), 1238)]


@pytest.mark.parametrize(
    ("minutes", "pence"),
    [
        ("0.5", 1),  # 0.5p
        ("1.4", 1),
        ("1.5", 2),
        ("2.5", 3),  # half up, not half to even
        ("2.49", 2),
        ("0", 0),
    ],
)
def test_half_a_penny_is_rounded_up_once_for_the_line(minutes: str, pence: int) -> None:
    penny = replace(CARD, tariffs=(Tariff("MINUTES", PER_MINUTE, 1, FIRST),))
    assert priced(work(PricedExam("X", "XR", Decimal(minutes))), penny).total_pence == pence


def test_a_line_is_rounded_as_a_whole_and_not_exam_by_exam() -> None:
    penny = replace(CARD, tariffs=(Tariff("MINUTES", PER_MINUTE, 1, FIRST),))
    half = PricedExam("X", "XR", Decimal("0.5"))
    assert priced(work(half, half, half), penny).total_pence == 2


def test_the_derivation_can_be_recomputed_by_hand() -> None:
    found = priced(work(CHEST, HAND, KNEE, opened=EVENING))
    assert found.derivation == (
        "Rate card NETWORK version 3, in force from 2026-04-01",
        "First opened 2026-07-01 20:00:00 BST: window evening, 125%",
        "CT-MR: 1 exam x 4000p x 125% (evening) = 5000p",
        "XR: 2 exams x 300p x 125% (evening) = 750p",
        "Total: 5750p",
    )


def test_the_derivation_tells_of_rounding() -> None:
    found = priced(work(HAND, KNEE, purpose="check"))
    assert "CHECK: 16.5 minutes x 75p x 100% (standard) = 1237.5p, rounded half up to 1238p" in found.derivation


def test_additional_exams_are_reduced_as_the_card_says_and_the_dearest_never_is() -> None:
    reduced = replace(CARD, additional_exam_percent=50)
    found = priced(work(CHEST, KNEE, HAND), reduced)
    assert found.total_pence == 4000 + 300
    assert found.derivation[2:] == (
        "CT-MR: 1 exam x 4000p x 100% (standard) = 4000p",
        "XR: 2 exams at 50% = 1 exam x 300p x 100% (standard) = 300p",
        "Total: 4300p",
    )


def test_a_line_of_full_and_reduced_exams_says_both() -> None:
    found = priced(work(CHEST, HAND), replace(CARD, additional_exam_percent=55))
    assert found.derivation[2] == ("XR: 1 exam in full + 1 exam at 55% = 1.55 exams x 300p x 100% (standard) = 465p")


def test_an_exam_s_own_tariff_goes_before_its_modality_s() -> None:
    assert [line.tariff_code for line in priced(work(HEAD)).lines] == ["CT-HEAD"]


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (work(PricedExam("NBONE", "NM", Decimal(8))), "purpose first, exam NBONE, modality NM"),
        (work(CHEST, purpose="addendum"), "purpose addendum, exam XCHES, modality XR"),
        (work(CHEST, PricedExam(None, None, Decimal(0))), "exam unmapped, modality unknown"),
    ],
)
def test_an_exam_without_a_tariff_is_named_and_nothing_is_paid_in_its_place(about: PayableWork, words: str) -> None:
    with pytest.raises(NoTariff, match=words):
        priced(about)


@pytest.mark.parametrize("minutes", ["-1", "NaN", "Infinity", "1441", "1.005"])
def test_minutes_that_are_no_length_of_time_are_refused(minutes: str) -> None:
    with pytest.raises(ValueError, match="minutes"):
        PricedExam("XCHES", "XR", Decimal(minutes))


def test_a_report_without_exams_is_refused() -> None:
    with pytest.raises(ValueError, match="without exams"):
        work()


def test_an_opening_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        replace(work(CHEST), first_opened_at=datetime.fromisoformat(DAY))


# -- properties --------------------------------------------------------------------------------

exams_drawn = st.lists(
    st.builds(
        PricedExam,
        st.sampled_from(["XCHES", "CHEAD", "MKNEE", None]),
        st.sampled_from(["XR", "CT", "MR"]),
        st.decimals(0, 60, places=2),
    ),
    min_size=1,
    max_size=6,
)
openings = st.datetimes(
    datetime.fromisoformat("2026-04-01"), datetime.fromisoformat("2027-12-31"), timezones=st.just(UTC)
)
works = st.builds(
    lambda exams, opened_at, purpose: PayableWork(purpose, tuple(exams), opened_at, opened_at),
    exams_drawn,
    openings,
    st.sampled_from(["first", "check"]),
)
cards = st.builds(
    lambda percent, pence: replace(
        CARD,
        additional_exam_percent=percent,
        tariffs=(*CARD.tariffs[:3], replace(CARD.tariffs[3], amount_pence=pence), CARD.tariffs[4]),
    ),
    st.integers(0, 100),
    st.integers(0, 500),
)


@given(works, cards)
def test_the_lines_sum_to_the_total_with_one_line_for_each_tariff_and_each_exam_in_one(
    about: PayableWork, card: RateCard
) -> None:
    found = priced(about, card)
    assert sum(line.amount_pence for line in found.lines) == found.total_pence
    assert len({line.tariff_code for line in found.lines}) == len(found.lines)
    paid = [exam for line in found.lines for exam in line.exams]
    assert sorted(map(repr, paid)) == sorted(map(repr, about.exams))


@given(works, cards)
def test_each_line_is_its_own_numbers_multiplied(about: PayableWork, card: RateCard) -> None:
    for line in priced(about, card).lines:
        exact = line.units * line.rate_pence * line.multiplier_percent / 100
        assert Decimal("-0.5") <= exact - line.amount_pence < Decimal("0.5")


@given(works, exams_drawn, st.integers(0, 500))
def test_more_exams_never_pay_less(about: PayableWork, more: list[PricedExam], pence: int) -> None:
    card = replace(CARD, tariffs=(*CARD.tariffs[:3], replace(CARD.tariffs[3], amount_pence=pence)))
    longer = replace(about, exams=(*about.exams, *more))
    assert priced(longer, card).total_pence >= priced(about, card).total_pence


@given(works, exams_drawn, cards)
def test_with_reduced_exams_more_never_pay_less_but_for_a_penny_s_rounding_a_line(
    about: PayableWork, more: list[PricedExam], card: RateCard
) -> None:
    longer = priced(replace(about, exams=(*about.exams, *more)), card)
    assert longer.total_pence >= priced(about, card).total_pence - len(longer.lines)


@given(works, cards, st.randoms(use_true_random=False))
def test_the_order_in_which_exams_arrived_does_not_change_the_price(
    about: PayableWork, card: RateCard, random: Random
) -> None:
    turned = replace(about, exams=tuple(random.sample(about.exams, len(about.exams))))
    assert priced(turned, card).total_pence == priced(about, card).total_pence


@given(works, exams_drawn, st.timedeltas(timedelta(days=-30), timedelta(days=30)))
def test_the_window_depends_on_the_first_opening_alone(
    about: PayableWork, exams: list[PricedExam], moved: timedelta
) -> None:
    other = replace(about, exams=tuple(exams), session_starts_at=about.session_starts_at + moved)
    assert priced(other).window == priced(about).window
