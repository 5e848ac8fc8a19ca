"""Measures how many orders a second are accepted from home RIS, and how soon a study reported at home is off the lists.

The peer answers without keeping anything: what MLLP itself costs in Python. It must not send; `hl7_senders` does.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import quantiles
from subprocess import PIPE, Popen

import httpx
from sqlalchemy import Engine, text

from api.accounts import add_user, issue_token
from api.permissions import Role
from benchmarks.cpu import cpu_seconds, per_unit
from benchmarks.hl7_senders import HOST, converse, final, order, send
from benchmarks.result import Plan, Row, middle, say
from benchmarks.store_servers import Server, radpool
from worklist.clock import now
from worklist.db.engine import Viewer, make_engine, view_as
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.objects import Arrival, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LocalTime

#: What is wanted of two cores, in messages a second, and what a closed study may take to leave the lists, in ms.
WANTED_RATE, WANTED_MILLISECONDS = 2000, 1000

_PROCESSES = 2
_SOURCE, _TRUST, _FACILITY = "PACS_NORTH1", "RZ1", "NORTHMERE RIS"


def run(plan: Plan) -> list[Row]:
    """Measure radpool as users start it; raises RuntimeError where a message is not accepted."""
    orders, rounds, closed = (40, 1, 5) if plan.small else (3_000, 3, 300)
    few, many = (1, 2) if plan.small else (8, 32)
    say(
        f"hl7: {orders} orders a round, {rounds} rounds, {_PROCESSES} senders of {few} and then {many} connections each"
    )
    with tempfile.TemporaryDirectory(prefix="radpool-benchmark-") as folder, radpool(Path(folder)) as server:
        port = _port(server, "hl7")
        engine = make_engine(server.run["database_url"])
        send(port, [order(number) for number in range(200)], processes=_PROCESSES, connections=few)
        rates: dict[int, list[float]] = {few: [], many: []}
        latencies: list[float] = []
        spent: Counter[str] = Counter()
        for number, connections in enumerate([few, many] * rounds):
            first = 1_000 + number * orders
            batch = [order(one) for one in range(first, first + orders)]
            before = _cpu(server)
            seconds, took = send(port, batch, processes=_PROCESSES, connections=connections)
            if connections == many:
                spent.update(per_unit(before, _cpu(server), orders * rounds))
            rates[connections].append(orders / seconds)
            latencies += took if connections == many else []
            say(f"  {_PROCESSES * connections} connections: {rates[connections][-1]:.0f}/s")
        _say_why(spent)
        _no_order_lost(engine, 200 + 2 * rounds * orders)
        off = _off_the_lists(server, engine, closed)
        engine.dispose()
    with _answering() as peer_port:
        seconds, _ = send(peer_port, [order(one) for one in range(orders)], processes=_PROCESSES, connections=many)
    centiles = quantiles(latencies, n=100)
    peer = "python hl7's MLLP server, keeping nothing"
    return [
        Row(
            "hl7.accepted", "orders accepted and committed", middle(rates[many]), "messages/s", "wanted", WANTED_RATE, 1
        ),
        Row(
            "hl7.accepted.peer",
            "the same beside a peer",
            middle(rates[many]),
            "messages/s",
            peer,
            middle([orders / seconds]),
        ),
        Row("hl7.accepted.few", f"the same of {_PROCESSES * few} connections", middle(rates[few]), "messages/s"),
        Row("hl7.cpu", "CPU of one order, all processes and the senders", round(sum(spent.values()), 2), "ms"),
        Row("hl7.answer.p50", "time to the acknowledgement, median", round(centiles[49] * 1000, 1), "ms"),
        Row("hl7.answer.p99", "time to the acknowledgement, 99th centile", round(centiles[98] * 1000, 1), "ms"),
        Row(
            "hl7.closed.p99",
            "final result sent to item off an open list, 99th centile",
            round(_p99(off) * 1000, 1),
            "ms",
            "at most",
            WANTED_MILLISECONDS,
        ),
    ]


def _cpu(server: Server) -> dict[str, float]:
    """Give the CPU seconds used so far: by the server's parts, and by those who sent."""
    senders = getrusage(RUSAGE_CHILDREN)
    return {**cpu_seconds(int(server.run["pid"])), "senders": senders.ru_utime + senders.ru_stime}


def _say_why(spent: Mapping[str, float]) -> None:
    """Say what an order costs, and so how many there could be a second."""
    cores, whole = os.cpu_count() or 1, sum(spent.values())
    parts = ", ".join(f"{part} {one:.2f}" for part, one in sorted(spent.items(), key=lambda one: -one[1]))
    say(f"CPU of one order: {whole:.2f} ms ({parts}): at most {cores * 1000 / whole:.0f}/s on {cores} cores")


def _off_the_lists(server: Server, engine: Engine, count: int) -> list[float]:
    """Report studies at home while a screen is open; gives the seconds until each is told to be gone."""
    items = {f"C{number:07d}": _arrive(engine, f"C{number:07d}") for number in range(count)}
    with engine.begin() as connection:
        add_user(connection, "benchmark", [Role.COORDINATOR])
        token = issue_token(connection, "benchmark", days=1)
    gone: dict[int, float] = {}
    listening = threading.Event()
    place = server.run["http"]
    threading.Thread(target=_watch, args=(place, token, gone, listening, count), daemon=True).start()
    if not listening.wait(30):
        raise RuntimeError("no live events came")
    sent: dict[int, float] = {}
    refused: list[int] = []
    with socket.create_connection((HOST, _port(server, "hl7")), timeout=60) as connection:
        for at, (number, item_id) in enumerate(items.items()):
            sent[item_id] = time.perf_counter()
            converse(connection, [final(number, at, _FACILITY)], [], refused)
    deadline = time.perf_counter() + 30
    while gone.keys() < sent.keys() and time.perf_counter() < deadline:
        time.sleep(0.01)
    if refused or gone.keys() != sent.keys():
        raise RuntimeError(f"{len(sent.keys() - gone.keys())} of {count} studies reported at home were never told of")
    return [gone[item_id] - sent[item_id] for item_id in sent]


def _watch(place: str, token: str, gone: dict[int, float], listening: threading.Event, count: int) -> None:
    """Read live events as an open screen does."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.stream("GET", f"http://{place}/api/v1/events", headers=headers, timeout=60) as answer:
        listening.set()
        kind = ""
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                kind = value
            elif field == "data" and kind == "item.reported-at-home":
                gone[json.loads(value)["item_id"]] = time.perf_counter()
                if len(gone) == count:
                    return


def _arrive(engine: Engine, accession_number: str) -> int:
    """Take a study of one image in and give the item that waits to be read."""
    with engine.begin() as connection:
        ended_at = now(connection) - timedelta(minutes=5)
        one = ReceivedObject(
            calling_ae_title=_SOURCE,
            sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
            sop_instance_uid=f"1.2.3.{accession_number[1:].lstrip('0') or '0'}.1.1",
            study_instance_uid=f"1.2.3.{accession_number[1:].lstrip('0') or '0'}",
            series_instance_uid=f"1.2.3.{accession_number[1:].lstrip('0') or '0'}.1",
            modality="DX",
            accession_number=accession_number,
            patient=PatientAsSent(identifier=accession_number, issuer="RIS", birth_date=date(1970, 1, 1)),
            requested_codes=(Code("XCHES", "NICIP"),),
            acquisition_ended=LocalTime("", "+0000", 0, "AcquisitionDateTime", ended_at),
            study_date=ended_at.date(),
        )
        take_in(connection, [Arrival(Sender(_SOURCE, _TRUST, 0), one)])
    deadline = time.perf_counter() + 30
    while time.perf_counter() < deadline:
        complete_quiet_studies(engine)  # radpool's own may be at it
        with engine.begin() as connection:
            view_as(connection, Viewer(trust=_TRUST))
            found = connection.execute(_WHERE_IT_STANDS, {"number": accession_number}).one()
        if found.state == "ready":
            return int(found.id)
        time.sleep(0.01)
    raise RuntimeError(f"an item that was to wait is {found.state}")


def _no_order_lost(engine: Engine, expected: int) -> None:
    with engine.connect() as connection:
        kept = connection.scalar(text("SELECT count(*) FROM event WHERE kind = 'item.order-taken'"))
    if kept != expected:
        raise RuntimeError(f"{expected} orders were accepted, {kept} kept")
    say(f"{expected} orders accepted, all of them kept")


@contextmanager
def _answering() -> Iterator[int]:
    """Run the peer: the `hl7` package's own MLLP server, that accepts and keeps nothing."""
    process = Popen([sys.executable, "-c", _PEER], stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        say("peer: python hl7, start_hl7_server, answering create_ack()")
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


def _port(server: Server, name: str) -> int:
    return int(server.run[name].rpartition(":")[2])


def _p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[98]


_WHERE_IT_STANDS = text(
    "SELECT i.id, i.state FROM item i JOIN order_identity o ON o.item_id = i.id WHERE o.accession_number = :number"
)
_PEER = """
import asyncio
from hl7.mllp import start_hl7_server


async def converse(reader, writer):
    while not writer.is_closing():
        try:
            message = await reader.readmessage()
        except asyncio.IncompleteReadError:
            break
        writer.writemessage(message.create_ack())
        await writer.drain()


async def main():
    server = await start_hl7_server(converse, host="127.0.0.1", port=0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
"""
