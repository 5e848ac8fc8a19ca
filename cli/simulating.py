"""Shows what a plan would come to, beside what it would without some reporters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from sqlalchemy import Connection

from allocation.planner.greedy import plan
from allocation.planner.run import read_problem
from allocation.simulation.projection import Projection, project, without_reporters
from allocation.workforce import UnknownReporter, index_new_profiles, load_reporters


def simulate(connection: Connection, without: Sequence[str]) -> Table:
    """Give a table of the plan carried forward; the caller rolls back.

    Raises
    ------
    UnknownReporter
        If one of the names is no reporter's.
    """
    index_new_profiles(connection)
    problem = read_problem(connection)
    columns = {"as it is": project(problem, plan(problem))}
    if without:
        ids = {one.code: one.id for one in load_reporters(connection).values()}
        for name in without:
            if name not in ids:
                raise UnknownReporter(name)
        changed = without_reporters(problem, frozenset(ids[name] for name in without))
        columns[f"without {', '.join(without)}"] = project(changed, plan(changed))
    return _table(columns)


def _table(columns: dict[str, Projection]) -> Table:
    table = Table(title="The plan carried forward; nothing new arrives")
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right")
    found = columns.values()
    table.add_row("readings waiting", *(str(one.readings) for one in found))
    table.add_row("of them overdue now", *(str(one.already_overdue) for one in found))
    table.add_row("done in the planned sessions", *(str(one.done) for one in found))
    table.add_row("of them late", *(str(one.late) for one in found))
    for reason in sorted({reason for one in found for reason in one.never_done_by_reason}):
        table.add_row(f"left, {reason}", *(str(one.never_done_by_reason.get(reason, 0)) for one in found))
    table.add_row("reporting minutes used", *(f"{sum(one.minutes_by_session.values()):.0f}" for one in found))
    return table
