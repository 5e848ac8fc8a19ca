"""The HL7 process: takes orders and results from the home RIS."""

from __future__ import annotations

import socket
import threading

from sqlalchemy import Engine

from hl7_listener.limits import Limits
from hl7_listener.service import serve


def run(listening_socket: socket.socket, engine: Engine, stop: threading.Event) -> None:
    """Serve until `stop`; messages in hand are answered first."""
    serve(listening_socket, engine, Limits(), stop)
