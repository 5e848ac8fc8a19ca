"""A body that comes too slowly or for too long is given up."""

from __future__ import annotations

import pytest

from api.dicom_web.exchange import TooSlow, check_pace
from api.dicom_web.limits import StoreLimits

LIMITS = StoreLimits(grace_seconds=60, slowest_bytes_per_second=1024, request_seconds=3600)


@pytest.mark.parametrize(("seconds", "seen"), [(0, 0), (60, 0), (61, 61 * 1024), (3600, 3600 * 1024)])
def test_a_body_at_the_pace_goes_on(seconds: float, seen: int) -> None:
    assert not is_given_up(seconds, seen)


@pytest.mark.parametrize(("seconds", "seen"), [(61, 61 * 1024 - 1), (3601, 2**40)])
def test_a_body_under_the_pace_or_over_the_time_is_given_up(seconds: float, seen: int) -> None:
    assert is_given_up(seconds, seen)


def is_given_up(seconds: float, seen: int) -> bool:
    try:
        check_pace(seconds, seen, LIMITS)
    except TooSlow:
        return True
    return False
