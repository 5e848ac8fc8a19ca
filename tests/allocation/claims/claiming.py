"""How the tests of claims claim, report, give back, and let time go by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from allocation import leases
from allocation.claims import Claimed, Wish, claim_reading
from allocation.leases import SkipReason
from allocation.reports import ReportFiled, ReportGiven, file_report
from allocation.workforce import reindex_reporters
from tests.builders import reporter_id
from tests.conftest import NOW, Database
from worklist import clock
from worklist.reading import ReportStatus

LEASE = 600.0
ACTS = ("renew", "release", "skip", "refer")
VERIFIED = ReportGiven(ReportStatus.VERIFIED, "words")
PRELIMINARY = ReportGiven(ReportStatus.PRELIMINARY, "words")


def change_hart(database: Database, *statements: str) -> None:
    hart = reporter_id(database, "hart")
    with database.owner.begin() as connection:
        for statement in statements:
            connection.execute(text(statement), {"hart": hart})
        reindex_reporters(connection, [hart])


def claim_as(database: Database, reporter: int, *, lease_seconds: float = LEASE, **wish: Any) -> Claimed | None:
    with database.app.begin() as connection:
        return claim_reading(connection, "test", reporter, Wish(**wish), lease_seconds=lease_seconds)


def claimed_by(database: Database, code: str) -> Claimed:
    made = claim_as(database, reporter_id(database, code))
    assert made is not None
    return made


def report(database: Database, code: str, made: Claimed, given: ReportGiven) -> ReportFiled:
    with database.app.begin() as connection:
        return file_report(connection, code, reporter_id(database, code), made.claim_id, made.token, given)


def do(database: Database, act: str, code: str, made: Claimed, *, token: int | None = None) -> None:
    me, word = reporter_id(database, code), made.token if token is None else token
    with database.app.begin() as connection:
        acts: dict[str, Callable[[], datetime | None]] = {
            "renew": lambda: leases.renew(connection, me, made.claim_id, word, lease_seconds=LEASE),
            "release": lambda: leases.release(connection, code, me, made.claim_id, word),
            "skip": lambda: leases.skip(connection, code, me, made.claim_id, word, SkipReason.NO_TIME),
            "conflict": lambda: leases.skip(connection, code, me, made.claim_id, word, SkipReason.CONFLICT_OF_INTEREST),
            "refer": lambda: leases.refer(connection, code, me, made.claim_id, word, "please"),
        }
        acts[act]()


def assign(database: Database, item: int, code: str, *, rank: int) -> None:
    with database.owner.begin() as connection:
        connection.execute(ASSIGN, {"item": item, "reporter": reporter_id(database, code), "rank": rank})


def suspend(database: Database, code: str) -> None:
    with database.app.begin() as connection:
        connection.execute(text("SELECT id FROM reporter WHERE code = :code FOR UPDATE"), {"code": code})
        connection.execute(
            text("UPDATE reporter SET suspended_at = :now WHERE code = :code"), {"code": code, "now": NOW}
        )


def let_pass(database: Database, seconds: float) -> None:
    with database.owner.begin() as connection:
        clock.move(connection, timedelta(seconds=seconds))


def state(database: Database, item: int) -> str:
    with database.owner.connect() as connection:
        return str(connection.scalar(text("SELECT state FROM item WHERE id = :item"), {"item": item}))


def kinds(database: Database, item: int) -> list[str]:
    with database.owner.connect() as connection:
        return list(connection.scalars(text("SELECT kind FROM event WHERE item_id = :item"), {"item": item}))


def claim_rows(database: Database) -> list[str]:
    """Give all that a claim can touch."""
    with database.owner.connect() as connection:
        tables = ("item", "reading", "claim", "report", "report_text", "item_exclusion", "event", "worklist_exception")
        return [repr(row) for one in tables for row in connection.execute(text(f"SELECT * FROM {one} ORDER BY 1"))]


ASSIGN = text(
    "INSERT INTO assignment (reading_id, item_id, reporter_id, session_id, rank, valid_until, why)"
    " SELECT r.id, r.item_id, :reporter, (SELECT id FROM reporting_session WHERE reporter_id = :reporter), :rank,"
    " radpool_now() + interval '1 hour', 'planned' FROM reading r WHERE r.item_id = :item"
)
SECOND_READING = text(
    "INSERT INTO reading (item_id, purpose, state, trust_ods, profile_id, due_at, reporting_minutes)"
    " SELECT item_id, 'second', 'open', trust_ods, profile_id, due_at, reporting_minutes FROM reading"
)
