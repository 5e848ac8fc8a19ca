"""The errors that a command tells in one line, because they name the fact and the remedy themselves; and how."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console
from sqlalchemy.exc import OperationalError

from allocation.configuration.read import InvalidConfiguration
from allocation.workforce import UnknownReporter
from api.accounts import AccountRefused
from cli.data_folder import FolderInUse
from worklist.clock import ClockFixed, ClockWasMoved
from worklist.db.embedded import EmbeddedPostgresError
from worklist.db.migrate import SchemaOutOfDate

REFUSALS: tuple[type[Exception], ...] = (
    AccountRefused,
    ClockFixed,
    ClockWasMoved,
    EmbeddedPostgresError,
    FolderInUse,
    InvalidConfiguration,
    OperationalError,
    OSError,
    SchemaOutOfDate,
    UnknownReporter,
    ValueError,
)


def told_in_a_line(act: Callable[[], object]) -> None:
    """Do `act`; such an error is told in a line of its own on standard error, and the exit status is 2."""
    try:
        act()
    except REFUSALS as error:
        errors = Console(stderr=True)
        for line in str(error).splitlines():
            errors.print(f"radpool: {line}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(2) from None
