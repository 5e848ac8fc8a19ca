"""A big object goes through with flat memory, and a big claim costs none."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dicom_listener.limits import Limits
from tests.dicom_listener.dicom_peers import RawPeer, command, ct_object, encoded, p_data

INSTANCE = "1.2.826.0.1.3680043.8.498.1"
MEBIBYTE = 1024 * 1024
LISTENER = """
from dicom_listener.services.storage import StoreAnswer
from tests.dicom_listener.dicom_peers import running_listener

with running_listener(closing_seconds=1, drain_seconds=5) as listener:
    print(listener.port, flush=True)
    input()
"""


@contextmanager
def listening_process() -> Iterator[tuple[int, int]]:
    """Run a listener in a process of its own and give its port and process id."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.kill()


def resident_bytes(pid: int, kind: str) -> int:
    """Give VmRSS, or its highest value so far (VmHWM), of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def store(peer: RawPeer, data_set_bytes: int, pdu_bytes: tuple[int, ...]) -> int:
    """Store the synthetic object followed by pixels that are zeros, the PDU lengths taking turns."""
    header = encoded(ct_object())
    pixels = data_set_bytes - len(header) - 8
    peer.send(p_data(3, command(0x0001, sop_instance_uid=INSTANCE)))
    peer.send(p_data(0, header + struct.pack("<HHL", 0x7FE0, 0x0010, pixels)))
    bursts = [p_data(0, bytes(length - 6)) * max(1, MEBIBYTE // length) for length in pdu_bytes]
    while pixels > 2 * MEBIBYTE:
        for burst, length in zip(bursts, pdu_bytes, strict=True):
            peer.send(burst)
            pixels -= len(burst) // (length + 6) * (length - 6)
    for _ in range(pixels // 1000):
        peer.send(p_data(0, bytes(1000)))
    peer.send(p_data(2, bytes(pixels % 1000)))
    return peer.read_status()[0]


def test_six_hundred_megabytes_pass_with_less_than_sixteen_more_in_memory() -> None:
    with listening_process() as (port, pid), RawPeer(port) as peer:
        peer.associate()
        before = resident_bytes(pid, "VmRSS")
        assert store(peer, 600 * MEBIBYTE, (131072, 16384, 65536, 4096)) == 0
        assert resident_bytes(pid, "VmHWM") - before < 16 * MEBIBYTE


def test_fifty_claims_of_two_gibibytes_cost_no_memory() -> None:
    with listening_process() as (port, pid):
        with RawPeer(port) as first:
            first.associate()
        before = resident_bytes(pid, "VmRSS")
        peers = [RawPeer(port) for _ in range(Limits().max_associations_per_address - 1)]
        for peer in peers:
            peer.send(struct.pack(">BxL", 0x01, 0x80000000))
        for peer in peers:
            assert peer.read_pdu() == (0x07, b"\0" * 4)
            peer.socket.shutdown(socket.SHUT_RDWR)
            peer.socket.close()
        assert resident_bytes(pid, "VmHWM") - before < 16 * MEBIBYTE
