"""A home RIS over a real socket: accepted after the commit and only then, refused by the name of the field."""

from __future__ import annotations

import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import structlog
from hl7.client import MLLPClient
from sqlalchemy import Connection, event, text

from hl7_listener.desk import Sent
from hl7_listener.limits import Limits
from hl7_listener.service import Service
from tests.conftest import Database
from tests.hl7_listener.ris_peer import PEER, PID, code_of, connected, error_of, listening, msh, order, result, sent
from tests.worklist.arrivals import (
    an_object,
    claim_first_reading,
    doubts_of,
    readings_of,
    receive_and_complete,
    state_of,
    the_item,
)
from worklist.db.engine import make_engine
from worklist.intake.accessions import lock_accession

TAKEN = "ORM^O01, OMI^O23, ORU^R01, ADT^A08, ADT^A31, ADT^A40, ADT^A47, ADT^A37"


def test_an_order_is_accepted_and_durable_by_then(network: Database) -> None:
    message = order()
    with listening(network.app) as port, connected(port) as peer:
        head, acknowledged = peer.tell(message)
        state = the_item(network.app).state
    assert state == "ordered"
    assert acknowledged == ["MSA", "AA", message.split("|")[9]]
    assert head[2:6] == ["RADPOOL", "NET", "RIS", "RIS_A"]
    assert head[8] == "ACK^O01^ACK"


def test_a_repeated_order_is_accepted_and_changes_nothing(network: Database) -> None:
    message = order()
    with listening(network.app) as port, connected(port) as peer:
        peer.tell(message)
        before = _everything(network)
        assert code_of(peer.tell(message)) == "AA"
    assert _everything(network) == before


@pytest.mark.parametrize("order_first", [True, False])
def test_order_and_images_meet_in_either_order(network: Database, order_first: bool) -> None:
    images = an_object(requested_codes=(), requesting_service=None)
    with listening(network.app) as port, connected(port) as peer:
        if not order_first:
            receive_and_complete(network.app, images)
        assert code_of(peer.tell(order(orc_7="^^^^^S"))) == "AA"
        if order_first:
            receive_and_complete(network.app, images)
    row = the_item(network.app)
    assert (row.state, row.setting, row.urgency) == ("ready", "inpatient", "emergency")
    assert [one.state for one in readings_of(network.app)] == ["open"]
    assert state_of(network.app)["exams"] == [("XCHES", "requested-code")]
    assert doubts_of(network.app) == set()


def test_a_cancel_and_a_final_report_take_the_work_away(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    receive_and_complete(network.app, an_object(study=2, accession_number="000124"))
    with network.app.begin() as connection:
        claim_first_reading(connection)
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(order("CA"))) == "AA"
        assert code_of(peer.tell(result(accession="000124"))) == "AA"
    with network.app.connect() as connection:
        states = connection.scalars(text("SELECT state FROM item ORDER BY id")).all()
        live = connection.scalar(text("SELECT count(*) FROM claim WHERE ended_at IS NULL"))
    assert list(states) == ["cancelled", "reported_elsewhere"]
    assert {one.state for one in readings_of(network.app)} == {"withdrawn"}
    assert live == 0


def test_a_message_with_several_accessions_is_accepted_when_all_are_taken(network: Database) -> None:
    with listening(network.app) as port, connected(port) as peer:
        message = order(accession="A1", more="ORC|NW|P78|B2\rOBR|2|P78||XHANL^XR Hand Lt^NICIP")
        assert code_of(peer.tell(message)) == "AA"
    with network.app.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM item")) == 2


def test_a_client_made_by_others_is_understood(network: Database) -> None:
    with listening(network.app) as port, closing(MLLPClient("127.0.0.1", port)) as client:
        assert b"MSA|AA|" in client.send_message(order())


def test_a_refusal_names_segment_and_field_and_no_value(network: Database) -> None:
    with listening(network.app) as port, connected(port) as peer:
        answer = peer.tell(order("ZZTOP"))
    assert code_of(answer) == "AR"
    assert error_of(answer).startswith("ORC-1: order controls taken here are CA, NW, XO")
    [error] = [segment for segment in answer if segment[0] == "ERR"]
    assert (error[2], error[3]) == ("ORC^1^1", "103^Table value not found^HL70357")
    assert "ZZTOP" not in str(answer)
    assert doubts_of(network.app) == {"message-refused"}


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (order(facility="RIS_X"), "MSH-4: no RIS is known by this sending facility"),
        (msh("ADT^A01"), f"MSH-9: messages taken here are {TAKEN}"),
        (msh("ORM^O02"), f"MSH-9: messages taken here are {TAKEN}"),
        (msh("ADT^A08"), "PID: the message names no patient"),
        ("hello", "MSH: the message does not begin with an MSH segment"),
        ("", "MSH: the message does not begin with an MSH segment"),
        ("MSH|^^^^|a|b|c|d|e", "MSH-2: the separators are not what HL7 allows"),
        ("MSH|~&$|a|b|c|d|e", "MSH-2: the separators are not what HL7 allows"),
        ("MSH|\r", "MSH: the message does not begin with an MSH segment"),
        ("FHS|^~\\&|\rBHS|^~\\&|\r" + order(), "MSH: the message does not begin with an MSH segment"),
        (order(accession=""), "ORC-3: no accession number"),
        (result("Q"), "OBR-25: not a status that the dialect knows"),
    ],
)
def test_what_cannot_be_taken_as_it_is_is_rejected_and_the_connection_stays(
    network: Database, message: str, says: str
) -> None:
    with listening(network.app) as port, connected(port) as peer:
        answer = peer.tell(message)
        assert code_of(answer) == "AR"
        assert error_of(answer).replace("\\S\\", "^") == says
        assert code_of(peer.tell(order())) == "AA"


def test_a_message_that_is_too_long_is_rejected_by_its_control_id(network: Database) -> None:
    message = order() + "\rNTE|1||" + "x" * 2_000_000
    with listening(network.app) as port, connected(port) as peer:
        peer.connection.sendall(b"\x0b" + message.encode())
        answer = peer.hear()
    assert (code_of(answer), answer[1][2]) == ("AR", message.split("|")[9])
    assert "1048576" in error_of(answer)


def test_a_message_of_just_under_the_limit_is_taken(network: Database) -> None:
    message = result() + "\rOBX|2|ED|PDF||" + "x" * 1_000_000
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(message)) == "AA"


def test_a_trust_speaks_for_itself_alone(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(result(facility="RIS_B"))) == "AA"
    with network.app.connect() as connection:
        rows = connection.execute(text("SELECT trust_ods, state FROM item ORDER BY trust_ods")).all()
    assert [tuple(row) for row in rows] == [("RXA", "ready"), ("RXB", "reported_elsewhere")]


def test_a_dialect_of_the_configuration_is_followed(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("""UPDATE ris SET dialect = '{"accession_fields": ["OBR-18"]}'"""))
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(order(accession="", obr="OBR|1|P77||XCHES" + "|" * 14 + "A9"))) == "AA"
    assert state_of_accessions(network) == ["A9"]


def test_a_dialect_that_is_not_understood_asks_the_sender_to_send_again(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("""UPDATE ris SET dialect = '{"nonsense": 1}'"""))
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(order())) == "AE"


def test_a_database_that_dies_at_the_commit_is_never_accepted_and_the_message_can_be_sent_again(
    network: Database,
) -> None:
    engine = make_engine(network.app_url)
    victims: list[int] = []

    def kill(connection: Connection) -> None:
        written = connection.scalar(text("SELECT count(*) FROM item"))
        if written and len(victims) < 2:  # the transaction that orders share, and the one of the order by itself
            victims.append(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
            with network.app.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": victims[-1]})

    event.listen(engine, "commit", kill)
    message = order()
    with listening(engine) as port, connected(port) as peer:
        answer = peer.tell(message)
        assert (code_of(answer), len(victims)) == ("AE", 2)
        assert "send the message again" in error_of(answer)
        with network.app.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM item")) == 0
        assert code_of(peer.tell(message)) == "AA"
    assert the_item(network.app).state == "ordered"
    engine.dispose()


def test_without_a_database_the_sender_is_asked_to_send_again(network: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nowhere = make_engine(f"postgresql://nobody@127.0.0.1:{port}/none")
    assert b"MSA|AE|" in Service(nowhere, Limits()).answer(sent(order()))
    assert network.app is not None


def test_a_statement_that_waits_too_long_is_given_up(network: Database) -> None:
    receive_and_complete(network.app, an_object())
    with network.app.begin() as holder:
        holder.execute(text("SELECT FROM item FOR UPDATE"))
        answer = Service(network.app, Limits(statement_seconds=0.2)).answer(sent(order()))
    assert b"MSA|AE|" in answer
    assert b"MSA|AA|" in Service(network.app, Limits()).answer(sent(order()))


@pytest.mark.parametrize(
    ("binding", "why"),
    [
        ("address = '10.1.2.0/24'", "a sending facility from an address it is not bound to"),
        ("certificate_subject = 'CN=ris.test'", "a sending facility without the certificate it is bound to"),
    ],
)
def test_a_facility_is_believed_from_where_it_is_bound_to_alone(network: Database, binding: str, why: str) -> None:
    with network.owner.begin() as connection:
        connection.execute(text(f"UPDATE ris SET {binding} WHERE sending_facility = 'RIS_A'"))
    with listening(network.app) as port, connected(port) as peer:
        answer = peer.tell(order())
    assert (code_of(answer), error_of(answer)) == ("AR", f"MSH-4: {why}")
    assert doubts_of(network.app) == {"message-refused"}


def test_a_facility_bound_to_its_own_address_is_believed(network: Database) -> None:
    with network.owner.begin() as connection:
        connection.execute(text("UPDATE ris SET address = '127.0.0.0/8'"))
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(order())) == "AA"


def test_an_order_that_waits_for_somebody_holds_up_no_other(network: Database) -> None:
    first, second = order(accession="A1"), order(accession="A2", pid=PID.replace("H100", "H200"))
    with network.app.begin() as holder:
        lock_accession(holder, "RXA", "A1")
        [waiting, other] = Service(network.app, Limits()).answer_together([sent(first), sent(second)])
        assert not isinstance(waiting, bytes)
        assert not isinstance(other, bytes)
        assert b"MSA|AA|" in other()
    assert b"MSA|AA|" in waiting()


def test_many_peers_send_the_same_orders_at_once_and_each_is_taken_once(network: Database) -> None:
    messages = [order(accession=f"A{number}") for number in range(10)]

    def send_all(seed: int) -> set[str]:
        with connected(port) as peer:
            return {code_of(peer.tell(message)) for message in random.Random(seed).sample(messages, 10)}

    with listening(network.app) as port, ThreadPoolExecutor(12) as pool:
        assert set().union(*pool.map(send_all, range(12))) == {"AA"}
    with network.app.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM item")) == 10
        assert connection.scalar(text("SELECT count(*) FROM event WHERE kind = 'item.order-taken'")) == 10


def test_nothing_a_message_says_is_logged(network: Database, capfd: pytest.CaptureFixture[str]) -> None:
    said = ("Tilda", "H100", "999 000 0018", "9990000018", "000123", "19800611", "WARD4", "lungs")
    broken = order(pid="PID|1||H100^^^RXA\\Q\\ \\X0Q\\||Test^Tilda\\")
    with structlog.testing.capture_logs() as logs, listening(network.app) as port, connected(port) as peer:
        for message in (order(), order("ZZ"), result(), result("Q"), broken, order(facility="H100")):
            peer.tell(message)
    heard = str(logs) + "".join(capfd.readouterr())
    assert len(logs) >= 6
    assert [word for word in said if word in heard] == []


def test_messages_of_a_fuzzer_are_answered_soon_and_none_ends_the_server(network: Database) -> None:
    seed = random.Random(20260610)
    service = Service(network.app, Limits())
    slowest = 0.0
    for number in range(400):
        octets = _mangled(seed, (order, result)[number % 2]().encode("latin_1"))
        begun = time.monotonic()
        answer = service.answer(Sent(octets, PEER))
        slowest = max(slowest, time.monotonic() - begun)
        assert answer.startswith(b"MSH")
    assert slowest < 2


@pytest.mark.parametrize("piece", ["|", "^", "~", "&", "\\", "\r", "OBR|\r", "ORC|NW||1\r", "\\X41\\", "OBX|||||\r"])
def test_a_message_of_one_piece_over_and_over_is_answered_within_two_seconds(network: Database, piece: str) -> None:
    service = Service(network.app, Limits())
    message = order(pid="PID|1||", more="ORC|NW|" + piece * (1_000_000 // len(piece)))
    begun = time.monotonic()
    assert b"MSA|A" in service.answer(sent(message))
    assert time.monotonic() - begun < 2


def _mangled(seed: random.Random, octets: bytes) -> bytes:
    """Give the message with a few bytes changed, put in, taken out or repeated."""
    changed = octets
    for _ in range(seed.randint(1, 8)):
        place = seed.randrange(len(changed) + 1)
        head, tail = changed[:place], changed[place:]
        put_in = seed.choice(
            (bytes([seed.choice(b"|^~\\&\r\x00\xff\x1c")]), seed.randbytes(1), octets[: seed.randint(1, 60)], b"")
        )
        changed = head + put_in + tail[seed.choice((0, 1, seed.randint(1, 20))) :]
    return changed


def _everything(database: Database) -> list[int | None]:
    tables = ("item", "patient", "event", "item_order", "order_identity", "worklist_exception", "audit.entry")
    with database.owner.connect() as connection:
        return [connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables]


def state_of_accessions(database: Database) -> list[str]:
    with database.owner.connect() as connection:
        return list(connection.scalars(text("SELECT accession_number FROM order_identity ORDER BY 1")))
