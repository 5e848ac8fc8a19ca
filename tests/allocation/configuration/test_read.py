"""Whatever is wrong in a configuration is told with file, line and key, all at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from allocation.configuration.read import Fault, InvalidConfiguration, read_files, read_texts
from allocation.configuration.references import Known, check_references
from allocation.configuration.source_lines import line_of

REPORTER = """\
# a comment
[[trust]]
ods_code = "RXA"
name = "Alder Vale"

[[scope]]
code = "hands"
version = 1
name = "Hands"
exam_codes = [
  "XHANL",
  "XHANR",
]
signed_by = "Lead"
valid_from = 2025-01-01
valid_until = 2030-01-01

[[reporter]]
id = "hart"
name = "Hana Hart"
profession = "radiographer"
grade = "advanced"
registrations = [{ body = "HCPC", number = "RA1", valid_until = 2030-01-01 }]
engagements = [{ code = "hart-rxa", payer = "RXA", kind = "bank", valid_from = 2020-01-01 }]
entitlements = []
grants = [
  { scope = "hands", level = "autonomous", signatory = "Lead", valid_from = 2025-01-01, valid_until = 2030-01-01 },
  # the next one is longer
  { scope = "hands", level = "trainee", signatory = "L # not", valid_from = 2025-01-01, valid_until = 2030-01-01 },
]
"""
NETWORK = Path(__file__).parents[2] / "network.toml"


def test_a_whole_network_is_read() -> None:
    network = read_files([NETWORK]).network
    assert [row.id for row in network.reporter] == ["reed", "hart", "cole", "tran"]
    assert check_references(read_files([NETWORK]), Known()) == []


#: A source as far as its completeness.
_SOURCE = '[[source]]\nae_title = "P"\ntrust = "RXA"\naddress = "::1"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "what"),
    [
        ('[[trust]]\node_code = "RXA"\n', 1, "trust[0].ods_code", "required"),
        ('[[trust]]\nods_code = "RXA"\nname = "A"\ncolour = 3\n', 4, "trust[0].colour", "there are `ods_code`, `name`"),
        ('[[trust]]\nods_code = "RXA"\nnane = "A"\n', 3, "trust[0].nane", "did you mean `name`?"),
        ('[[reporter]]\n[[reporter.grants]]\nscop = "A"\n', 3, "reporter[0].grants[0].scop", "did you mean `scope`?"),
        ('[[trust]]\nods_code = "RXA"\nname = "A"\n[[trusts]]\n', 4, "trusts", "did you mean `trust`?"),
        ('[[trust]]\nods_code = "RXA"\nname = "A"\n\n[[trust]]\n\nods_code = "rxb"\nname = "B"\n', 7,
         "trust[1].ods_code", "pattern"),
        ('[[trust]]\nods_code = 7\nname = "A"\n', 2, "trust[0].ods_code", "valid string"),
        ('[[trusts]]\nods_code = "RXA"\n', 1, "trusts", "no such key"),
        ('[trust]\nods_code = "RXA"\n', 1, "trust", "valid tuple"),
        ('title = "x"\n', 1, "title", "there are `trust`, `source`"),
        ('[[source]]\nae_title = "P"\ntrust = "RXA"\naddress = "::1"\nservices = [\n  { name = "ED" },\n'
         '  { name = "GP",  setting = "village" },\n]\n', 7, "source[0].services[1].setting", "emergency"),
        ('[[source]]\nae_title = "P"\ntrust = "RXA"\n', 1, "source[0]", "proves nothing"),
        *(
            (f'[[source]]\nae_title = "P"\ntrust = "RXA"\naddress = "{address}"\n', 4, "source[0].address", told)
            for address, told in (("pacs.example", "no IP address"), ("10.20.30.0/99", "no IP address"),
                                  ("", "no IP address"), ("0.0.0.0/0", "every address"))
        ),
        ('[[source]]\nae_title = "P"\ntrust = "RXA"\naddress = "::1"\nquiet_seconds = -1\n', 5,
         "source[0].quiet_seconds", "greater than or equal to 0"),
        (f'{_SOURCE}completeness = {{ signals = ["mpps"] }}\n', 5,
         "source[0].completeness.signals[0]", "procedure_step"),
        (f'{_SOURCE}completeness = {{ signals = ["procedure_step", "procedure_step"] }}\n', 5,
         "source[0].completeness", "give each once"),
        (f"{_SOURCE}completeness = {{ longest_wait_seconds = 60 }}\n", 5, "source[0].completeness", "name some"),
        (f'{_SOURCE}completeness = {{ signals = ["expected_count"], quiet_seconds = 90, longest_wait_seconds = 60 }}\n',
         5, "source[0].completeness", "shorter than `quiet_seconds`"),
        (f"{_SOURCE}quiet_seconds = 5\ncompleteness = {{ quiet_seconds = 9 }}\n", 1, "source[0]", "once"),
        (f'{_SOURCE}claim_while_arriving = {{ urgencies = ["soon"] }}\n', 5,
         "source[0].claim_while_arriving.urgencies[0]", "stroke"),
        ('[[rate_card]]\ncode = "n"\nversion = 1\nname = "N"\nvalid_from = 2025-01-01\napproved_by = ["A", "B"]\n'
         '[[rate_card.tariffs]]\ncode = "xr"\nunit = "per_exam"\namount_pence = 300\npurposes = ["first"]\n'
         '[[rate_card.tariffs]]\ncode = "ct"\nunit = "per_exam"\namount_pence = 3.5\npurposes = [\n  "first",\n'
         '  "third",\n]\n', 15, "rate_card[0].tariffs[1].amount_pence", "valid integer"),
        ('[[target]]\nid = "t"\ntarget = "4 fortnights"\nvalid_from = 2025-01-01\nsource = "x"\n', 3,
         "target[0].target", "is not a span"),
        ('[[session]]\nid = "s"\nreporter = "r"\nengagement = "e"\nkind = "duty"\nstarts = 2026-06-10T12:00:00\n'
         "ends = 2026-06-10T12:00:00\n", 1, "session[0]", "does not lie after"),
        ('[[session]]\nid = "s"\nreporter = "r"\nengagement = "e"\nkind = "insourced"\nstarts = 2026-06-10T12:00:00\n'
         "ends = 2026-06-10T13:00:00\n", 1, "session[0]", "outside_job_plan"),
    ],
)  # fmt: skip
def test_a_fault_names_line_and_key_and_what_would_mend_it(text: str, line: int, key: str, what: str) -> None:
    faults = _faults(text)
    told = [(fault.file, fault.line, fault.key) for fault in faults]
    assert ("a.toml", line, key) in told
    assert any(what in fault.what for fault in faults if fault.key == key)


def test_every_fault_is_told_at_once() -> None:
    text = '[[rate_card]]\ncode = "n"\nversion = 0\nname = ""\nvalid_from = "x"\napproved_by = ["A"]\ntariffs = []\n'
    keys = {fault.key for fault in _faults(text)}
    assert keys == {f"rate_card[0].{key}" for key in ("version", "name", "valid_from", "approved_by", "tariffs")}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[[trust]\n", 1),
        ("[[trust]]\nname = \n", 2),
        ('[[trust]]\nname = "A"\nname = "B"\n', 3),
        ('[[trust]]\nname = "A"\n\nods_code = [1,\n2\n\n', 5),
        ('a = 1\nb = 2\nc = """never closed\n', 3),
    ],
)
def test_what_is_not_toml_is_told_with_its_line(text: str, line: int) -> None:
    (fault,) = _faults(text)
    assert (fault.file, fault.line) == ("a.toml", line)
    assert fault.what.startswith("not TOML")


def test_a_file_that_is_missing_or_not_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    for name in ("missing.toml", "latin.toml"):
        with pytest.raises(InvalidConfiguration) as refusal:
            read_files([tmp_path / name])
        assert refusal.value.faults[0].file.endswith(name)
        assert "cannot be read" in refusal.value.faults[0].what


def test_of_several_files_the_one_at_fault_is_named_with_its_own_line_and_number() -> None:
    one = '[[trust]]\nods_code = "RXA"\nname = "A"\n'
    other = '\n\n[[trust]]\nods_code = "RXB"\nname = "B"\n[[trust]]\nods_code = "rxc"\nname = "C"\n'
    with pytest.raises(InvalidConfiguration) as refusal:
        read_texts([("a.toml", one), ("b.toml", other), ("c.toml", one)])
    assert [(fault.file, fault.line, fault.key) for fault in refusal.value.faults] == [
        ("b.toml", 7, "trust[1].ods_code")
    ]


def test_a_table_that_should_be_several_is_told_in_the_file_where_it_stands() -> None:
    texts = [("a.toml", '[[trust]]\nods_code = "RXA"\nname = "A"\n'), ("b.toml", '\n[trust]\nods_code = "RXB"\n')]
    with pytest.raises(InvalidConfiguration) as refusal:
        read_texts(texts)
    assert [(fault.file, fault.line, fault.key) for fault in refusal.value.faults] == [("b.toml", 2, "trust")]


def test_rows_of_several_files_come_together() -> None:
    one, other = '[[trust]]\nods_code = "RXA"\nname = "A"\n', '[[trust]]\nods_code = "RXB"\nname = "B"\n'
    network = read_texts([("a.toml", one), ("b.toml", other)]).network
    assert [row.ods_code for row in network.trust] == ["RXA", "RXB"]


def test_no_file_is_an_empty_network() -> None:
    assert read_texts([]).network.trust == ()


def test_times_without_an_offset_are_london_s_and_may_stand_beside_times_with_one() -> None:
    text = (
        '[[session]]\nid = "s"\nreporter = "r"\nengagement = "e"\nkind = "duty"\n'
        "starts = 2026-06-10T12:00:00\nends = 2026-06-10T12:30:00Z\n"
    )
    (session,) = read_texts([("a.toml", text)]).network.session
    assert session.starts.astimezone(UTC) == datetime(2026, 6, 10, 11, tzinfo=UTC)
    assert session.ends.astimezone(UTC) == datetime(2026, 6, 10, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "line", "key", "what"),
    [
        (('payer = "RXA"', 'payer = "RXX"'), 24, "reporter[0].engagements[0].payer", "no trust 'RXX'"),
        (('"XHANR"', '"XHANQ"'), 12, "scope[0].exam_codes[1]", "no exam 'XHANQ'"),
        (('scope = "hands", level = "trainee", signatory = "L #', 'scope = "feet", level = "autonomous",'
          ' signatory = "L #'), 29, "reporter[0].grants[1].scope", "no scope 'feet'"),
        (("\n", "\n"), 29, "reporter[0].grants[1].scope", "'hands' stands twice"),
        (('body = "HCPC"', 'body = "GMC"'), 23, "reporter[0].registrations", "needs a registration with the HCPC"),
        (("valid_from = 2025-01-01, valid_until = 2030-01-01 },\n  #", "min_age_years = 3, valid_from = 2025-01-01,"
          ' valid_until = 2030-01-01 },\n  #'), 27, "reporter[0].grants[0].min_age_years", "wider than the scope"),
    ],
)  # fmt: skip
def test_a_reference_that_leads_nowhere_is_told_where_it_stands(
    change: tuple[str, str], line: int, key: str, what: str
) -> None:
    text = REPORTER.replace(*change)
    if "min_age" in key:
        text = text.replace('signed_by = "Lead"', 'min_age_years = 16\nsigned_by = "Lead"')
        line += 1
    read = read_texts([("a.toml", text)])
    faults = check_references(read, Known(exams=frozenset({"XHANL", "XHANR"})))
    assert (line, key) in [(fault.line, fault.key) for fault in faults]
    assert any(what in fault.what for fault in faults)


def test_an_engagement_of_another_reporter_can_neither_be_taken_nor_worked_in() -> None:
    session = (
        '[[session]]\nid = "s"\nreporter = "hart"\nengagement = "reed-rxa"\nkind = "duty"\n'
        "starts = 2026-06-10T12:00:00\nends = 2026-06-10T13:00:00\n"
    )
    read = read_texts([("a.toml", REPORTER + session)])
    known = Known(exams=frozenset({"XHANL", "XHANR"}), engagements={"hart-rxa": "reed", "reed-rxa": "reed"})
    keys = {fault.key for fault in check_references(read, known)}
    assert {"reporter[0].engagements[0].code", "session[0].engagement"} <= keys


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("plain",), 1),
        (("dotted", "inner", "key"), 2),
        (("dotted", "inner", "missing"), 2),
        (("words",), 3),
        (("words", 1), 5),
        (("nested", 1, 1), 8),
        (("inline", "b", "c"), 9),
        (("long",), 10),
        (("after",), 14),
        (("quoted key.with dot",), 15),
        (("table", "a"), 18),
        (("rows", 0, "n"), 21),
        (("rows", 1, "cells", 1, "n"), 27),
        (("rows", 1, "sub", "k"), 29),
        (("rows", 2), 30),
        (("rows", 2, "missing", 3, "deep"), 30),
        (("nowhere",), 1),
    ],
)
def test_a_location_is_found_on_its_line(location: tuple[str | int, ...], line: int) -> None:
    assert line_of(PLACES, location) == line


PLACES = '''\
plain = 1.5e3 # after = 3
dotted.inner.key = "x"
words = [
  "one, [two]",
  'three # four', ]

nested = [[1, 2],
  [3, 4]]
inline = { a = [1, { z = 2 }], b = { c = 2026-06-10T12:00:00.5Z } }
long = """
[[rows]]
after = "not here"
"quoted" \\""" still here"""
after = 'C:\\path'
"quoted key.with dot" = true

[table] # [other]
a = -0.5

[[rows]]
  n = 1
[[rows]]
[[rows.cells]]
n = 1

[[rows.cells]]
n = 2
[rows.sub]
k = "v"
[[rows]]
'''


def _faults(text: str) -> tuple[Fault, ...]:
    with pytest.raises(InvalidConfiguration) as refusal:
        read_texts([("a.toml", text)])
    return refusal.value.faults
