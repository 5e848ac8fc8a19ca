"""A database with rows in every table of an early schema comes whole through all migrations, and is worked on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

from allocation.configuration.apply import apply
from allocation.configuration.read import read_files
from hl7_listener.delivery.courier import follow
from tests.allocation.claims.claiming import VERIFIED, claimed_by, report
from tests.conftest import NETWORK, NOW, Database, set_clock
from tests.worklist.arrivals import PATIENT, a_home_report, an_order, take
from worklist.db import embedded
from worklist.db import migrate as migrating
from worklist.db.engine import make_engine
from worklist.db.migrate import migrate
from worklist.intake.orders import OrderControl, Outcome
from worklist.intake.remapping import ask_to_work_out_unmapped
from worklist.log.sequencer import sequence

_ROWS = Path(__file__).parent / "rows_at_0005.sql"
#: What later migrations moved elsewhere, by table.
_MOVED = {"item_exam": {"code_as_sent", "description_as_sent"}, "item_order": {"message_ids"}}
#: What a migration empties because it is made anew from the rest.
_MADE_ANEW = ("reporter_profile", "reporter_indexed", "profile_indexed")

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def upgraded(cluster: embedded.Cluster) -> Iterator[tuple[Rows, str]]:
    """The rows of before, and the name of a database that had them and was upgraded."""
    name = "upgraded"
    embedded.clone_database(cluster, "template1", name)
    superuser = make_engine(cluster.url("superuser", name))
    with superuser.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} OWNER TO radpool_owner"))
    owner = make_engine(cluster.url("owner", name))
    _to_revision(owner, "0005")
    set_clock(owner)
    with superuser.begin() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        # The rows come in any order, and as they stood: no trigger is to see them again.
        driver.execute("SET LOCAL session_replication_role = replica")
        driver.execute(_ROWS.read_text())
    with superuser.begin() as connection:
        connection.execute(text("SELECT audit.append('test', 'read', '{1}', '{}')"))
        before = _rows(connection)
    assert [table for table, rows in before.items() if not rows] == []
    migrate(owner)
    owner.dispose()
    superuser.dispose()
    yield before, name
    embedded.drop_database(cluster, name)


@pytest.fixture
def database(cluster: embedded.Cluster, upgraded: tuple[Rows, str]) -> Iterator[Database]:
    """A copy of the upgraded database, to be worked on."""
    embedded.clone_database(cluster, upgraded[1], "upgraded_copy")
    urls = cluster.url("app", "upgraded_copy"), cluster.url("owner", "upgraded_copy")
    made = Database(make_engine(urls[0]), make_engine(urls[1]), *urls)
    set_clock(made.owner, NOW + timedelta(minutes=5))  # later than what there is was done
    yield made
    made.app.dispose()
    made.owner.dispose()
    embedded.drop_database(cluster, "upgraded_copy")


def test_no_row_is_lost_and_none_says_anything_else(cluster: embedded.Cluster, upgraded: tuple[Rows, str]) -> None:
    before, name = upgraded
    superuser = make_engine(cluster.url("superuser", name))
    with superuser.connect() as connection:
        after = _rows(connection)
    superuser.dispose()
    del before["alembic_version"], before["rules_version"]  # the rules were added to
    assert not any(after[table] for table in _MADE_ANEW)
    for table, rows in before.items():
        if table in _MADE_ANEW:
            continue
        kept = set(rows[0]) - _MOVED.get(table, set())
        lost = _counted(rows, kept) - _counted(after[table], kept)
        assert not lost, f"{table}: {lost}"


def test_what_was_called_so_is_called_so(upgraded: tuple[Rows, str], database: Database) -> None:
    before = {(row["item_id"], row["position"]): row for row in upgraded[0]["item_exam"]}
    with database.owner.connect() as connection:
        after = connection.execute(text("SELECT * FROM exam_as_sent")).all()
    called = {(row.item_id, row.position): (row.code, row.description) for row in after}
    assert called == {key: (row["code_as_sent"], row["description_as_sent"]) for key, row in before.items()}


def test_what_was_verified_counts_as_available_since_and_is_told_to_no_ris(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("UPDATE ris SET host = 'ris.example', port = 1"))
    follow(database.app)
    assert database.count("SELECT count(*) FROM delivery") == 0
    with database.owner.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT state, reported_source, verified_at = reported_at AS since_verified FROM item"
                " WHERE reported_at IS NOT NULL OR verified_at IS NOT NULL ORDER BY state"
            )
        ).all()
    assert [tuple(row) for row in rows] == [
        ("addendum", "verified", True),
        ("reported_elsewhere", "home-report", None),
        ("verified", "verified", True),
    ]


def test_it_is_worked_on(database: Database) -> None:
    """An item is reported, orders and reports come, and the same configuration is read again."""
    with database.app.begin() as connection:
        apply(connection, read_files([NETWORK]), by="test")
    made = claimed_by(database, "reed")
    report(database, "reed", made, VERIFIED)
    sequence(database.app)
    follow(database.app)
    other = replace(PATIENT, identifier="H200", nhs_number=None, family_name="Newer", birth_date=date(2012, 1, 1))
    changed = an_order(65, OrderControl.CHANGE, accession_number="000200", patient=other)
    report_at_home = a_home_report(64, accession_number="000200", patient=other)
    outcomes = take(database.app, changed, changed, report_at_home)
    assert outcomes == [Outcome.APPLIED, Outcome.REPEATED, Outcome.APPLIED]
    assert database.count("SELECT count(*) FROM patient WHERE family_name = 'Newer'") == 1
    assert database.count("SELECT count(*) FROM item WHERE state = 'reported_elsewhere'") == 2
    assert database.count(f"SELECT count(*) FROM item WHERE id = {made.item_id} AND state = 'verified'") == 1
    assert database.count("SELECT count(*) FROM exam_alias WHERE closed_at IS NOT NULL") == 0


def test_work_that_was_mapped_before_is_mapped_again_when_its_exam_changes(database: Database) -> None:
    with database.owner.begin() as connection:
        connection.execute(text("UPDATE exam SET subspecialty = 'hands' WHERE code = 'XHANL'"))
    with database.app.begin() as connection:
        ask_to_work_out_unmapped(connection, "catalogue")
    waiting = (
        "SELECT count(DISTINCT x.item_id) FROM item_exam x JOIN item i ON i.id = x.item_id WHERE x.exam_code = 'XHANL'"
        " AND i.state IN ('ready', 'in_progress', 'preliminary')"
    )
    noted = f"{waiting} AND i.id IN (SELECT item_id FROM item_to_work_out)"
    assert database.count(noted) == database.count(waiting) > 0


def _rows(connection: Connection) -> Rows:
    tables = connection.scalars(
        text(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND c.relnamespace::regnamespace::text IN ('public', 'audit') ORDER BY 1"
        )
    ).all()
    return {table: list(connection.scalars(text(f"SELECT to_jsonb(t) FROM {table} t"))) for table in tables}


def _counted(rows: list[dict[str, Any]], columns: set[str]) -> Counter[str]:
    return Counter(json.dumps({name: row[name] for name in columns}, sort_keys=True) for row in rows)


def _to_revision(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrating.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
