"""Instants in queries: with an offset they are what they say, without one they are Europe/London's clock.

Pure. It must not know which route asks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator

from worklist.local_time import LONDON

#: Years that every later sum of times can bear.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _with_zone(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=LONDON)
    if not _EARLIEST <= aware <= _LATEST:
        raise ValueError("an instant between the years 1900 and 2200")
    return aware.astimezone(UTC)


#: An instant of a query, aware UTC once read.
Moment = Annotated[datetime, AfterValidator(_with_zone)]
