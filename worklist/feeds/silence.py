"""When a feed has been quiet for longer than is usual: by what came in the same hours of the weeks before.

Pure: no I/O, no clock, no settings. It must not know what a feed sends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta

from worklist.local_time import LONDON

#: How many days like today are compared with, and how far back they are looked for.
LIKE_DAYS, REACH = 4, timedelta(days=36)
#: So many messages would have come by chance once in a thousand times none, were nothing wrong (e to the minus 7).
UNUSUAL = 7.0
_HOUR = timedelta(hours=1)
_SUNDAY = 6


def is_unusually_quiet(
    heard: Mapping[datetime, int], since: datetime, now: datetime, bank_holidays: Collection[date]
) -> bool:
    """Whether silence since `since` is longer than is usual; instants are aware.

    `heard` gives how much came by the UTC hour that it came in; `bank_holidays` are local dates, they are like
    Sundays. A feed that has not been known for a week is not judged.
    """
    first = min(heard, default=None)
    if first is None or now - first < timedelta(days=7):
        return False
    return expected(heard, since, now, bank_holidays) >= UNUSUAL


def expected(heard: Mapping[datetime, int], since: datetime, now: datetime, bank_holidays: Collection[date]) -> float:
    """Give how much would have come between two instants, as it did in the same hours of days like these."""
    first = min(heard, default=now)
    total = 0.0
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < now and total < UNUSUAL:
        share = (min(hour + _HOUR, now) - max(hour, since)) / _HOUR
        like = [one for one in _like(hour, bank_holidays) if one >= first]
        if like:
            total += share * sum(heard.get(one, 0) for one in like) / len(like)
        hour += _HOUR
    return total


def _like(hour: datetime, bank_holidays: Collection[date]) -> list[datetime]:
    """Give the same hour by the clock in London on the latest days before that are of its kind."""
    local = hour.astimezone(LONDON)
    kind = _kind(local.date(), bank_holidays)
    found: list[datetime] = []
    for back in range(1, REACH.days):
        day = local - timedelta(days=back)  # the clock in London, whatever it did between
        if _kind(day.date(), bank_holidays) == kind:
            found.append(day.astimezone(UTC).replace(minute=0))
            if len(found) == LIKE_DAYS:
                break
    return found


def _kind(day: date, bank_holidays: Collection[date]) -> int:
    return _SUNDAY if day in bank_holidays else day.weekday()
