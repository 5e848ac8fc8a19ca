"""The HL7 process: takes orders and results from the home RIS."""

from __future__ import annotations

from cli.running import Given, service
from hl7_listener.limits import Limits
from hl7_listener.service import serve


def run(given: Given) -> None:
    """Serve until asked to end; messages in hand are answered first."""
    with service("hl7", given, pool_size=10) as running:
        serve(given.sockets["hl7"], running.engine, Limits(), running.stop)
