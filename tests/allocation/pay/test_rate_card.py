"""Rate cards: which card pays a session, which window an instant lies in, what no card may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocation.pay.rate_card import (
    AmbiguousRateCard,
    InvalidRateCard,
    NoRateCard,
    RateCard,
    Tariff,
    TariffUnit,
    Window,
    card_in_force,
)
from worklist.local_time import LONDON

FIRST = frozenset({"first"})
WEEKDAYS, WEEKEND, EVERY_DAY = frozenset(range(5)), frozenset({5, 6}), frozenset(range(7))
EVENING = Window("evening", WEEKDAYS, time(19), time(23), bank_holidays=False, multiplier_percent=125)
WEEKEND_DAY = Window("weekend", WEEKEND, time(7), time(23), bank_holidays=False, multiplier_percent=125)
NIGHT = Window("night", EVERY_DAY, time(23), time(7), bank_holidays=False, multiplier_percent=150)
HOLIDAY = Window("bank holiday", frozenset(), time(0), time(0), bank_holidays=True, multiplier_percent=150)
BANK_HOLIDAYS = frozenset({date(2026, 12, 25), date(2026, 12, 28)})
PER_EXAM = TariffUnit.PER_EXAM
XR = Tariff("XR", PER_EXAM, 300, FIRST, modalities=frozenset({"XR"}))


def card(
    version: int = 1,
    code: str = "NETWORK",
    valid_from: date = date(2026, 4, 1),
    valid_to: date | None = None,
    tariffs: tuple[Tariff, ...] = (XR,),
) -> RateCard:
    windows = (EVENING, WEEKEND_DAY, NIGHT, HOLIDAY)
    return RateCard(version, code, version, valid_from, valid_to, ("A", "B"), tariffs, windows)


def london(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


# -- the card in force -------------------------------------------------------------------------

OLD = card(1, valid_to=date(2026, 6, 30))
NEW = card(2, valid_from=date(2026, 7, 1))


@pytest.mark.parametrize(
    ("starts_at", "version"),
    [
        ("2026-06-30T22:59:59+00:00", 1),  # 23:59:59 in London
        ("2026-06-30T23:00:00+00:00", 2),  # 00:00 on 1 July in London
        ("2026-04-01T00:00:00+01:00", 1),
        ("2030-01-01T00:00:00+00:00", 2),
    ],
)
def test_the_card_is_chosen_by_london_s_date_at_the_start_of_the_session(starts_at: str, version: int) -> None:
    assert card_in_force([NEW, OLD], datetime.fromisoformat(starts_at)).version == version


def test_where_versions_overlap_the_highest_pays() -> None:
    assert card_in_force([card(3), card(5), card(4)], london("2026-07-01T09:00:00")).version == 5


def test_no_card_in_force_is_told_with_the_date() -> None:
    with pytest.raises(NoRateCard, match="2026-03-31"):
        card_in_force([OLD, NEW], datetime(2026, 3, 31, 22, 59, tzinfo=UTC))


def test_cards_of_two_codes_at_once_are_told_and_none_is_guessed() -> None:
    with pytest.raises(AmbiguousRateCard, match="LOCAL, NETWORK"):
        card_in_force([card(), card(code="LOCAL")], london("2026-07-01T09:00:00"))


def test_a_session_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        card_in_force([card()], datetime.fromisoformat("2026-07-01T09:00:00"))


# -- windows -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "window"),
    [
        ("2026-07-01T18:59:59.999999", None),
        ("2026-07-01T19:00:00", "evening"),
        ("2026-07-01T22:59:59.999999", "evening"),
        ("2026-07-01T23:00:00", "night"),
        ("2026-07-02T00:00:00", "night"),
        ("2026-07-02T06:59:59.999999", "night"),
        ("2026-07-02T07:00:00", None),
        ("2026-07-03T20:00:00", "evening"),
        ("2026-07-04T06:00:00", "night"),
        ("2026-07-04T07:00:00", "weekend"),
        ("2026-07-05T12:00:00", "weekend"),
        ("2026-07-06T12:00:00", None),
        ("2026-12-24T23:59:59", "night"),
        ("2026-12-25T12:00:00", "bank holiday"),
        ("2026-12-26T12:00:00", "weekend"),
        ("2026-12-28T20:00:00", "bank holiday"),  # the evening of a bank holiday pays the higher
        ("2026-12-29T08:00:00", None),
        ("2026-03-29T00:59:00", "night"),
        ("2026-03-29T07:00:00", "weekend"),  # 06:00 UTC: summer time began that night
        ("2026-10-25T06:30:00", "night"),  # 06:30 UTC: summer time ended that night
    ],
)
def test_the_window_is_chosen_by_london_s_wall_clock(at: str, window: str | None) -> None:
    found = card().window_at(london(at), BANK_HOLIDAYS)
    assert (found.name if found else None) == window


@pytest.mark.parametrize(("hour", "window"), [(17, None), (18, "evening"), (21, "evening"), (22, "night")])
def test_an_instant_in_utc_is_an_hour_later_in_summer(hour: int, window: str | None) -> None:
    found = card().window_at(datetime(2026, 7, 1, hour, tzinfo=UTC), BANK_HOLIDAYS)
    assert (found.name if found else None) == window


@pytest.mark.parametrize("hour", [0, 1])
def test_both_passes_of_the_repeated_hour_lie_in_a_window_of_that_hour(hour: int) -> None:
    repeated = replace(NIGHT, starts=time(1), ends=time(2))
    assert repeated.contains(datetime(2026, 10, 25, hour, 30, tzinfo=UTC), frozenset())


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = replace(NIGHT, days=frozenset({4}))
    assert friday_night.contains(london("2026-07-04T02:00:00"), frozenset())
    assert not friday_night.contains(london("2026-07-03T02:00:00"), frozenset())


def test_a_window_of_bank_holidays_only_knows_no_weekday() -> None:
    assert not HOLIDAY.contains(london("2026-07-04T12:00:00"), BANK_HOLIDAYS)
    assert not HOLIDAY.contains(london("2026-12-26T00:00:00"), BANK_HOLIDAYS)


minutes = st.integers(0, 24 * 60 - 1)


@given(minutes, minutes, minutes)
def test_every_minute_of_a_day_lies_in_a_daily_window_or_outside_it_as_a_clock_face_shows(
    starts: int, ends: int, at: int
) -> None:
    def clock(minute: int) -> time:
        return time(minute // 60, minute % 60)

    window = Window("daily", EVERY_DAY, clock(starts), clock(ends), False, 150)
    length = (ends - starts) % (24 * 60) or 24 * 60
    inside = (at - starts) % (24 * 60) < length
    instant = datetime.combine(date(2026, 7, 1), clock(at), LONDON)
    assert window.contains(instant, frozenset()) == inside


# -- what no card may hold ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "build",
    [
        lambda: replace(XR, amount_pence=-1),
        lambda: replace(XR, purposes=frozenset()),
        lambda: replace(XR, modalities=frozenset()),
        lambda: replace(XR, exam_codes=frozenset()),
        lambda: replace(NIGHT, days=frozenset({7})),
        lambda: replace(NIGHT, days=frozenset()),
        lambda: replace(NIGHT, multiplier_percent=-1),
        lambda: replace(NIGHT, starts=time(23, tzinfo=UTC)),
        lambda: card(valid_to=date(2026, 3, 31)),
        lambda: replace(card(), additional_exam_percent=101),
        lambda: card(tariffs=(XR, replace(XR, modalities=frozenset({"CT"})))),
    ],
)
def test_an_impossible_card_is_refused(build: Callable[[], object]) -> None:
    with pytest.raises(InvalidRateCard):
        build()


def test_two_tariffs_that_would_pay_the_same_exam_are_refused() -> None:
    film = replace(XR, code="FILM", modalities=frozenset({"XR", "MG"}))
    with pytest.raises(InvalidRateCard, match="XR and FILM would pay the same exam"):
        card(tariffs=(XR, film))


@pytest.mark.parametrize(
    "beside",
    [
        replace(XR, code="CHEST", exam_codes=frozenset({"XCHES"})),
        replace(XR, code="ANY", modalities=None),
        replace(XR, code="CHECK", purposes=frozenset({"check"})),
        replace(XR, code="CT", modalities=frozenset({"CT"})),
        replace(XR, code="SESSION", unit=TariffUnit.PER_SESSION),
    ],
)
def test_tariffs_that_differ_in_rank_or_in_what_they_pay_stand_beside_each_other(beside: Tariff) -> None:
    assert card(tariffs=(XR, beside)).tariffs == (XR, beside)
    assert card(tariffs=(beside, XR)).tariffs == (beside, XR)


some = st.none() | st.frozensets(st.sampled_from(["a", "b"]), min_size=1)
tariffs_drawn = st.builds(
    Tariff,
    code=st.sampled_from(["one", "other"]),
    unit=st.just(PER_EXAM),
    amount_pence=st.just(1),
    purposes=st.frozensets(st.sampled_from(["first", "check"]), min_size=1),
    exam_codes=some,
    modalities=some,
)


@given(tariffs_drawn, tariffs_drawn)
def test_tariffs_contend_exactly_when_some_exam_finds_both_at_the_same_rank(one: Tariff, other: Tariff) -> None:
    exams = product(["first", "check"], ["a", "b", None], ["a", "b", None])
    both = any(one.matches(*exam) and other.matches(*exam) for exam in exams)
    assert one.contends_with(other) == (both and one.specificity == other.specificity)
