"""The audit cannot be changed without `verify` telling, and never makes writers queue."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from tests.builders import shared
from tests.conftest import Database
from worklist.db import embedded
from worklist.db.engine import make_engine
from worklist.log import audit
from worklist.log.audit import Verdict

ENTRIES, SEED, ROUNDS = 90, 20260610, 6
#: In the long form the ways of tampering come to more than a thousand rounds together.
LONG_ROUNDS = 60

Tamper = Callable[[Connection, random.Random], None]


@pytest.fixture
def superuser(cluster: embedded.Cluster, empty: Database) -> Iterator[Engine]:
    """The one whom no trigger and no constraint stops."""
    engine = make_engine(cluster.url("superuser", empty.owner.url.database or ""))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def untouched(cluster: embedded.Cluster, empty_template: str) -> Iterator[Database]:
    """A database with one entry, for tests in which nothing can be changed."""
    with shared(cluster, empty_template) as database:
        with database.app.begin() as connection:
            audit.append(connection, "one", "act")
        yield database


@pytest.fixture
def written(empty: Database, tmp_path: Path) -> Database:
    """A database with entries in many lanes, a checkpoint in `tmp_path`, and nothing after it."""
    for number in range(0, ENTRIES, 3):
        with empty.app.begin() as connection:
            for items in ([], [number], [number, number + 1]):
                audit.append(connection, f"user {number % 7}", "read", items=items, detail={"n": number})
    _checkpoint(empty, tmp_path)
    return empty


def test_an_untouched_audit_verifies_with_every_entry_counted(written: Database, tmp_path: Path) -> None:
    assert _verify(written, tmp_path) == Verdict(ENTRIES, 1, ())


def test_it_verifies_without_checkpoints_too(written: Database) -> None:
    assert _verify(written, None) == Verdict(ENTRIES, 0, ())


def test_entries_written_after_a_checkpoint_verify_and_the_next_checkpoint_covers_them(
    written: Database, tmp_path: Path
) -> None:
    for _ in range(30):
        with written.app.begin() as connection:
            audit.append(connection, "later", "claim", items=[1])
    assert _checkpoint(written, tmp_path) is not None
    assert _verify(written, tmp_path) == Verdict(ENTRIES + 30, 2, ())


def test_no_checkpoint_is_written_when_nothing_was_added(written: Database, tmp_path: Path) -> None:
    assert _checkpoint(written, tmp_path) is None


def test_a_rolled_back_act_leaves_no_entry_and_no_gap(written: Database, tmp_path: Path) -> None:
    with written.app.connect() as connection:
        audit.append(connection, "nobody", "never")
        connection.rollback()
    assert _verify(written, tmp_path).faults == ()


def test_payloads_that_retention_removed_leave_a_chain_that_verifies(written: Database, tmp_path: Path) -> None:
    with written.owner.begin() as connection:
        connection.execute(text("UPDATE audit.entry SET payload = NULL WHERE sequence = 1"))
    assert _verify(written, tmp_path) == Verdict(ENTRIES, 1, ())


def test_retention_can_remove_a_payload_and_change_nothing_else(untouched: Database) -> None:
    with untouched.owner.connect() as connection, pytest.raises(DBAPIError, match="the audit is appended"):
        connection.execute(text("UPDATE audit.entry SET payload = NULL, actor = 'another'"))


def _edit(column: str, expression: str) -> Tamper:
    def tamper(connection: Connection, chance: random.Random) -> None:
        lane, sequence = _some_entry(connection, chance)
        where = {"lane": lane, "sequence": sequence}
        changed = connection.execute(
            text(f"UPDATE audit.entry SET {column} = {expression} WHERE lane = :lane AND sequence = :sequence"), where
        )
        assert changed.rowcount == 1

    return tamper


def _delete_one(connection: Connection, chance: random.Random) -> None:
    lane, sequence = _some_entry(connection, chance)
    connection.execute(text("DELETE FROM audit.entry WHERE lane = :l AND sequence = :s"), {"l": lane, "s": sequence})


def _cut_newest_and_reset_the_head(connection: Connection, chance: random.Random) -> None:
    lane, _ = _some_entry(connection, chance)
    last = connection.scalar(text("SELECT entries FROM audit.lane WHERE lane = :l"), {"l": lane})
    assert last is not None
    keep = chance.randrange(last)
    connection.execute(text("DELETE FROM audit.entry WHERE lane = :l AND sequence > :k"), {"l": lane, "k": keep})
    connection.execute(
        text(
            "UPDATE audit.lane SET entries = :k, head = coalesce((SELECT link FROM audit.entry WHERE lane = :l"
            " AND sequence = :k), sha256(convert_to('radpool audit lane ' || :l, 'UTF8'))) WHERE lane = :l"
        ),
        {"l": lane, "k": keep},
    )


def _empty_everything(connection: Connection, _: random.Random) -> None:
    connection.execute(text("TRUNCATE audit.entry"))
    connection.execute(
        text("UPDATE audit.lane SET entries = 0, head = sha256(convert_to('radpool audit lane ' || lane, 'UTF8'))")
    )


def _insert_a_copy(connection: Connection, chance: random.Random) -> None:
    lane, sequence = _some_entry(connection, chance)
    moved = chance.choice(("lane, sequence, at + interval '1 second'", "lane, sequence + 1000, at", "lane, 0, at"))
    connection.execute(
        text(
            "INSERT INTO audit.entry (lane, sequence, at, actor, action, items, payload, payload_digest, link)"
            f" SELECT {moved}, actor, action, items, payload, payload_digest, link FROM audit.entry"
            " WHERE lane = :l AND sequence = :s"
        ),
        {"l": lane, "s": sequence},
    )


def _insert_into_a_lane_that_does_not_exist(connection: Connection, chance: random.Random) -> None:
    lane, sequence = _some_entry(connection, chance)
    connection.execute(
        text(
            "INSERT INTO audit.entry (lane, sequence, at, actor, action, items, payload, payload_digest, link)"
            " SELECT 99, 1, at, actor, action, items, payload, payload_digest, link FROM audit.entry"
            " WHERE lane = :l AND sequence = :s"
        ),
        {"l": lane, "s": sequence},
    )


def _swap_two_in_a_lane(connection: Connection, chance: random.Random) -> None:
    lanes = connection.scalars(text("SELECT lane FROM audit.lane WHERE entries > 1 ORDER BY lane")).all()
    connection.execute(
        text("UPDATE audit.entry SET sequence = 3 - sequence WHERE lane = :l AND sequence IN (1, 2)"),
        {"l": chance.choice(lanes)},
    )


def _swap_two_lanes(connection: Connection, chance: random.Random) -> None:
    lanes = connection.scalars(text("SELECT lane FROM audit.lane WHERE entries > 0 ORDER BY lane")).all()
    one, other = chance.sample(list(lanes), 2)
    for table in ("entry", "lane"):
        connection.execute(
            text(f"UPDATE audit.{table} SET lane = lane + 1000 WHERE lane IN (:one, :other)"),
            {"one": one, "other": other},
        )
        connection.execute(
            text(f"UPDATE audit.{table} SET lane = :one + :other - (lane - 1000) WHERE lane >= 1000"),
            {"one": one, "other": other},
        )


def _drop_a_lane(connection: Connection, chance: random.Random) -> None:
    lane, _ = _some_entry(connection, chance)
    connection.execute(text("DELETE FROM audit.entry WHERE lane = :l"), {"l": lane})
    connection.execute(text("DELETE FROM audit.lane WHERE lane = :l"), {"l": lane})


def _forge_a_lane_with_right_links(connection: Connection, chance: random.Random) -> None:
    """Change an entry and compute every link after it anew, as somebody would who knows how."""
    lane, sequence = _some_entry(connection, chance)
    where = {"l": lane, "s": sequence}
    connection.execute(text("UPDATE audit.entry SET actor = 'forged' WHERE lane = :l AND sequence = :s"), where)
    connection.execute(
        text(
            """
            DO $$
            DECLARE one audit.entry; previous bytea;
            BEGIN
              previous := sha256(convert_to('radpool audit lane ' || LANE, 'UTF8'));
              FOR one IN SELECT * FROM audit.entry WHERE lane = LANE ORDER BY sequence LOOP
                previous := audit.link_of(previous, one.lane, one.sequence, one.at, one.actor, one.action, one.items,
                                          one.payload_digest);
                UPDATE audit.entry SET link = previous WHERE lane = one.lane AND sequence = one.sequence;
              END LOOP;
              UPDATE audit.lane SET head = previous WHERE lane = LANE;
            END $$
            """.replace("LANE", str(lane))
        )
    )


TAMPERS: dict[str, Tamper] = {
    "actor": _edit("actor", "actor || 'x'"),
    "action": _edit("action", "upper(action)"),
    "instant": _edit("at", "at + interval '1 microsecond'"),
    "instant without end": _edit("at", "'infinity'"),
    "items": _edit("items", "items || 7::bigint"),
    "an unknown item": _edit("items", "items || NULL::bigint"),
    "payload": _edit("payload", "payload || ' '"),
    "payload and digest": _edit("(payload, payload_digest)", "ROW('{}', sha256('{}'))"),
    "link": _edit("link", "sha256(link)"),
    "sequence": _edit("sequence", "sequence + 1000"),
    "delete one": _delete_one,
    "cut the newest and reset the head": _cut_newest_and_reset_the_head,
    "empty everything": _empty_everything,
    "insert a copy": _insert_a_copy,
    "insert into a new lane": _insert_into_a_lane_that_does_not_exist,
    "swap two in a lane": _swap_two_in_a_lane,
    "swap two lanes": _swap_two_lanes,
    "drop a lane": _drop_a_lane,
    "forge with right links": _forge_a_lane_with_right_links,
}


@pytest.mark.parametrize("rounds", [ROUNDS, pytest.param(LONG_ROUNDS, marks=pytest.mark.proof, id="long")])
@pytest.mark.parametrize("what", TAMPERS)
def test_what_the_database_s_own_superuser_changes_is_found(
    what: str, rounds: int, written: Database, superuser: Engine, tmp_path: Path
) -> None:
    with superuser.begin() as connection:
        connection.execute(text("CREATE TABLE kept_entry AS TABLE audit.entry"))
        connection.execute(text("CREATE TABLE kept_lane AS TABLE audit.lane"))
    chance = random.Random(f"{SEED} {what}")
    for number in range(rounds):
        with superuser.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            TAMPERS[what](connection, chance)
        assert _verify(written, tmp_path).faults, f"seed {SEED}, round {number}"
        with superuser.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text("DELETE FROM audit.entry"))
            connection.execute(text("DELETE FROM audit.lane"))
            connection.execute(text("INSERT INTO audit.lane TABLE kept_lane"))
            connection.execute(text("INSERT INTO audit.entry TABLE kept_entry"))
    assert _verify(written, tmp_path).faults == ()


def test_text_cannot_move_between_actor_and_action_unseen(empty: Database, superuser: Engine) -> None:
    with empty.app.begin() as connection:
        audit.append(connection, "a\x1fb", "c")
    with superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("UPDATE audit.entry SET actor = 'a', action = E'b\\x1fc'"))
    assert _verify(empty, None).faults


def test_a_checkpoint_that_was_edited_is_a_fault(untouched: Database, tmp_path: Path) -> None:
    file = _checkpoint(untouched, tmp_path)
    assert file is not None
    signed = file.read_text()
    file.write_text(signed.replace('entries\\":1', 'entries\\":2'))
    assert file.read_text() != signed
    assert "not as it was signed" in _verify(untouched, tmp_path).faults[0].what


@pytest.mark.parametrize("damage", ["{}", "[]", '{"body": 1, "signature": "00"}', "no JSON", ""])
def test_a_damaged_checkpoint_is_a_fault_and_not_an_error(untouched: Database, tmp_path: Path, damage: str) -> None:
    file = _checkpoint(untouched, tmp_path)
    assert file is not None
    file.write_text(damage)
    assert "not as it was signed" in _verify(untouched, tmp_path).faults[0].what


def test_a_missing_public_key_is_a_fault_and_not_an_error(untouched: Database, tmp_path: Path) -> None:
    _checkpoint(untouched, tmp_path)
    (tmp_path / "public-key.pem").unlink()
    assert "public key" in _verify(untouched, tmp_path).faults[0].what


def test_seventy_writers_at_once_who_each_write_twice_leave_chains_that_verify(empty: Database) -> None:
    engine = make_engine(empty.app_url, pool_size=70)

    def act(number: int) -> None:
        for _ in range(2):
            with engine.begin() as connection:
                audit.append(connection, f"user {number}", "first", items=[number])
                connection.execute(text("SELECT pg_sleep(0.02)"))  # holds the lane, so that all are taken
                audit.append(connection, f"user {number}", "second", items=[number])

    with ThreadPoolExecutor(70) as pool:
        list(pool.map(act, range(70)))
    engine.dispose()
    assert _verify(empty, None) == Verdict(70 * 2 * 2, 0, ())


def test_a_transaction_that_writes_twice_stays_in_its_lane(empty: Database) -> None:
    with empty.app.begin() as connection:
        for _ in range(5):
            audit.append(connection, "one", "act")
    with empty.app.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM audit.lane WHERE entries > 0")) == 1


def test_the_next_transaction_of_a_connection_may_take_another_lane(empty: Database) -> None:
    with empty.app.connect() as connection:
        for _ in range(12):
            audit.append(connection, "one", "act")
            connection.commit()
        assert connection.scalar(text("SELECT count(*) FROM audit.lane WHERE entries > 0")) > 1


def test_nothing_temporary_of_a_caller_stands_in_for_the_audits_own(empty: Database) -> None:
    with empty.app.begin() as connection:
        connection.execute(text("SET LOCAL search_path = pg_temp, pg_catalog, public"))
        for table in ("lane", "entry", "test_clock"):
            connection.execute(text(f"CREATE TEMPORARY TABLE {table} (stands int)"))
        for kind in ("bytea", "int2", "text", "timestamptz"):
            connection.execute(text(f"CREATE DOMAIN pg_temp.{kind} AS pg_catalog.{kind} CHECK (false)"))
        connection.execute(text("SELECT audit.append('one', 'act', '{}', '{}')"))
    assert _verify(empty, None) == Verdict(1, 0, ())


def test_writers_do_not_wait_for_each_other(empty: Database) -> None:
    with empty.app.connect() as one, empty.app.connect() as other:
        other.execute(text("SET lock_timeout = '100ms'"))
        for _ in range(20):
            audit.append(one, "one", "act")
            audit.append(other, "other", "act")
            other.commit()
        one.commit()
    assert _verify(empty, None) == Verdict(40, 0, ())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.entry SET actor = 'x'",
        "UPDATE audit.entry SET payload = NULL",
        "DELETE FROM audit.entry",
        "TRUNCATE audit.entry",
        "INSERT INTO audit.entry SELECT * FROM audit.entry",
        "UPDATE audit.lane SET entries = 0",
        "DELETE FROM audit.lane",
        "ALTER TABLE audit.entry DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION audit.link_of() RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$",
        "SET session_replication_role = replica",
    ],
)
def test_the_application_can_append_to_the_audit_and_nothing_else(untouched: Database, statement: str) -> None:
    with (
        untouched.app.connect() as connection,
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
    ):
        connection.execute(text(statement))


def test_not_even_the_owner_deletes_an_entry_by_mistake(untouched: Database) -> None:
    with untouched.owner.connect() as connection, pytest.raises(DBAPIError, match="the audit is appended"):
        connection.execute(text("DELETE FROM audit.entry"))


def _some_entry(connection: Connection, chance: random.Random) -> tuple[int, int]:
    rows = connection.execute(text("SELECT lane, sequence FROM audit.entry ORDER BY lane, sequence")).all()
    row = chance.choice(rows)
    return row.lane, row.sequence


def _verify(database: Database, checkpoints: Path | None) -> Verdict:
    with database.owner.connect() as connection:
        return audit.verify(connection, checkpoints)


def _checkpoint(database: Database, folder: Path) -> Path | None:
    with database.owner.connect() as connection:
        return audit.write_checkpoint(connection, folder, _KEY)


_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
