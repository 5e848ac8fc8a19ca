"""The hard limits under which the listener works: plain numbers. Pure; no reading of settings."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Limits:
    """What a listener allows its peers; seconds and bytes.

    `max_associations` and `max_associations_per_address` count connections in all and by address. A connection that
    is not an association yet holds its place on sufferance: at most `max_handshakes` do, and when a place is needed the
    oldest of the address that has most of them gives way.

    `association_seconds` is the time from the connection to the last byte of the A-ASSOCIATE-RQ
    (the ARTIM timer of PS3.8, 9.1.5); `pdu_seconds` bounds a PDU once its first byte is here;
    `idle_seconds` the silence between two PDUs; `message_seconds` one whole DIMSE message, so that
    empty fragments cannot hold a place for ever; `closing_seconds` the wait for a peer to close
    after our last word; `drain_seconds` the time that a message in hand has left at a stop.
    `max_pdu_bytes` is announced to the peer (PS3.8, D.1) and longer PDUs end the association before
    they are read. Of each data set `header_keep_bytes` are kept, doubling up to
    `header_bound_bytes` while the wanted attributes have not been passed.

    Raises
    ------
    ValueError
        When a limit is not positive, or the header bound lies below what is always kept.
    """

    max_associations: int = 200
    max_associations_per_address: int = 50
    max_handshakes: int = 64
    association_seconds: float = 10.0
    pdu_seconds: float = 30.0
    idle_seconds: float = 300.0
    message_seconds: float = 3600.0
    closing_seconds: float = 1.0
    drain_seconds: float = 5.0
    max_associate_rq_bytes: int = 1024 * 1024
    max_pdu_bytes: int = 131072
    max_command_set_bytes: int = 64 * 1024
    header_keep_bytes: int = 16 * 1024
    header_bound_bytes: int = 1024 * 1024
    receive_buffer_bytes: int = 32 * 1024

    def __post_init__(self) -> None:
        for each in fields(self):
            if getattr(self, each.name) <= 0:
                msg = f"the limit {each.name} must be positive"
                raise ValueError(msg)
        if self.header_bound_bytes < self.header_keep_bytes:
            msg = "header_bound_bytes lies below header_keep_bytes"
            raise ValueError(msg)
