"""Small builders for tests: objects as a PACS sends them, and items that wait to be claimed.

All patients are synthetic; NHS numbers come from the 999 range.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta

from sqlalchemy import select, text

from tests.conftest import NOW, Database, set_clock
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.db.tables.people import reporter
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.objects import Arrival, Fate, take_in
from worklist.intake.senders import Sender
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LocalTime

#: Which AE title of `network.toml` sends for which trust.
AE_TITLES = {"RXA": "PACS_A", "RXB": "PACS_B"}
#: Modality of the images of each exam of `network.toml`.
IMAGES_OF = {"XCHES": "DX", "XHANL": "DX", "XKNEL": "DX", "CHEAD": "CT", "MHEAD": "MR"}

_numbers = itertools.count(1)


@contextmanager
def shared(cluster: embedded.Cluster, template: str) -> Iterator[Database]:
    """Clone a database for tests that change nothing, so that a whole module can share it."""
    name = f"shared_{next(_numbers)}"
    embedded.clone_database(cluster, template, name)
    urls = cluster.url("app", name), cluster.url("owner", name)
    database = Database(make_engine(urls[0]), make_engine(urls[1]), *urls)
    set_clock(database.owner)
    yield database
    database.app.dispose()
    database.owner.dispose()
    embedded.drop_database(cluster, name)


def empty_of_work(database: Database) -> None:
    """Take all that came out of a database; what is only appended stays."""
    with database.owner.begin() as connection:
        for table in _OF_WORK.split():
            connection.execute(text(f"DELETE FROM {table}"))


def uid(*words: object) -> str:
    """Give a UID that is always the same for the same words."""
    return f"2.25.{int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:15], 'big')}"


def patient_called(name: str = "Rowan", *, birth_date: date | None = date(1970, 1, 1)) -> PatientAsSent:
    """Give a synthetic patient, always the same for the same name."""
    return PatientAsSent(
        identifier=f"P-{name}", issuer="TEST", family_name=name, given_name="Sam", birth_date=birth_date, sex="O"
    )


def received(
    study: str = "study",
    number: int = 1,
    *,
    series: int = 1,
    exam: str | None = "XHANL",
    modality: str | None = None,
    accession: str | None = "A0001",
    patient: PatientAsSent | None = None,
    service: str | None = "General Practice",
    ended_at: datetime | None = NOW - timedelta(hours=1),
) -> ReceivedObject:
    """Give object `number` of series `series` of a study, as the listener hands it to the intake."""
    ended = None
    if ended_at is not None:
        ended = LocalTime(ended_at.strftime("%Y%m%d%H%M%S"), "+0000", 0, "AcquisitionDateTime", ended_at)
    return ReceivedObject(
        calling_ae_title="PACS",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.1.1",
        sop_instance_uid=uid(study, series, number),
        study_instance_uid=uid(study),
        series_instance_uid=uid(study, series),
        modality=modality or IMAGES_OF.get(exam or "", "DX"),
        accession_number=accession,
        patient=patient or patient_called(),
        requested_codes=(Code(exam, "LOCAL", exam),) if exam else (),
        requesting_service=service,
        acquisition_ended=ended,
        study_date=(ended_at or NOW).date(),
    )


def sender(trust: str = "RXA") -> Sender:
    """Give a trust's PACS; its studies are quiet at once."""
    return Sender(AE_TITLES[trust], trust, 0)


def arrive(
    database: Database,
    *,
    trust: str = "RXA",
    exam: str | None = "XHANL",
    accession: str | None = "",
    patient: PatientAsSent | None = None,
    service: str | None = "General Practice",
    ended_at: datetime = NOW - timedelta(hours=1),
) -> int:
    """Take a study of one object in, complete it, and give the item that waits to be read.

    An empty `accession` makes a new number, None sends none.
    """
    number = next(_numbers)
    accession = f"A{number:06d}" if accession == "" else accession
    one = received(
        f"study {number}", exam=exam, accession=accession, patient=patient, service=service, ended_at=ended_at
    )
    with database.app.begin() as connection:
        [outcome] = take_in(connection, [Arrival(sender(trust), one)])
    assert outcome.fate is Fate.NEW
    complete_quiet_studies(database.app)
    with database.owner.connect() as connection:
        return int(
            connection.execute(
                text(
                    "SELECT s.item_id FROM item_study s JOIN study_identity i ON i.study_id = s.study_id"
                    " WHERE i.study_instance_uid = :uid"
                ),
                {"uid": one.study_instance_uid},
            ).scalar_one()
        )


def multiply(database: Database, item_id: int, times: int) -> list[int]:
    """Copy a waiting item, each copy due a second later than the one before, and give the copies."""
    with database.owner.begin() as connection:
        copies: Sequence[int] = connection.scalars(_COPY_ITEM, {"item": item_id, "times": times}).all()
        connection.execute(_COPY_EXAMS, {"item": item_id, "copies": copies})
        connection.execute(_COPY_READING, {"item": item_id, "copies": copies})
    return list(copies)


def reporter_id(database: Database, code: str) -> int:
    """Give the number of a reporter of the network."""
    with database.app.connect() as connection:
        return int(connection.execute(select(reporter.c.id).where(reporter.c.code == code)).scalar_one())


_COPY_ITEM = text(
    "INSERT INTO item (trust_ods, patient_id, state, modality, age_years, exam_date, setting, urgency, flags,"
    " cleared_flags, clock_start_at, clock_start_source, due_at, hard_limit_at, target_rule, reporting_minutes,"
    " profile_id, ready_at)"
    " SELECT trust_ods, patient_id, state, modality, age_years, exam_date, setting, urgency, flags, cleared_flags,"
    " clock_start_at, clock_start_source, due_at + make_interval(secs => n), hard_limit_at, target_rule,"
    " reporting_minutes, profile_id, ready_at FROM item, generate_series(1, :times) n WHERE id = :item RETURNING id"
)
_COPY_EXAMS = text(
    "WITH called AS (INSERT INTO exam_as_sent (item_id, position, trust_ods, code, scheme, description)"
    " SELECT copy, position, trust_ods, code, scheme, description"
    " FROM exam_as_sent, unnest(CAST(:copies AS bigint[])) copy WHERE item_id = :item)"
    " INSERT INTO item_exam (item_id, position, exam_code, mapped_by, exam_version, reporting_minutes, minutes_by)"
    " SELECT copy, position, exam_code, mapped_by, exam_version, reporting_minutes, minutes_by"
    " FROM item_exam, unnest(CAST(:copies AS bigint[])) copy WHERE item_id = :item"
)
_COPY_READING = text(
    "INSERT INTO reading (item_id, purpose, state, trust_ods, profile_id, due_at, reporting_minutes)"
    " SELECT copy, purpose, state, trust_ods, profile_id, due_at + make_interval(secs => n), reporting_minutes"
    " FROM reading, unnest(CAST(:copies AS bigint[])) WITH ORDINALITY AS copies (copy, n) WHERE item_id = :item"
)


def wait_until_somebody_waits(database: Database) -> None:
    """Wait until a connection of the application waits for a lock of another."""
    with database.app.connect() as connection:
        for _ in range(1000):
            if connection.scalar(_WAITING):
                return
            connection.execute(text("SELECT pg_sleep(0.01)"))
            connection.rollback()
    raise AssertionError("nobody waits")


_WAITING = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)

#: What names others stands before them.
_OF_WORK = (
    "kept_message item_flag"
    " worklist_exception alert item_priority item_act clock_pause exam_end exam_as_sent item_to_work_out home_reading"
    " delivery reading item_study item_exam item_order order_identity item instance header_statement series"
    " study_waiting study_to_place performed_series performed_step_study performed_step announced_study"
    " study_identity study patient_merge patient"
)
