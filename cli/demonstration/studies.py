"""Makes the demonstration's synthetic studies: the same seed gives the same studies.

Pure but for `pydicom_test_files`, which lists installed files. It must not send anything, nor use
the facts of any person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path
from random import Random

import pydicom.data
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from cli.demonstration.objects import Acquisition, Series, coded, study_header, study_objects
from cli.demonstration.people import Person, person
from cli.demonstration.practice import CHILDREN, EMERGENCY, EXAMS, MIX, ODDITIES, ExamKind, Oddity, Service
from worklist.local_time import LONDON


@dataclass(frozen=True, slots=True)
class DemoStudy:
    """A study as one source sends it; `note` says what is particular about it, without identifiers.

    The datasets carry the file meta information of the transfer syntax they are sent in.
    """

    trust: str
    ae_title: str
    datasets: tuple[Dataset, ...]
    note: str


def studies(seed: int, count: int, now: datetime) -> tuple[DemoStudy, ...]:
    """Make `count` studies acquired minutes to weeks before `now` (aware).

    A study depends on the seed and its place alone, so fewer studies are the beginning of more;
    only its dates move with `now`. Each forty have the ordinary mix of modalities, and every fifth
    is odd in the next of the ways of `ODDITIES`, so 40 studies show all modalities but ultrasound and 95
    all oddities. Most were acquired well within their target, about one in twenty too long ago.

    Raises
    ------
    ValueError
        `now` has no time zone.
    """
    if now.tzinfo is None:
        raise ValueError("`now` has no time zone")
    return tuple(_study(seed, place, now.astimezone(UTC)) for place in range(count))


def pydicom_test_files() -> tuple[Path, ...]:
    """List the real DICOM objects that pydicom ships for its tests; nothing is downloaded.

    Left out are directories and files without a transfer syntax or the UIDs of class and instance.
    """
    root = Path(pydicom.data.__file__).parent
    return tuple(path for path in sorted(root.rglob("*")) if path.is_file() and _is_object(path))


#: The two PACS of each demonstration trust; the first sends explicit, the second implicit VR.
SOURCES = {
    "RZ1": ("PACS_NORTH1", "PACS_NORTH2"),
    "RZ2": ("PACS_EAST1", "PACS_EAST2"),
    "RZ3": ("PACS_SOUTH1", "PACS_SOUTH2"),
    "RZ4": ("PACS_WEST1", "PACS_WEST2"),
}
_TRANSFER_SYNTAX = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian)

#: How trusts write accession numbers: length differs and leading zeros count.
_ACCESSION: dict[str, Callable[[int], str]] = {
    "RZ1": "NM{:012d}".format,
    "RZ2": "{:08d}".format,
    "RZ3": "SALT{:012d}".format,
    "RZ4": "{:07d}".format,
}
_ISSUER_STATED = frozenset({"RZ1", "RZ3"})
_PLAIN_FILM = frozenset({"CR", "DX"})
_MINUTES_TO_ACQUIRE = {"CR": 3, "DX": 3, "CT": 8, "MR": 25, "MG": 8, "NM": 25, "PT": 25, "US": 12}
_ORDINARY = Oddity("")


def _study(seed: int, place: int, now: datetime) -> DemoStudy:
    rng = Random(f"{seed}/{place}")  # noqa: S311
    oddity = ODDITIES[place // 5 % len(ODDITIES)] if place % 5 == 4 else _ORDINARY
    modality = oddity.modality or _modality(seed, place)
    exam = _exam(rng, modality, oddity)
    child = exam.children and (exam.services == (CHILDREN,) or rng.random() < 0.2)
    service = _service(rng, exam, child=child)
    trust = oddity.trust or rng.choice(tuple(SOURCES))
    pacs = rng.randrange(2)
    acquisition = _acquisition(rng, modality, service, now, hurried=oddity.hurried)
    patient = person(rng, acquisition.ended_at.astimezone(LONDON).date(), child=child, sex=exam.sex)

    header = study_header(uid.generate_uid(entropy_srcs=[str(seed), str(place), "study"]), acquisition)
    header.AccessionNumber = _ACCESSION[trust](place * 7 + 4001)
    if trust in _ISSUER_STATED:
        issuer = Dataset()
        issuer.LocalNamespaceEntityID = trust
        header.IssuerOfAccessionNumberSequence = [issuer]
    _add_request(header, rng, exam, service)
    _add_patient(header, rng, patient, trust, acquisition.ended_at)
    if oddity.apply is not None:
        oddity.apply(header)
    series = _series(rng, modality, oddity)
    datasets = study_objects(header, series, acquisition, _TRANSFER_SYNTAX[pacs], rng)
    note = f"{exam.description}, {service.name}" + (f": {oddity.note}" if oddity.note else "")
    return DemoStudy(trust, SOURCES[trust][pacs], datasets, note)


def _modality(seed: int, place: int) -> str:
    block = list(MIX)
    Random(f"{seed}/mix/{place // len(MIX)}").shuffle(block)  # noqa: S311
    return block[place % len(MIX)]


def _exam(rng: Random, modality: str, oddity: Oddity) -> ExamKind:
    kinds = [kind for kind in EXAMS[modality] if oddity.code in {None, kind.code}]
    return rng.choices(kinds, [kind.weight for kind in kinds])[0]


def _service(rng: Random, exam: ExamKind, *, child: bool) -> Service:
    if not child:
        return rng.choice(exam.services)
    return rng.choice([service for service in exam.services if service == EMERGENCY] or [CHILDREN])


def _acquisition(rng: Random, modality: str, service: Service, now: datetime, *, hurried: bool) -> Acquisition:
    """Choose the age of a study as a share of what its target allows; unknown facts allow least."""
    hours = service.plain_film_hours if modality in _PLAIN_FILM else service.hours
    breached = rng.random() < 0.05
    share = rng.uniform(1.1, 1.6) if breached else rng.uniform(0.03, 0.8)
    if hurried:
        hours = min(hours, 0.5)
    ended_at = (now - max(timedelta(hours=hours * share), timedelta(minutes=2))).replace(microsecond=0)
    states_offset = rng.random() < 0.4
    offset = ended_at.astimezone(LONDON).utcoffset() or timedelta(0)
    started_at = ended_at - timedelta(minutes=_MINUTES_TO_ACQUIRE[modality])
    return Acquisition(started_at, ended_at, timezone(offset) if states_offset else LONDON, states_offset)


def _add_request(header: Dataset, rng: Random, exam: ExamKind, service: Service) -> None:
    """Say who asked for what: coded as requested, as performed or as both, or described exactly."""
    header.ReferringPhysicianName = ""
    header.StudyDescription = exam.description
    header.RequestingService = service.name
    header.RequestedProcedurePriority = service.priority
    stated = rng.choices(("both", "requested", "performed", "described"), (60, 20, 10, 10))[0]
    code = (exam.code, exam.description)
    if stated in {"both", "requested"}:
        header.RequestAttributesSequence = [coded(RequestedProcedureCodeSequence=code)]
    if stated in {"both", "performed"}:
        header.ProcedureCodeSequence = coded(ProcedureCodeSequence=code).ProcedureCodeSequence


def _add_patient(header: Dataset, rng: Random, patient: Person, trust: str, on: datetime) -> None:
    header.PatientName = f"{patient.family_name}^{patient.given_name}"
    header.PatientID = f"{trust}{patient.local_number}"
    header.IssuerOfPatientID = trust
    header.PatientSex = patient.sex
    if rng.random() < 0.92:
        header.PatientBirthDate = patient.birth_date.strftime("%Y%m%d")
    else:
        years = (on.date() - patient.birth_date).days * 100 // 36525
        header.PatientAge = f"{years:03d}Y"
    if rng.random() < 0.85:
        other = Dataset()
        other.PatientID = patient.nhs_number
        other.IssuerOfPatientID = "NHS"
        other.TypeOfPatientID = "TEXT"
        header.OtherPatientIDsSequence = [other]


def _series(rng: Random, modality: str, oddity: Oddity) -> list[Series]:
    """Give one to twelve images in the series that the modality makes, and what comes beside them."""
    if modality in {"CR", "DX"}:
        series = [Series(modality, 1, view) for view in ("AP", "Lateral")[: rng.randint(1, 2)]]
    elif modality == "MG":
        series = [Series(modality, 1, view) for view in ("R CC", "L CC", "R MLO", "L MLO")]
    elif modality == "PT":
        series = [Series("CT", rng.randint(2, 4), "CT AC"), Series("PT", rng.randint(2, 4), "PET WB")]
    elif modality in {"CT", "MR"}:
        names = {"CT": ("Scout", "Axial", "Coronal"), "MR": ("T1", "T2", "STIR", "DWI")}[modality]
        series = [Series(modality, rng.randint(1, 3), name) for name in islice(names, rng.randint(2, len(names)))]
    else:
        series = [Series(modality, rng.randint(1, 3), "Static")]
    return [*series, Series(oddity.beside, 1, "Accompanying object")] if oddity.beside else series


def _is_object(path: Path) -> bool:
    if path.name.startswith("DICOMDIR"):
        return False
    try:
        meta = read_file_meta_info(path)
    except (InvalidDicomError, EOFError, OSError, ValueError, KeyError):
        return False
    return all(
        meta.get(keyword) for keyword in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID")
    )
