"""Finds the source that a store request is for: whose it is, whether it may send from there; refusals are kept.

It must not answer; the route does.
"""

from __future__ import annotations

import ipaddress

from sqlalchemy import Connection, select

from api.permissions import Principal
from worklist.db.tables.network import source
from worklist.doubts import open_doubt
from worklist.intake.senders import Sender
from worklist.log import audit


class UnknownSource(LookupError):
    """No source of this AE title that is the account's."""


class BoundElsewhere(ValueError):
    """The source is bound to another address than the peer's."""


def find_sender(
    connection: Connection, who: Principal, ae_title: str, peer_address: str, *, quiet_seconds: float
) -> Sender | UnknownSource | BoundElsewhere:
    """Give the sender that an account may send as, or why it may not; that stands in the audit then.

    `quiet_seconds` is the quiet period of sources that state none. A source of another trust, or one that is
    not active, is as unknown as one that never was.
    """
    row = connection.execute(
        select(source).where(
            source.c.ae_title == ae_title.replace("\0", ""), source.c.active, source.c.trust_ods == who.trust
        )
    ).one_or_none()
    if row is None:
        _note_refusal(connection, who, ae_title, "unknown source", peer_address)
        return UnknownSource("no source of this AE title of yours; add it as a [[source]]")
    if row.address is not None and not _is_within(row.address, peer_address):
        told = "the source is bound to another address; correct its [[source]]"
        open_doubt(connection, "association-refused", trust=row.trust_ods, source=row.ae_title, detail=told)
        _note_refusal(connection, who, ae_title, "source from an address it is not bound to", peer_address)
        return BoundElsewhere(told)
    quiet = quiet_seconds if row.quiet_seconds is None else float(row.quiet_seconds)
    return Sender(row.ae_title, row.trust_ods, quiet)


def _note_refusal(connection: Connection, who: Principal, ae_title: str, why: str, peer_address: str) -> None:
    shown = ae_title.replace("\0", "")[:16]
    audit.append(connection, who.name, "store refused", detail={"why": why, "ae_title": shown, "peer": peer_address})


def _is_within(bound: str, peer_address: str) -> bool:
    """Whether a peer's address is the one, or in the network, that a source is bound to."""
    try:
        peer = ipaddress.ip_address(peer_address.partition("%")[0])
        mapped = peer.ipv4_mapped if isinstance(peer, ipaddress.IPv6Address) else None
        return (mapped or peer) in ipaddress.ip_network(bound, strict=False)
    except ValueError:
        return bound == peer_address
