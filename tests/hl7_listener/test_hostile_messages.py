"""Hostile messages: answered with a code and the name of a field, nothing of them told, nothing past the handler."""

from __future__ import annotations

import pytest
import structlog
from sqlalchemy import text

from hl7_listener.desk import Sent
from hl7_listener.limits import Limits
from hl7_listener.service import Service
from tests.conftest import Database
from tests.hl7_listener.ris_peer import PEER, PID, adt, msh, order, result
from tests.worklist.arrivals import the_item
from worklist.db.engine import Viewer, view_as

_LONG, _SECRET = "L" * 300, "Tilda"
_OVERRIDE = "\u202eadliT"


@pytest.mark.parametrize(
    ("message", "code", "place"),
    [
        # values that are too long: of keys nothing may be cut, of names neither
        (order(accession=_LONG), "AR", "ORC-3"),
        (order(pid=f"PID|1||{_LONG}^^^RXA^PI||{_SECRET}"), "AR", "PID-3"),
        (order(pid=f"PID|1||H100^^^RXA^PI||{_LONG}^{_SECRET}"), "AR", "PID-5"),
        (order(obr=f"OBR|1|P77||{_LONG}^{_SECRET}"), "AR", "OBR-4"),
        (order(obr="OBR|1|P77||XCHES" + "|" * 27 + "Q" * 4001), "AR", "OBR-31"),
        (result("F" * 300), "AR", "OBR-25"),
        # control characters, in themselves and escaped
        (order(pid=PID.replace("Tilda", "Til\x00da")), "AR", "MSH"),
        (order(pid=PID.replace("Tilda", "Til\x1bda")), "AR", "MSH"),
        (order(accession="A\\X00\\1"), "AA", None),
        (order(accession="A\\X0D0A\\MSH"), "AA", None),
        (order(accession="\\X" + "41" * 5000 + "\\"), "AR", "ORC-3"),
        (order(accession="\\X4\\"), "AR", "ORC-3"),
        (order(accession="\\" * 5001), "AA", None),
        # character sets
        (order(msh_18="UNICODE UTF-16"), "AR", "MSH-18"),
        (order(msh_18="EBCDIC\\X41\\"), "AR", "MSH-18"),
        (order(msh_18="UNICODE UTF-8").encode() + b"\xff", "AR", "MSH-18"),
        (order(msh_18="UNICODE UTF-8").encode().replace(b"Tilda", b"\xed\xa0\x80"), "AR", "MSH-18"),
        (order(msh_18="UNICODE UTF-8", pid=PID.replace("Tilda", _OVERRIDE)).encode(), "AA", None),
        # separators and headers
        (order().replace("|^~\\&|", "|||||", 1), "AR", "MSH-2"),
        (order().replace("^~\\&", "^^^^", 1), "AR", "MSH-2"),
        (order().replace("^~\\&", "abcd", 1), "AR", "MSH-2"),
        ("MSH|^~\\&" + "|" * 100_000, "AR", "MSH-4"),
        ("MSH|^~\\&|" + "x" * 100_000, "AR", "MSH-4"),
        ("MSH", "AR", "MSH"),
        ("", "AR", "MSH"),
        ("\x00" * 1000, "AR", "MSH"),
        # shape: many, deep, repeated, in the wrong place
        (order(more="ORC|NW||1\rOBR|1||1|X\r" * 101), "AR", "ORC"),
        (order(pid="PID|1||" + "~".join(f"H{n}^^^RXA^PI" for n in range(5000))), "AR", "MSH"),
        (order(pid="PID|1||H100" + "&" * 60_000), "AA", None),
        (msh("ORM^O01") + "\rOBX|1|ED|||" + "A" * 900_000 + "\r" + order().split("\r", 1)[1], "AA", None),
        (order(more=PID), "AR", "PID"),
        (msh("ORU^R01") + "\r" + "OBX|1|TX|X||words\r" * 20_000, "AR", "MSH"),
        (adt("A40", *(f"{PID}\rMRG|M{n}^^^RXA^PI" for n in range(101))), "AR", "PID"),
        (adt("A40", PID, "MRG|" + "~".join(f"M{n}^^^RXA^PI" for n in range(200))), "AA", None),
        # times that are none, and times of other centuries
        (order().replace("|202606101000|", "|00000000000000|"), "AR", "MSH-7"),
        (order().replace("|202606101000|", "|99991231235959|"), "AA", None),
        (order().replace("|202606101000|", "|00010101000000|"), "AA", None),
        (order().replace("|202606101000|", "|20260610100000+9959|"), "AR", "MSH-7"),
        (order(obr="OBR|1|P77||XCHES|||00010101000000|00010101000000-1200"), "AA", None),
        (order(pid="PID|1||H100^^^RXA^PI||||99991231"), "AA", None),
        (order(orc_7="^^^^00010101"), "AA", None),
        # words of other languages than HL7
        (order(accession="' OR 1=1 --"), "AA", None),
        (order(pid=f"PID|1||%s%n{{0}}^^^$(id)^PI||=cmd()^<script>{_SECRET}</script>"), "AA", None),
    ],
)
def test_a_hostile_message_is_answered_by_code_and_field_and_nothing_of_it_is_told(
    network: Database, message: str | bytes, code: str, place: str | None
) -> None:
    octets = message if isinstance(message, bytes) else message.encode("latin_1")
    with structlog.testing.capture_logs() as logs:
        answer = Service(network.app, Limits(statement_seconds=60)).answer(Sent(octets, PEER)).decode("latin_1")
    [msa] = [one.split("|") for one in answer.split("\r") if one.startswith("MSA")]
    told = [one.split("|")[8].split(":")[0].split(".")[0] for one in answer.split("\r") if one.startswith("ERR")]
    assert (msa[1], told) == (code, [place] if place else [])
    assert [one for one in logs if one["log_level"] == "error"] == []
    assert _SECRET not in answer + str(logs)
    assert len(answer) < 2000


def test_what_an_escape_sequence_hides_breaks_no_value_out_of_its_place(network: Database) -> None:
    assert b"MSA|AA|" in Service(network.app, Limits()).answer(
        Sent(order(accession="A\\X0D\\ORC\\F\\CA").encode(), PEER)
    )
    assert the_item(network.app).state == "ordered"
    with network.app.begin() as connection:
        view_as(connection, Viewer(trust="RXA"))
        assert connection.scalar(text("SELECT accession_number FROM order_identity")) == "A ORC|CA"
