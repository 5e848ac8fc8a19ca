"""Starts processes by forking one that has everything imported: none of them pays for its imports again.

Only a process without threads may fork. Who has threads keeps a `ForkServer`, made before them, which forks for it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import structlog
from setproctitle import getproctitle, setproctitle

from worklist.alerts.raised import where_raised

log = structlog.get_logger(__name__)

getproctitle()  # it finds the place of titles by the environment, before that is changed

_POLL_SECONDS = 0.01
_LOST = 255
_ENDING = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Forked:
    """A child process; `status` is its exit status once it is known, negative for the signal that killed it."""

    pid: int
    status: int | None = None

    def poll(self) -> int | None:
        """Give the exit status, or None while it lives."""
        if self.status is None:
            try:
                pid, how = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # we were started deaf to the end of children; it has ended, how is lost
                self.status = _LOST
            else:
                if pid:
                    self.status = os.waitstatus_to_exitcode(how)
        return self.status

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end; whether it came in time."""
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def send_signal(self, how: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, how)


def fork(act: Callable[[], None], title: str, *, keep: Collection[int]) -> Forked:
    """Start a process that does `act` and ends, in a session of its own.

    Of the open files it has the standard ones (standard input reads nothing) and those in `keep`. Its exit status is
    that of a `SystemExit`, 0 at the end of `act`, else 1.

    Raises
    ------
    RuntimeError
        When this process has threads: the child would have none of them, and what they hold would be held for ever.
    """
    if threading.active_count() > 1:
        raise RuntimeError("a process that has threads must not fork")
    gc.collect()
    gc.freeze()  # what all share is not touched by the collectors of each
    sys.stdout.flush()
    sys.stderr.flush()
    # A signal that comes before the child has its own handlers must find it, not a copy of ours.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    pid = os.fork()
    if pid == 0:
        _be(act, title, keep)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return Forked(pid)


def exit_status(ended: SystemExit) -> int:
    """Give the exit status that an end stands for; words in its place are a failure."""
    return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _be(act: Callable[[], None], title: str, keep: Collection[int]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        for how in (*_ENDING, signal.SIGCHLD):
            signal.signal(how, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        _close_all_but({0, 1, 2, *keep})
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        setproctitle(title)
        act()
        status = 0
    except SystemExit as ended:
        status = exit_status(ended)
    except BaseException as error:
        # What an error says may quote values; it is not for a log.
        log.error("the process failed", process=title, error=type(error).__name__, where=where_raised(error))
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)  # what stands beneath us on the stack is the parent's


def _close_all_but(kept: Collection[int]) -> None:
    for descriptor in [int(each.name) for each in Path("/dev/fd").iterdir()]:
        if descriptor not in kept:
            with contextlib.suppress(OSError):  # the folder's own
                os.close(descriptor)


class ForkServer:
    """Forks processes of one kind, each of which serves a socket that it is given."""

    def __init__(self, act: Callable[[socket.socket], None], title: str) -> None:
        """Start it; the process must not have threads yet."""
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Each of its processes holds the other end: when all have ended, ours reads the end of the file.
        self._ended, held = os.pipe()
        with theirs:
            fork(lambda: _serve(theirs, held, act, title), f"{title} (forks)", keep={theirs.fileno(), held})
        os.close(held)

    def start(self, passed: socket.socket) -> None:
        """Start a process that serves `passed`.

        Raises
        ------
        BrokenPipeError
            When the server of forks is gone.
        """
        socket.send_fds(self._asking, [b"\0"], [passed.fileno()])

    def close(self) -> None:
        """Start no more, and wait until all that were started have ended."""
        self._asking.close()
        os.read(self._ended, 1)
        os.close(self._ended)


def _serve(asked: socket.socket, held: int, act: Callable[[socket.socket], None], title: str) -> None:
    for how in _ENDING:
        signal.signal(how, signal.SIG_IGN)  # it ends when nobody can ask any more
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how its processes ended
    while True:
        packet, descriptors, _, _ = socket.recv_fds(asked, 1, 1)
        if not packet:
            return
        with socket.socket(fileno=descriptors[0]) as passed:
            fork(partial(act, passed), title, keep={passed.fileno(), held})
