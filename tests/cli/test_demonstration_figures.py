"""What a demonstration counts and how it writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cli.demonstration.figures import is_breached
from cli.demonstration.server import server_environment
from cli.demonstration.summary import pounds

NOW = datetime(2026, 11, 24, 20, 45, tzinfo=UTC)
BEFORE, AFTER = "2026-11-24T20:00:00Z", "2026-11-24T21:00:00Z"


def _item(*, due_at: str | None, reported_at: str | None = None, state: str = "ready") -> dict[str, Any]:
    return {"due_at": due_at, "reported_at": reported_at, "state": state}


def test_work_that_waits_past_its_due_time_is_a_breach() -> None:
    assert is_breached(_item(due_at=BEFORE), NOW)


def test_work_that_waits_within_its_due_time_is_none() -> None:
    assert not is_breached(_item(due_at=AFTER), NOW)


def test_work_that_was_reported_in_time_is_none_however_long_ago() -> None:
    assert not is_breached(_item(due_at=BEFORE, reported_at="2026-11-24T19:00:00Z", state="verified"), NOW)


def test_work_that_was_reported_too_late_is_a_breach() -> None:
    assert is_breached(_item(due_at=BEFORE, reported_at="2026-11-24T20:00:01Z", state="verified"), NOW)


def test_cancelled_work_and_work_without_a_due_time_are_none() -> None:
    assert not is_breached(_item(due_at=BEFORE, state="cancelled"), NOW)
    assert not is_breached(_item(due_at=None), NOW)


@pytest.mark.parametrize(("pence", "written"), [(0, "£0.00"), (5, "£0.05"), (123456, "£1,234.56"), (-250, "-£2.50")])
def test_pence_are_written_as_pounds(pence: int, written: str) -> None:
    assert pounds(pence) == written


def test_a_demonstration_takes_no_setting_of_another_radpool_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RADPOOL_DATABASE_URL", "postgresql://somewhere/real")
    monkeypatch.setenv("LANG", "C.UTF-8")
    given = server_environment({"RADPOOL_QUIET_SECONDS": "0.5"})
    assert {name for name in given if name.startswith("RADPOOL_")} == {"RADPOOL_QUIET_SECONDS"}
    assert given["LANG"] == "C.UTF-8"
