"""When the turnaround clock stands still: dated rules as data, and what pauses do to a due time.

Pure: no I/O, no clock, no settings. It must not let anything pause the backstop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worklist.life.reasons import ReasonedAct


def rule_of_pause(trust: str, act: ReasonedAct, reason: str, day: date, rules: Sequence[PauseRule]) -> PauseRule | None:
    """Give the first rule by id that lets an act for a reason pause the clock on a local date; None: it runs on."""
    matching = [
        rule
        for rule in rules
        if rule.trust in (None, trust)
        and rule.act is act
        and reason in rule.reasons
        and rule.valid_from <= day
        and (rule.valid_to is None or day <= rule.valid_to)
    ]
    return min(matching, key=lambda rule: rule.id, default=None)


def paused(at: datetime, start_at: datetime, pauses: Sequence[Pause], last_at: datetime) -> datetime:
    """Give when something is due that would be due `at`, after pauses of its clock; never later than `last_at`.

    Each pause that began before it was due puts it off by as long as it took, from the clock start on. While one
    lasts nothing but `last_at` is due. All instants are aware.
    """
    for one in sorted(pauses, key=lambda pause: pause.began_at):
        began_at = max(one.began_at, start_at)
        if began_at >= at:
            break
        if one.ended_at is None:
            return last_at
        at += max(one.ended_at - began_at, timedelta(0))
    return min(at, last_at)


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which the clock stood still (aware, half open); no end: it still does. Pauses do not overlap."""

    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class PauseRule:
    """One row of what may pause the clock: an act for one of these reasons.

    `valid_from` and `valid_to` are the first and last local date on which a pause may begin.
    """

    id: str
    trust: str | None
    act: ReasonedAct
    reasons: frozenset[str]
    valid_from: date
    valid_to: date | None
