"""Tells why the embedded PostgreSQL failed, what its log says and what to do; it repairs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from worklist.db.embedded.account import ServerAccountError

TAIL_BYTES = 4000

_REMEDIES = {
    "No space left on device": "Free some space on that disk and start again.",
    "Disk quota exceeded": "Free some space on that disk and start again.",
    "Permission denied": "Run as the account that owns the data folder, or as root.",
    "Read-only file system": "Make the file system writable or choose another data folder.",
    "Cannot allocate memory": "Free some memory: the server needs about 400 MB.",
    "could not create shared memory segment": "Raise kernel.shmmax and kernel.shmall, or free memory.",
    "Address already in use": "Other programs take ports faster than we can find a free one; start again.",
    "could not look up effective user ID": "Give this user number a name in /etc/passwd.",
    "PANIC": "The cluster is damaged: keep a copy of the data folder and restore the last backup.",
}


class EmbeddedPostgresError(RuntimeError):
    """The embedded PostgreSQL could not do what was asked; the message tells why and the remedy."""


@contextmanager
def explained(directory: Path) -> Iterator[None]:
    """Turn what the system, PostgreSQL or the choice of an account refuses into one error with a remedy."""
    try:
        yield
    except ServerAccountError as error:
        raise EmbeddedPostgresError(str(error)) from error
    except OSError as error:
        raise EmbeddedPostgresError(
            account_of_failure(f"The PostgreSQL in {directory} cannot be used: {error}", "")
        ) from error
    except psycopg.Error as error:
        # The log is older than the error: it is shown, and not searched for a remedy.
        tail = tail_of(directory / "postgres.log", 0)
        what = account_of_failure(f"The PostgreSQL in {directory} cannot be used: {error}", "")
        raise EmbeddedPostgresError(f"{what}\nEnd of the log:\n{tail}") from error


def account_of_failure(what: str, tail: str) -> str:
    """Return `what`, the remedy for it as far as `tail` or `what` betrays one, and `tail`."""
    remedies = [remedy for sign, remedy in _REMEDIES.items() if sign in tail or sign in what]
    remedy = remedies[0] if remedies else "Remove that cause and start again."
    return f"{what}. {remedy}" + (f"\nEnd of the log:\n{tail}" if tail else "")


def tail_of(log: Path, beginning: int) -> str:
    """Return the end of `log`, and nothing of what stood in it before byte `beginning`."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(beginning, size - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
