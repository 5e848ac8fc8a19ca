"""Prices one report by one rate card, in a way that a person can recompute from its derivation.

Pure: no I/O, no clock, no settings. It must not judge whether a report is to be paid at all, nor
price sessions: tariffs by the hour, session or programmed activity are left out here.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal

from allocation.pay.rate_card import STANDARD, RateCard, Tariff, TariffUnit
from worklist.local_time import LONDON

_MINUTES_OF_A_DAY = 24 * 60


class NoTariff(LookupError):
    """The card has no tariff for an exam of the report, read for this purpose."""

    def __init__(self, card: RateCard, purpose: str, exam: PricedExam) -> None:
        super().__init__(
            f"rate card {card.code} version {card.version} has no tariff for purpose {purpose},"
            f" exam {exam.code or 'unmapped'}, modality {exam.modality or 'unknown'}"
        )
        self.purpose = purpose
        self.exam = exam


def price(work: PayableWork, card: RateCard, bank_holidays: Container[date]) -> Price:
    """Price a report: one line for each tariff that its exams fall under.

    Each exam is paid by the most specific report tariff that matches it. The exam that pays most
    counts in full and each further exam of the accession `additional_exam_percent`, so the price
    does not depend on the order in which exams arrived. The window is the card's at the
    Europe/London wall clock of the first opening and multiplies every line; waiting for a dearer
    hour before verifying gains nothing. A line is rounded once, half a penny upwards.

    The caller chooses the card (`card_in_force`); `bank_holidays` are local dates.

    Raises
    ------
    NoTariff
        No report tariff of the card matches one of the exams.
    """
    window = card.window_at(work.first_opened_at, bank_holidays)
    name, percent = (window.name, window.multiplier_percent) if window else (STANDARD, 100)
    charged = [_Charged(exam, _tariff_for(exam, work.purpose, card)) for exam in work.exams]
    charged.sort(key=lambda each: (-each.full_pence, each.tariff.code))
    dearest = charged[0]

    lines: list[PriceLine] = []
    derivation = [
        f"Rate card {card.code} version {card.version}, in force from {card.valid_from.isoformat()}",
        f"First opened {_wall_clock(work.first_opened_at)}: window {name}, {percent}%",
    ]
    for code in sorted({each.tariff.code for each in charged}):
        members = [each for each in charged if each.tariff.code == code]
        in_full = [each for each in members if each is dearest or card.additional_exam_percent == 100]
        reduced = [each for each in members if each not in in_full]
        line, told = _line(in_full, reduced, card.additional_exam_percent, name, percent)
        lines.append(line)
        derivation.append(told)
    total = sum(line.amount_pence for line in lines)
    derivation.append(f"Total: {total}p")
    return Price(tuple(lines), total, name, tuple(derivation))


@dataclass(frozen=True, slots=True)
class PricedExam:
    """One exam of a report: its code (None is unmapped), modality and reporting minutes valued.

    Minutes have at most two decimals, as the catalogue holds them, so that no line needs more than
    four and the one rounding is that to a penny.
    """

    code: str | None
    modality: str | None
    minutes: Decimal

    def __post_init__(self) -> None:
        if not self.minutes.is_finite() or not 0 <= self.minutes <= _MINUTES_OF_A_DAY:
            raise ValueError("the minutes valued for an exam lie between nothing and a day")
        if self.minutes != round(self.minutes, 2):
            raise ValueError("the minutes valued for an exam have at most two decimals")


@dataclass(frozen=True, slots=True)
class PayableWork:
    """A report to be priced; `purpose` is the reading's, both instants are aware.

    `session_starts_at` chooses the rate card, `first_opened_at` the window.
    """

    purpose: str
    exams: tuple[PricedExam, ...]
    first_opened_at: datetime
    session_starts_at: datetime

    def __post_init__(self) -> None:
        if not self.exams:
            raise ValueError("a report without exams has no price")
        if self.first_opened_at.tzinfo is None or self.session_starts_at.tzinfo is None:
            raise ValueError("the first opening and the session's start need a time zone")


@dataclass(frozen=True, slots=True)
class PriceLine:
    """What one tariff pays for the report.

    `units` are exams or minutes after the reduction of additional exams; `amount_pence` is
    `units` x `rate_pence` x `multiplier_percent` / 100, rounded half up.
    """

    tariff_code: str
    units: Decimal
    rate_pence: int
    multiplier_percent: int
    amount_pence: int
    exams: tuple[PricedExam, ...]


@dataclass(frozen=True, slots=True)
class Price:
    """The lines of a report, their sum, the window's name, and how it was worked out, in English."""

    lines: tuple[PriceLine, ...]
    total_pence: int
    window: str
    derivation: tuple[str, ...]


class _Charged:
    """An exam and the tariff that pays it; compared by identity, as exams may be alike."""

    __slots__ = ("exam", "full_pence", "tariff", "units")

    def __init__(self, exam: PricedExam, tariff: Tariff) -> None:
        self.exam = exam
        self.tariff = tariff
        self.units = Decimal(1) if tariff.unit is TariffUnit.PER_EXAM else exam.minutes
        self.full_pence = self.units * tariff.amount_pence


def _tariff_for(exam: PricedExam, purpose: str, card: RateCard) -> Tariff:
    matching = [
        tariff
        for tariff in card.tariffs
        if tariff.unit.pays_reports and tariff.matches(purpose, exam.code, exam.modality)
    ]
    if not matching:
        raise NoTariff(card, purpose, exam)
    return max(matching, key=lambda tariff: tariff.specificity)


def _line(
    in_full: Sequence[_Charged], reduced: Sequence[_Charged], reduced_percent: int, window: str, percent: int
) -> tuple[PriceLine, str]:
    """Give the line of one tariff and the sentence that derives it."""
    members = [*in_full, *reduced]
    tariff = members[0].tariff
    full_units = sum((each.units for each in in_full), Decimal(0))
    reduced_units = sum((each.units for each in reduced), Decimal(0))
    units = full_units + reduced_units * reduced_percent / 100
    exact = units * tariff.amount_pence * percent / 100
    amount = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))

    counted = _count(units, tariff)
    if reduced:
        parts = [f"{_count(full_units, tariff)} in full"] if in_full else []
        parts.append(f"{_count(reduced_units, tariff)} at {reduced_percent}%")
        counted = f"{' + '.join(parts)} = {counted}"
    rounded = "" if exact == amount else f", rounded half up to {amount}p"
    told = f"{tariff.code}: {counted} x {tariff.amount_pence}p x {percent}% ({window}) = {_plain(exact)}p{rounded}"
    exams = tuple(each.exam for each in members)
    return PriceLine(tariff.code, units, tariff.amount_pence, percent, amount, exams), told


def _count(units: Decimal, tariff: Tariff) -> str:
    noun = "exam" if tariff.unit is TariffUnit.PER_EXAM else "minute"
    return f"{_plain(units)} {noun}{'' if units == 1 else 's'}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _wall_clock(at: datetime) -> str:
    return at.astimezone(LONDON).strftime("%Y-%m-%d %H:%M:%S %Z")
