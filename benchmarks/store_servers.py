"""Starts the servers that the benchmark of ingest sends to: radpool as users start it, and its peers.

It must not send. What a peer is told it is told on its command line, which is printed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from allocation.configuration.apply import apply
from benchmarks.result import say
from cli.demonstration.network import demonstration_network
from tests.free_ports import free_port
from worklist.db.engine import make_engine

HOST = "127.0.0.1"
#: A source of the demonstration network.
AE_TITLE = "PACS_NORTH1"

_START_SECONDS = 60.0
_PDU_BYTES = 131072


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its short name, what it is, its DICOM port, and how many objects it says it has.

    `run` is what radpool says of itself when it is ready: where it listens, and its database.
    """

    name: str
    what: str
    port: int
    kept: Callable[[], int] = lambda: 0
    run: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def radpool(folder: Path) -> Iterator[Server]:
    """Run the whole of radpool, durable, over its own PostgreSQL, with the demonstration network."""
    command = [sys.executable, "-m", "cli.main", "serve", "--data", str(folder)]
    command += [word for name in ("http", "dicom", "hl7") for word in (f"--{name}", f"{HOST}:0")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RADPOOL_")}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**environment, "RADPOOL_LOG_LEVEL": "WARNING"}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("radpool did not start; see the messages above")
        run = json.loads(line)
        engine = make_engine(run["database_url"])
        with engine.begin() as connection:
            apply(connection, demonstration_network(), by="benchmark")

        def kept() -> int:
            with engine.connect() as connection:
                return int(connection.execute(text("SELECT count(*) FROM instance")).scalar_one())

        say(f"radpool: radpool serve --data DIR on {HOST}, embedded PostgreSQL, fsync on")
        yield Server("radpool", "radpool", int(run["dicom"].rpartition(":")[2]), kept, run)
        engine.dispose()
    finally:
        _end(process)


def peers(folder: Path) -> Iterator[AbstractContextManager[Server]]:
    """Give the peers that are installed, each to be started; says which are not."""
    orthanc = shutil.which("Orthanc")
    if shutil.which("storescp"):
        storescp = ["storescp", "--fork", "--max-pdu", str(_PDU_BYTES)]
        yield _peer("ignore", "DCMTK storescp --ignore", [*storescp, "--ignore"], folder)
        yield _peer("writing", "DCMTK storescp, writing files", [*storescp, "-od", "."], folder)
    else:
        say("skipped: DCMTK's storescp is not installed")
    if orthanc:
        yield _peer("orthanc", "Orthanc", [orthanc, "--logdir=.", "orthanc.json"], folder)
    else:
        say("skipped: Orthanc is not installed")
    if importlib.util.find_spec("pynetdicom"):
        words = [sys.executable, "-m", "pynetdicom", "storescp", "-q", "--ignore", "-pdu", str(_PDU_BYTES), "-ba", HOST]
        yield _peer("pynetdicom", "pynetdicom storescp --ignore", words, folder)
    else:
        say("skipped: pynetdicom is not installed")


@contextmanager
def _peer(name: str, what: str, command: list[str], folder: Path) -> Iterator[Server]:
    """Run a peer in a folder of its own; Orthanc reads its port from its configuration, the others are told."""
    place, port = folder / name, free_port()
    place.mkdir()
    if name == "orthanc":
        (place / "orthanc.json").write_text(json.dumps({**_ORTHANC, "DicomPort": port}))
    else:
        command = [*command, str(port)]
    say(f"{name}: {' '.join([Path(command[0]).name, *command[1:]])}" + (f" {_ORTHANC}" if name == "orthanc" else ""))
    with (place / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=place, stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"}, start_new_session=True
        )
        try:
            _wait_for(port, process, what)
            yield Server(name, what, port)
        finally:
            _end(process)


#: Stores what it is sent, as installed; only what a server on the loopback needs is changed.
_ORTHANC = {
    "StorageDirectory": "storage",
    "IndexDirectory": "storage",
    "HttpServerEnabled": False,
    "DicomCheckCalledAet": False,
    "DicomAlwaysAllowStore": True,
    "MaximumPduLength": _PDU_BYTES,
}


def _wait_for(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not open port {port}")


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
