"""Decides when a PACS is asked about whole days, and about which.

Pure: no I/O, no clock, no settings. It must not ask.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from worklist.local_time import LONDON, earliest_instant

#: Days further back than this were asked about before, or are a matter for a person.
MOST_DAYS = 7


def sweep_is_due(now: datetime, off_peak: tuple[time, time], swept_at: datetime | None) -> bool:
    """Tell whether a sweep shall begin at `now`: once in each window of London time, which may pass midnight.

    `swept_at` is when the last one began; both instants are aware. Two equal times are a window of a whole day.
    """
    began = window_began(now, off_peak)
    return began is not None and (swept_at is None or swept_at < began)


def window_began(now: datetime, off_peak: tuple[time, time]) -> datetime | None:
    """Give when the window that is open at `now` began, None when none is open."""
    start, end = off_peak
    today = now.astimezone(LONDON).date()
    for day in (today, today - timedelta(days=1)):
        began = earliest_instant(datetime.combine(day, start))
        ended = earliest_instant(datetime.combine(day if start < end else day + timedelta(days=1), end))
        if began <= now < ended:
            return began
    return None


def days_to_sweep(now: datetime, swept_at: datetime | None) -> tuple[date, date]:
    """Give the first and last London day to ask about: from the day before the last sweep to today.

    The day before it counts again because a study may reach its PACS a day late; without a sweep it is yesterday.
    """
    today = now.astimezone(LONDON).date()
    last = swept_at.astimezone(LONDON).date() if swept_at else today
    first = max(min(last, today) - timedelta(days=1), today - timedelta(days=MOST_DAYS))
    return first, today
