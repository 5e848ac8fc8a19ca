"""Commands of `radpool` in processes that have everything imported already: the same as typed, seconds sooner.

That the command line itself starts, and imports what it needs, is shown with real ones.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

#: A command writes where its threads stand to its errors when it gets this.
SHOW_STACKS = signal.SIGUSR1

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.cli.everything"])


class Typed:
    """A running command, used as `subprocess.Popen` is; `stdout` is text, and without `errors` holds those too."""

    def __init__(
        self, words: Sequence[str | Path], environment: Mapping[str, str], errors: IO[str] | None = None
    ) -> None:
        """Start `radpool` with these words."""
        ours, theirs = os.pipe()
        self.stdout: IO[str] = os.fdopen(ours)
        place = _Handed(theirs), _Handed(errors.fileno() if errors else theirs)
        self._process = _FORKS.Process(target=_type, args=([*map(str, words)], dict(environment), *place), daemon=True)
        self._process.start()
        os.close(theirs)

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("radpool", timeout)
        return status

    def send_signal(self, how: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, how)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class _Handed:
    """An open file that goes with what a process is started with."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (DupFd(self.descriptor),)


def _taken(handed: Any) -> _Handed:
    return _Handed(handed.detach())


def _type(words: list[str], environment: dict[str, str], output: _Handed, errors: _Handed) -> None:
    os.dup2(output.descriptor, 1)
    os.dup2(errors.descriptor, 2)
    faulthandler.register(SHOW_STACKS)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["radpool", *words]
    from cli.main import main

    main()
