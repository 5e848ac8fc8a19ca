"""What the demonstration trusts image and for whom, as tables; and where their headers are odd.

Pure data, save for the few functions that make a header odd. It must not draw at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pydicom.dataset import Dataset

from cli.demonstration.objects import coded


@dataclass(frozen=True, slots=True)
class Service:
    """A requesting service that every demonstration source knows.

    `plain_film_hours` and `hours` are roughly what the demonstration targets allow its work, and
    serve only to make studies of a fitting age. `priority` is RequestedProcedurePriority.
    """

    name: str
    priority: Literal["STAT", "HIGH", "ROUTINE"]
    plain_film_hours: float
    hours: float


EMERGENCY = Service("Emergency Department", "STAT", 12, 1)
STROKE = Service("Stroke Unit", "STAT", 0.5, 0.5)
ACUTE = Service("Acute Medical Unit", "HIGH", 4, 4)
WARD = Service("Medical Ward", "HIGH", 4, 4)
INTENSIVE = Service("Intensive Care Unit", "STAT", 1, 1)
THEATRE = Service("Main Theatres", "HIGH", 24, 24)
DAY_CASE = Service("Day Surgery", "ROUTINE", 24, 24)
GP = Service("General Practice", "ROUTINE", 336, 336)
CANCER = Service("Oncology two week wait", "HIGH", 72, 72)
BREAST = Service("Breast Clinic", "HIGH", 72, 72)
BONES = Service("Orthopaedic Outpatients", "ROUTINE", 336, 336)
LUNGS = Service("Respiratory Outpatients", "ROUTINE", 336, 336)
CHILDREN = Service("Paediatric Outpatients", "ROUTINE", 336, 336)


@dataclass(frozen=True, slots=True)
class ExamKind:
    """An exam of the catalogue, who asks for it, and how often compared with others of its modality."""

    code: str
    description: str
    services: tuple[Service, ...]
    weight: int = 1
    children: bool = False
    sex: Literal["F", "M"] | None = None


@dataclass(frozen=True, slots=True)
class Oddity:
    """One way in which a header departs from the ordinary.

    `modality`, `code` and `trust` fix what it happens to; `beside` adds an object of that modality
    that is no image; `hurried` says that unknown facts make the strictest target count.
    """

    note: str
    apply: Callable[[Dataset], None] | None = None
    modality: str | None = None
    code: str | None = None
    trust: str | None = None
    beside: Literal["SR", "PR"] | None = None
    hurried: bool = False


_PLAIN_FILM = (
    ExamKind("XCHES", "XR Chest", (EMERGENCY, ACUTE, GP, LUNGS, INTENSIVE, WARD), 9, children=True),
    ExamKind("XABDO", "XR Abdomen", (EMERGENCY, ACUTE, THEATRE)),
    ExamKind("XPELV", "XR Pelvis", (EMERGENCY, BONES)),
    ExamKind("XCSPN", "XR Cervical spine", (EMERGENCY,)),
    ExamKind("XLSPN", "XR Lumbar spine", (GP, BONES)),
    ExamKind("XFACE", "XR Facial bones", (EMERGENCY,)),
    ExamKind("XSHOL", "XR Shoulder Lt", (EMERGENCY, GP)),
    ExamKind("XSHOR", "XR Shoulder Rt", (EMERGENCY, GP)),
    ExamKind("XELBL", "XR Elbow Lt", (EMERGENCY,), children=True),
    ExamKind("XWRIL", "XR Wrist Lt", (EMERGENCY,), 2, children=True),
    ExamKind("XWRIR", "XR Wrist Rt", (EMERGENCY,), 2, children=True),
    ExamKind("XHANL", "XR Hand Lt", (EMERGENCY, BONES)),
    ExamKind("XHIPL", "XR Hip Lt", (EMERGENCY, GP, BONES)),
    ExamKind("XKNEL", "XR Knee Lt", (GP, BONES), 2),
    ExamKind("XKNER", "XR Knee Rt", (GP, BONES), 2),
    ExamKind("XTIFR", "XR Tibia & fibula Rt", (EMERGENCY, DAY_CASE), children=True),
    ExamKind("XANKL", "XR Ankle Lt", (EMERGENCY,), 2),
    ExamKind("XANKR", "XR Ankle Rt", (EMERGENCY,), 2, children=True),
    ExamKind("XFOOL", "XR Foot Lt", (EMERGENCY, GP)),
)

#: The exams of each DICOM modality.
EXAMS: dict[str, tuple[ExamKind, ...]] = {
    "CR": _PLAIN_FILM,
    "DX": (*_PLAIN_FILM, ExamKind("XBONA", "XR Bone age", (CHILDREN,), children=True)),
    "CT": (
        ExamKind("CHEAD", "CT Head", (EMERGENCY, STROKE, ACUTE, WARD), 5, children=True),
        ExamKind("CCSPN", "CT Spine cervical", (EMERGENCY,)),
        ExamKind("CCHES", "CT Thorax", (LUNGS, CANCER)),
        ExamKind("CCHHR", "CT Chest high resolution", (LUNGS,)),
        ExamKind("CAPUL", "CT Angiogram pulmonary", (EMERGENCY, ACUTE), 2),
        ExamKind("CCHAPC", "CT Thorax & abdo & pelvis with contrast", (CANCER, ACUTE), 4),
        ExamKind("CABPEC", "CT Abdomen & pelvis with contrast", (EMERGENCY, ACUTE, WARD), 3),
        ExamKind("CCOLO", "CT Colonoscopy virtual", (CANCER,)),
        ExamKind("CACOR", "CT Cardiac angiogram coronary", (ACUTE,)),
        ExamKind("CKNEL", "CT Knee Lt", (BONES,)),
    ),
    "MR": (
        ExamKind("MHEAD", "MRI Head", (GP, ACUTE, CANCER), 3, children=True),
        ExamKind("MIAMB", "MRI Internal auditory meatus Both", (GP,)),
        ExamKind("MLSPN", "MRI Spine lumbar", (GP, BONES), 3),
        ExamKind("MKNER", "MRI Knee Rt", (BONES,), 2),
        ExamKind("MSHOL", "MRI Shoulder Lt", (BONES,)),
        ExamKind("MMRCP", "MRCP", (ACUTE, WARD)),
        ExamKind("MPROS", "MRI Pelvis prostate", (CANCER,), sex="M"),
        ExamKind("MRECT", "MRI Pelvis rectum", (CANCER,)),
        ExamKind("MGYNA", "MRI Pelvis gynaecological", (CANCER,), sex="F"),
        ExamKind("MCARD", "MRI Heart", (WARD,)),
        ExamKind("MBREBC", "MRI Breast with contrast Both", (BREAST,), sex="F"),
    ),
    "MG": (
        ExamKind("XMAMB", "XR Mammogram Both", (BREAST,), 3, sex="F"),
        ExamKind("XMAML", "XR Mammogram Lt", (BREAST,), sex="F"),
    ),
    "NM": (ExamKind("NBONW", "NM Bone whole body", (CANCER, BONES)),),
    "PT": (ExamKind("PFDGW", "PET FDG Whole body", (CANCER,)),),
    "US": (ExamKind("UABDO", "US Abdomen", (GP,)),),
}

#: Forty studies of ordinary work: more plain film than CT, more CT than MR, a little of the rest.
MIX: tuple[str, ...] = (
    *("CR",) * 10, *("DX",) * 14, *("CT",) * 8, *("MR",) * 5, "MG", "NM", "PT"
)  # fmt: skip


def _without(*keywords: str) -> Callable[[Dataset], None]:
    def apply(header: Dataset) -> None:
        for keyword in keywords:
            if keyword in header:
                delattr(header, keyword)

    return apply


def _described(words: str) -> Callable[[Dataset], None]:
    def apply(header: Dataset) -> None:
        _without("ProcedureCodeSequence", "RequestAttributesSequence")(header)
        header.StudyDescription = words

    return apply


def _requested(*exams: tuple[str, str]) -> Callable[[Dataset], None]:
    def apply(header: Dataset) -> None:
        _without("ProcedureCodeSequence")(header)
        header.RequestAttributesSequence = [coded(RequestedProcedureCodeSequence=exam) for exam in exams]

    return apply


def _stating(keyword: str, value: str) -> Callable[[Dataset], None]:
    return lambda header: setattr(header, keyword, value)


_CLINIC_7B = _stating("RequestingService", "Clinic 7B")
_UNREFERRED = _without("RequestingService", "RequestedProcedurePriority")

#: Every fifth study has the next of these.
ODDITIES: tuple[Oddity, ...] = (
    Oddity("not coded; the scanner's protocol as description", _described("l-spine^General"), "MR", "MLSPN"),
    Oddity("no accession number", _without("AccessionNumber", "IssuerOfAccessionNumberSequence")),
    Oddity("a structured report beside the images", modality="CT", beside="SR"),
    Oddity("birth date in the future", _stating("PatientBirthDate", "21500101")),
    Oddity("not coded; description cut off", _described("CT Abdomen & pelvis wi"), "CT", "CABPEC"),
    Oddity("age not known", _without("PatientBirthDate", "PatientAge"), "DX", "XCHES"),
    Oddity("a code that the catalogue does not know", _requested(("XZZQ", "XR Local projection 7")), "CR", "XFOOL"),
    Oddity("no patient identifier", _without("PatientID", "IssuerOfPatientID")),
    Oddity("not coded; the trust's own words, which it declared", _described("TIB/FIB RIGHT"), "DX", "XTIFR", "RZ2"),
    Oddity("not coded; another trust's words", _described("TIB/FIB RIGHT"), "DX", "XTIFR", "RZ4"),
    Oddity(
        "a requesting service that the source does not know", _stating("RequestingService", "Clinic 7B"), hurried=True
    ),
    Oddity("not coded; a bare code as description", _described("CCHAPC"), "CT", "CCHAPC"),
    Oddity("a presentation state beside the images", modality="MR", beside="PR"),
    Oddity(
        "two exams of one accession",
        _requested(("CHEAD", "CT Head"), ("CCSPN", "CT Spine cervical")),
        "CT",
        "CHEAD",
    ),
    Oddity("the trust's own code, which it declared", _requested(("CTHEADPL", "Head plain")), "CT", "CHEAD", "RZ3"),
    Oddity("the code of a CT on MR images", _requested(("CHEAD", "CT Head")), "MR", "MHEAD"),
    Oddity(
        "no requesting service and no priority",
        _without("RequestingService", "RequestedProcedurePriority"),
        hurried=True,
    ),
    Oddity("not coded; markup in the description", _described('=HYPERLINK("#")<b>Knee</b>'), "CR", "XKNEL"),
    Oddity("ultrasound, which nobody of the pool reports", modality="US"),
)
