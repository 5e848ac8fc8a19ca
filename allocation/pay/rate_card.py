"""Rate cards: what a network agreed to pay for, from when, and at which hours more.

Pure: no I/O, no clock, no settings. It must not price anything, nor hold a rate of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from worklist.local_time import LONDON

#: The window where none of the card's is in force; it pays 100%.
STANDARD = "standard"


class NoRateCard(LookupError):
    """No rate card is in force on the local date at which the session starts."""

    def __init__(self, day: date) -> None:
        super().__init__(f"no rate card is in force on {day.isoformat()}")
        self.day = day


class AmbiguousRateCard(LookupError):
    """Cards of different codes are in force on the same date, and nothing says which one pays."""

    def __init__(self, day: date, codes: Iterable[str]) -> None:
        super().__init__(f"several rate cards are in force on {day.isoformat()}: {', '.join(sorted(codes))}")
        self.day = day


class InvalidRateCard(ValueError):
    """A card, tariff or window that could not be priced in one way only."""


class TariffUnit(StrEnum):
    """What a tariff's amount is paid for: a report's exams or valued minutes, or a session's time."""

    PER_EXAM = "per_exam"
    PER_MINUTE_VALUE = "per_minute_value"
    PER_HOUR = "per_hour"
    PER_SESSION = "per_session"
    PER_PROGRAMMED_ACTIVITY = "per_programmed_activity"

    @property
    def pays_reports(self) -> bool:
        """Whether a report is priced by it; the other units pay sessions and are left out there."""
        return self in {TariffUnit.PER_EXAM, TariffUnit.PER_MINUTE_VALUE}


def card_in_force(cards: Iterable[RateCard], session_starts_at: datetime) -> RateCard:
    """Choose the card that pays a session: by the Europe/London date of its start (aware).

    A session that passes midnight keeps the card that it started with. Where several versions of
    one card are in force the highest version counts.

    Raises
    ------
    NoRateCard
        No card is in force on that date.
    AmbiguousRateCard
        Cards of different codes are.
    """
    day = _in_london(session_starts_at).date()
    in_force = [card for card in cards if card.in_force_on(day)]
    if not in_force:
        raise NoRateCard(day)
    codes = {card.code for card in in_force}
    if len(codes) > 1:
        raise AmbiguousRateCard(day, codes)
    return max(in_force, key=lambda card: card.version)


@dataclass(frozen=True, slots=True)
class Tariff:
    """What one unit of work pays, in pence, before the window's multiplier.

    It pays readings of its `purposes` (`first`, `check`, `second` and so on). `exam_codes` and
    `modalities` narrow it; None is any. `amount_pence` is for one exam, one minute valued, one hour,
    one session or one programmed activity, as `unit` says.
    """

    code: str
    unit: TariffUnit
    amount_pence: int
    purposes: frozenset[str]
    exam_codes: frozenset[str] | None = None
    modalities: frozenset[str] | None = None

    def __post_init__(self) -> None:
        if self.amount_pence < 0:
            raise InvalidRateCard(f"tariff {self.code} pays less than nothing")
        if not self.purposes:
            raise InvalidRateCard(f"tariff {self.code} names no purpose, so it can pay nothing")
        if self.exam_codes is not None and not self.exam_codes:
            raise InvalidRateCard(f"tariff {self.code} has an empty set of exams, so it can pay nothing")
        if self.modalities is not None and not self.modalities:
            raise InvalidRateCard(f"tariff {self.code} has an empty set of modalities, so it can pay nothing")

    @property
    def specificity(self) -> tuple[bool, bool]:
        """Its rank among tariffs that match: naming exams beats naming modalities beats neither."""
        return (self.exam_codes is not None, self.modalities is not None)

    def matches(self, purpose: str, exam_code: str | None, modality: str | None) -> bool:
        """Whether it pays a reading of this purpose for this exam; None is unknown."""
        return (
            purpose in self.purposes
            and (self.exam_codes is None or exam_code in self.exam_codes)
            and (self.modalities is None or modality in self.modalities)
        )

    def contends_with(self, other: Tariff) -> bool:
        """Whether some exam is matched by both with the same rank."""
        return (
            self.specificity == other.specificity
            and not self.purposes.isdisjoint(other.purposes)
            and _overlap(self.exam_codes, other.exam_codes)
            and _overlap(self.modalities, other.modalities)
        )


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of the week at which work pays a multiple, by Europe/London wall clock.

    It begins on each of `days` (0 is Monday) and, with `bank_holidays`, on each bank holiday too, at
    `starts`; it lasts until just before `ends`, on the next day where `ends` is not later than
    `starts`. From 00:00 to 00:00 is a whole day.
    """

    name: str
    days: frozenset[int]
    starts: time
    ends: time
    bank_holidays: bool
    multiplier_percent: int

    def __post_init__(self) -> None:
        if not self.days <= frozenset(range(7)):
            raise InvalidRateCard(f"window {self.name} names a day that is not 0 (Monday) to 6 (Sunday)")
        if not self.days and not self.bank_holidays:
            raise InvalidRateCard(f"window {self.name} begins on no day")
        if self.starts.tzinfo is not None or self.ends.tzinfo is not None:
            raise InvalidRateCard(f"window {self.name} has a time zone: its hours are Europe/London's")
        if self.multiplier_percent < 0:
            raise InvalidRateCard(f"window {self.name} pays less than nothing")

    def contains(self, at: datetime, bank_holidays: Container[date]) -> bool:
        """Whether an aware instant lies in it; `bank_holidays` are local dates."""
        wall = _in_london(at).replace(tzinfo=None)
        nights = timedelta(days=1) if self.ends <= self.starts else timedelta(0)
        return any(
            datetime.combine(day, self.starts) <= wall < datetime.combine(day + nights, self.ends)
            for day in (wall.date(), wall.date() - timedelta(days=1))
            if day.weekday() in self.days or (self.bank_holidays and day in bank_holidays)
        )


@dataclass(frozen=True, slots=True)
class RateCard:
    """One version of an agreed card; an approved one is never edited, a new version follows it.

    `valid_from` and `valid_to` are the first and the last local date of session starts that it
    pays. `additional_exam_percent` is what each exam of an accession pays after its dearest.

    Raises
    ------
    InvalidRateCard
        Two tariffs share a code, or both match some exam with the same rank; or dates are reversed.
    """

    id: int
    code: str
    version: int
    valid_from: date
    valid_to: date | None
    approved_by: tuple[str, ...]
    tariffs: tuple[Tariff, ...]
    windows: tuple[Window, ...]
    additional_exam_percent: int = 100

    def __post_init__(self) -> None:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise InvalidRateCard(f"rate card {self.code} version {self.version} ends before it begins")
        if not 0 <= self.additional_exam_percent <= 100:
            raise InvalidRateCard("an additional exam pays 0 to 100 percent")
        for one, other in itertools.combinations(self.tariffs, 2):
            if one.code == other.code:
                raise InvalidRateCard(f"two tariffs have the code {one.code}")
            if one.unit.pays_reports and other.unit.pays_reports and one.contends_with(other):
                raise InvalidRateCard(f"tariffs {one.code} and {other.code} would pay the same exam")

    def in_force_on(self, day: date) -> bool:
        """Whether it pays sessions that start on this local date; first and last day count."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)

    def window_at(self, at: datetime, bank_holidays: Container[date]) -> Window | None:
        """Choose the window in force at an aware instant: the one that pays most; None is standard."""
        matching = [window for window in self.windows if window.contains(at, bank_holidays)]
        return max(matching, key=lambda window: window.multiplier_percent, default=None)


def _overlap(one: frozenset[str] | None, other: frozenset[str] | None) -> bool:
    return one is None or other is None or not one.isdisjoint(other)


def _in_london(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("the instant has no time zone")
    return at.astimezone(LONDON)
