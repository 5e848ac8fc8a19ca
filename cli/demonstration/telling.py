"""Tells what happens while a demonstration runs: a few lines per step, a bar where somebody watches.

It must not compute figures; those it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from cli.demonstration.incidents import Absent, Refused, Superseded
    from cli.demonstration.pacs import Sent
    from cli.demonstration.stage import PlanFigures
    from cli.demonstration.work import Reading, Worker

#: Width of what goes to a file or a pipe.
_PLAIN_WIDTH = 120


def console() -> Console:
    """Make the console of a demonstration; plain and of a fixed width where standard output is no terminal."""
    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=_PLAIN_WIDTH)


class Teller:
    """Says on a console what happens, step by step."""

    def __init__(self, out: Console) -> None:
        self.out = out

    def say(self, words: str, *, style: str | None = None) -> None:
        """Print one line, not folded: words are taken as they are."""
        self.out.print(words, style=style, soft_wrap=True)

    def fault(self, words: str) -> None:
        """Print what was not as expected."""
        self.say(f"Not as expected: {words}", style="red")

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while something goes on, on a terminal only; yields what counts it up."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self.out, transient=True, disable=not self.out.is_terminal) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.advance(task, done)

    def act(self, name: str, moved_by: timedelta, at: datetime, workers: Sequence[Worker]) -> None:
        """Say that the clock was moved, to when, and who is in session then."""
        self.out.rule(f"{name}: {at:%A %d %B %Y, %H:%M} London time", align="left")
        self.say(f"The server's test clock was moved by {_hours(moved_by)}, so that these sessions run:")
        for kind in ("duty", "on_call", "job_planned", "insourced"):
            names = [worker.reporter for worker in workers if worker.kind == kind]
            if names:
                self.say(f"  {kind.replace('_', '-'):<12}{', '.join(names)}")

    def arrived(self, studies: int, sent: Sent, plan: PlanFigures) -> None:
        """Say what was sent and what the planner made of it."""
        self.say(
            f"{studies} studies, {sent.objects} objects sent over DICOM in {sent.seconds:.1f} s;"
            f" {sent.accepted} acknowledged after they were stored, {len(sent.refused)} refused."
        )
        self.say(f"Planned: {len(plan.assigned)} of {plan.waiting} waiting readings assigned to sessions.")
        for reason, count in plan.unassigned_by_reason.items():
            self.say(f"  not assigned: {count}, {reason}")

    def before_work(
        self, refused: Refused | None, accessions: int, classified: Reading | None, absent: Absent | None
    ) -> None:
        """Say what happened before the ordinary work began."""
        if refused is not None:
            self.say(f"{refused.reporter}, a radiographer, asked for {refused.exam}: {refused.status}")
            for reason in refused.reasons:
                self.say(f"  {reason}")
        if accessions:
            self.say(f"PACS managers gave {accessions} accession numbers that images had come without.")
        if classified is not None:
            self.say(f"{classified.worker.reporter}, on duty, said what an unmapped item is: {classified.exam}")
        if absent is not None:
            self.say(f"{absent.worker.reporter} claimed {absent.exam} and was called away.")

    def worked(self, readings: Sequence[Reading], seconds: float) -> None:
        """Say what reporters did in an act."""
        outcomes = Counter(reading.outcome for reading in readings)
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        reporters = len({reading.worker.reporter for reading in readings})
        self.say(f"{reporters} reporters at work over HTTP for {seconds:.1f} s: {told or 'nothing to read'}.")

    def came_back(self, superseded: Superseded | None) -> None:
        """Say what became of the report of somebody who was away too long."""
        if superseded is not None:
            self.say(f"{superseded.absent.worker.reporter} came back and reported: {superseded.status}")
            self.say(f"  {superseded.detail}")

    def other_makers(self, sent: Sent) -> None:
        """Say what became of files that other makers' devices wrote."""
        self.out.rule("Images of other makers: the DICOM files that pydicom ships for its tests", align="left")
        self.say(
            f"{sent.objects} objects sent in {sent.seconds:.1f} s; {sent.accepted} acknowledged,"
            f" {len(sent.refused)} refused. They are decades old, so what they make is overdue at once."
        )
        for reason, count in Counter(sent.refused).most_common():
            self.say(f"  {count} x {reason}")


def _hours(by: timedelta) -> str:
    minutes = round(by.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    return f"{days} d {rest // 60} h {rest % 60} min" if days else f"{rest // 60} h {rest % 60} min"
