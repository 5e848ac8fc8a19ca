"""What the client side asks of the worklist: whom it may call, about what, and where the answers go.

Each function is one transaction. It must not open an association.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, select, update

from dicom_listener.client.enquiries import Questions
from dicom_listener.client.query_address import QueryAddress, stated_address
from worklist import clock
from worklist.db.tables.network import source
from worklist.intake.notices import note_study_at_source, studies_to_ask_about
from worklist.intake.senders import Sender, sender_of
from worklist.intake.study import StudyAtSource


@dataclass(frozen=True, slots=True)
class QuestionDesk:
    """Answers the loop of enquiries over one engine; `quiet_seconds` is for sources that state none."""

    engine: Engine
    quiet_seconds: float

    def questions(self) -> Questions:
        """Give the functions that `Enquiries` calls."""
        return Questions(
            addresses=self.addresses,
            studies_to_ask_about=self.studies_to_ask_about,
            note_study_at_source=self.note_study_at_source,
            note_study_unknown=self.note_study_unknown,
            swept_at=self.swept_at,
            note_swept=self.note_swept,
            now=self.now,
        )

    def addresses(self) -> list[QueryAddress]:
        """Give the active sources that take our associations."""
        with self.engine.begin() as connection:
            rows = connection.execute(
                select(source.c.ae_title, source.c.query)
                .where(source.c.active, source.c.query.is_not(None))
                .order_by(source.c.ae_title)
            )
            return [stated_address(row.ae_title, row.query) for row in rows]

    def address_of(self, ae_title: str) -> QueryAddress | None:
        """Give where one source takes our associations."""
        return next((each for each in self.addresses() if each.source == ae_title), None)

    def studies_to_ask_about(self, ae_title: str, limit: int) -> list[str]:
        """Give the studies whose expected count a source is to be asked for now."""
        with self.engine.begin() as connection:
            return studies_to_ask_about(connection, ae_title, limit)

    def note_study_at_source(self, study: StudyAtSource) -> None:
        """Keep an answer; a study that a sweep found and that never came is put before a person."""
        with self.engine.begin() as connection:
            note_study_at_source(connection, self._sender(connection, study.ae_title), study, tell_if_never_sent=True)

    def note_study_unknown(self, ae_title: str, study_instance_uid: str) -> None:
        """Keep that a source does not know a study that it sent: no count can be expected then."""
        with self.engine.begin() as connection:
            sender = self._sender(connection, ae_title)
            note_study_at_source(connection, sender, StudyAtSource(ae_title, study_instance_uid))

    def swept_at(self, ae_title: str) -> datetime | None:
        """Give when a source was last asked about whole days."""
        with self.engine.begin() as connection:
            return connection.scalar(select(source.c.swept_at).where(source.c.ae_title == ae_title))

    def note_swept(self, ae_title: str, at: datetime) -> None:
        """Keep when a source was asked about whole days."""
        with self.engine.begin() as connection:
            connection.execute(update(source).where(source.c.ae_title == ae_title).values(swept_at=at))

    def now(self) -> datetime:
        """Give the instant by the database's clock."""
        with self.engine.begin() as connection:
            return clock.now(connection)

    def _sender(self, connection: Connection, ae_title: str) -> Sender:
        sender = sender_of(connection, ae_title, quiet_seconds=self.quiet_seconds)
        if sender is None:
            raise LookupError("a source that the configuration does not know")
        return sender
