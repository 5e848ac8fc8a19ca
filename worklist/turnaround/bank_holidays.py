"""The bank holidays of England; must not know what anybody does with them.

No I/O of its own and no clock: the years are asked for by the caller.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache

import holidays

_SATURDAY = 5


def england_bank_holidays(years: Iterable[int]) -> frozenset[date]:
    """Give England's bank holidays in these years as local dates.

    Only the days that are bank holidays in law (Banking and Financial Dealings Act 1971 and
    proclamations): when Christmas Day falls on a Saturday the substitute Monday is one and the
    Saturday is not, so no date returned is a Saturday or a Sunday. Days proclaimed after the
    installed release of `holidays` are missing until it is updated.
    """
    return frozenset().union(*(_of_year(year) for year in set(years)))


@lru_cache
def _of_year(year: int) -> frozenset[date]:
    calendar = holidays.country_holidays("GB", subdiv="ENG", years=year)
    return frozenset(day for day in calendar if day.weekday() < _SATURDAY)
