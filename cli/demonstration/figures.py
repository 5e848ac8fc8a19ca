"""Reads what a demonstration came to, through the API alone, once everything has been posted.

It must not print; `telling` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.demonstration.api_client import ApiClient
from cli.demonstration.stage import wait_until
from cli.demonstration.work import Reading
from worklist.item import ItemState

_PAY_SECONDS = 30
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Figures:
    """What the server says at the end, as the API gives it; `at` is the server's time."""

    at: datetime
    items: tuple[dict[str, Any], ...]
    exceptions: tuple[dict[str, Any], ...]
    pay_lines: tuple[dict[str, Any], ...]
    statements: tuple[dict[str, Any], ...]
    held: tuple[dict[str, Any], ...]
    value: dict[str, Any]
    skill_mix: dict[str, Any]
    turnaround: tuple[dict[str, Any], ...]
    parked_events: int

    @property
    def pay_total_pence(self) -> int:
        """The sum of the ledger."""
        return sum(line["amount_pence"] for line in self.pay_lines)

    @property
    def breaches(self) -> int:
        """How many items were reported, or still wait, past their due time."""
        return sum(is_breached(item, self.at) for item in self.items)


def wait_for_pay(client: ApiClient, finance: str, readings: Sequence[Reading]) -> None:
    """Wait until every report of an insourced session has a pay line, or is held with a reason."""
    due = sum(reading.outcome == "verified" and reading.worker.kind == "insourced" for reading in readings)

    def posted() -> bool:
        lines, held = pay_lines(client, finance), client.get(finance, "/pay/statements")["held"]
        return len({line["report_id"] for line in lines}) + len(held) >= due

    wait_until(posted, _PAY_SECONDS, f"the pay of {due} reports")


def read_figures(client: ApiClient, manager: str, finance: str) -> Figures:
    """Ask for all figures."""
    statements = client.get(finance, "/pay/statements")
    return Figures(
        at=datetime.fromisoformat(client.get(manager, "/me")["now"]),
        items=tuple(client.items(manager, state=[state.value for state in ItemState])),
        exceptions=tuple(client.get(manager, "/exceptions", limit=500)["exceptions"]),
        pay_lines=pay_lines(client, finance),
        statements=tuple(statements["statements"]),
        held=tuple(statements["held"]),
        value=client.get(finance, "/metrics/value")["rows"][0],
        skill_mix=client.get(manager, "/metrics/skill-mix")["rows"][0],
        turnaround=tuple(client.get(manager, "/metrics/turnaround", by="urgency")["rows"]),
        parked_events=int(client.figure("radpool_parked_events")),
    )


def pay_lines(client: ApiClient, finance: str) -> tuple[dict[str, Any], ...]:
    """Give every line of the ledger, in order of posting."""
    lines: list[dict[str, Any]] = []
    while True:
        page = client.get(finance, "/pay/lines", after=lines[-1]["id"] if lines else 0, limit=_PAGE)["lines"]
        lines += page
        if len(page) < _PAGE:
            return tuple(lines)


def is_breached(item: dict[str, Any], at: datetime) -> bool:
    """Whether an item was reported past its due time, or still waits past it."""
    if item["due_at"] is None or item["state"] == ItemState.CANCELLED:
        return False
    until = datetime.fromisoformat(item["reported_at"]) if item["reported_at"] else at
    return until > datetime.fromisoformat(item["due_at"])
