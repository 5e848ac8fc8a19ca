"""The DICOM process: hands connections to its workers, takes the journal in, completes studies that have gone quiet."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from cli.forks import ForkServer
from cli.process import every
from cli.running import Given, Running, service
from cli.services import listener_worker
from cli.tls import client_context
from dicom_listener.arrivals import Arrivals
from dicom_listener.client.commitment_report import CommitmentReports
from dicom_listener.client.enquiries import Enquiries
from dicom_listener.client.query_address import Manners
from dicom_listener.journal.committer import Committer
from dicom_listener.limits import Limits
from dicom_listener.processes.acceptor import Acceptor, Port
from dicom_listener.processes.desk import Desk, Others
from dicom_listener.questions import QuestionDesk
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.placing import place_noted

#: How long the first objects of a study gather before it is looked at; a modality's whole series may come meanwhile.
_GATHER = timedelta(seconds=0.5)
#: How often it is looked whether a PACS is to be asked something.
_ENQUIRE_SECONDS = 5.0
#: How often it is written down which sources were heard.
_HEARD_SECONDS = 5.0


def run(given: Given) -> None:
    """Serve until asked to end; messages in hand are finished first.

    The journal lies under the data folder; without one each object waits for its commit.
    """
    settings = given.settings
    with contextlib.ExitStack() as undo:
        folder = _journal_folder(given.data, undo)
        manner = listener_worker.Manner(
            folder, given.data is None, settings.journal_fsync, settings.dicom_tls, settings.log_level
        )
        # before there is any thread
        workers = ForkServer(partial(listener_worker.run, manner), f"radpool listener-worker --journal {folder}")
        running = undo.enter_context(service("listener", given, pool_size=20))
        _serve(given, running, workers, folder)


def _serve(given: Given, running: Running, workers: ForkServer, folder: Path) -> None:
    settings, engine, stop = given.settings, running.engine, running.stop
    arrivals = Arrivals(engine, settings.quiet_seconds, settings.ae_title)

    def hire(link: socket.socket) -> None:
        try:
            workers.start(link)
        except BrokenPipeError:
            stop.set()  # end in order; the supervisor starts another listener
            raise

    def tell(kind: str, fields: Mapping[str, Any]) -> None:
        acceptor.tell(kind, fields)

    committer = Committer(folder, arrivals.take, tell)
    asked = QuestionDesk(engine, settings.quiet_seconds)
    manners = Manners(calling_ae_title=settings.ae_title or "RADPOOL")
    tls = client_context(*settings.dicom_tls) if settings.dicom_tls else None
    reports = CommitmentReports(asked.address_of, manners, tls)
    others = Others(arrivals.note, arrivals.announce, reports.deliver)
    desk = Desk(arrivals.admit, arrivals.refuse, arrivals.refuse_unprotected, committer, others)
    ports = [Port(given.sockets["dicom"])]
    if "dicom_tls" in given.sockets:
        ports.append(Port(given.sockets["dicom_tls"], protected=True))
    acceptor = Acceptor(ports, Limits(), hire, desk, workers=settings.listener_workers)
    committing = threading.Thread(target=committer.run, name="committer")
    committing.start()
    every(0.2, stop, lambda: place_noted(engine), name="placing")
    every(0.2, stop, lambda: complete_quiet_studies(engine, gather=_GATHER), name="completion")
    every(_HEARD_SECONDS, stop, lambda: arrivals.ear.write_down(engine), name="feeds")
    enquiries = Enquiries(asked.questions(), manners, tls)
    for name, going in (
        ("commitment reports", partial(reports.run, stop)),
        ("enquiries", partial(enquiries.run, stop, every_seconds=_ENQUIRE_SECONDS)),
    ):
        threading.Thread(target=going, name=name, daemon=True).start()
    serving = threading.Thread(target=acceptor.serve_forever, name="acceptor")
    serving.start()
    stop.wait()
    acceptor.stop()
    serving.join()
    workers.close()
    committer.stop()
    committing.join()
    with contextlib.suppress(DBAPIError):
        arrivals.ear.write_down(engine)


def _journal_folder(data: Path | None, undo: contextlib.ExitStack) -> Path:
    if data is None:
        return Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="radpool-journal-")))
    folder = data / "journal"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
