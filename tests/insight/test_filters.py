"""What may be asked, and how a question that cannot be answered is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from insight.backlog import backlog
from insight.filters import Dimension, Filters, ImpossiblePeriod, RepeatedDimension, UnsupportedDimension
from insight.skill_mix import skill_mix
from insight.turnaround import turnaround
from insight.value import value

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def test_a_period_needs_a_time_zone() -> None:
    with pytest.raises(ImpossiblePeriod, match="no time zone"):
        Filters(from_at=NOON.replace(tzinfo=None))


@pytest.mark.parametrize("length", [timedelta(0), timedelta(seconds=-1)])
def test_a_period_ends_after_it_begins(length: timedelta) -> None:
    with pytest.raises(ImpossiblePeriod, match="not after its begin"):
        Filters(from_at=NOON, to_at=NOON + length)


def test_a_dimension_is_asked_for_once() -> None:
    with pytest.raises(RepeatedDimension, match="trust"):
        Filters(by=(Dimension.TRUST, Dimension.DAY, Dimension.TRUST))


@pytest.mark.parametrize(
    ("question", "refused", "supported"),
    [
        (backlog, Dimension.ROUTE, "trust, modality, setting, urgency"),
        (backlog, Dimension.DAY, "trust, modality, setting, urgency"),
        (skill_mix, Dimension.REPORTER_GROUP, "trust, setting, urgency, day"),
        (value, Dimension.ROUTE, "trust, modality, setting, urgency, reporter_group, day"),
    ],
)
def test_a_dimension_that_a_question_does_not_have_is_refused_with_those_that_it_has(
    nothing: Connection, question: Callable[[Connection, Filters], Any], refused: Dimension, supported: str
) -> None:
    with pytest.raises(UnsupportedDimension) as error:
        question(nothing, Filters(by=(Dimension.TRUST, refused)))
    assert error.value.refused == (refused,)
    assert ", ".join(error.value.supported) == supported
    assert str(error.value).endswith(f"cannot be counted by {refused}; it can be by {supported}")


@pytest.mark.parametrize("question", [backlog, turnaround, skill_mix, value])
def test_an_empty_database_gives_one_row_of_nothing_and_no_groups(
    nothing: Connection, question: Callable[[Connection, Filters], Any]
) -> None:
    (total,) = question(nothing, Filters()).rows
    assert question(nothing, Filters(by=(Dimension.TRUST,))).rows == ()
    counted = [getattr(total, name) for name in type(total).__dataclass_fields__]
    assert not any(isinstance(number, int) and number for number in counted)
    assert not any(isinstance(number, float) for number in counted)
