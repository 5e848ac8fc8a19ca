"""What a bare SQL connection of the application role can see and do, whatever the code above it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from allocation.claims import Wish, claim_reading
from allocation.leases import SkipReason, release, skip
from allocation.reports import ReportGiven, file_report
from tests.builders import arrive, patient_called, reporter_id, shared
from tests.conftest import Database
from worklist import clock
from worklist.db import embedded
from worklist.db.engine import Viewer, transaction
from worklist.log import events
from worklist.reading import ReportStatus

IDENTITIES = {"patient": "identifier", "order_identity": "accession_number", "study_identity": "study_instance_uid"}
GUARDED = [*IDENTITIES, "report_text", "header_statement"]


@pytest.fixture(scope="module")
def two(cluster: embedded.Cluster, network_template: str) -> Iterator[Database]:
    """One item of each trust, each with its patient and a report with words; no test changes it."""
    with shared(cluster, network_template) as database:
        reed = reporter_id(database, "reed")
        for trust, name in (("RXA", "Ash"), ("RXB", "Beech")):
            item = arrive(database, trust=trust, accession=f"ACC-{trust}", patient=patient_called(name))
            with database.app.begin() as connection:
                made = claim_reading(connection, "reed", reed, Wish(item_id=item), lease_seconds=600)
                assert made is not None
                words = ReportGiven(ReportStatus.VERIFIED, f"words of {trust}")
                file_report(connection, "reed", reed, made.claim_id, made.token, words)
        yield database


@pytest.mark.parametrize("table", GUARDED)
def test_with_no_trust_set_nobody_is_seen(two: Database, table: str) -> None:
    with transaction(two.app) as connection:
        assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize("trust", ["RXA", "RXB"])
def test_with_a_trust_set_exactly_its_rows_are_seen(two: Database, table: str, trust: str) -> None:
    with two.owner.connect() as connection:
        there = connection.execute(text(f"SELECT * FROM {table} WHERE trust_ods = '{trust}'")).all()
    with transaction(two.app, Viewer(trust=trust)) as connection:
        assert connection.execute(text(f"SELECT * FROM {table}")).all() == there
        assert len(there) == 1


def test_a_trust_that_is_no_trust_sees_nobody(two: Database) -> None:
    for trust in ("RXC", "%", "rxa", "RXA' OR true --"):
        with transaction(two.app, Viewer(trust=trust)) as connection:
            assert _seen(connection) == (0, 0, 0)


def test_the_trust_set_in_one_transaction_is_gone_in_the_next_of_the_same_connection(
    two: Database,
) -> None:
    with two.app.connect() as connection:
        with connection.begin():
            connection.execute(text("SELECT set_config('radpool.trust', 'RXA', true)"))
            assert _seen(connection) == (1, 1, 1)
        with connection.begin():
            assert _seen(connection) == (0, 0, 0)


def test_a_network_wide_viewer_sees_accession_numbers_of_all_trusts_but_no_patient_and_no_words(
    two: Database,
) -> None:
    with transaction(two.app, Viewer(network_wide=True)) as connection:
        assert _accessions(connection) == ["ACC-RXA", "ACC-RXB"]
        assert connection.scalar(text("SELECT count(*) FROM patient")) == 0
        assert connection.scalar(text("SELECT count(*) FROM report_text")) == 0


def test_a_reporter_sees_what_they_have_claimed_and_nothing_else(network: Database) -> None:
    mine, _ = arrive(network, accession="MINE"), arrive(network, accession="OTHER", patient=patient_called("Other"))
    hart = reporter_id(network, "hart")
    with network.app.begin() as connection:
        claim_reading(connection, "hart", hart, Wish(item_id=mine), lease_seconds=600)
    with transaction(network.app, Viewer(reporter_id=hart)) as connection:
        assert _accessions(connection) == ["MINE"]
        assert _seen(connection) == (1, 1, 1)


def test_a_reporter_still_sees_what_they_have_reported(two: Database) -> None:
    with transaction(two.app, Viewer(reporter_id=reporter_id(two, "reed"))) as connection:
        assert _accessions(connection) == ["ACC-RXA", "ACC-RXB"]
        assert connection.scalar(text("SELECT count(*) FROM report_text")) == 2


def test_a_colleague_sees_nothing_of_what_another_claimed(network: Database) -> None:
    item = arrive(network)
    with network.app.begin() as connection:
        claim_reading(connection, "hart", reporter_id(network, "hart"), Wish(item_id=item), lease_seconds=600)
    with transaction(network.app, Viewer(reporter_id=reporter_id(network, "reed"))) as connection:
        assert _seen(connection) == (0, 0, 0)


@pytest.mark.parametrize("how", ["release", "skip"])
def test_a_reporter_who_gave_the_item_back_sees_it_no_longer(network: Database, how: str) -> None:
    item, hart = arrive(network), reporter_id(network, "hart")
    with network.app.begin() as connection:
        made = claim_reading(connection, "hart", hart, Wish(item_id=item), lease_seconds=600)
        assert made is not None
        if how == "release":
            release(connection, "hart", hart, made.claim_id, made.token)
        else:
            skip(connection, "hart", hart, made.claim_id, made.token, SkipReason.NO_TIME)
    with transaction(network.app, Viewer(reporter_id=hart)) as connection:
        assert _seen(connection) == (0, 0, 0)


def test_a_reporter_sees_what_is_assigned_to_them_until_the_assignment_ends(network: Database) -> None:
    item, hart = arrive(network, trust="RXB", accession="PLANNED"), reporter_id(network, "hart")
    with network.app.begin() as connection:
        connection.execute(_ASSIGN, {"item": item, "reporter": hart})
    with transaction(network.app, Viewer(reporter_id=hart)) as connection:
        assert _accessions(connection) == ["PLANNED"]
    with network.owner.begin() as connection:
        clock.move(connection, timedelta(minutes=61))
    with transaction(network.app, Viewer(reporter_id=hart)) as connection:
        assert _seen(connection) == (0, 0, 0)


@pytest.mark.parametrize("table", GUARDED)
@pytest.mark.parametrize("viewer", [Viewer(network_wide=True), Viewer(trust="RXA")])
def test_what_is_not_ones_own_trust_s_is_never_changed_or_deleted(two: Database, table: str, viewer: Viewer) -> None:
    me = Viewer(trust=viewer.trust, network_wide=viewer.network_wide, reporter_id=reporter_id(two, "reed"))
    with transaction(two.app, me) as connection:
        changed = connection.execute(text(f"UPDATE {table} SET trust_ods = trust_ods WHERE trust_ods = 'RXB'"))
        deleted = connection.execute(text(f"DELETE FROM {table} WHERE trust_ods = 'RXB'"))
        assert (changed.rowcount, deleted.rowcount) == (0, 0)


def test_a_row_cannot_be_written_into_another_trust(two: Database) -> None:
    for statement in (
        "INSERT INTO patient (trust_ods) VALUES ('RXB')",
        "UPDATE patient SET trust_ods = 'RXB'",
        "INSERT INTO order_identity (item_id, trust_ods) SELECT max(id) + 1, 'RXB' FROM item",
    ):
        with two.app.connect() as connection:
            connection.execute(text("SELECT set_config('radpool.trust', 'RXA', true)"))
            with pytest.raises(ProgrammingError, match="row-level security"):
                connection.execute(text(statement))


def test_a_temporary_table_does_not_stand_in_for_the_claims_that_open_a_patient(
    two: Database,
) -> None:
    with two.app.connect() as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE claim AS SELECT id AS item_id, 999 AS reporter_id, NULL::timestamptz AS ended_at,"
                " NULL::text AS end_reason FROM item"
            )
        )
        connection.execute(text("SELECT set_config('radpool.reporter', '999', true)"))
        assert _seen(connection) == (0, 0, 0)


def test_which_trusts_have_a_study_uid_is_told_to_every_trust_and_the_study_to_none(
    two: Database,
) -> None:
    with two.owner.connect() as connection:
        uid = connection.scalar(text("SELECT study_instance_uid FROM study_identity WHERE trust_ods = 'RXB'"))
    with transaction(two.app, Viewer(trust="RXA")) as connection:
        assert connection.scalar(text("SELECT trust_ods FROM study_copies(:uid)"), {"uid": uid}) == "RXB"
        assert (
            connection.scalar(text("SELECT count(*) FROM study_identity WHERE study_instance_uid = :u"), {"u": uid})
            == 0
        )


@pytest.mark.parametrize("table", ["pay_line", "event", "event_position", "rate_card", "tariff", "rate_window"])
@pytest.mark.parametrize("act", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_application_appends_to_the_records_and_changes_none(two: Database, table: str, act: str) -> None:
    columns = {"event_position": "position", "pay_line": "kind", "event": "kind", "rate_window": "name"}
    column = columns.get(table, "code")
    with two.app.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(act.format(table, column, column)))


@pytest.mark.parametrize("table", ["profile", "exam_group", "config_version", "profile_cut"])
def test_the_application_changes_no_profile_and_no_configuration_that_was(two: Database, table: str) -> None:
    with two.app.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        connection.execute(text(f"DELETE FROM {table}"))


@pytest.mark.parametrize("table", ["event", "event_position", "rate_card", "tariff"])
def test_not_even_the_owner_changes_a_record_by_mistake(two: Database, table: str) -> None:
    with two.owner.connect() as connection, pytest.raises(DBAPIError, match="rows are appended"):
        connection.execute(text(f"DELETE FROM {table}"))


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE patient DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE patient NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY own ON patient",
        "CREATE POLICY open ON patient USING (true)",
        "ALTER TABLE pay_line DISABLE TRIGGER append_only",
        "DROP TRIGGER append_only ON event",
        "SET session_replication_role = replica",
        "SET ROLE radpool_owner",
        "CREATE OR REPLACE FUNCTION current_trust() RETURNS text LANGUAGE sql AS $$ SELECT 'RXA' $$",
        "CREATE TABLE public.mine (n integer)",
        "UPDATE test_clock SET moved_by = interval '1 day'",
        "UPDATE test_clock SET enabled = true",
        "DELETE FROM test_clock",
        "SELECT setval('event_id_seq', 1)",
    ],
)
def test_the_application_cannot_loosen_what_holds_it(two: Database, statement: str) -> None:
    with two.app.connect() as connection, pytest.raises(ProgrammingError, match=r"permission denied|must be"):
        connection.execute(text(statement))


def test_turning_row_security_off_shows_the_application_an_error_and_no_row(two: Database) -> None:
    with two.app.connect() as connection:
        connection.execute(text("SET row_security = off"))
        with pytest.raises(ProgrammingError, match="row-level security"):
            connection.execute(text("SELECT * FROM patient"))


def test_the_clock_is_moved_by_the_owner_only_and_only_where_a_test_clock_was_asked_for(empty: Database) -> None:
    with empty.owner.connect() as connection, pytest.raises(clock.ClockFixed):
        clock.move(connection, timedelta(hours=3))
    with empty.owner.begin() as connection:
        clock.set_test_clock(connection, enabled=True)
        before = clock.now(connection)
        assert clock.move(connection, timedelta(hours=3)) - before >= timedelta(hours=3)
    with empty.app.connect() as connection, pytest.raises(ProgrammingError, match="permission denied"):
        clock.move(connection, timedelta(hours=3))


def test_a_server_without_a_test_clock_refuses_a_database_whose_clock_was_moved(empty: Database) -> None:
    with empty.owner.begin() as connection:
        clock.set_test_clock(connection, enabled=True)
        clock.move(connection, timedelta(hours=3))
    with empty.owner.connect() as connection, pytest.raises(clock.ClockWasMoved):
        clock.set_test_clock(connection, enabled=False)


def test_month_partitions_are_made_again_after_the_clock_was_moved_among_rows(empty: Database) -> None:
    with empty.owner.begin() as connection:
        clock.set_test_clock(connection, enabled=True)
        clock.move(connection, timedelta(days=200))
    with empty.app.begin() as connection:
        events.append(connection, "far ahead")
    with empty.app.begin() as connection:
        connection.execute(text("SET timezone = 'Europe/London'"))
        # Two tables for each of the two months after this one; this one's event lies with the rest.
        assert connection.scalar(text("SELECT ensure_month_partitions(2)")) == 5
        assert connection.scalar(text("SELECT ensure_month_partitions(2)")) == 0


def _seen(connection: Connection) -> tuple[int, ...]:
    return tuple(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in IDENTITIES)


def _accessions(connection: Connection) -> list[str]:
    return list(connection.scalars(text("SELECT accession_number FROM order_identity ORDER BY 1")))


_ASSIGN = text(
    "INSERT INTO assignment (reading_id, item_id, reporter_id, session_id, rank, valid_until, why)"
    " SELECT r.id, r.item_id, :reporter, (SELECT id FROM reporting_session WHERE reporter_id = :reporter), 1,"
    " radpool_now() + interval '1 hour', 'planned' FROM reading r WHERE r.item_id = :item"
)


def test_a_merge_is_seen_by_its_own_trust_alone_and_rewritten_by_nobody(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(
            text("INSERT INTO patient (trust_ods, identifier) VALUES ('RXA', 'A1'), ('RXA', 'A2'), ('RXB', 'B1')")
        )
        connection.execute(
            text(
                "INSERT INTO patient_merge (trust_ods, kind, retired_id, surviving_id, message_at, stated_by)"
                " SELECT 'RXA', 'merge', min(id), max(id), radpool_now(), 'ris:RIS_A' FROM patient"
                " WHERE trust_ods = 'RXA'"
            )
        )
    everybody = Viewer(reporter_id=reporter_id(network, "reed"), network_wide=True)
    for viewer, seen in ((None, 0), (everybody, 0), (Viewer(trust="RXB"), 0), (Viewer(trust="RXA"), 1)):
        with transaction(network.app, viewer) as connection:
            assert connection.scalar(text("SELECT count(*) FROM patient_merge")) == seen
            ended = connection.execute(text("UPDATE patient_merge SET standing = true"))
            assert ended.rowcount == seen
            connection.rollback()
    for statement in (
        "DELETE FROM patient_merge",
        "UPDATE patient_merge SET retired_id = surviving_id",
        "UPDATE patient_merge SET stated_by = 'nobody'",
        "INSERT INTO patient_merge (trust_ods, kind, retired_id, surviving_id, message_at, stated_by)"
        " SELECT 'RXB', kind, retired_id, surviving_id, radpool_now(), stated_by FROM patient_merge",
    ):
        with pytest.raises(ProgrammingError), transaction(network.app, Viewer(trust="RXA")) as connection:
            connection.execute(text(statement))
