"""Makes pynetdicom's reactor truly stand still while a request waits for its answer.

The reactor of a requestor takes messages off the queue that the requesting thread waits at. pynetdicom pauses it
by an event and a flag that is read before the reactor has stopped, so a peer that answers at once now and then has
its answer taken by the reactor, and the request waits until its deadline. It must not know what is asked.
"""

from __future__ import annotations

import threading

from pynetdicom import evt
from pynetdicom.association import Association

_LOOK_SECONDS = 0.05


class Checkpoint(threading.Event):
    """An event whose `clear` returns only when `reactor` stands at `wait`, has ended, or is the caller itself."""

    def __init__(self, reactor: threading.Thread) -> None:
        super().__init__()
        self._reactor = reactor
        self._changed = threading.Condition()
        self._is_open = True
        self._stands_here = False

    def is_set(self) -> bool:
        """Whether the reactor may go on."""
        return self._is_open

    def set(self) -> None:
        """Let the reactor go on."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Stop the reactor; the flag that is read next says so, whatever another thread has made of it."""
        with self._changed:
            self._is_open = False
            while not self._stands_here and self._reactor.is_alive() and threading.current_thread() != self._reactor:
                self._changed.wait(_LOOK_SECONDS)
        self._reactor._is_paused = True  # type: ignore[attr-defined] # noqa: SLF001 - there is no public way

    def wait(self, timeout: float | None = None) -> bool:
        """Stand still until the reactor may go on; of the reactor's thread alone."""
        with self._changed:
            self._stands_here = True
            self._changed.notify_all()
            is_open = self._changed.wait_for(lambda: self._is_open, timeout)
            self._stands_here = False
        return is_open


def stop_theft(event: evt.Event) -> None:
    """Give a requestor's association a checkpoint that holds; to be bound to `EVT_CONN_OPEN`."""
    association: Association = event.assoc
    association._reactor_checkpoint = Checkpoint(association)  # noqa: SLF001 - there is no public way
