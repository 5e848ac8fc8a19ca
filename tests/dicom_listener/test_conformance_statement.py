"""The written conformance statement says what the code does: a change of either without the other fails here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.charset import python_encoding
from pydicom.datadict import tag_for_keyword
from pynetdicom.ae import ApplicationEntity

from api.dicom_web.limits import StoreLimits
from api.pacs_calls import PacsCalls
from dicom_listener.admission import RejectionReason
from dicom_listener.client.commitment_report import ATTEMPT_AFTER_SECONDS
from dicom_listener.client.enquiries import STUDIES_IN_A_ROUND
from dicom_listener.client.off_peak import MOST_DAYS
from dicom_listener.client.query_address import Manners
from dicom_listener.client.study_answer import KEYS
from dicom_listener.conformance import SERVICES, STORAGE_COMMITMENT_INSTANCE, Role, Service, Status, TransferSyntaxes
from dicom_listener.header import read
from dicom_listener.header.data_elements import MAX_SEQUENCE_DEPTH, Wanted
from dicom_listener.header.values import MAX_VALUE_BYTES
from dicom_listener.limits import Limits
from dicom_listener.services import availability, performed_procedure_step, storage_commitment
from dicom_listener.services.performed_procedure_step import NO_LONGER_UPDATED
from dicom_listener.services.storage import CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH_SOP_CLASS, OUT_OF_RESOURCES
from dicom_listener.services.storage_commitment import FAILURES_EXIST, NO_SUCH_OBJECT_INSTANCE
from dicom_listener.upper_layer.message import ProtocolFault
from dicom_listener.upper_layer.negotiation import (
    APPLICATION_CONTEXT_NAME,
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    MAX_OPERATIONS_INVOKED,
    takes_transfer_syntax,
)

STATEMENT = (Path(__file__).parents[2] / "docs" / "dicom-conformance.md").read_text()
LINES = STATEMENT.splitlines()
PROVIDED = [each for each in SERVICES if each.role is Role.SCP]
USED = [each for each in SERVICES if each.role is Role.SCU]
#: What every provider answers to an operation that no service is for.
ELSEWHERE = {Status.UNRECOGNIZED_OPERATION}
TRANSFER_SYNTAXES = {
    uid: name for uid, (name, kind, *_) in UID_dictionary.items() if kind == "Transfer Syntax" and "Papyrus" not in name
}


def table(heading: str, place: int = 0) -> list[list[str]]:
    """Give the rows of a table below a heading, counted from it."""
    begin = LINES.index(heading) + 1
    end = next((n for n, line in enumerate(LINES[begin:], begin) if line.startswith("#")), len(LINES))
    tables: list[list[list[str]]] = []
    for before, line in zip(["", *LINES[begin:end]], LINES[begin:end], strict=False):
        if line.startswith("|"):
            if not before.startswith("|"):
                tables.append([])
            tables[-1].append([cell.strip() for cell in line.strip("|").split("|")])
    return tables[place][2:]


def told_of(service: Service) -> Iterator[list[str]]:
    told = [service.role.name, service.transfer_syntaxes.value]
    if not service.sop_classes:
        yield [service.name, "every storage SOP class", "see below", *told]
    for uid, name in service.sop_classes:
        yield [service.name, name, uid, *told]


# Services ------------------------------------------------------------------------------------------------------


def test_the_listener_provides_the_sop_classes_of_the_statement() -> None:
    assert table("### 3.1 SOP classes") == [row for each in PROVIDED for row in told_of(each)]


def test_the_enquirer_uses_the_sop_classes_of_the_statement() -> None:
    assert table("### 4.1 SOP classes") == [row for each in USED for row in told_of(each)]


def test_the_overview_names_every_service_in_its_role() -> None:
    overview = {row[0].split(" (")[0]: {"SCU": row[1], "SCP": row[2]} for row in table("## 1 Overview")}
    for service in SERVICES:
        assert overview[service.name][service.role.name] == "yes"
    yes = [(name, role) for name, row in overview.items() for role, told in row.items() if told == "yes"]
    assert len(yes) == len(SERVICES) + 1  # and STOW-RS


@pytest.mark.parametrize("service", PROVIDED, ids=lambda each: each.name)
def test_every_status_of_a_service_stands_under_it_and_no_other(service: Service) -> None:
    told = [(row[0], row[1]) for row in table(f"#### {service.name}")]
    assert sorted(told) == sorted((name, code(one)) for name, all_ in service.statuses.items() for one in all_)
    assert all(row[2] for row in table(f"#### {service.name}"))


def test_every_status_that_there_is_stands_in_the_statement() -> None:
    answered = {one for each in PROVIDED for all_ in each.statuses.values() for one in all_}
    assert answered | ELSEWHERE == set(Status)
    assert all(f"{code(one)} (unrecognized operation)" in STATEMENT for one in ELSEWHERE)


def test_an_ended_step_is_refused_with_the_error_id_of_the_statement() -> None:
    (row,) = [row for row in table("#### Modality Performed Procedure Step") if row[:2] == ["N-SET", "0110H"]]
    assert f"Error ID {code(NO_LONGER_UPDATED)}" in row[2]


def test_a_commitment_is_refused_in_the_words_of_the_statement() -> None:
    section = between("#### Storage Commitment", "### 3.6")
    assert f"event type {FAILURES_EXIST} (failures exist)" in section
    assert f"Failure Reason {code(NO_SUCH_OBJECT_INSTANCE)} (no such object instance)" in section
    assert f"the well-known one ({STORAGE_COMMITMENT_INSTANCE})" in section
    assert (
        f"{', '.join(f'{each:g}' for each in ATTEMPT_AFTER_SECONDS[:-1])} and {ATTEMPT_AFTER_SECONDS[-1]:g}" in section
    )


def test_a_store_request_fails_for_the_reasons_of_the_statement() -> None:
    told = {row[0] for row in table("## 5 Store over the web", 1)}
    assert told == {code(one) for one in (CANNOT_UNDERSTAND, DATA_SET_DOES_NOT_MATCH_SOP_CLASS, OUT_OF_RESOURCES)}


# Associations --------------------------------------------------------------------------------------------------


def test_associations_are_agreed_on_under_the_names_of_the_statement() -> None:
    told = dict(table("### 3.2 Association policies"))
    assert told["application context name"] == APPLICATION_CONTEXT_NAME
    assert told["implementation class UID"] == IMPLEMENTATION_CLASS_UID
    assert told["implementation version name"] == IMPLEMENTATION_VERSION_NAME
    assert f"at most {MAX_OPERATIONS_INVOKED} operations invoked" in told["asynchronous operations window"]


def test_associations_are_rejected_for_the_reasons_of_the_statement() -> None:
    told = {(*map(int, row[:3]), row[3].replace(" ", "_").upper()) for row in table("### 3.3 Acceptance")}
    assert told == {(*one.value, one.name) for one in RejectionReason}


def test_the_reasons_of_an_abort_stand_in_the_statement() -> None:
    told = re.findall(r"(\d) \(", between("service provider (source 2), with reason", "from the service user"))
    reasons = {value for name, value in vars(ProtocolFault).items() if name.isupper()}
    assert {int(reason) for reason in told} == reasons


@pytest.mark.parametrize(
    ("heading", "place", "limits"),
    [
        ("### 3.2 Association policies", 1, Limits()),
        ("### 4.2 Association policies", 0, Manners()),
        ("## 5 Store over the web", 2, StoreLimits()),
    ],
    ids=["listener", "enquirer", "store"],
)
def test_the_limits_are_those_of_the_statement(heading: str, place: int, limits: Any) -> None:
    told = {row[0]: row[1] for row in table(heading, place)}
    values = {each.name: getattr(limits, each.name) for each in fields(limits)}
    assert told == {f"`{name}`": quantity(name, value) for name, value in values.items() if is_number(value)}
    assert all(row[2] for row in table(heading, place))


def test_the_enquirer_calls_itself_what_the_statement_says() -> None:
    assert f"`{Manners().calling_ae_title}` without one" in STATEMENT
    asked = PacsCalls()._manners
    assert f"answers within\n{asked.answer_seconds:g} s and {asked.max_answers} of them at most" in STATEMENT
    assert f"announces PDUs of {ApplicationEntity().maximum_pdu_size} bytes" in STATEMENT


# Encodings -----------------------------------------------------------------------------------------------------


def test_every_transfer_syntax_is_taken_or_refused_as_the_statement_says() -> None:
    told = {row[1]: (row[2], row[3]) for row in table("### 3.4 Transfer syntaxes")}
    assert told == {
        uid: (
            word(takes_transfer_syntax(uid, TransferSyntaxes.NOT_DEFLATED)),
            word(takes_transfer_syntax(uid, TransferSyntaxes.UNCOMPRESSED)),
        )
        for uid in TRANSFER_SYNTAXES
    }


def test_the_character_sets_are_those_of_the_statement() -> None:
    told = {term for row in table("## 8 Character sets") for term in row[1].replace("`", "").split(", ")}
    assert told == {term for term in python_encoding if term}


# Attributes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "wanted"),
    list(enumerate((read.WANTED, performed_procedure_step._WANTED, availability._WANTED, storage_commitment._WANTED))),
    ids=["storage", "step", "notice", "commitment"],
)
def test_the_attributes_that_are_read_are_those_of_the_statement(place: int, wanted: Wanted) -> None:
    told = {(row[0], row[1]): row[2] for row in table("### 3.6 Attributes that are read", place)}
    assert set(told) == set(attributes(wanted))
    assert all(told.values())


def test_values_are_read_within_the_bounds_of_the_statement() -> None:
    assert f"Values over {MAX_VALUE_BYTES} bytes are not decoded" in STATEMENT
    assert f"sequences lie deeper than {MAX_SEQUENCE_DEPTH}" in STATEMENT
    assert f"the OID {read.NHS_NUMBER_OID}" in STATEMENT


def test_a_query_asks_for_the_keys_of_the_statement() -> None:
    (line,) = [line for line in LINES if line.startswith("Return keys: ")]
    assert line.removeprefix("Return keys: ").removesuffix(".").split(", ") == list(KEYS)
    when = {row[0]: " ".join(row) for row in table("### 4.3 Queries")}
    assert f"up to {STUDIES_IN_A_ROUND} in an association" in when["a study that is arriving"]
    assert f"at most {MOST_DAYS} days" in when["whole days"]


def attributes(wanted: Wanted, within: str = "") -> Iterator[tuple[str, str]]:
    """Give what is wanted as path and tag, sequences before what they hold."""
    for keyword, inner in wanted.values():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        yield f"{within}{keyword}", f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        if inner is not None:
            yield from attributes(inner, f"{within}{keyword} > ")


def code(status: int) -> str:
    return f"{status:04X}H"


def quantity(name: str, value: float) -> str:
    unit = "bytes" if "bytes" in name else "s" if name.endswith("_seconds") else ""
    return f"{value:g} {unit}".strip() if isinstance(value, float) else f"{value} {unit}".strip()


def is_number(value: object) -> bool:
    return isinstance(value, int | float)


def word(taken: bool) -> str:
    return "yes" if taken else "no"


def between(heading: str, following: str) -> str:
    return STATEMENT.split(heading)[1].split(following)[0]
