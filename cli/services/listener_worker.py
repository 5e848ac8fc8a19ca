"""A worker of the DICOM process: runs associations and appends what they receive to the journal."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.process import configure_logs, ignore_interrupts
from cli.tls import server_context
from dicom_listener.journal.keeper import Keeper
from dicom_listener.journal.writer import JournalWriter
from dicom_listener.limits import Limits
from dicom_listener.processes.desk import Caller
from dicom_listener.processes.link import Link
from dicom_listener.processes.worker import Worker
from dicom_listener.services.echo import echo
from dicom_listener.services.normalized import normalized_services
from dicom_listener.services.storage import store
from dicom_listener.upper_layer.command_set import C_ECHO_RQ, C_STORE_RQ


@dataclass(frozen=True, slots=True)
class Manner:
    """How workers receive: the folder of the journal, and whether `each` object waits for its commit."""

    journal: Path
    each: bool
    fsync: bool
    tls: tuple[Path, Path, Path] | None
    log_level: str


def run(manner: Manner, link_socket: socket.socket) -> None:
    """Serve until the acceptor is gone or lets the worker go."""
    configure_logs(manner.log_level, "listener")
    ignore_interrupts()
    link = Link(link_socket)
    caller = Caller(link)
    keeper = Keeper(JournalWriter(manner.journal, fsync=manner.fsync), caller.commit, every=manner.each)
    Worker(
        link,
        Limits(),
        caller.admit,
        {
            C_ECHO_RQ: echo,
            C_STORE_RQ: partial(store, receive=keeper.keep, refuse=caller.refuse),
            **normalized_services(caller.note, caller.announce, caller.deliver),
        },
        logging.getLogger("dicom_listener"),
        tls=server_context(*manner.tls) if manner.tls else None,
        on_unprotected=caller.refuse_unprotected,
        on_told=keeper.told,
    ).run()
