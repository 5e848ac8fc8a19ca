"""Work done by the real use cases: a study comes in, is claimed and reported, and its report is paid."""

from __future__ import annotations

from datetime import datetime
from itertools import count

from sqlalchemy import select

from allocation.claims import Claimed, Wish, claim_reading
from allocation.pay import ledger
from allocation.reports import ReportFiled, ReportGiven, file_report
from tests.conftest import Database, set_clock
from worklist.db.engine import Viewer, transaction
from worklist.db.tables.people import reporter
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.objects import Arrival, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LONDON, LocalTime
from worklist.log.events import consume
from worklist.log.sequencer import sequence
from worklist.reading import ReportStatus

_numbers = count(1)


class Worked:
    """A network at work."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._holders: dict[int, int] = {}

    def clock(self, to: datetime) -> None:
        set_clock(self.database.owner, to)

    def study(self, code: str, modality: str, *, ended_at: datetime) -> None:
        """Receive and complete one study of an adult from the emergency department at RXA."""
        number = next(_numbers)
        received = ReceivedObject(
            calling_ae_title="PACS_A",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
            sop_instance_uid=f"1.2.3.{number}.1.1",
            study_instance_uid=f"1.2.3.{number}",
            series_instance_uid=f"1.2.3.{number}.1",
            modality=modality,
            accession_number=f"A{number:06}",
            patient=PatientAsSent(identifier=f"P{number}", birth_date=datetime(1960, 1, 2, tzinfo=LONDON).date()),
            requested_codes=(Code(code, "NICIP"),),
            requesting_service="Emergency Department",
            acquisition_ended=LocalTime("", "+0000", 0, "AcquisitionDateTime", ended_at),
            study_date=ended_at.date(),
        )
        with transaction(self.database.app, Viewer(trust="RXA")) as connection:
            take_in(connection, [Arrival(Sender("PACS_A", "RXA", 0), received)])
        assert complete_quiet_studies(self.database.app) == 1

    def claim(self, code: str, session_code: str | None = None, lease_seconds: float = 900) -> Claimed:
        with self.database.app.begin() as connection:
            reporter_id = connection.scalars(select(reporter.c.id).where(reporter.c.code == code)).one()
            claimed = claim_reading(
                connection, code, reporter_id, Wish(session_code=session_code), lease_seconds=lease_seconds
            )
        assert claimed is not None
        self._holders[claimed.claim_id] = reporter_id
        return claimed

    def file(self, claimed: Claimed, status: ReportStatus) -> ReportFiled:
        with self.database.app.begin() as connection:
            given = ReportGiven(status, text="Nothing abnormal.")
            holder = self._holders[claimed.claim_id]
            return file_report(connection, "test", holder, claimed.claim_id, claimed.token, given)

    def report(self, code: str, status: ReportStatus, session_code: str | None = None) -> Claimed:
        claimed = self.claim(code, session_code)
        assert self.file(claimed, status).superseded is None
        return claimed

    def add_to(self, claimed: Claimed) -> None:
        self.file(claimed, ReportStatus.ADDENDUM)

    def pay(self) -> None:
        """Post what the events so far have earned."""
        sequence(self.database.app)
        while consume(self.database.app, ledger.CONSUMER, ledger.post):
            pass
