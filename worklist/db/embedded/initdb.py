"""Makes a cluster, once, and mends who owns it and who may sign in; never starts the server."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from worklist.db.embedded.account import ServerAccount, able_to_reach
from worklist.db.embedded.cluster import SUPERUSER, superuser_password, superuser_statements
from worklist.db.embedded.error import TAIL_BYTES, EmbeddedPostgresError, account_of_failure
from worklist.db.embedded.settings import MAJOR_VERSION, binary, environment, server_settings

# PostgreSQL refuses a data folder that others may enter.
_PRIVATE_MODES = (0o700, 0o750)


@dataclass(frozen=True, slots=True)
class Place:
    """What one start works with: DIR, the account, durability, and the descriptor of DIR's lock."""

    directory: Path
    account: ServerAccount
    durable: bool
    lock: int

    @property
    def data_dir(self) -> Path:
        """The cluster itself."""
        return self.directory / "postgres"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.directory / "postgres.log"

    @property
    def settings(self) -> list[str]:
        """The server's settings as words of its command line, the port left out."""
        return server_settings(self.data_dir, durable=self.durable)


def refuse_foreign_folder(data_dir: Path) -> None:
    """Raise `EmbeddedPostgresError` if `data_dir` holds anything but a cluster of our major version."""
    if not data_dir.exists():
        return
    try:
        version = (data_dir / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        if any(data_dir.iterdir()):
            raise EmbeddedPostgresError(
                f"{data_dir} holds files but no PostgreSQL cluster. Move them away or choose another data folder."
            ) from None
        return
    if version != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"{data_dir} was made by PostgreSQL {version} and this is {MAJOR_VERSION}. Dump it with a "
            f"PostgreSQL {version} (pg_dumpall), move the folder away, start, and load the dump."
        )


def make_cluster(place: Place) -> None:
    """Run initdb beside the final place and rename, so that a half-made cluster is never taken for one."""
    for leftover in place.directory.glob("postgres.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=place.directory))
    try:
        place.account.own(draft)
        account = able_to_reach(place.account, draft, binary("postgres"))
        options = [f"--username={SUPERUSER}", "--pwfile=/dev/stdin", "--encoding=UTF8", "--no-locale"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
        options += ["--auth-host=scram-sha-256", "--auth-local=reject", "--no-instructions"]
        if not place.durable:
            options.append("--no-sync")
        words = ["initdb", "-D", str(draft), *options]
        _run(replace(place, account=account), words, superuser_password(place.directory) + "\n")
        draft.rename(place.data_dir)
        if place.durable:
            _sync_folder(place.directory)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def reset_superuser(place: Place) -> None:
    """Give the superuser of a stopped cluster the password of the password file."""
    words = ["postgres", "--single", "-D", str(place.data_dir), *place.settings, "template1"]
    _run(place, words, superuser_statements(place.directory))


def _run(place: Place, words: list[str], text: str) -> None:
    """Run a program that reads `text`; it holds our lock, lest it work on alone after our death."""
    reader, writer = os.pipe()
    try:
        if os.geteuid() == 0:
            # initdb opens /dev/stdin anew, which asks for the rights on the pipe.
            os.fchown(reader, place.account.uid, place.account.gid)
        os.write(writer, text.encode())
    finally:
        os.close(writer)
    with closing(os.fdopen(reader)):
        outcome = subprocess.run(
            place.account.command(binary(words[0]), *words[1:]),
            stdin=reader,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=environment(),
            pass_fds=(place.lock,),
            start_new_session=True,
        )
    if outcome.returncode != 0:
        tail = (outcome.stdout + outcome.stderr)[-TAIL_BYTES:]
        raise EmbeddedPostgresError(account_of_failure(f"{words[0]} failed in {place.directory}", tail))


def prepared_account(place: Place) -> ServerAccount:
    """Return the account with the capabilities that it needs for a cluster that exists."""
    if os.geteuid() == 0 and place.data_dir.stat().st_uid == 0:
        # A backup that root has unpacked; PostgreSQL wants to own its folder.
        place.account.own(place.data_dir)
    if stat.S_IMODE(place.data_dir.stat().st_mode) not in _PRIVATE_MODES:
        place.data_dir.chmod(0o700)
    return able_to_reach(place.account, place.data_dir, binary("postgres"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
