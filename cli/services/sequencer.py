"""The sequencer process: positions for committed events, month partitions, signed audit checkpoints."""

from __future__ import annotations

import threading
from pathlib import Path

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from cli.process import every
from cli.running import Given, service
from cli.settings import Settings
from worklist.feeds.heard import judge_feeds
from worklist.log import audit
from worklist.log.sequencer import anything_new, sequence
from worklist.log.wakeups import publish

log = structlog.get_logger(__name__)

#: Pause between looks while events come, and while none do.
_BUSY_SECONDS, _IDLE_SECONDS = 0.01, 0.05


def run(given: Given) -> None:
    """Sequence until asked to end. Checkpoints need a data folder; without one they are not written."""
    with service("sequencer", given, pool_size=4) as running:
        _sequence(running.engine, given.settings, given.data, running.stop)


def _sequence(engine: Engine, settings: Settings, data: Path | None, stop: threading.Event) -> None:
    every(3600, stop, lambda: _ensure_partitions(engine), name="partitions")
    every(60, stop, lambda: _judge_feeds(engine), name="feeds")
    if data is not None:
        key = signing_key(data)
        every(settings.checkpoint_seconds, stop, lambda: checkpoint(engine, data, key), name="checkpoints")
    looking = engine.execution_options(isolation_level="AUTOCOMMIT")
    while not stop.is_set():
        try:
            with looking.connect() as connection:
                found = anything_new(connection)
            batch = sequence(engine) if found else None
        except DBAPIError as error:
            log.warning("not sequenced; will try again", error=type(error).__name__)
            stop.wait(0.5)
            continue
        if batch is not None and batch.placed:
            publish(settings.redis_url, batch.last_position)
        stop.wait(_BUSY_SECONDS if batch is not None and batch.placed else _IDLE_SECONDS)
    if data is not None:
        checkpoint(engine, data, signing_key(data))


def checkpoint(engine: Engine, data: Path, key: Ed25519PrivateKey) -> None:
    """Sign the heads of the audit chains into the data folder."""
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        audit.write_checkpoint(connection, data / "checkpoints", key)


def signing_key(data: Path) -> Ed25519PrivateKey:
    """Give the key that signs checkpoints, made on first use, readable by its owner alone."""
    path = data / "secrets" / "checkpoint.pem"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        unfinished = path.with_suffix(".part")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(pem)
        unfinished.rename(path)
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} is not an Ed25519 key; move it away and a new one is made")
    return key


def _judge_feeds(engine: Engine) -> None:
    with engine.begin() as connection:
        judge_feeds(connection)


def _ensure_partitions(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT ensure_month_partitions(2)"))
