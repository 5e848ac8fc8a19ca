"""How the tests of delivery set a home RIS up, work an item, and bring messages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, select, text

from allocation.reports import ReportGiven
from hl7_listener.delivery.courier import Courier, Home, Patience, follow, homes
from tests.allocation.claims.claiming import claimed_by, report
from tests.conftest import Database
from worklist.db.tables.delivery import delivery
from worklist.db.tables.work import item
from worklist.log.sequencer import sequence
from worklist.reading import ReportStatus

#: Waits that a test can wait for.
QUICK = Patience(connect=2.0, answer=2.0, lease=60.0)


def at_home(database: Database, port: int | None, *, facility: str = "RIS_A", **columns: Any) -> None:
    """Say where a RIS takes messages, and what else its row states."""
    values = {"port": port, "host": None if port is None else "127.0.0.1", **columns}
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    with database.owner.begin() as connection:
        connection.execute(
            text(f"UPDATE ris SET {assignments} WHERE sending_facility = :facility"), {**values, "facility": facility}
        )


def put_in_line(database: Database) -> list[Row[Any]]:
    """Put in line what happened so far, and give the whole line."""
    sequence(database.app)
    follow(database.app)
    return line_of(database)


def line_of(database: Database) -> list[Row[Any]]:
    with database.app.connect() as connection:
        return list(connection.execute(select(delivery).order_by(delivery.c.id)))


def notices_of(database: Database) -> list[str]:
    return [row.notice for row in put_in_line(database)]


def courier_of(database: Database, facility: str = "RIS_A", patience: Patience = QUICK) -> Courier:
    home: Home = homes(database.app)[facility]
    return Courier(database.app, home, patience)


def deliver(database: Database, facility: str = "RIS_A") -> int:
    """Put in line and bring what is due to one RIS; gives how many messages it took."""
    put_in_line(database)
    courier = courier_of(database, facility)
    try:
        return courier.deliver()
    finally:
        courier.close()


def verify(database: Database, words: str | None = "Clear.", *, by: str = "hart", **given: Any) -> int:
    """Claim the most urgent item and report it; gives the item."""
    made = claimed_by(database, by)
    report(database, by, made, ReportGiven(ReportStatus.VERIFIED, words, **given))
    return made.item_id


def item_row(database: Database, item_id: int) -> Row[Any]:
    with database.app.connect() as connection:
        return connection.execute(select(item).where(item.c.id == item_id)).one()


def open_exceptions(database: Database) -> list[str]:
    with database.app.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM worklist_exception WHERE closed_at IS NULL ORDER BY id")))
