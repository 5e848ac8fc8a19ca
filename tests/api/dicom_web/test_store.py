"""Instances and metadata sent over HTTP become the same work as by C-STORE, and each is answered for."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)
from sqlalchemy import bindparam, text

from api.permissions import Role
from dicom_listener.arrivals import Arrivals
from tests.api.dicom_web.sending import (
    BOUNDARY,
    FAILED,
    INSTANCE_UID,
    INSTANCES,
    METADATA,
    OTHERS,
    STUDIES,
    STUDY_UID,
    an_instance,
    body,
    file_of,
    instances,
    metadata,
    pacs,
    pieces,
    post,
    reasons,
    sequence,
    stored,
)
from tests.api.dicom_web.storing import (
    a_database_at_the_same_time,
    accessions,
    counts,
    exceptions,
    limited,
    rss_bytes,
    state_of,
)
from tests.api.serving import Served, turned_to
from tests.dicom_listener.dicom_peers import code, running_listener, scu, send
from worklist.intake.arrived import digest_of


def test_an_independent_client_stores_instances(api: Served) -> None:
    token = api.token("pacs", Role.PACS_MANAGER, trust="RXA")
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        client = DICOMwebClient(f"{api.url}/api/v1/dicom-web/PACS_A", session=session)
        answer = client.store_instances([an_instance(1), an_instance(2)])
        again = client.store_instances([an_instance(1)], study_instance_uid=STUDY_UID)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == [
        f"{STUDY_UID}.1.1",
        f"{STUDY_UID}.1.2",
    ]
    assert "FailedSOPSequence" not in answer
    assert len(again.ReferencedSOPSequence) == 1
    assert counts(api.database) == [(1, 2)]


def test_the_same_objects_by_c_store_and_over_http_give_the_same_worklist(
    clone: Any, network_template: str, api: Served
) -> None:
    described = {"ProcedureCodeSequence": [code("CHEAD", meaning="CT Head")], "SpecificCharacterSet": "ISO_IR 100"}
    objects = [an_instance(number, PatientName="Müller^Zoë", **described) for number in (1, 2, 3)]
    other = a_database_at_the_same_time(clone, network_template)
    arrivals = Arrivals(other.app, 0)
    with (
        running_listener(
            admit=arrivals.admit, answer=lambda one: arrivals.take([one])[0], refuse=arrivals.refuse
        ) as listener,
        scu(listener.port, ae_title="PACS_A") as association,
    ):
        assert [send(association, one).Status for one in objects] == [0, 0, 0]
    assert post(pacs(api), instances(*objects)).status_code == 200
    state = state_of(api.database)
    assert state == state_of(other)
    assert len(state) == 1
    assert "Müller" in str(state)


def test_metadata_give_the_same_worklist_as_instances(api: Served, clone: Any, network_template: str) -> None:
    described = {"ProcedureCodeSequence": [code("CHEAD", meaning="CT Head")], "SpecificCharacterSet": "ISO_IR 192"}
    objects = [an_instance(number, PatientName="Müller^Zoë=穆勒", **described) for number in (1, 2)]
    other = a_database_at_the_same_time(clone, network_template)
    with turned_to(api.app, api.url, other) as beside:
        assert post(pacs(beside), instances(*objects)).status_code == 200
    sent = metadata([one.to_json_dict() for one in objects], b"\0" * 300_000)
    answer = post(pacs(api), sent, METADATA)
    assert stored(answer) == [one.SOPInstanceUID for one in objects]
    assert answer.status_code == 200
    assert state_of(api.database) == state_of(other)


@pytest.mark.parametrize(
    "transfer_syntax_uid",
    [
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ExplicitVRBigEndian,
        DeflatedExplicitVRLittleEndian,
    ],
)
def test_a_file_of_each_transfer_syntax_is_taken(api: Served, transfer_syntax_uid: str) -> None:
    answer = post(pacs(api), body([("application/dicom", file_of(an_instance(), transfer_syntax_uid))]))
    assert answer.status_code == 200
    assert accessions(api.database) == ["0012345"]


def test_an_encapsulated_file_is_taken(api: Served) -> None:
    one = an_instance()
    one.PixelData = encapsulate([b"\xff\xd8" + b"\x00" * 1000 + b"\xff\xd9"])
    one["PixelData"].VR = "OB"
    assert post(pacs(api), body([("application/dicom", file_of(one, JPEGBaseline8Bit))])).status_code == 200


def test_a_part_that_names_no_media_type_is_of_the_roots(api: Served) -> None:
    content = f"--{BOUNDARY}\r\n\r\n".encode() + file_of(an_instance()) + f"\r\n--{BOUNDARY}--".encode()
    assert post(pacs(api), content, INSTANCES.replace('"', "")).status_code == 200


def test_a_body_of_a_quarter_gibibyte_goes_by_in_bounded_memory(api: Served) -> None:
    whole = file_of(an_instance())
    pixels = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, 256 * 1024 * 1024)
    chunk, held = bytes(256 * 1024), list[int]()

    def sent() -> Iterator[bytes]:
        for piece in pieces([("application/dicom", b"here")]):
            if piece != b"here":
                yield piece
                continue
            yield whole + pixels
            for _ in range(1024):
                yield chunk
                held.append(rss_bytes())

    pacs(api)
    before = rss_bytes()
    answer = post(pacs(api), sent())
    assert answer.status_code == 200
    assert len(held) == 1024
    assert max(held) - before < 48 * 1024 * 1024


def test_many_objects_are_committed_in_several_transactions(api: Served) -> None:
    with limited(api, objects_per_commit=2):
        answer = post(pacs(api), instances(*(an_instance(number) for number in range(1, 6))))
    assert len(stored(answer)) == 5
    assert counts(api.database) == [(1, 5)]
    with api.database.owner.connect() as connection:
        told = connection.scalars(
            text("SELECT payload::json ->> 'stored' FROM audit.entry WHERE action = 'objects stored'")
        )
        assert sorted(told) == ["1", "2", "2"]


def test_some_objects_of_a_request_may_fail_and_stand_in_the_exception_list(api: Served) -> None:
    unreadable = an_instance(2, StudyInstanceUID=None)
    answer = post(pacs(api), instances(an_instance(1), unreadable))
    assert answer.status_code == 202
    assert stored(answer) == [f"{STUDY_UID}.1.1"]
    assert reasons(answer) == [0xC000]
    assert sequence(answer, FAILED)[0][INSTANCE_UID]["Value"] == [f"{STUDY_UID}.1.2"]
    assert exceptions(api) == ["StudyInstanceUID: is missing"]


@pytest.mark.parametrize(
    ("content", "reason", "told"),
    [
        (b"\0" * 128 + b"DICM", 0xC000, "DataSet: is missing or no DICOM file"),
        (b"not DICOM at all" * 20, 0xC000, "DataSet: is not in a DICOM file"),
        (b"", 0xC000, "DataSet: is missing or no DICOM file"),
        (file_of(an_instance())[:-40], 0xC000, None),
    ],
    ids=["no data set", "no file", "nothing", "cut short"],
)
def test_what_is_no_readable_file_is_a_failure_of_no_known_object(
    api: Served, content: bytes, reason: int, told: str | None
) -> None:
    answer = post(pacs(api), body([("application/dicom", content)]))
    assert answer.status_code == 409
    assert reasons(answer) == [reason]
    if told:
        assert len(sequence(answer, OTHERS)) == 1
        assert exceptions(api) == [told]


def test_an_object_of_another_study_than_the_requests_is_a_failure(api: Served) -> None:
    answer = post(pacs(api), instances(an_instance(1)), to=f"{STUDIES}/1.2.3")
    assert answer.status_code == 409
    assert reasons(answer) == [0xA900]
    assert exceptions(api) == ["StudyInstanceUID: differs between request and data set"]


def test_an_object_that_is_another_in_its_meta_information_is_a_failure(api: Served) -> None:
    one = an_instance(1)
    one.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    with io.BytesIO() as written:
        pydicom.dcmwrite(written, one)
        answer = post(pacs(api), body([("application/dicom", written.getvalue())]))
    assert reasons(answer) == [0xA900]
    assert exceptions(api) == ["SOPInstanceUID: differs between file meta information and data set"]


def test_a_study_that_another_trust_has_too_is_taken_for_this_one_beside_it(api: Served) -> None:
    assert post(pacs(api, "RXB"), instances(an_instance(1)), to="/dicom-web/PACS_B/studies").status_code == 200
    assert post(pacs(api), instances(an_instance(2))).status_code == 200
    assert counts(api.database) == [(1, 1), (1, 1)]


def test_an_object_that_cannot_be_kept_costs_no_other(api: Served) -> None:
    with api.database.owner.begin() as connection:
        connection.execute(
            text("ALTER TABLE instance ADD CONSTRAINT planted CHECK (sop_digest <> :digest) NOT VALID").bindparams(
                bindparam("digest", digest_of(f"{STUDY_UID}.1.2"), literal_execute=True)
            )
        )
    answer = post(pacs(api), instances(*(an_instance(number) for number in (1, 2, 3))))
    assert answer.status_code == 202
    assert stored(answer) == [f"{STUDY_UID}.1.1", f"{STUDY_UID}.1.3"]
    assert reasons(answer) == [0xA700]


def test_a_body_that_is_cut_short_is_answered_for_what_came_whole(api: Served) -> None:
    content = instances(an_instance(1), an_instance(2))
    answer = post(pacs(api), content[: content.rindex(b"DICM")])
    assert answer.status_code == 202
    assert stored(answer) == [f"{STUDY_UID}.1.1"]
    assert reasons(answer) == [0xC000]


def test_a_sender_that_goes_away_is_no_fault(api: Served, capfd: pytest.CaptureFixture[str]) -> None:
    def torn() -> Iterator[bytes]:
        yield instances(an_instance(1))[:-20]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        post(pacs(api), torn())
    assert post(pacs(api), instances(an_instance(2))).status_code == 200
    assert "fault" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"[" * 5000 + b"]" * 5000, "DataSet: is not in a JSON array of data sets"),
        (b'[{"a":' + b'{"a":' * 500 + b"1" + b"}" * 501 + b"]", "DataSet: has sequences nested too deep"),
        (b'[{"a":"' + b"x" * 1_100_000 + b'"}]', "DataSet: is longer than what is kept of a header"),
        (b'[{"00080018":{"vr":"UI"},"00080018":{"vr":"UI"}}]', "DataSet: names an attribute twice"),
        (b'[{"a": NaN}]', "DataSet: has a number that is none"),
        (b'[{"a": ' + b"9" * 5000 + b"}]", "DataSet: is not JSON"),
        (b'[{"00080018": [}]', "DataSet: is not in a JSON array of data sets"),
        (b"[{\xff}]", "DataSet: is not JSON"),
        (b"[{}]", "SOPClassUID: is missing"),
        (b"[1, 2]", "DataSet: is not in a JSON array of data sets"),
        (b"[{}", "DataSet: is not in a JSON array of data sets"),
    ],
    ids=["arrays", "deep", "long", "twice", "nan", "digits", "brackets", "bytes", "empty", "numbers", "cut"],
)
def test_hostile_metadata_are_a_failure(api: Served, sent: bytes, reason: str) -> None:
    answer = post(pacs(api), metadata(sent), METADATA)
    assert answer.status_code == 409
    assert set(reasons(answer)) == {0xC000}
    assert reason in exceptions(api)
