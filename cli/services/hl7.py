"""The HL7 process: takes orders and results from the home RIS, and tells them what was done here."""

from __future__ import annotations

import math
import threading
import time

import structlog
from sqlalchemy import Engine

from cli.process import every
from cli.running import Given, service
from cli.tls import client_context, server_context
from hl7_listener.delivery import line
from hl7_listener.delivery.courier import Patience, Post
from hl7_listener.kept import take_kept
from hl7_listener.limits import Limits
from hl7_listener.mllp import Port
from hl7_listener.service import serve
from worklist.feeds.heard import Ear, FeedKind
from worklist.log.wakeups import Wakeups, listening

log = structlog.get_logger(__name__)

#: How often it is read anew where RIS are, and looked for reports that do not arrive.
_REFRESH_SECONDS = 5.0
_FORGET_SECONDS = 3600.0
#: How often messages that were kept out and may be taken now are looked for.
_KEPT_SECONDS = 0.5
#: How long events are let gather after the first: they are put in line together.
_TOGETHER_SECONDS = 0.02
#: How often it is written down which RIS were heard.
_HEARD_SECONDS = 5.0


def run(given: Given) -> None:
    """Serve until asked to end; messages in hand are answered, and the answers to ours waited for, first."""
    settings = given.settings
    with (
        service("hl7", given, pool_size=16) as running,
        listening(running.driver_url, settings.redis_url) as wakeups,
    ):
        tls = client_context(*settings.hl7_tls) if settings.hl7_tls else None
        post = Post(running.engine, Patience(undelivered=settings.undelivered_seconds), running.stop, tls)
        every(
            _FORGET_SECONDS,
            running.stop,
            lambda: _forget(running.engine, settings.keep_report_days),
            name="report words",
        )
        ear = Ear(FeedKind.HL7)
        every(_HEARD_SECONDS, running.stop, lambda: ear.write_down(running.engine), name="feeds")
        every(_KEPT_SECONDS, running.stop, lambda: take_kept(running.engine), name="kept messages")
        posting = threading.Thread(target=_post, args=(post, wakeups, running.stop), name="post")
        posting.start()
        serve(_ports(given), running.engine, Limits(), running.stop, ear)
        posting.join()
        post.end()


def _ports(given: Given) -> list[Port]:
    ports = [Port(given.sockets["hl7"])]
    if "hl7_tls" in given.sockets and given.settings.hl7_tls is not None:
        ports.append(Port(given.sockets["hl7_tls"], server_context(*given.settings.hl7_tls)))
    return ports


def _post(post: Post, wakeups: Wakeups, stop: threading.Event) -> None:
    refreshed_at = -math.inf
    while not stop.is_set():
        try:
            if time.monotonic() >= refreshed_at + _REFRESH_SECONDS:
                post.refresh()
                refreshed_at = time.monotonic()
            post.step()
        except Exception as error:
            # Whatever it is, reports must not stay here until a restart.
            log.warning("not put in line; will try again", error=type(error).__name__)
            stop.wait(0.5)
            continue
        if wakeups.wait(0.5):
            stop.wait(_TOGETHER_SECONDS)


def _forget(engine: Engine, days: float) -> None:
    with engine.begin() as connection:
        line.forget_words(connection, after_days=days)
