"""What every process of radpool shares: logs without patient data, orderly stop, death with its parent."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import warnings
from _thread import start_new_thread
from collections.abc import Callable
from types import TracebackType

import structlog

from worklist.alerts.raised import where_raised


def configure_logs(level: str, service: str) -> None:
    """Write one line of key=value per event to standard error, with the service's name."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PlacesOnly(f"%(asctime)s %(levelname)s [{service}] %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for library in ("pydicom", "pynetdicom"):
        logging.getLogger(library).setLevel(logging.CRITICAL + 1)  # they quote what a peer sent
    warnings.simplefilter("ignore")  # and so may what is said by warnings
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_types,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def stop_event() -> threading.Event:
    """Give an event that is set when the process is asked to end (SIGTERM, SIGINT)."""
    stop = threading.Event()

    def ask(*_: object) -> None:
        # The handler runs amid what the main thread does, which may be to hold the event's own lock for a moment on
        # its way into or out of a wait: setting the event here would then wait for itself, for ever.
        start_new_thread(stop.set, ())

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    return stop


def ignore_interrupts() -> None:
    """Leave it to the parent when to end: it says so over the link, and its death closes the link."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


class Lifeline:
    """One end of a pipe whose other end only the process holds that this one must not outlive."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def is_cut(self) -> bool:
        """Whether the other process is gone, however it went."""
        return bool(select.select([self.descriptor], [], [], 0)[0])  # nobody writes: readable is the end of the file

    def on_cut(self, act: Callable[[], None]) -> None:
        """Call `act`, in a thread, when the other process is gone."""

        def watch() -> None:
            with contextlib.suppress(OSError):
                os.read(self.descriptor, 1)
            act()

        threading.Thread(target=watch, name="lifeline", daemon=True).start()


def every(seconds: float, stop: threading.Event, act: Callable[[], object], *, name: str) -> threading.Thread:
    """Run `act` again and again with a pause, in a thread; a fault is logged and tried again."""
    log = structlog.get_logger(name)

    def loop() -> None:
        while not stop.is_set():
            try:
                act()
            except Exception as error:
                log.warning("failed; will try again", error=type(error).__name__)
                stop.wait(1.0)
            stop.wait(seconds)

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    return thread


class _PlacesOnly(logging.Formatter):
    """Writes of an error its type and where it was raised, never what it said."""

    def formatException(  # noqa: N802 - the name that logging calls
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """Render an error."""
        return f"{type(ei[1]).__name__} at {where_raised(ei[1])}" if ei[1] is not None else ""


def _only_types(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace a traceback by the error's type: messages of drivers can quote values."""
    info = event.pop("exc_info", None)
    if info:
        kind = sys.exc_info()[0] if info is True else type(info)
        event["error"] = getattr(kind, "__name__", "error")
        error = sys.exc_info()[1] if info is True else info
        if isinstance(error, BaseException):
            event["where"] = where_raised(error)
    return event
