"""A corpus of messages after HL7 v2.3 to v2.5.1 and the habits of real RIS: what each says, however it is written."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hl7_listener.dialect import Dialect
from hl7_listener.header import read_header
from hl7_listener.messages import parts_of
from tests.hl7_listener.corpus_files import Filed, facts_of, filed, names

#: What is read of messages beside what the dialect names.
READ_ALWAYS = {"MSH-4", "MSH-7", "MSH-9", "MSH-10", "MSH-18", "ORC-1", "EVN-2", "MRG-1"} | {
    f"PID-{field}" for field in ("3", "5", "5.2", "7", "8")
}
READ_BY_DIALECT = {
    field for key, value in Dialect() if key.endswith("_fields") for field in value if isinstance(value, tuple)
}
#: Segments that begin something: what stands between two of them may stand in any order.
ANCHORS = {"MSH", "PID", "MRG", "ORC", "OBR"}
#: Separators that other senders use.
OTHERS = "#$%*+;!/:@`{}<>="


@pytest.mark.parametrize("name", names())
def test_a_message_of_the_corpus_says_what_stands_beside_it(name: str) -> None:
    message = filed(name)
    assert facts_of(message.octets, message.dialect, message.received_at) == message.facts


def test_the_corpus_has_every_kind_of_message_and_of_what_is_said() -> None:
    messages = [filed(name) for name in names()]
    kinds = {read_header(one.octets).kind for one in messages}
    assert kinds == {"ORM^O01", "OMI^O23", "ORU^R01", "ADT^A08", "ADT^A31", "ADT^A40", "ADT^A47", "ADT^A37"}
    facts = [one.facts for one in messages]
    assert {one["control"] for said in facts for one in said.get("order", ())} == {"new", "change", "cancel"}
    assert {one["status"] for said in facts for one in said.get("report", ())} == {"preliminary", "final", "withdrawn"}
    assert {one["being_read"] for said in facts for one in said.get("reading", ())} == {True, False}
    assert {name for said in facts for name in said} == {
        *("order", "reading", "report", "update", "merge", "unlink", "fault")
    }


@pytest.mark.parametrize("path", sorted(READ_ALWAYS | READ_BY_DIALECT))
def test_the_corpus_values_every_field_that_is_read(path: str) -> None:
    segment, number, component = parts_of(path)
    for name in names():
        for fields in _segments(filed(name)):
            # MSH-1 is the separator itself
            place = number - 1 if segment == "MSH" else number
            if fields[0] == segment and len(fields) > place:
                parts = fields[place].split("~")[0].split("^")
                if len(parts) >= (component or 1) and parts[(component or 1) - 1] not in ("", '""'):
                    return
    pytest.fail(f"no message of the corpus values {path}")


def _segments(message: Filed) -> Iterator[list[str]]:
    """Give the segments of a message with the usual separators."""
    text = message.octets.decode("latin_1")
    if text[3] == "|":
        for line in text.split("\r"):
            yield line.split("|")


_taken = st.sampled_from(names())


@settings(max_examples=400)
@given(_taken, st.randoms(use_true_random=False))
def test_a_message_says_the_same_however_it_is_written(name: str, chance: random.Random) -> None:
    message = filed(name)
    assert facts_of(_written_anew(message.octets, chance), message.dialect, message.received_at) == message.facts


@pytest.mark.proof
@settings(max_examples=50_000, derandomize=False)
@given(_taken, st.randoms(use_true_random=False))
def test_a_message_says_the_same_in_any_of_many_ways_to_write_it(name: str, chance: random.Random) -> None:
    message = filed(name)
    assert facts_of(_written_anew(message.octets, chance), message.dialect, message.received_at) == message.facts


def _written_anew(octets: bytes, chance: random.Random) -> bytes:
    """Write a message in another way: order and number of what is not read, separators, line ends, padding."""
    text = octets.decode("latin_1")  # one character for each byte: what is changed is ASCII in every set
    lines = text.strip("\r").split("\r")
    if chance.random() < 0.7:
        lines = _reordered(lines, chance)
    separators = text[3] + text[4:8]
    lines = [line if line[:3] == "MSH" else _padded(line, separators, chance) for line in lines]
    if chance.random() < 0.5:
        lines = _with_more_segments(lines, text[3], chance)
    again = chance.choice(["\r", "\r", "\n", "\r\n"]).join(lines)
    # what is escaped is a separator of its own message: with another one it says another character
    if chance.random() < 0.5 and separators[3] not in "".join(lines[1:]):
        free = [one for one in OTHERS if one not in again]
        if len(free) >= len(separators):
            again = again.translate(str.maketrans(separators, "".join(chance.sample(free, len(separators)))))
    return (again + chance.choice(["", "\r", "\r\r", "\r\n", " "])).encode("latin_1")


def _reordered(lines: list[str], chance: random.Random) -> list[str]:
    """Shuffle what stands between two anchors; of segments of one name the order stays."""
    blocks: list[list[str]] = []
    for line in lines:
        if line[:3] in ANCHORS or not blocks:
            blocks.append([line])
        else:
            blocks[-1].append(line)
    found = []
    for anchor, *rest in blocks:
        shuffled = chance.sample(rest, len(rest))
        of_name = {name: iter([one for one in rest if one[:3] == name]) for name in {one[:3] for one in rest}}
        found += [anchor, *(next(of_name[one[:3]]) for one in shuffled)]
    return found


def _padded(line: str, separators: str, chance: random.Random) -> str:
    """Put spaces around values, separators at the end, and words into fields beyond those of the standard."""
    field, component, repetition = separators[0], separators[1], separators[2]
    fields = line.split(field)
    for place, value in enumerate(fields[1:], start=1):
        if value and chance.random() < 0.3:
            whole = [one.split(component) for one in value.split(repetition)]
            spaced = [component.join(f" {part} " if part else part for part in one) for one in whole]
            fields[place] = repetition.join(spaced)
        elif value and chance.random() < 0.2:
            fields[place] = value + component * chance.randint(1, 3)
    if chance.random() < 0.3:
        fields += [""] * chance.randint(1, 4)
    if chance.random() < 0.2 and len(fields) < 56:
        fields += [""] * (56 - len(fields)) + ["beyond", "the standard"]
    return field.join(fields)


def _with_more_segments(lines: list[str], field: str, chance: random.Random) -> list[str]:
    found = list(lines)
    for _ in range(chance.randint(1, 4)):
        more = [f"ZQQ{field}1{field}of this sender", "ZQQ", f"NTE{field}1{field}{field}a note", "", "pid"]
        found.insert(chance.randint(1, len(found)), chance.choice(more))
    return found
