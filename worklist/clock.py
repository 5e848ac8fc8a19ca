"""The one source of time: `radpool_now()` in the database; moves only where a test clock was asked for."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text


class ClockFixed(RuntimeError):
    """The clock may not be moved: the server was not started with a test clock."""

    def __init__(self) -> None:
        super().__init__("the clock cannot be moved: start the server with `radpool serve --test-clock`")


class ClockWasMoved(RuntimeError):
    """A server without a test clock found a database whose clock had been moved."""

    def __init__(self, moved_by: timedelta) -> None:
        super().__init__(
            f"this database's clock stands {moved_by} off the real time, from an earlier `--test-clock` run;"
            " start with --test-clock, or use a fresh database"
        )


def now(connection: Connection) -> datetime:
    """Give the instant (aware UTC) by the database's clock, as of this statement."""
    moment: datetime = connection.scalar(text("SELECT radpool_now()"))
    return moment


def set_test_clock(connection: Connection, *, enabled: bool) -> None:
    """Say, as the owner, whether the clock may be moved.

    Raises
    ------
    ClockWasMoved
        If it may not but has been: leases, due times and pay would be judged by a wrong clock.
    """
    moved_by: timedelta = connection.scalar(text("SELECT moved_by FROM test_clock"))
    if not enabled and moved_by:
        raise ClockWasMoved(moved_by)
    connection.execute(text("UPDATE test_clock SET enabled = :enabled WHERE enabled <> :enabled"), {"enabled": enabled})


def move(connection: Connection, by: timedelta) -> datetime:
    """Move the clock, as the owner, and give the new instant.

    Raises
    ------
    ClockFixed
        If no test clock was asked for.
    """
    moved = connection.execute(text("UPDATE test_clock SET moved_by = moved_by + :by WHERE enabled"), {"by": by})
    if moved.rowcount != 1:
        raise ClockFixed
    return now(connection)
