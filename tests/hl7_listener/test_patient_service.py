"""Messages on patients over a real socket: accepted after the commit, refused by the field, and nothing twice."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.conftest import Database
from tests.hl7_listener.ris_peer import PID, adt, code_of, connected, error_of, listening, order
from tests.worklist.arrivals import an_object, doubts_of, receive_and_complete
from tests.worklist.patients.persons import everything, patient, whose

OTHER = "PID|1||H200^^^RXA^PI||Test^Tilda||19800611|F"
MRG = "MRG|H100^^^RXA^PI"


def test_a_merge_is_durable_when_it_is_accepted_and_an_unlink_gives_back(network: Database) -> None:
    receive_and_complete(network.app, an_object(patient=patient("H100")))
    with listening(network.app) as port, connected(port) as peer:
        head, *_ = answer = peer.tell(adt("A40^ADT_A39", OTHER, MRG))
        assert (code_of(answer), head[8]) == ("AA", "ACK^A40^ACK")
        assert whose(network.owner) == {"000123": "H200"}
        assert code_of(peer.tell(adt("A37^ADT_A37", PID, OTHER, minute=5))) == "AA"
        assert whose(network.owner) == {"000123": "H100"}


def test_every_message_sent_twice_is_accepted_and_changes_nothing(network: Database) -> None:
    messages = [
        order(),
        adt("A08^ADT_A01", PID, minute=1),
        adt("A31^ADT_A05", OTHER, minute=2),
        adt("A40^ADT_A39", OTHER, MRG, minute=3),
        adt("A47^ADT_A30", "PID|1||H300^^^RXA^PI", "MRG|H200^^^RXA^PI", minute=4),
        adt("A37^ADT_A37", OTHER, "PID|2||H300^^^RXA^PI", minute=5),
    ]
    with listening(network.app) as port, connected(port) as peer:
        assert [code_of(peer.tell(one)) for one in messages] == ["AA"] * 6
        before = (everything(network.owner), _written(network))
        assert [code_of(peer.tell(one)) for one in reversed(messages)] == ["AA"] * 6
    assert (everything(network.owner), _written(network)) == before
    assert whose(network.owner) == {"000123": "H200"}


def test_a_merge_on_nhs_numbers_alone_is_refused_by_the_field_and_merges_nobody(network: Database) -> None:
    numbers = ("PID|1||9990000018^^^NHS^NH", "MRG|9990000026^^^NHS^NH")
    with listening(network.app) as port, connected(port) as peer:
        answer = peer.tell(adt("A40", *numbers))
        assert code_of(answer) == "AR"
        assert error_of(answer) == "PID-3: an NHS number alone; nothing is merged on it, a local identifier is needed"
        answer = peer.tell(adt("A40", OTHER, numbers[1]))
        [error] = [segment for segment in answer if segment[0] == "ERR"]
        assert (error[2], error[3]) == ("MRG^1^1", "204^Unknown key identifier^HL70357")
        assert "999" not in str(answer)
    assert network.count("SELECT count(*) FROM patient") == 0
    assert doubts_of(network.app) == {"message-refused"}


def test_a_cycle_is_refused_with_all_of_its_message(network: Database) -> None:
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(adt("A40", OTHER, MRG))) == "AA"
        before = everything(network.owner)
        answer = peer.tell(adt("A40", "PID|1||H8", "MRG|H9", PID, "MRG|H200^^^RXA^PI", minute=1))
        assert code_of(answer) == "AR"
        assert error_of(answer).startswith("MRG-1: the surviving patient was merged into the retired one")
    assert everything(network.owner) == before
    assert "message-refused" in doubts_of(network.app)


@pytest.mark.parametrize("facility", ["RIS_A", "RIS_B"])
def test_a_ris_speaks_of_its_own_trusts_patients_alone(network: Database, facility: str) -> None:
    receive_and_complete(network.app, an_object(patient=patient("H100")))
    with listening(network.app) as port, connected(port) as peer:
        assert code_of(peer.tell(adt("A40", OTHER, MRG, facility=facility))) == "AA"
    assert whose(network.owner) == {"000123": "H200" if facility == "RIS_A" else "H100"}


def _written(network: Database) -> tuple[int, int]:
    return (
        network.count("SELECT count(*) FROM event"),
        network.count("SELECT count(*) FROM audit.entry"),
    )


def test_what_a_message_says_is_in_no_event_and_no_audit_entry(network: Database) -> None:
    receive_and_complete(network.app, an_object(patient=patient("Zephyr1")))
    with listening(network.app) as port, connected(port) as peer:
        peer.tell(adt("A40", "PID|1||Zephyr2^^^RXA^PI||Zephyrwood^Quill", "MRG|Zephyr1^^^RXA^PI"))
        peer.tell(adt("A08", "PID|1||Zephyr2^^^RXA^PI||Zephyrson^Quill", minute=1))
    assert whose(network.owner) == {"000123": "Zephyr2"}
    with network.owner.connect() as connection:
        told = connection.scalars(
            text("SELECT dimensions::text FROM event UNION ALL SELECT coalesce(payload, '') || action FROM audit.entry")
        ).all()
    assert not [one for one in told if "Zephyr" in one]
