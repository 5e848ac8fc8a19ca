"""The demonstration's studies: synthetic, the same for the same seed, and of every kind that matters."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from nhs_number.constants import REGION_SYNTHETIC
from nhs_number.validate import is_valid
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from cli.demonstration.network import demonstration_network
from cli.demonstration.practice import EXAMS, ODDITIES
from cli.demonstration.studies import SOURCES, DemoStudy, pydicom_test_files, studies
from worklist.local_time import LONDON

NOW = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
STUDIES = studies(11, 200, NOW)
NETWORK = demonstration_network().network
CATALOGUE = {row.code: row for row in NETWORK.exam}


def test_the_same_seed_gives_the_same_objects() -> None:
    assert [_octets(each) for each in _datasets(studies(11, 40, NOW))] == [
        _octets(each) for each in _datasets(STUDIES[:40])
    ]


def test_the_same_seed_gives_the_same_uids_at_another_time() -> None:
    later = studies(11, 40, NOW + timedelta(days=90))
    assert [each.SOPInstanceUID for each in _datasets(later)] == [
        each.SOPInstanceUID for each in _datasets(STUDIES[:40])
    ]


def test_another_seed_gives_other_uids() -> None:
    ours = {each.SOPInstanceUID for each in _datasets(STUDIES)}
    assert ours.isdisjoint({each.SOPInstanceUID for each in _datasets(studies(12, 200, NOW))})


def test_no_two_objects_share_a_uid_and_no_two_studies() -> None:
    instances = [each.SOPInstanceUID for each in _datasets(STUDIES)]
    assert len(set(instances)) == len(instances)
    assert len({_first(study).StudyInstanceUID for study in STUDIES}) == len(STUDIES)


def test_a_study_has_one_study_uid_and_one_to_a_dozen_objects() -> None:
    for study in STUDIES:
        assert len({each.StudyInstanceUID for each in study.datasets}) == 1
        assert 1 <= len(study.datasets) <= 13


def test_every_nhs_number_is_valid_and_synthetic() -> None:
    numbers = [other.PatientID for study in STUDIES for other in _first(study).get("OtherPatientIDsSequence", [])]
    assert len(numbers) > 100
    for number in numbers:
        assert number.startswith("999")
        assert is_valid(number, for_region=REGION_SYNTHETIC)


def test_forty_studies_show_every_modality() -> None:
    shown = {each.Modality for each in _datasets(studies(3, 40, NOW))}
    assert shown >= {"CR", "DX", "CT", "MR", "MG", "NM", "PT"}


def test_there_is_more_plain_film_than_ct_and_more_ct_than_mr() -> None:
    counts = Counter(_first(study).Modality for study in STUDIES)
    assert counts["CR"] + counts["DX"] > counts["CT"] > counts["MR"] > counts["MG"]


def test_every_source_of_the_network_sends_and_no_other() -> None:
    assert {(study.ae_title, study.trust) for study in STUDIES} == {(row.ae_title, row.trust) for row in NETWORK.source}
    assert {title for titles in SOURCES.values() for title in titles} == {row.ae_title for row in NETWORK.source}


def test_every_exam_of_the_tables_stands_so_in_the_catalogue() -> None:
    kinds = {kind for of_modality in EXAMS.values() for kind in of_modality}
    assert {(kind.code, kind.description) for kind in kinds} <= {(row.code, row.description) for row in NETWORK.exam}


def test_every_coded_study_has_a_code_of_the_catalogue_unless_it_says_so() -> None:
    known = CATALOGUE.keys() | {row.value for row in NETWORK.exam_alias if row.kind == "code"}
    unknown = {study.note.partition(": ")[2] for study in STUDIES if _codes(study) - known}
    assert unknown == {"a code that the catalogue does not know"}
    assert sum(1 for study in STUDIES if _codes(study)) > 120


def test_a_study_not_coded_is_described_as_the_catalogue_does_unless_it_says_so() -> None:
    described = {row.description for row in NETWORK.exam}
    odd = [study for study in STUDIES if not _codes(study) and _first(study).StudyDescription not in described]
    assert odd
    assert all(": not coded; " in study.note for study in odd)
    assert [study for study in STUDIES if not _codes(study) and ": " not in study.note]


def test_every_requesting_service_is_known_to_its_source_unless_it_says_so() -> None:
    known = {row.ae_title: {service.name for service in row.services} for row in NETWORK.source}
    strange = [study for study in STUDIES if _first(study).get("RequestingService", "-") not in known[study.ae_title]]
    assert {study.note.partition(": ")[2] for study in strange} == {
        "a requesting service that the source does not know",
        "no requesting service and no priority",
    }


def test_ninety_five_studies_show_every_oddity() -> None:
    notes = {study.note.partition(": ")[2] for study in studies(3, 95, NOW)}
    assert notes == {"", *(oddity.note for oddity in ODDITIES)}


@pytest.mark.parametrize(
    ("note", "holds"),
    [
        ("no accession number", lambda each: "AccessionNumber" not in each),
        ("no patient identifier", lambda each: "PatientID" not in each),
        ("birth date in the future", lambda each: each.PatientBirthDate > "20261125"),
        ("age not known", lambda each: "PatientBirthDate" not in each and "PatientAge" not in each),
        ("two exams of one accession", lambda each: len(each.RequestAttributesSequence) == 2),
        ("not coded; the scanner's protocol as description", lambda each: each.StudyDescription == "l-spine^General"),
        ("the code of a CT on MR images", lambda each: each.Modality == "MR"),
        ("ultrasound, which nobody of the pool reports", lambda each: each.Modality == "US"),
    ],
)
def test_an_oddity_is_what_its_note_says(note: str, holds: object) -> None:
    odd = [study for study in STUDIES if study.note.endswith(f": {note}")]
    assert odd
    assert all(holds(each) for study in odd for each in study.datasets)  # type: ignore[operator]


@pytest.mark.parametrize(("note", "modality"), [("a structured report", "SR"), ("a presentation state", "PR")])
def test_what_lies_beside_the_images_is_one_object_more(note: str, modality: str) -> None:
    odd = [study for study in STUDIES if f": {note}" in study.note]
    assert odd
    assert all([each.Modality for each in study.datasets].count(modality) == 1 for study in odd)


def test_patients_are_adults_children_and_of_unknown_age() -> None:
    ages = [_age_years(study) for study in STUDIES]
    assert None in ages
    known = [age for age in ages if age is not None and age >= 0]
    assert sum(1 for age in known if age < 16) > 5
    assert sum(1 for age in known if age >= 16) > 100


def test_acquisition_ends_before_now_and_not_after_the_backstop() -> None:
    for study in STUDIES:
        assert NOW - timedelta(days=28) < _ended_at(study) <= NOW - timedelta(minutes=2)


def test_some_studies_ended_minutes_ago_and_some_days_ago() -> None:
    ages = [NOW - _ended_at(study) for study in STUDIES]
    assert min(ages) < timedelta(minutes=20)
    assert sum(1 for age in ages if age > timedelta(days=1)) > 20


def test_sources_state_the_offset_of_their_clock_or_leave_it_out() -> None:
    summer = studies(11, 60, datetime(2026, 7, 6, 10, 0, tzinfo=UTC))
    assert {_first(study).get("TimezoneOffsetFromUTC") for study in summer} == {None, "+0100"}


def test_objects_are_implicit_and_explicit_little_endian() -> None:
    syntaxes = {each.file_meta.TransferSyntaxUID for each in _datasets(STUDIES)}
    assert syntaxes == {ImplicitVRLittleEndian, ExplicitVRLittleEndian}


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        studies(1, 1, NOW.replace(tzinfo=None))


def test_notes_hold_no_identifier() -> None:
    for study in STUDIES:
        header = _first(study)
        family_name = str(header.PatientName).partition("^")[0]
        for identifier in (family_name, header.get("PatientID"), header.get("AccessionNumber")):
            assert identifier is None or identifier not in study.note


def test_pydicom_ships_real_objects_of_many_kinds() -> None:
    files = pydicom_test_files()
    assert len(files) > 100
    assert {"CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "rtplan.dcm", "test-SR.dcm"} <= {
        path.name for path in files
    }
    assert not {path.name for path in files} & {"DICOMDIR", "no_meta.dcm", "README.txt"}


def _datasets(of: tuple[DemoStudy, ...]) -> list[Dataset]:
    return [each for study in of for each in study.datasets]


def _first(study: DemoStudy) -> Dataset:
    return study.datasets[0]


def _octets(dataset: Dataset) -> bytes:
    buffer = DicomBytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return bytes(buffer.getvalue())


def _codes(study: DemoStudy) -> set[str]:
    header = _first(study)
    requested = [
        one for item in header.get("RequestAttributesSequence", []) for one in item.RequestedProcedureCodeSequence
    ]
    return {str(one.CodeValue) for one in [*requested, *header.get("ProcedureCodeSequence", [])]}


def _age_years(study: DemoStudy) -> int | None:
    header = _first(study)
    if "PatientBirthDate" in header:
        born = datetime.strptime(header.PatientBirthDate, "%Y%m%d").replace(tzinfo=UTC)
        return (NOW - born).days // 365
    return int(header.PatientAge[:3]) if "PatientAge" in header else None


def _ended_at(study: DemoStudy) -> datetime:
    moments = []
    for each in study.datasets:
        if "AcquisitionDate" in each:
            wall = datetime.strptime(each.AcquisitionDate + each.AcquisitionTime, "%Y%m%d%H%M%S")  # noqa: DTZ007
            stated = each.get("TimezoneOffsetFromUTC")
            zone = LONDON if stated is None else timezone(timedelta(hours=int(stated[:3])))
            moments.append(wall.replace(tzinfo=zone))
    return max(moments).astimezone(UTC)
