"""What a benchmark is asked for and what it answers: a table for people, one JSON line for programs.

It must not measure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

console = Console(width=140, soft_wrap=True, highlight=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for: the seed, tiny sizes or real ones, seconds of one measured run (None: its own)."""

    seed: int
    small: bool
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One figure beside a peer's; `goal` is what `value / peer_value` should at least be, None: none is set."""

    id: str
    what: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the peer's figure ours is."""
        return self.value / self.peer_value if self.peer_value else None

    @property
    def verdict(self) -> str:
        """Whether the goal is met, in words; empty where there is none."""
        if self.goal is None or self.ratio is None:
            return ""
        return "met" if self.ratio >= self.goal else "not met"


def say(words: str) -> None:
    """Print a line about what is being done, at once."""
    console.print(words, markup=False)


def publish(name: str, rows: Sequence[Row]) -> None:
    """Print the rows as a table, then as one line of JSON."""
    table = Table(title=f"benchmark {name}")
    table.add_column("id", no_wrap=True)
    table.add_column("what")
    for heading in ("value", "unit", "peer", "peer's value", "ratio", "goal", ""):
        table.add_column(heading, justify="right")
    for row in rows:
        figures = (_figure(row.peer_value), _figure(row.ratio), _figure(row.goal))
        style = {"met": "green", "not met": "red"}.get(row.verdict)
        table.add_row(row.id, row.what, _figure(row.value), row.unit, row.peer, *figures, row.verdict, style=style)
    console.print(table)
    print(json.dumps({"bench": name, "rows": [asdict(row) for row in rows]}), flush=True)


def middle(values: Sequence[float]) -> float:
    """Give the median of some runs, to three significant digits: more would be noise."""
    return float(f"{median(values):.3g}")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
