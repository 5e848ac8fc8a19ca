"""When a reporter goes on with the same patient's other work of the day, and when something else comes first.

Pure: no I/O, no clock, no settings. It must not judge who may read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from worklist.turnaround.targets import Urgency

#: Work that does not wait for another exam of somebody else.
AT_ONCE = frozenset({Urgency.STROKE, Urgency.MAJOR_TRAUMA, Urgency.EMERGENCY})


@dataclass(frozen=True, slots=True)
class Waiting:
    """A free reading: when it is due (aware UTC), its reporting minutes and its item's urgency (None: not known)."""

    due_at: datetime
    minutes: float
    urgency: Urgency | None


def goes_on(mate: Waiting, other: Waiting | None, moment: datetime) -> bool:
    """Whether the same patient's reading is given before the one that would be given otherwise (None: there is none).

    The other comes first if it is due earlier and either is work that does not wait, by its urgency or because that is
    not known, or would become late while the patient's is read.
    """
    if other is None or mate.due_at <= other.due_at:
        return True
    if other.urgency is None or other.urgency in AT_ONCE:
        return False
    becomes_late = moment < other.due_at < moment + timedelta(minutes=mate.minutes + other.minutes)
    return not becomes_late
