"""A home RIS as a process of its own: it keeps a book of what it took, on the disk before it answers.

Usage: python -m tests.interop.ris_process PORT BOOK. It is meant to be killed: what is in the book was taken, what it
answered is in the book, and what it took and did not answer comes again.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TextIO

from hl7_listener.framing import Framer, framed
from tests.hl7_listener.delivery.home_ris import answer, control_id_of, fields_of

_lock = threading.Lock()


def main(port: int, book: Path) -> None:
    """Serve until killed."""
    with socket.create_server(("127.0.0.1", port)) as server, book.open("a") as kept:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_converse, args=(connection, kept), daemon=True).start()


def _converse(connection: socket.socket, kept: TextIO) -> None:
    framer = Framer(max_message_bytes=1 << 20, max_junk_bytes=0)
    with connection:
        while octets := connection.recv(65536):
            framer.feed(octets)
            while (message := framer.next_message()) is not None:
                said = fields_of(message)
                by_name = {segment[0]: segment for segment in said}
                entry = {
                    "control_id": control_id_of(said),
                    "kind": by_name["MSH"][8],
                    "accession": by_name["ORC"][3],
                    "order_status": by_name["ORC"][5],
                    "patient": by_name["PID"][3],
                    "words": [segment[5] for segment in said if segment[0] == "OBX"],
                }
                with _lock:
                    kept.write(json.dumps(entry) + "\n")
                    kept.flush()
                    os.fsync(kept.fileno())
                connection.sendall(framed(answer("AA", said).encode()))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
