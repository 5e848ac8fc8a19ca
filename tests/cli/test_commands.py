"""Every command of `radpool` beside a running server: what it prints, what it changes, how it refuses."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
import typer
from typer.testing import CliRunner

from cli.addresses import listen
from cli.durations import parse_duration
from cli.main import app
from cli.options import read_settings
from cli.refusals import REFUSALS
from tests.cli.commanding import FREE_PORTS, Server, answers, children_of, environment, radpool, serving
from tests.conftest import NETWORK

COMMANDS = (
    *("demo", "serve", "migrate", "user", "token", "import", "export"),
    *("plan", "simulate", "verify-audit", "check", "db-url", "clock"),
)
SERVICES = ("api", "listener", "hl7", "allocator", "sequencer")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a test clock and the small network."""
    with serving(tmp_path_factory.mktemp("server"), "--test-clock") as started:
        started.command("import", str(NETWORK))
        yield started


def test_a_server_that_is_ready_says_where_it_is(server: Server) -> None:
    assert list(server.run) == ["http", "dicom", "hl7", "database_url", "pid"]
    assert server.run["pid"] == server.process.pid
    for name in ("http", "dicom", "hl7"):
        assert answers(server.run[name])
    assert httpx.get(f"{server.url}/healthz/ready").json()["ready"] is True
    with psycopg.connect(server.run["database_url"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("radpool_app",)


def test_what_it_printed_stands_in_a_file_for_its_owner_alone(server: Server) -> None:
    file = server.data / "run.json"
    assert file.read_text() == server.printed
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE((server.data / "secrets").stat().st_mode) == 0o700


def test_no_secret_is_in_a_command_line(server: Server) -> None:
    secrets = [path.read_text().strip() for path in (server.data / "secrets").glob("*.password")]
    lines = [" ".join(words) for words in children_of(server.process.pid).values()]
    assert secrets
    assert len(lines) >= 5
    assert not [one for one in secrets for line in lines if one in line]


@pytest.mark.parametrize("words", [*COMMANDS, "user add", *(f"serve {name}" for name in SERVICES)])
def test_every_command_explains_itself(words: str) -> None:
    shown = CliRunner().invoke(app, [*words.split(), "--help"], prog_name="radpool", env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert f"Usage: radpool {words} " in shown.output


def test_all_commands_are_listed() -> None:
    listed = radpool("--help")
    assert not [one for one in COMMANDS if f" {one} " not in listed]


def test_a_user_is_added_and_their_token_lets_them_in(server: Server) -> None:
    assert server.command("user", "add", "ann", "--role", "trust-manager", "--trust", "RXA").strip() == (
        "user ann: trust_manager"
    )
    with server.client("ann") as ann:
        assert ann.get("/me").json()["trust"] == "RXA"
    server.command("user", "add", "ann", "--role", "reporter,auditor", "--reporter", "hart")
    with server.client("ann") as ann:
        assert ann.get("/me").json()["roles"] == ["auditor", "reporter"]


def test_a_token_is_one_line_and_each_is_another(server: Server) -> None:
    server.command("user", "add", "bob", "--role", "auditor")
    tokens = {server.command("token", "--user", "bob", "--days", "1") for _ in range(2)}
    assert len(tokens) == 2
    assert all(re.fullmatch(r"radpool_[\w-]{43}\n", one) for one in tokens)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("user add eve --role boss", "'boss' is no role; use reporter"),
        ("user add eve --role trust_manager", "needs --trust ODS"),
        ("user add eve --role reporter --reporter nobody", "no reporter 'nobody'"),
        ("user add eve!! --role auditor", "is no user name"),
        ("token --user nobody", "no user 'nobody'; add one with `radpool user add nobody --role ROLE`"),
        ("clock sideways", "'sideways' is no duration; write +3h"),
        ("db-url --role boss", "app or owner"),
        ("import nowhere.toml", "nowhere.toml"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_in_a_line(server: Server, words: str, told: str) -> None:
    printed = server.command(*words.split(), status=2)
    assert told in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *((one, "give --data DIR or --database-url URL") for one in ("token --user a", "check", "plan", "migrate")),
        ("token --user a --days 0", "greater than or equal to 1"),
        ("import", "name a TOML file"),
        ("serve", "say where the data folder is"),
        ("nothing", "No such command 'nothing'"),
    ],
)
def test_a_command_without_what_it_needs_says_what_to_give(words: str, told: str) -> None:
    shown = CliRunner().invoke(app, words.split(), env=environment())
    assert shown.exit_code == 2 or isinstance(shown.exception, REFUSALS)
    assert told in f"{shown.output} {shown.exception}"


def test_a_dry_run_of_an_import_changes_nothing(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "trust.toml"
    file.write_text('[[trust]]\nods_code = "RXC"\nname = "Cedar Hill (synthetic)"\n')
    before = contents(server)
    printed = server.command("import", "--check", str(file))
    assert "Dry run: nothing was changed" in printed
    assert re.search(r"trust\s+\S\s+1", printed)
    assert contents(server) == before
    assert "Imported" in server.command("import", str(file))
    assert contents(server) != before


def test_a_release_of_a_catalogue_is_tried_and_then_imported(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "lookup.csv"
    file.write_text("short_code,preferred,sct_fsn,laterality,region,system\nXNEWC,XR New,,,Chest,Barium\n")
    release = ("--catalogue", "national", "--release", "1", "--released-on", "2026-04-01", "--system", "Barium=RF")
    before = contents(server)
    assert "Dry run: nothing was changed" in server.command("import", "--check", str(file), *release)
    assert contents(server) == before
    assert "Imported national lookup, release 1" in server.command("import", str(file), *release)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("a.csv", "--catalogue"),
        ("a.csv b.csv --catalogue national", "FILES"),
        ("a.csv --catalogue trust --release 1 --released-on 2026-04-01", "--trust"),
        ("a.csv --catalogue national --trust RXA", "--trust"),
        ("a.csv --catalogue national --released-on 2026-04-01", "--release"),
        ("a.csv --catalogue national --release 1 --released-on April", "--released-on"),
        ("a.csv --catalogue national --release 1 --released-on 2026-04-01 --system Barium", "--system"),
        ("network.toml --catalogue national --release 1 --released-on 2026-04-01 --system Barium=barium", "--system"),
    ],
)
def test_a_release_that_is_typed_incompletely_is_told_what_is_missing(words: str, told: str) -> None:
    shown = CliRunner().invoke(app, ["import", *words.split()], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 2
    assert told in shown.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ('[[trust]]\nods_code = "RXD"\n', "1: trust[0].name"),
        ('[[trust]]\nods_code = "RXD"\nname = "D"\nshoe_size = 7\n', "4: trust[0].shoe_size"),
        ('# a\n\n[[source]]\nae_title = "P"\ntrust = "RXZ"\naddress = "::1"\n', "5: source[0].trust: no trust 'RXZ'"),
        ("[[trust]\n", "1"),
    ],
    ids=["missing", "unknown", "reference", "no toml"],
)
def test_a_file_that_is_not_valid_is_refused_by_line_and_key(
    server: Server, tmp_path: Path, words: str, told: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(words)
    before = contents(server)
    assert f"{file}:{told}" in server.command("import", str(file), status=2)
    assert contents(server) == before


@pytest.mark.parametrize("words", ["verify-audit", "check", "token --user ann", "user add ann --role auditor"])
def test_a_folder_that_no_server_made_is_refused_and_not_made(tmp_path: Path, words: str) -> None:
    wrong = tmp_path / "mistyped"
    told = radpool(*words.split(), "--data", str(wrong), status=2)
    assert f"{wrong} is no data folder of radpool; `radpool serve --data {wrong}` makes one" in told
    assert not wrong.exists()


def test_the_schema_of_a_configuration_is_json_schema() -> None:
    schema = json.loads(radpool("import", "--schema"))
    assert schema["type"] == "object"
    assert {"trust", "source", "ris", "exam", "target", "scope", "reporter", "session", "rate_card"} <= set(
        schema["properties"]
    )


def test_what_is_exported_is_taken_back_without_a_change(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    server.command("export", str(file))
    server.command("import", str(file))
    again = tmp_path / "again.toml"
    server.command("export", str(again))
    assert again.read_text() == file.read_text()


def test_the_application_and_the_owner_each_have_their_url(server: Server) -> None:
    for role, name in (("app", "radpool_app"), ("owner", "radpool_owner")):
        url = server.command("db-url", "--role", role).strip()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (name,)
            assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
                False,
            )


def test_a_bare_connection_of_the_application_sees_no_patient(server: Server) -> None:
    owner = server.command("db-url", "--role", "owner").strip()
    with psycopg.connect(owner) as connection:
        connection.execute("INSERT INTO patient (trust_ods, identifier, family_name) VALUES ('RXA', 'P1', 'Rowan')")
    with psycopg.connect(server.run["database_url"]) as connection:
        assert connection.execute("SELECT count(*) FROM patient").fetchone() == (0,)
    with psycopg.connect(owner) as connection:
        assert connection.execute("SELECT count(*) FROM patient").fetchone() == (1,)


def test_the_test_clock_moves_and_says_where_it_stands(server: Server) -> None:
    before = datetime.fromisoformat(server.command("clock").strip())
    assert before.tzinfo == UTC
    moved = datetime.fromisoformat(server.command("clock", "+1d3h").strip())
    assert timedelta(hours=27) <= moved - before < timedelta(hours=27, minutes=2)
    back = datetime.fromisoformat(server.command("clock", "-1d3h").strip())
    assert timedelta(0) <= back - before < timedelta(minutes=4)


def test_the_checks_pass_on_a_whole_database_and_fail_on_a_broken_one(server: Server) -> None:
    assert "positions are dense" in server.command("check")
    assert "the ledger is what events and rate cards say" in server.command("check", "--ledger")
    owner = server.command("db-url", "--role", "owner").strip()
    study = "INSERT INTO study (trust_ods, patient_id, source_ae_title, instance_count) SELECT 'RXA', id, 'PACS_A', 7"
    with psycopg.connect(owner) as connection:
        made = connection.execute("INSERT INTO patient (trust_ods) VALUES ('RXA') RETURNING id").fetchone()
        assert made is not None
        connection.execute(f"{study} FROM patient WHERE id = %s", made)
    assert re.search(r"studies count their objects\s+\S\s+1", server.command("check", status=1))
    with psycopg.connect(owner) as connection:
        connection.execute("DELETE FROM study")
    server.command("check")


def test_the_audit_is_verified_and_a_change_of_it_is_found(server: Server) -> None:
    assert re.search(r"^\d+ entries, \d+ checkpoints, 0 faults$", server.command("verify-audit"), re.MULTILINE)
    superuser = server.command("db-url", "--role", "owner").strip().replace("radpool_owner", "radpool_superuser")
    owner_password = (server.data / "secrets" / "radpool_owner.password").read_text().strip()
    password = (server.data / "secrets" / "radpool_superuser.password").read_text().strip()
    with psycopg.connect(superuser.replace(owner_password, password)) as connection:
        connection.execute("SET session_replication_role = replica")
        changed = connection.execute("UPDATE audit.entry SET actor = 'nobody' WHERE actor = 'tester' RETURNING lane")
        assert changed.fetchall()
        connection.commit()
        assert "changed" in server.command("verify-audit", status=1)
        connection.execute("UPDATE audit.entry SET actor = 'tester' WHERE actor = 'nobody'")
        connection.commit()
    server.command("verify-audit")


def test_a_plan_is_made_on_demand_and_says_what_it_did(server: Server) -> None:
    assert re.search(r"\d+ readings waiting, \d+ assigned, \d+ changed", server.command("plan"))


def test_migrating_a_database_that_is_new_enough_says_which_schema_it_has(server: Server) -> None:
    assert re.fullmatch(r"schema \d{4}\w*\n", server.command("migrate"))


def test_a_folder_is_served_once(server: Server) -> None:
    printed = radpool("serve", "--data", str(server.data), *FREE_PORTS, status=2)
    assert f"another `radpool serve` runs on {server.data}" in printed
    assert json.loads((server.data / "run.json").read_text()) == server.run
    assert httpx.get(f"{server.url}/healthz/ready").status_code == 200


def test_a_port_that_is_taken_is_named_with_the_remedy(server: Server, tmp_path: Path) -> None:
    words = [*FREE_PORTS, "--dicom", server.run["dicom"]]
    printed = radpool("serve", "--data", str(tmp_path), *words, status=2)
    taken = f"--dicom {server.run['dicom']}: Address already in use; take another port, or 0 for a free one"
    assert taken in printed


@pytest.mark.parametrize("place", ["here", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", ":80", "127.0.0.1:-1"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        listen(place)


def test_a_place_of_the_newer_protocol_is_taken() -> None:
    with listen("[::1]:0") as bound:
        assert bound.getsockname()[1] > 0


def test_a_service_alone_needs_a_database_that_is_there(tmp_path: Path) -> None:
    printed = radpool("serve", "allocator", "--data", str(tmp_path), status=2)
    assert "radpool db-url --data" in printed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RADPOOL_QUIET_SECONDS", "-1"),
        ("RADPOOL_LEASE_SECONDS", "soon"),
        ("RADPOOL_LOG_LEVEL", "LOUD"),
        ("RADPOOL_TOKEN_DAYS", "0"),
    ],
)
def test_a_setting_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(typer.BadParameter, match=name):
        read_settings(None)


@pytest.mark.parametrize(
    ("words", "seconds"), [("+3h", 10800), ("-90m", -5400), ("2d", 172800), ("10s", 10), ("1d12h", 129600), ("0s", 0)]
)
def test_durations_are_read_as_people_type_them(words: str, seconds: int) -> None:
    assert parse_duration(words) == timedelta(seconds=seconds)


@pytest.mark.parametrize("words", ["", "3", "h", "+-3h", "3h 2m", "1.5h", "three hours", "9999999h", "3H"])
def test_what_is_no_duration_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(words)


def test_the_log_of_a_server_has_no_request_in_it_and_no_message_of_an_error(server: Server) -> None:
    server.command("user", "add", "log-reader", "--role", "auditor")
    with server.client("log-reader") as client:
        client.get("/worklist", params={"modality": "Zephyrwood"})
        client.get("/worklist", params={"modality": "Zephyrwood\0"})
        client.get("/items/9990000018")
    assert "refused" in server.log()
    assert not [word for word in ("Zephyrwood", "9990000018", "GET /") if word in server.log()]


def contents(server: Server) -> str:
    """Give a digest of every row that the application may read."""
    with psycopg.connect(server.run["database_url"]) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type ="
            " 'BASE TABLE' AND table_name NOT IN ('consumer_checkpoint', 'event_position', 'sequencer_mark')"
            " AND table_name NOT LIKE 'event%%' ORDER BY 1"
        ).fetchall()
        rows = [
            connection.execute(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {name} t")
            for (name,) in tables
        ]
        return str([one.fetchone() for one in rows])
