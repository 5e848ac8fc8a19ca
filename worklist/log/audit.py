"""Writes audit entries beside the acts they tell, signs checkpoints outside the database, and verifies both.

An entry names items by id and says what was done, by whom; it must not hold patient data
(docs/decisions/0007-audit-lanes.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection, text

LANES = 64


def append(
    connection: Connection,
    actor: str,
    action: str,
    *,
    items: Sequence[int] = (),
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry in the running transaction; call it last, the lane is held until the commit."""
    payload = _canonical(detail or {})
    connection.execute(_APPEND, {"actor": actor, "action": action, "items": list(items), "payload": payload})


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that `verify` found wrong: in which lane, at which sequence number, and what."""

    lane: int
    sequence: int
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: how many entries and checkpoints it read, and every fault."""

    entries: int
    checkpoints: int
    faults: tuple[Fault, ...]


def verify(connection: Connection, checkpoints: Path | None) -> Verdict:
    """Walk all chains and hold them against their heads and against the signed checkpoints.

    `checkpoints` is the folder that `write_checkpoint` writes to; None checks the chains alone,
    which cannot show that the newest entries of a lane were cut off together with its head. It must
    be the first thing that the connection's transaction does.
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
    faults: list[Fault] = []
    links: dict[tuple[int, int], bytes] = {}
    wanted = dict(_checkpointed_heads(checkpoints, faults)) if checkpoints else {}
    marks = {(lane, entries) for heads in wanted.values() for lane, (entries, _) in heads.items()}
    entries = 0
    lanes = {lane: (count, bytes(head)) for lane, count, head in connection.execute(_LANES)}
    if set(lanes) != set(range(LANES)):
        faults.append(Fault(-1, 0, f"the lanes are not 0 to {LANES - 1}"))
    strays = set(connection.scalars(_LANES_OF_ENTRIES)) - set(lanes)
    faults.extend(Fault(lane, 0, "there are entries in a lane that does not exist") for lane in sorted(strays))
    for lane, (count, last) in lanes.items():
        entries += _walk_lane(connection, lane, count, last, marks=marks, links=links, faults=faults)
    for name, heads in wanted.items():
        faults.extend(
            Fault(lane, sequence, f"the chain does not pass through the head signed in checkpoint {name}")
            for lane, (sequence, link) in heads.items()
            if links.get((lane, sequence)) != link
        )
    return Verdict(entries, len(wanted), tuple(faults))


def write_checkpoint(connection: Connection, folder: Path, key: Ed25519PrivateKey) -> Path | None:
    """Sign the heads of all chains into a new file of `folder`; None when nothing was added since the last.

    The file is written whole or not at all, and named by the number of entries that it covers.
    """
    rows = connection.execute(text("SELECT lane, entries, head, radpool_now() FROM audit.lane ORDER BY lane")).all()
    heads = {str(row[0]): [row[1], bytes(row[2]).hex()] for row in rows}
    total = sum(row[1] for row in rows)
    at: datetime = rows[0][3]
    path = folder / f"{total:012d}.json"
    if path.exists():
        return None
    body = _canonical({"at": at.isoformat(), "entries": total, "heads": heads})
    signed = _canonical({"body": body, "signature": key.sign(body.encode()).hex()})
    folder.mkdir(parents=True, exist_ok=True)
    _public_key_file(folder, key)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(signed)
    unfinished.rename(path)
    return path


def _walk_lane(
    connection: Connection,
    lane: int,
    count: int,
    head: bytes,
    *,
    marks: set[tuple[int, int]],
    links: dict[tuple[int, int], bytes],
    faults: list[Fault],
) -> int:
    previous, expected = _genesis(lane), 0
    if (lane, 0) in marks:
        links[(lane, 0)] = previous
    for row in _entries_of(connection, lane):
        expected += 1
        if row.sequence != expected:
            faults.append(Fault(lane, expected, f"entry missing: the next is numbered {row.sequence}"))
            expected = row.sequence
        if row.payload is not None and hashlib.sha256(row.payload.encode()).digest() != bytes(row.payload_digest):
            faults.append(Fault(lane, row.sequence, "the payload is not the one that was written"))
        link = _link(previous, row)
        if link != bytes(row.link):
            faults.append(Fault(lane, row.sequence, "the entry or its place in the chain was changed"))
        previous = bytes(row.link)
        if (lane, row.sequence) in marks:
            links[(lane, row.sequence)] = previous
    if expected != count or previous != head:
        faults.append(Fault(lane, count, "the lane's head is not its last entry"))
    return expected


def _entries_of(connection: Connection, lane: int) -> Iterator[Any]:
    statement = text(
        "SELECT sequence, CASE WHEN isfinite(at) THEN (extract(epoch FROM at) * 1000000)::bigint END AS microseconds,"
        " lane, actor, action, items, payload, payload_digest, link FROM audit.entry WHERE lane = :lane"
        " ORDER BY sequence"
    )
    return iter(connection.execution_options(yield_per=1000).execute(statement, {"lane": lane}))


def _link(previous: bytes, row: Any) -> bytes:
    """Compute a link as `audit.link_of` does in the database, but here, so that neither need trust the other."""
    words = [row.lane, row.sequence, row.microseconds, len(row.actor), row.actor, row.action]
    words.append(",".join(map(str, row.items)))
    return hashlib.sha256(previous + "\x1f".join(map(str, words)).encode() + bytes(row.payload_digest)).digest()


def _genesis(lane: int) -> bytes:
    return hashlib.sha256(f"radpool audit lane {lane}".encode()).digest()


def _checkpointed_heads(folder: Path, faults: list[Fault]) -> Iterable[tuple[str, dict[int, tuple[int, bytes]]]]:
    files = sorted(folder.glob("*.json"))
    if not files:
        return
    try:
        public = serialization.load_pem_public_key((folder / "public-key.pem").read_bytes())
    except (OSError, ValueError) as error:
        faults.append(Fault(-1, 0, f"the public key of the checkpoints cannot be read ({type(error).__name__})"))
        return
    assert isinstance(public, Ed25519PublicKey)
    for file in files:
        try:
            signed = json.loads(file.read_text())
            public.verify(bytes.fromhex(signed["signature"]), signed["body"].encode())
            body = json.loads(signed["body"])
            heads = {int(lane): (count, bytes.fromhex(head)) for lane, (count, head) in body["heads"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature) as error:
            faults.append(Fault(-1, 0, f"checkpoint {file.name} is not as it was signed ({type(error).__name__})"))
            continue
        yield file.name, heads


def _public_key_file(folder: Path, key: Ed25519PrivateKey) -> None:
    path = folder / "public-key.pem"
    if not path.exists():
        path.write_bytes(
            key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


_APPEND = text("SELECT audit.append(:actor, :action, :items, :payload)")
_LANES = text("SELECT lane, entries, head FROM audit.lane ORDER BY lane")
_LANES_OF_ENTRIES = text("SELECT DISTINCT lane FROM audit.entry ORDER BY lane")
