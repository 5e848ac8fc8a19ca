"""Decides which of the values that a study's headers state counts, and which keywords contradict themselves.

Pure: no I/O, no clock, no settings. It must not depend on the order in which objects came. What counts is
the value that most image objects state; where no image states one, that of most other objects; of two that
are stated alike often, the first in the order of values. An object that states nothing says nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from worklist.identity import name_key
from worklist.intake.study import PatientAsSent, ReceivedObject

#: What says who the patient is and of what sort; a study states these to the patient's record.
PATIENT_KEYWORDS = (
    "PatientID",
    "IssuerOfPatientID",
    "OtherPatientIDsSequence",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
)
#: The accession numbers of the requests that an object satisfies, one after another as in a DICOM value.
REQUESTS = "RequestAttributesSequence"
#: Compared between all objects of a study; `Modality` is compared within each series.
_OF_STUDY = (
    *PATIENT_KEYWORDS,
    "AccessionNumber",
    "IssuerOfAccessionNumberSequence",
    "StudyDate",
    "TimezoneOffsetFromUTC",
)
#: Voted on as the others are, but no contradiction: series of one study may name departments of one performer.
_NOT_COMPARED = ("InstitutionName",)
#: An issuer belongs to the number that it issued: only objects that state the number that counts are asked.
_ISSUED_BY = {"IssuerOfPatientID": "PatientID", "IssuerOfAccessionNumberSequence": "AccessionNumber"}


@dataclass(frozen=True, slots=True)
class Statement:
    """What one distinct header of a series says, from which source, and how many objects say it.

    `modality` is that of the images where it is an image's header (stated, or that of the SOP class).
    """

    series: object
    source_ae_title: str
    is_image: bool
    modality: str | None
    stated: Mapping[str, str]
    objects: int


@dataclass(frozen=True, slots=True)
class Truth:
    """What counts of a study; `contradicted` has keywords with the number of values that differ."""

    values: Mapping[str, str]
    contradicted: tuple[tuple[str, int], ...]
    source_ae_title: str
    modality_of_series: Mapping[object, str | None]
    modalities: tuple[str, ...]
    has_image: bool
    lacks_modality: bool

    @property
    def accession_number(self) -> str | None:
        """The accession number that counts."""
        return self.values.get("AccessionNumber")

    @property
    def study_date(self) -> date | None:
        """The study date that counts."""
        stated = self.values.get("StudyDate")
        return date.fromisoformat(stated) if stated else None

    @property
    def patient_values(self) -> dict[str, str]:
        """What counts of the patient, by keyword."""
        return {keyword: self.values[keyword] for keyword in PATIENT_KEYWORDS if keyword in self.values}


def stated_by(received: ReceivedObject) -> dict[str, str]:
    """Give what an object's header states of all that objects of one study must agree on, by keyword."""
    patient, ended = received.patient, received.acquisition_ended
    stated = {
        "PatientID": patient.identifier,
        "IssuerOfPatientID": patient.issuer,
        "OtherPatientIDsSequence": patient.nhs_number,
        "PatientName": _name(patient),
        "PatientBirthDate": patient.birth_date.isoformat() if patient.birth_date else None,
        "PatientSex": patient.sex,
        "AccessionNumber": received.accession_number,
        "IssuerOfAccessionNumberSequence": received.issuer_of_accession_number,
        REQUESTS: "\\".join(sorted(received.requested_accession_numbers)),
        "InstitutionName": received.institution_name,
        "Modality": received.modality,
        "StudyDate": received.study_date.isoformat() if received.study_date else None,
        "TimezoneOffsetFromUTC": ended.zone if ended and ended.zone.startswith(("+", "-")) else None,
    }
    return {keyword: value for keyword, value in stated.items() if value}


def settle(statements: Sequence[Statement]) -> Truth:
    """Give what counts of a study's statements, whatever order they stand in; there is at least one."""
    of_series: dict[object, list[Statement]] = {}
    for one in statements:
        of_series.setdefault(one.series, []).append(one)
    modality_of_series = {series: _modality(stating) for series, stating in of_series.items()}
    with_images = [series for series, stating in of_series.items() if any(one.is_image for one in stating)]
    sources = Counter[str]()
    for one in _weighty(statements):
        sources[one.source_ae_title] += one.objects
    return Truth(
        values=_values(statements),
        contradicted=_contradicted(statements, of_series.values()),
        source_ae_title=_first_of_most(sources),
        modality_of_series=modality_of_series,
        modalities=tuple(sorted({m for series in with_images if (m := modality_of_series[series])})),
        has_image=bool(with_images),
        lacks_modality=any(modality_of_series[series] is None for series in with_images),
    )


def accession_numbers(statements: Iterable[Statement]) -> set[str]:
    """Give every accession number that an image states, be it its study's or that of a request that it satisfies."""
    found = set()
    for one in statements:
        if one.is_image:
            found |= {one.stated.get("AccessionNumber", ""), *one.stated.get(REQUESTS, "").split("\\")}
    return found - {""}


def patient_of(values: Mapping[str, str]) -> PatientAsSent:
    """Give the patient that values by keyword describe."""
    family, _, given = values.get("PatientName", "").partition("^")
    born = values.get("PatientBirthDate")
    return PatientAsSent(
        identifier=values.get("PatientID"),
        issuer=values.get("IssuerOfPatientID"),
        nhs_number=values.get("OtherPatientIDsSequence"),
        family_name=family or None,
        given_name=given or None,
        birth_date=date.fromisoformat(born) if born else None,
        sex=values.get("PatientSex"),
    )


def vote(many: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Give what counts of one patient of whom several studies state values: each study has one voice."""
    voices = list(many)
    counted = {keyword: Counter(one[keyword] for one in voices if keyword in one) for keyword in PATIENT_KEYWORDS}
    return {keyword: _first_of_most(values) for keyword, values in counted.items() if values}


def _name(patient: PatientAsSent) -> str | None:
    if not (patient.family_name or patient.given_name):
        return None
    return f"{patient.family_name or ''}^{patient.given_name or ''}"


def _values(statements: Sequence[Statement]) -> dict[str, str]:
    values: dict[str, str] = {}
    for keyword in (*_OF_STUDY, *_NOT_COMPARED):
        number = _ISSUED_BY.get(keyword)
        asked = [one for one in statements if number is None or one.stated.get(number) == values.get(number)]
        counted = Counter[str]()
        for one in _weighty([one for one in asked if keyword in one.stated]):
            counted[one.stated[keyword]] += one.objects
        if counted:
            values[keyword] = _first_of_most(counted)
    return values


def _contradicted(
    statements: Sequence[Statement], of_series: Iterable[Sequence[Statement]]
) -> tuple[tuple[str, int], ...]:
    differing = {
        keyword: len({_compared(keyword, one.stated[keyword]) for one in statements if keyword in one.stated})
        for keyword in _OF_STUDY
    }
    modalities = [len({one.modality for one in stating if one.modality}) for stating in of_series]
    differing["Modality"] = max(modalities, default=0)
    return tuple((keyword, values) for keyword, values in sorted(differing.items()) if values > 1)


def _compared(keyword: str, value: str) -> str:
    """Give the form in which two values are compared: names without case and accents, all else as sent."""
    if keyword != "PatientName":
        return value
    family, _, given = value.partition("^")
    return name_key(family, given) or value


def _modality(stating: Sequence[Statement]) -> str | None:
    counted = Counter[str]()
    for one in _weighty([one for one in stating if one.modality]):
        counted[one.modality or ""] += one.objects
    return _first_of_most(counted) if counted else None


def _weighty(statements: Sequence[Statement]) -> Sequence[Statement]:
    """Give the statements of images where there are any, else all."""
    return [one for one in statements if one.is_image] or statements


def _first_of_most(counted: Counter[str]) -> str:
    return min(counted, key=lambda value: (-counted[value], value))
