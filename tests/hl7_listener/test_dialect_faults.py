"""What is wrong with a dialect is said when it is imported, with its key and what would mend it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from hl7_listener.dialect_faults import FIELDS, faults_of

RIS = """
[[trust]]
ods_code = "RXA"
name = "Alder Vale (synthetic)"

[[ris]]
trust = "RXA"
sending_facility = "RIS_A"
dialect = { DIALECT }
"""


@pytest.mark.parametrize(
    ("dialect", "place", "what"),
    [
        ({"acession_fields": ["ORC-3"]}, ("acession_fields",), "no such key; did you mean `accession_fields`?"),
        ({"zzz": 1}, ("zzz",), "no such key; keys are accession_fields, "),
        ({"sent": {"valuetype": "TX"}}, ("sent", "valuetype"), "no such key; did you mean `value_type`?"),
        ({"accession_fields": ["ORC.3"]}, ("accession_fields", 0), "'ORC.3' is not a field such as OBR-4"),
        ({"accession_fields": ["ORC-3", "ORB-3"]}, ("accession_fields", 1), "no segment ORB in what is read here"),
        ({"accession_fields": ["ORB-3"]}, ("accession_fields", 0), "did you mean OBR or OBX or ORC?"),
        ({"accession_fields": ["XYW-3"]}, ("accession_fields", 0), "give one of AL1, "),
        ({"placer_fields": ["ORC-32"]}, ("placer_fields", 0), "ORC has 31 fields"),
        ({"exam_fields": ["OBR-51.1"]}, ("exam_fields", 0), "OBR has 50 fields"),
        ({"placer_fields": ["IN2-60"]}, ("placer_fields", 0), "IN2 has 59 fields to read"),
        ({"placer_fields": ["ZXX-60"]}, ("placer_fields", 0), "of ZXX the first 59 fields are read"),
        ({"requester_fields": ["MSH-3"]}, ("requester_fields", 0), "MSH is the message's header"),
        ({"clinical_question_fields": ["OBX-5"]}, ("clinical_question_fields", 0), "OBX-5 is never read"),
        ({"settings": {"PV1-10": {"ITU": "critical_care"}}}, ("settings", "PV1-10"), "add it to `setting_fields`"),
        ({"settings": {"PV1-3": {"ITU": "nowhere"}}}, ("settings", "PV1-3", "ITU"), "Input should be"),
        ({"character_set": "EBCDIC"}, ("character_set",), "known character sets are ASCII"),
    ],
)
def test_a_fault_of_a_dialect_names_its_place_and_the_remedy(
    dialect: dict[str, Any], place: tuple[str | int, ...], what: str
) -> None:
    [(found, told)] = faults_of(dialect)
    assert found == place
    assert what in told


@pytest.mark.parametrize(
    "dialect",
    [
        {},
        {"accession_fields": ["ZDS-59", "IPC-1", "OBR-18.1"]},
        {"setting_fields": ["PV1-10"], "settings": {"PV1-10": {"itu": "critical_care"}}},
        {"orders_are_whole": True, "sent": {"value_type": "TX"}},
    ],
)
def test_a_dialect_that_says_what_is_read_is_taken(dialect: dict[str, Any]) -> None:
    assert faults_of(dialect) == []


@pytest.mark.parametrize("segment", FIELDS)
def test_the_segments_have_as_many_fields_as_others_read_in_the_standard(segment: str) -> None:
    published = importlib.import_module("hl7apy.v2_5_1.segments").SEGMENTS
    assert len(published[segment][1]) == FIELDS[segment]


def test_an_import_names_line_key_and_remedy_of_every_fault_and_touches_no_database(tmp_path: Path) -> None:
    file = tmp_path / "network.toml"
    file.write_text(RIS.replace("DIALECT", 'accession_fields = ["ORC-3", "ORB-3"], urgencyfields = ["OBR-5"]'))
    shown = CliRunner().invoke(app, ["import", str(file), "--data", str(tmp_path / "nowhere")])
    assert shown.exit_code != 0
    file.write_text(RIS.replace("DIALECT", 'accession_fields = ["ORC-3", "ORB-3"]'))
    shown = CliRunner().invoke(app, ["import", str(file), "--data", str(tmp_path / "nowhere")])
    told = "no segment ORB in what is read here; did you mean OBR or OBX or ORC?"
    assert str(shown.exception) == f"{file}:9: ris[0].dialect.accession_fields[1]: {told}"
    assert not (tmp_path / "nowhere").exists()


def test_the_schema_of_a_document_has_the_keys_of_a_dialect() -> None:
    shown = CliRunner().invoke(app, ["import", "--schema"])
    assert '"orders_are_whole"' in shown.stdout
