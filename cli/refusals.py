"""The errors that a command tells in one line, because they name the fact and the remedy themselves."""

from __future__ import annotations

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
