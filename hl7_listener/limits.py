"""The hard limits under which the listener works; plain numbers, no reading of settings."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """What the listener allows its peers; seconds and bytes.

    `idle_seconds` is the silence between two messages, whatever else is sent meanwhile;
    `message_seconds` the time from a message's start block to its end block; `answer_seconds` the
    time that a peer has to take its acknowledgement; `closing_seconds` the wait for a peer to close
    after our last word; `drain_seconds` what messages in hand have left at a stop. `max_junk_bytes`
    may stand between two messages. `workers` messages are worked on at a time; the database gives a
    statement `statement_seconds`.

    Raises
    ------
    ValueError
        When a limit is not positive.
    """

    max_connections: int = 100
    max_connections_per_address: int = 20
    idle_seconds: float = 300.0
    message_seconds: float = 30.0
    answer_seconds: float = 30.0
    closing_seconds: float = 1.0
    drain_seconds: float = 5.0
    statement_seconds: float = 20.0
    max_message_bytes: int = 1024 * 1024
    max_junk_bytes: int = 1024
    workers: int = 8

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) <= 0:
                msg = f"the limit {each.name} must be positive"
                raise ValueError(msg)
