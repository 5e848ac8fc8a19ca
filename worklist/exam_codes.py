"""Maps what a source called an exam to the exam catalogue, exactly or not at all.

Order: requested code, performed code, exact description, else unmapped. It must never match by
likeness: a near match could put work into a limited scope. Pure: no I/O, no clock, no settings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from worklist.intake.study import Code

#: DICOM modality to the label that UK worklists use (computed and digital radiography are one).
UK_MODALITY = {"CR": "XR", "DX": "XR", "DR": "XR", "RG": "XR", "PX": "IO"}
#: Designators of SNOMED CT in use (DICOM PS3.16, 8).
_SNOMED_SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})


@dataclass(frozen=True, slots=True)
class Exam:
    """One row of the exam catalogue; `reporting_minutes` is what one exam is valued at."""

    code: str
    description: str
    modality: str
    subspecialty: str
    reporting_minutes: Decimal
    ionising: bool
    snomed_code: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The exams in force and one trust's own words for them.

    `aliases` maps (kind, value in `normal` form) to an exam code, kind being `code` or `description`.
    """

    exams: Mapping[str, Exam]
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MappedExam:
    """An exam as sent and as the catalogue knows it; `exam` None: unmapped.

    `mapped_by` says which statement decided: `requested-code`, `performed-code`, `description`,
    `unmapped` or `contradicts-images`.
    """

    exam: Exam | None
    code_as_sent: str | None
    description_as_sent: str | None
    mapped_by: str


def map_exams(
    requested: Sequence[Code],
    performed: Sequence[Code],
    description: str | None,
    image_modalities: Collection[str],
    catalogue: Catalogue,
) -> tuple[MappedExam, ...]:
    """Map the exams of one accession; at least one row comes back.

    An exam named twice, in other words or by codes of two schemes, is one exam.
    A code whose exam needs images that did not come (a CT code on MR images) is not believed: the
    exam is unmapped, for a person to classify.
    """
    for codes, named in ((requested, "requested-code"), (performed, "performed-code")):
        if codes:
            mapped = (_map_code(code, description, named, image_modalities, catalogue) for code in codes)
            return tuple({one.exam.code if one.exam else (one.code_as_sent,): one for one in mapped}.values())
    exam = _by_description(description, catalogue)
    if exam is None:
        return (MappedExam(None, None, description, "unmapped"),)
    return (_believe(exam, None, description, "description", image_modalities),)


def accession_minutes(exams: Sequence[MappedExam], *, unmapped_minutes: Decimal) -> Decimal:
    """Value an accession in reporting minutes: the longest exam whole, each further one at 60%.

    An unmapped exam counts `unmapped_minutes`. The 60% is a proposed default for a second region.
    """
    each = sorted((one.exam.reporting_minutes if one.exam else unmapped_minutes for one in exams), reverse=True)
    return (each[0] + sum(each[1:], Decimal(0)) * Decimal("0.6")).quantize(Decimal("0.01"))


def uk_modality(modality: str) -> str:
    """Give the UK label of a DICOM modality: CR and DX are XR."""
    return UK_MODALITY.get(modality, modality)


def normal(text: str) -> str:
    """Upper case, single spaces: the form in which descriptions are compared."""
    return " ".join(text.upper().split())


def _map_code(
    code: Code, description: str | None, named: str, image_modalities: Collection[str], catalogue: Catalogue
) -> MappedExam:
    words = code.meaning or description
    exam = _by_code(code, catalogue)
    if exam is None:
        return MappedExam(None, code.value, words, "unmapped")
    return _believe(exam, code.value, words, named, image_modalities)


def _by_code(code: Code, catalogue: Catalogue) -> Exam | None:
    if code.scheme.upper() in _SNOMED_SCHEMES:
        return next((exam for exam in catalogue.exams.values() if exam.snomed_code == code.value), None)
    alias = catalogue.aliases.get(("code", normal(code.value)))
    return catalogue.exams.get(alias or code.value.strip().upper())


def _by_description(description: str | None, catalogue: Catalogue) -> Exam | None:
    """Match a whole description, or a bare code that stands where a description should."""
    if not description:
        return None
    words = normal(description)
    alias = catalogue.aliases.get(("description", words))
    if alias:
        return catalogue.exams.get(alias)
    if words in catalogue.exams:
        return catalogue.exams[words]
    return next((exam for exam in catalogue.exams.values() if normal(exam.description) == words), None)


def _believe(
    exam: Exam, code: str | None, description: str | None, named: str, image_modalities: Collection[str]
) -> MappedExam:
    labels = {uk_modality(modality) for modality in image_modalities} - {"OT", "SC"}
    if labels and exam.modality not in labels:
        return MappedExam(None, code, description, "contradicts-images")
    return MappedExam(exam, code, description, named)
