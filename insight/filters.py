"""What a manager may ask: which work, in which period, counted by what; must not know any SQL.

Every question takes the same `Filters` and says itself by which dimensions it can be counted.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Dimension(StrEnum):
    """What numbers may be counted by.

    `route` tells in whose time a report was made (`insight.final_report.Route`); `day` is a
    Europe/London date, written 2026-06-10.
    """

    TRUST = "trust"  # the performing trust, by ODS code
    MODALITY = "modality"
    SETTING = "setting"
    URGENCY = "urgency"
    REPORTER_GROUP = "reporter_group"
    ROUTE = "route"
    DAY = "day"


#: One value per dimension asked for, in the order asked; None: not known.
Group = tuple[str | None, ...]


class UnsupportedDimension(ValueError):
    """A question cannot be counted by a dimension; `supported` lists those by which it can."""

    def __init__(self, question: str, refused: Collection[Dimension], supported: Collection[Dimension]) -> None:
        super().__init__(f"{question} cannot be counted by {', '.join(refused)}; it can be by {', '.join(supported)}")
        self.refused = tuple(refused)
        self.supported = tuple(supported)


class RepeatedDimension(ValueError):
    """A dimension was asked for twice."""

    def __init__(self, dimension: Dimension) -> None:
        super().__init__(f"{dimension} is asked for twice")


class ImpossiblePeriod(ValueError):
    """A period without a time zone, or one that ends before it has begun."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which work to count, and by what; None leaves a filter out.

    `trust` is the ODS code of the performing trust. The period takes `from_at` and leaves `to_at`
    out; both are aware. What it is a period of, each question says.

    Raises
    ------
    ImpossiblePeriod
        If an instant has no time zone, or `to_at` is not after `from_at`.
    RepeatedDimension
        If `by` names a dimension twice.
    """

    trust: str | None = None
    modality: str | None = None
    setting: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    by: tuple[Dimension, ...] = ()

    def __post_init__(self) -> None:
        for instant in (self.from_at, self.to_at):
            if instant is not None and instant.utcoffset() is None:
                raise ImpossiblePeriod(f"{instant.isoformat()} has no time zone")
        if self.from_at is not None and self.to_at is not None and self.to_at <= self.from_at:
            raise ImpossiblePeriod(
                f"the period ends at {self.to_at.isoformat()}, not after its begin at {self.from_at.isoformat()}"
            )
        for place, dimension in enumerate(self.by):
            if dimension in self.by[:place]:
                raise RepeatedDimension(dimension)

    def require(self, question: str, supported: Collection[Dimension]) -> None:
        """Refuse dimensions that a question cannot be counted by.

        Raises
        ------
        UnsupportedDimension
            If `by` names one; the error lists those that are supported.
        """
        refused = [dimension for dimension in self.by if dimension not in supported]
        if refused:
            raise UnsupportedDimension(question, refused, supported)
