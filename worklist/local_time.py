"""Local times as sources send them, beside the instant they mean; right across clock changes.

Pure: no I/O, no clock, no settings. It must not guess a date that was not sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")

#: How far a source's clock may stand from ours before its times contradict ours.
CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """A local time as sent and the instant that it means.

    `as_sent` is the source's own text; `zone` the offset it sent (`+0100`) or the zone assumed
    (`Europe/London`); `fold` 1 for the second pass through the repeated hour in autumn; `source`
    the field it came from (a DICOM keyword or an HL7 field); `at` is aware UTC.
    """

    as_sent: str
    zone: str
    fold: int
    source: str
    at: datetime


def resolve(
    day: date,
    clock: time,
    *,
    as_sent: str,
    source: str,
    utc_offset: timedelta | None = None,
    received_at: datetime | None = None,
    not_before: datetime | None = None,
) -> LocalTime:
    """Give the instant of a local day and time of day.

    With `utc_offset` (DICOM (0008,0201) TimezoneOffsetFromUTC, PS3.3 C.12.1.1.8) the instant is
    exact. Without it the time is read as Europe/London, and where that leaves two readings:

    - An hour that autumn repeats is taken the first time, because the earlier instant makes the
      stricter due time. Receipt alone can never prove the second pass, since whatever was received
      after the second was also received after the first. It takes `not_before`, an instant that
      the time cannot precede (the start of the same examination, say): when that rules the first
      pass out and `received_at` does not rule the second out, the second is taken, with fold 1.
    - A time inside the hour that spring skips is read with the offset in force before the change,
      as a device shows it whose clock was not moved. Only when that lies after `received_at` is it
      read with the offset after the change.

    `received_at` and `not_before` are aware; both are compared with a tolerance of `CLOCK_SKEW`.

    Raises
    ------
    ValueError
        The offset is a day or more, or the instant lies outside the calendar (years 1 to 9999).
    """
    wall = datetime.combine(day, clock.replace(tzinfo=None, fold=0))
    try:
        if utc_offset is None:
            at = _london_instant(wall, received_at, not_before)
            zone = "Europe/London"
        else:
            at = wall.replace(tzinfo=timezone(utc_offset)).astimezone(UTC)
            zone = _offset_text(utc_offset)
        in_london = at.astimezone(LONDON)
    except OverflowError as error:
        raise ValueError("local time lies outside the calendar") from error
    fold = in_london.fold if in_london.replace(tzinfo=None, fold=0) == wall else 0
    return LocalTime(as_sent, zone, fold, source, at)


def earliest_instant(wall: datetime) -> datetime:
    """Give the first instant (UTC) at which London's clocks have reached a naive wall-clock time.

    In the hour that autumn repeats that is the first pass; for a time inside the hour that spring
    skips it is the instant of the change itself. Both are the stricter reading of a deadline.
    """
    wall = wall.replace(fold=0)
    at = wall.replace(tzinfo=LONDON).astimezone(UTC)
    if at.astimezone(LONDON).replace(tzinfo=None) == wall:
        return at
    # London's clocks change on the hour, so the skipped hour begins at the full hour.
    return wall.replace(minute=0, second=0, microsecond=0, tzinfo=LONDON).astimezone(UTC)


def _london_instant(wall: datetime, received_at: datetime | None, not_before: datetime | None) -> datetime:
    """Choose between the two readings of a wall-clock time; they differ only at a clock change."""
    preferred, other = (wall.replace(tzinfo=LONDON, fold=fold).astimezone(UTC) for fold in (0, 1))

    def possible(at: datetime) -> bool:
        after_receipt = received_at is not None and at > received_at + CLOCK_SKEW
        too_early = not_before is not None and at < not_before - CLOCK_SKEW
        return not after_receipt and not too_early

    return other if possible(other) and not possible(preferred) else preferred


def _offset_text(utc_offset: timedelta) -> str:
    sign = "-" if utc_offset < timedelta(0) else "+"
    minutes = abs(utc_offset) // timedelta(minutes=1)
    return f"{sign}{minutes // 60:02d}{minutes % 60:02d}"
