"""What arrives in tests: objects, orders and home reports of one synthetic patient, and the state they leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, Row, select, text

from tests.conftest import NOW, Database
from worklist.db.engine import Viewer, view_as
from worklist.db.tables.claims import claim
from worklist.db.tables.network import profile
from worklist.db.tables.work import item, item_exam, reading, worklist_exception
from worklist.intake.completion import complete_quiet_studies
from worklist.intake.home_reports import HomeReport, HomeReportStatus, receive_home_report
from worklist.intake.objects import Arrival, Fate, take_in
from worklist.intake.orders import Message, Order, OrderControl, Outcome, receive_order
from worklist.intake.senders import Sender
from worklist.intake.study import Code, PatientAsSent, ReceivedObject
from worklist.local_time import LocalTime

PACS_A = Sender("PACS_A", "RXA", 0)
PACS_B = Sender("PACS_B", "RXB", 0)
PATIENT = PatientAsSent("H100", "RXA", "9990000018", "Test", "Tilda", date(1980, 6, 11), "F")
ACQUIRED_AT = NOW - timedelta(hours=2)


def an_object(number: int = 1, *, study: int = 1, **values: Any) -> ReceivedObject:
    """A chest X-ray of the emergency department, acquired at `ACQUIRED_AT`."""
    stated: dict[str, Any] = {
        "modality": "DX",
        "accession_number": "000123",
        "patient": PATIENT,
        "requested_codes": (Code("XCHES", "NICIP", "XR Chest"),),
        "study_description": "XR Chest",
        "requesting_service": "Emergency Department",
        "acquisition_ended": acquired(ACQUIRED_AT),
        "study_date": date(2026, 6, 10),
        **values,
    }
    return ReceivedObject(
        "PACS_A",
        "1.2.840.10008.5.1.4.1.1.1.1",
        f"2.25.{study}.1.{number}",
        f"2.25.{study}",
        f"2.25.{study}.1",
        **stated,
    )


def acquired(at: datetime) -> LocalTime:
    return LocalTime(at.strftime("%Y%m%d%H%M%S"), "+0000", 0, "AcquisitionDateTime", at)


def an_order(minute: int = 0, control: OrderControl = OrderControl.NEW, **values: Any) -> Order:
    """An order of a chest X-ray of an inpatient, made `minute` minutes after nine o'clock UTC."""
    made_at = datetime(2026, 6, 10, 9, 0, tzinfo=UTC) + timedelta(minutes=minute)
    order = Order(
        Message("RIS_A", "RXA", made_at, f"M{minute}-{control.value}"),
        "000123",
        control,
        PATIENT,
        exams=(Code("XCHES", "NICIP", "XR Chest"),),
    )
    return replace(order, **values)


def a_home_report(minute: int = 30, status: HomeReportStatus = HomeReportStatus.FINAL, **values: Any) -> HomeReport:
    """A report of the home RIS, made and given `minute` minutes after nine o'clock UTC."""
    made_at = datetime(2026, 6, 10, 9, 0, tzinfo=UTC) + timedelta(minutes=minute)
    report = HomeReport(
        Message("RIS_A", "RXA", made_at, f"R{minute}-{status.value}"),
        "000123",
        PATIENT,
        status,
        LocalTime(made_at.strftime("%Y%m%d%H%M"), "+0000", 0, "OBR-22", made_at),
    )
    return replace(report, **values)


def receive(engine: Engine, *received: ReceivedObject, sender: Sender = PACS_A) -> None:
    """Take objects in, each in its own transaction."""
    for one in received:
        with engine.begin() as connection:
            [outcome] = take_in(connection, [Arrival(sender, one)])
            assert outcome.fate in (Fate.NEW, Fate.KNOWN)


def receive_and_complete(engine: Engine, *received: ReceivedObject) -> None:
    receive(engine, *received)
    complete_quiet_studies(engine)


def take(engine: Engine, *messages: Order | HomeReport) -> list[Outcome]:
    """Take orders and home reports, each in its own transaction."""
    outcomes = []
    for one in messages:
        with engine.begin() as connection:
            if isinstance(one, Order):
                outcomes.append(receive_order(connection, one))
            else:
                outcomes.append(receive_home_report(connection, one))
    return outcomes


def the_item(engine: Engine) -> Row[Any]:
    with engine.connect() as connection:
        return connection.execute(select(item)).one()


def exams_of(engine: Engine) -> list[tuple[str | None, str]]:
    with engine.connect() as connection:
        rows = connection.execute(select(item_exam).order_by(item_exam.c.position))
        return [(row.exam_code, row.mapped_by) for row in rows]


def readings_of(engine: Engine) -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(select(reading).order_by(reading.c.id)))


def doubts_of(engine: Engine) -> set[str]:
    """The kinds of the open exceptions."""
    with engine.connect() as connection:
        return set(
            connection.scalars(select(worklist_exception.c.kind).where(worklist_exception.c.closed_at.is_(None)))
        )


def events_of(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM event ORDER BY id")))


def state_of(engine: Engine) -> dict[str, Any]:
    """Everything about the one item that must not depend on the order in which things arrived."""
    with engine.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        row = connection.execute(
            select(item, profile.c.key).join(profile, profile.c.id == item.c.profile_id, isouter=True)
        ).one()
        ordered = connection.execute(text("SELECT control, setting, urgency, exams, message_at FROM item_order")).all()
        identity = connection.execute(text("SELECT accession_number, placer_order_number FROM order_identity")).all()
        counts = connection.execute(
            text("SELECT instance_count, series_count FROM study ORDER BY instance_count")
        ).all()
    kept = (
        "state modality age_years exam_date setting urgency clock_start_at clock_start_source due_at hard_limit_at"
        " target_rule reporting_minutes key reported_at"
    )
    return {
        **{name: getattr(row, name) for name in kept.split()},
        "exams": exams_of(engine),
        "order": ordered,
        "identity": identity,
        "counts": counts,
        "readings": [(one.purpose, one.state, one.due_at) for one in readings_of(engine) if one.state != "withdrawn"],
        "doubts": doubts_of(engine),
    }


def claim_first_reading(connection: Connection, reporter: str = "reed") -> int:
    """Claim the first reading for a reporter and give the claim's id."""
    from allocation.claims import Wish, claim_reading

    reporter_id = connection.scalar(text("SELECT id FROM reporter WHERE code = :code"), {"code": reporter})
    assert reporter_id is not None
    claimed = claim_reading(connection, "test", reporter_id, Wish(), lease_seconds=1200)
    assert claimed is not None
    return claimed.claim_id


def audited(database: Database) -> list[tuple[str, str]]:
    with database.app.connect() as connection:
        rows = connection.execute(text("SELECT actor, action FROM audit.entry WHERE actor LIKE 'ris:%' ORDER BY at"))
        return [(row.actor, row.action) for row in rows]


def ends_of_claims(database: Database) -> list[tuple[int, str | None]]:
    with database.app.connect() as connection:
        return [(row.id, row.end_reason) for row in connection.execute(select(claim).order_by(claim.c.id))]
