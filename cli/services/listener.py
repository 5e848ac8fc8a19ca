"""The DICOM process: hands connections to its workers, takes the journal in, completes studies that have gone quiet."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from cli.process import every
from cli.settings import Settings
from dicom_listener.arrivals import Arrivals
from dicom_listener.client.commitment_report import CommitmentReports
from dicom_listener.client.enquiries import Enquiries
from dicom_listener.client.query_address import Manners
from dicom_listener.journal.committer import Committer
from dicom_listener.limits import Limits
from dicom_listener.processes.acceptor import Acceptor, Port
from dicom_listener.processes.desk import Desk, Others
from dicom_listener.questions import QuestionDesk
from dicom_listener.tls import client_context
from worklist.intake.completion import complete_quiet_studies

#: How often it is looked whether a PACS is to be asked something.
_ENQUIRE_SECONDS = 5.0


def run(ports: Sequence[Port], engine: Engine, settings: Settings, data: Path | None, stop: threading.Event) -> None:
    """Serve until `stop`; messages in hand are finished first.

    The journal lies under the data folder; without one each object waits for its commit.
    """
    arrivals = Arrivals(engine, settings.quiet_seconds, settings.ae_title)
    with contextlib.ExitStack() as undo:
        if data is None:
            folder = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="radpool-journal-")))
        else:
            folder = data / "journal"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        children: list[subprocess.Popen[bytes]] = []

        def hire(link: socket.socket) -> None:
            children[:] = [child for child in children if child.poll() is None]
            children.append(_worker(link, folder, waits=data is None))

        def tell(kind: str, fields: Mapping[str, Any]) -> None:
            acceptor.tell(kind, fields)

        committer = Committer(folder, arrivals.take, tell)
        asked = QuestionDesk(engine, settings.quiet_seconds)
        manners = Manners(calling_ae_title=settings.ae_title or "RADPOOL")
        tls = client_context(*settings.dicom_tls) if settings.dicom_tls else None
        reports = CommitmentReports(asked.address_of, manners, tls)
        others = Others(arrivals.note, arrivals.announce, reports.deliver)
        desk = Desk(arrivals.admit, arrivals.refuse, arrivals.refuse_unprotected, committer, others)
        acceptor = Acceptor(ports, Limits(), hire, desk, workers=settings.listener_workers)
        committing = threading.Thread(target=committer.run, name="committer")
        committing.start()
        every(0.2, stop, lambda: complete_quiet_studies(engine), name="completion")
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
        for child in children:
            child.wait()
        committer.stop()
        committing.join()


def _worker(link: socket.socket, journal: Path, *, waits: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli.main", "serve", "listener-worker", "--link", str(link.fileno())]
    command += ["--journal", str(journal), *(["--each-waits"] if waits else [])]
    return subprocess.Popen(command, pass_fds=[link.fileno()], stdin=subprocess.DEVNULL, env=os.environ)
