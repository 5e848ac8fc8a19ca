"""Measures how many objects a second radpool takes in, beside storage servers written by others.

One sender for all: DCMTK's storescu over the loopback. A sender sends one study over one association and is
timed from its start to its end, as a modality's user waits for it. It must not start servers or make objects;
`store_servers` and `store_objects` do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.result import Plan, Row, middle, say
from benchmarks.store_objects import write_objects
from benchmarks.store_servers import AE_TITLE, HOST, Server, peers, radpool

#: By object size, number of senders and peer: how many times the peer's speed radpool should reach.
GOALS = {
    ("large", 1, "ignore"): 0.9,
    ("large", 4, "ignore"): 0.75,
    ("large", 1, "writing"): 1.3,
    ("large", 4, "writing"): 1.3,
    ("large", 1, "orthanc"): 7.0,
    ("large", 4, "orthanc"): 7.0,
    ("large", 1, "pynetdicom"): 5.0,
    ("large", 4, "pynetdicom"): 5.0,
    ("small", 1, "writing"): 1.2,
    ("small", 1, "orthanc"): 7.0,
    ("small", 4, "orthanc"): 7.0,
    ("small", 1, "pynetdicom"): 9.0,
    ("small", 4, "pynetdicom"): 9.0,
}

_SENDERS = (1, 4)
_WHAT = {"large": "512 KB CT", "small": "3 KB CT"}
_PDU_BYTES = 131072
_SETTLE_SECONDS = 60.0
#: What a server still does of what it was sent before must not slow the next one.
_QUIET_SECONDS = 1.5


@dataclass(frozen=True, slots=True)
class _Size:
    """Rounds, and objects that each sender sends in one."""

    rounds: int
    large: int
    small: int


_REAL = _Size(rounds=3, large=1000, small=2000)
_SMALL = _Size(rounds=1, large=2, small=4)

#: Objects per second of each round, by object size, number of senders and server.
_Rates = dict[tuple[str, int, str], list[float]]


def run(plan: Plan) -> list[Row]:
    """Measure radpool and every peer that is installed; raises where an object was refused or is missing."""
    size = _SMALL if plan.small else _REAL
    if shutil.which("storescu") is None:
        raise SystemExit("the sender is missing: install DCMTK (Debian: dcmtk)")
    say(f"ingest: seed {plan.seed}, {size.rounds} rounds; {size.large} large or {size.small} small objects a sender")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="radpool-benchmark-")))
        ours = stack.enter_context(radpool(folder / "radpool"))
        others = [stack.enter_context(peer) for peer in peers(folder)]
        say(f"sender: {' '.join(_sender(0, folder)[:-2])} PORT FOLDER (TCP_NODELAY=1)")
        one = write_objects(folder / "one", "small", 1, f"{plan.seed}.one")
        alone = ", ".join(f"{each.name} {_send(each, [one]) * 1000:.0f}" for each in (ours, *others))
        say(f"a sender with a single object takes, in ms (this is part of every figure): {alone}")
        rates = _measure([ours, *others], folder / "objects", size, plan.seed)
        sent = 1 + size.rounds * sum(_SENDERS) * (size.large + size.small)
        kept = _settled(ours, sent)
        assert kept == sent, f"radpool was sent {sent} objects and kept {kept}"
        say(f"radpool kept all of the {sent} objects that it was sent")
    return [
        Row(
            id=f"ingest.{kind}.{senders}.{peer.name}",
            what=f"C-STORE of {_WHAT[kind]}, {senders} sender{'s' if senders > 1 else ''}",
            value=middle(rates[kind, senders, ours.name]),
            unit="objects/s",
            peer=peer.what,
            peer_value=middle(rates[kind, senders, peer.name]),
            goal=GOALS.get((kind, senders, peer.name)),
        )
        for kind in _WHAT
        for senders in _SENDERS
        for peer in others
    ]


def _settled(ours: Server, sent: int) -> int:
    """Wait until what was acknowledged by an append is in the worklist, and give how many objects are there."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (kept := ours.kept()) < sent and time.monotonic() < deadline:
        time.sleep(0.1)
    return kept


def _measure(servers: Sequence[Server], folder: Path, size: _Size, seed: int) -> _Rates:
    """Send fresh objects in each round to all servers, in an order that turns from round to round."""
    rates: _Rates = defaultdict(list)
    for number in range(size.rounds):
        for kind, count in (("large", size.large), ("small", size.small)):
            for senders in _SENDERS:
                studies = [
                    write_objects(folder / str(each), kind, count, f"{seed}.{number}.{kind}.{senders}.{each}")
                    for each in range(senders)
                ]
                turned = number % len(servers)
                for server in (*servers[turned:], *servers[:turned]):
                    rates[kind, senders, server.name].append(senders * count / _send(server, studies))
                shutil.rmtree(folder)
                told = ", ".join(f"{one.name} {rates[kind, senders, one.name][-1]:.0f}" for one in servers)
                say(f"  round {number + 1}, {kind}, {senders} sender(s), objects/s: {told}")
    return rates


def _send(server: Server, folders: Sequence[Path]) -> float:
    """Send each folder by a process of its own, all at once, and give the seconds until the last has ended.

    Before that all that was written for others is on the disk.
    """
    os.sync()
    time.sleep(_QUIET_SECONDS)
    environment = {**os.environ, "TCP_NODELAY": "1"}
    began = time.perf_counter()
    running = [subprocess.Popen(_sender(server.port, each), env=environment) for each in folders]
    ended = [one.wait() for one in running]
    seconds = time.perf_counter() - began
    if any(ended):
        raise RuntimeError(f"{server.name} did not take all objects: storescu ended with {ended}")
    return seconds


def _sender(port: int, folder: Path) -> list[str]:
    pdu = ("--max-pdu", str(_PDU_BYTES), "--max-send-pdu", str(_PDU_BYTES))
    return ["storescu", "-q", "-aet", AE_TITLE, "-aec", "RADPOOL", *pdu, "+sd", HOST, str(port), str(folder)]
