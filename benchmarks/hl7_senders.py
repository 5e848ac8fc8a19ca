"""Home RIS that send over MLLP as fast as they are answered, each connection in its turn.

It must not know what answers.
"""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier, Event

from hl7_listener.framing import Framer, framed

HOST = "127.0.0.1"
#: Of each process: the latency of each message in seconds, and how many were not accepted.
Answers = SimpleQueue[tuple[list[float], int]]
#: Whence the home RIS send: each has connections of its own.
_HOSTS = ("127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")
_FACILITIES = ("NORTHMERE RIS", "EASTWICK RIS", "SALTHOLME RIS", "WESTERING RIS")


def order(number: int) -> bytes:
    """Give a new order of a synthetic patient, for an accession of its own."""
    facility, accession_number = _FACILITIES[number % len(_FACILITIES)], f"H{number:07d}"
    segments = f"ORC|NW|P{number}|{accession_number}", "OBR|1|||XCHES^XR Chest^NICIP"
    return _message(f"N{number}", "ORM^O01", facility, accession_number, *segments)


def final(accession_number: str, number: int, facility: str) -> bytes:
    """Give a final result of an accession, of the patient whose identifier is the same."""
    stated = f"{time.strftime('%Y%m%d%H%M%S', time.gmtime())}+0000"
    request = f"OBR|1|||XCHES^XR Chest^NICIP{'|' * 18}{stated}|||F"
    segments = f"ORC|RE||{accession_number}", request
    return _message(f"F{number}", "ORU^R01", facility, accession_number, *segments)


def send(port: int, messages: Sequence[bytes], *, processes: int, connections: int) -> tuple[float, list[float]]:
    """Send messages over `processes` times `connections` connections; gives the seconds taken and each one's latency.

    Raises
    ------
    RuntimeError
        When a message is not accepted.
    """
    shares = [messages[number::processes] for number in range(processes)]
    context = multiprocessing.get_context("spawn")
    ready, begin = context.Barrier(processes + 1), context.Event()
    answers: Answers = context.SimpleQueue()
    workers = [context.Process(target=_process, args=(port, one, connections, ready, begin, answers)) for one in shares]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    begin.set()
    found = [answers.get() for _ in workers]
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
    refused = sum(one[1] for one in found)
    if refused:
        raise RuntimeError(f"{refused} of {len(messages)} messages were not accepted")
    return seconds, [latency for one in found for latency in one[0]]


def _process(
    port: int, messages: Sequence[bytes], connections: int, ready: Barrier, begin: Event, answers: Answers
) -> None:
    latencies: list[float] = []
    refused: list[int] = []
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(
                socket.create_connection((HOST, port), timeout=60, source_address=(_HOSTS[number % len(_HOSTS)], 0))
            )
            for number in range(connections)
        ]
        threads = [
            threading.Thread(target=converse, args=(one, messages[number::connections], latencies, refused))
            for number, one in enumerate(sockets)
        ]
        ready.wait()
        begin.wait()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    answers.put((latencies, len(refused)))


def converse(connection: socket.socket, messages: Sequence[bytes], latencies: list[float], refused: list[int]) -> None:
    """Send messages, each after the answer to the one before; what is not accepted goes to `refused` by its number."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    framer = Framer(max_message_bytes=1 << 20, max_junk_bytes=0)
    for number, one in enumerate(messages):
        began = time.perf_counter()
        connection.sendall(framed(one))
        while (answer := framer.next_message()) is None:
            octets = connection.recv(65536)
            if not octets:
                refused.extend(range(number, len(messages)))
                return
            framer.feed(octets)
        latencies.append(time.perf_counter() - began)
        if b"MSA|AA|" not in answer:
            refused.append(number)


def _message(control_id: str, kind: str, facility: str, person: str, *segments: str) -> bytes:
    moment = f"{time.strftime('%Y%m%d%H%M%S', time.gmtime())}+0000"
    return "\r".join(
        (
            f"MSH|^~\\&|RIS|{facility}|RADPOOL|NET|{moment}||{kind}|{control_id}|P|2.4",
            f"PID|1||{person}^^^RIS^PI||Synthetic^Person||19700101|F",
            "PV1|1|O",
            *segments,
        )
    ).encode()
