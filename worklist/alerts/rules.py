"""What a report alerts to, and by when somebody must have acknowledged it: dated timers as data.

Pure: no I/O, no clock, no settings. It must not hold a timer of its own.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from worklist.local_time import LONDON
from worklist.turnaround.span import Span, ends_at


class AlertKind(StrEnum):
    """What somebody must acknowledge: flags of a report, and what became of a report that had gone out."""

    CRITICAL = "critical"
    URGENT = "urgent"
    CANCER = "cancer"  # new, or a new recurrence; not a progression
    UNEXPECTED_SIGNIFICANT = "unexpected-significant"
    MATERIAL_CHANGE = "material-change"  # the verified report says something else than what went out before it
    REPORT_RECALLED = "report-recalled"  # what was acknowledged is of a report that was taken back since


#: Flags that a report may carry (Academy of Medical Royal Colleges and RCR, 2022); what happens raises the others.
OF_REPORTS = (AlertKind.CRITICAL, AlertKind.URGENT, AlertKind.CANCER, AlertKind.UNEXPECTED_SIGNIFICANT)


def acknowledge_by(
    kind: AlertKind, trust: str, raised_at: datetime, timers: Sequence[AlertTimer], bank_holidays: Container[date]
) -> datetime:
    """Give when an alert raised at an aware instant must be acknowledged (UTC): the earliest of the timers in force.

    Without a timer it is due at once: that nobody has said how long it may wait is no leave to wait.
    """
    day = raised_at.astimezone(LONDON).date()
    ends = [
        ends_at(timer.within, raised_at, bank_holidays)
        for timer in timers
        if timer.kind is kind and timer.trust in (None, trust) and timer.in_force_on(day)
    ]
    return min(ends, default=raised_at.astimezone(UTC))


@dataclass(frozen=True, slots=True)
class AlertTimer:
    """How long an alert of one kind may wait, by local dates on which it is raised; no trust: everyone's."""

    kind: AlertKind
    trust: str | None
    within: Span
    valid_from: date
    valid_to: date | None

    def in_force_on(self, day: date) -> bool:
        """Whether it holds for alerts of this local date; the first and the last day count."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)
