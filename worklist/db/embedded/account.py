"""Decides under which account PostgreSQL's programs run, and with which capabilities; starts no server.

PostgreSQL refuses to run as root, so root hands its programs to another account. That account need not
be able to reach the data folder or the virtual environment (`/root` is closed to everybody else). The
remedy is a capability for those processes alone and never a change of the permissions of a folder.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SYSTEM_ACCOUNT = "radpool"
FALLBACK_ACCOUNT = "nobody"

# From the least to the most. An ordinary container grants its root the second and not the first.
_CAPABILITY_LADDER = ("", "+dac_read_search", "+dac_override")

_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class ServerAccountError(RuntimeError):
    """No account can run PostgreSQL's programs here; the message tells the remedy."""


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """An account of the operating system and the words that make a command run under it."""

    uid: int
    gid: int
    prefix: tuple[str, ...] = ()

    def command(self, *words: str | Path) -> list[str]:
        """Return `words` as a command line that runs under this account."""
        return [*self.prefix, *map(str, words)]

    def own(self, folder: Path) -> None:
        """Give `folder`, and what lies in it, to this account; as an ordinary user there is nothing to do."""
        if os.geteuid() != 0:
            return
        for path in (folder, *folder.rglob("*")):
            os.lchown(path, self.uid, self.gid)


def server_account(data_dir: Path) -> ServerAccount:
    """Return the account for `data_dir`: our own, or as root the folder's owner, `radpool` or `nobody`.

    Raises
    ------
    ServerAccountError
        We are an ordinary user and the folder belongs to somebody else, or root finds no account.
    """
    owner = data_dir.stat() if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise ServerAccountError(
                f"{data_dir} belongs to account {_account_name(owner.st_uid)}, and this is "
                f"{_account_name(os.geteuid())}. Run as {_account_name(owner.st_uid)} or as root, or choose "
                "another data folder."
            )
        return ServerAccount(os.geteuid(), os.getegid())
    if owner is not None and owner.st_uid != 0:
        return ServerAccount(owner.st_uid, owner.st_gid)
    entry = _entry(SYSTEM_ACCOUNT) or _created_system_account() or _entry(FALLBACK_ACCOUNT)
    if entry is None:
        raise ServerAccountError(
            "PostgreSQL does not run as root, and this machine has neither an account "
            f"{SYSTEM_ACCOUNT!r} nor {FALLBACK_ACCOUNT!r}. Create one (useradd --system {SYSTEM_ACCOUNT}) "
            "or run as an ordinary user."
        )
    return ServerAccount(entry.pw_uid, entry.pw_gid)


def able_to_reach(account: ServerAccount, data_dir: Path, program: Path) -> ServerAccount:
    """Return `account` with the least capability with which it can use `data_dir` and run `program`.

    Each rung of the ladder is tried on the real thing, since access lists, mounts and containers
    decide too. `no_setuid_fixup` is needed besides the capability: access(2), by which PostgreSQL
    looks for its own binary, otherwise ignores the capabilities of anybody but root.

    Raises
    ------
    ServerAccountError
        None suffices, or `setpriv` (util-linux) is missing.
    """
    if os.geteuid() != 0:
        return account
    setpriv = shutil.which("setpriv", path=_SYSTEM_PATH)
    if setpriv is None:
        raise ServerAccountError(
            "PostgreSQL does not run as root, and setpriv, which runs it as another account, is missing. "
            "Install util-linux or run as an ordinary user."
        )
    complaint = ""
    for capability in _CAPABILITY_LADDER:
        ids = (f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups")
        candidate = ServerAccount(account.uid, account.gid, (setpriv, *ids, *_options(capability), "--"))
        # The shell stands between, because setpriv itself still has root's capabilities when it executes.
        trial = 'cd -- "$1" && [ -w . ] && exec "$2" --version'
        outcome = subprocess.run(
            candidate.command("/bin/sh", "-c", trial, "sh", data_dir, program),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        if outcome.returncode == 0:
            return candidate
        complaint = outcome.stderr.strip() or f"status {outcome.returncode}"
    raise ServerAccountError(
        f"PostgreSQL does not run as root, and account {_account_name(account.uid)} can reach neither "
        f"{data_dir} nor {program} ({complaint}). Run as an ordinary user, or put the data folder and the "
        "virtual environment where that account can go (such as /var/lib and /opt), or allow root "
        "CAP_DAC_OVERRIDE."
    )


def _options(capability: str) -> tuple[str, ...]:
    if not capability:
        return ("--inh-caps=-all",)
    only = f"-all,{capability}"
    options = (f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}")
    return (*options, "--securebits=+no_setuid_fixup")


def _created_system_account() -> pwd.struct_passwd | None:
    useradd = shutil.which("useradd", path=_SYSTEM_PATH)
    if useradd is None:
        return None
    words = [useradd, "--system", "--no-create-home", "--home-dir=/nonexistent", "--shell=/usr/sbin/nologin"]
    # A failure is no end: another process may have created it just now, and there is a fallback.
    subprocess.run([*words, SYSTEM_ACCOUNT], capture_output=True, check=False)
    return _entry(SYSTEM_ACCOUNT)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
