"""The DICOM process: takes objects in, and completes studies that have gone quiet."""

from __future__ import annotations

import socket
import threading

from sqlalchemy import Engine

from cli.process import every
from cli.settings import Settings
from dicom_listener.acceptor import Acceptor
from dicom_listener.arrivals import Arrivals
from dicom_listener.limits import Limits
from worklist.intake.completion import complete_quiet_studies


def run(listening_socket: socket.socket, engine: Engine, settings: Settings, stop: threading.Event) -> None:
    """Serve until `stop`; messages in hand are finished first."""
    arrivals = Arrivals(engine, settings.quiet_seconds)
    acceptor = Acceptor(
        listening_socket,
        Limits(),
        arrivals.admit,
        arrivals.receive,
        refuse=arrivals.refuse,
        called_ae_title=settings.ae_title,
    )
    every(0.2, stop, lambda: complete_quiet_studies(engine), name="completion")
    serving = threading.Thread(target=acceptor.serve_forever, name="acceptor")
    serving.start()
    stop.wait()
    acceptor.stop()
    serving.join()
