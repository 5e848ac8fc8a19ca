"""Maps what a source called an exam to the exam catalogue, exactly or not at all.

Order: requested code, performed code, SNOMED code, exact description, else unmapped and why. It must never
match by likeness: a near match could put work into a limited scope. Pure: no I/O, no clock, no settings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from worklist.intake.study import Code

#: DICOM modality to the label that UK worklists use (computed and digital radiography are one).
UK_MODALITY = {"CR": "XR", "DX": "XR", "DR": "XR", "RG": "XR", "PX": "IO"}
#: Designators of SNOMED CT in use (DICOM PS3.16, 8).
_SNOMED_SCHEMES = frozenset({"SCT", "SRT", "SNM3", "99SDM"})
#: From when a mapping without a date of its own holds.
ALWAYS = date(1900, 1, 1)


class AliasKind(StrEnum):
    """Which of a trust's own words an alias is of."""

    CODE = "code"
    SNOMED_CODE = "snomed-code"
    DESCRIPTION = "description"


class Unmapped(StrEnum):
    """Why an exam is not mapped; stands in `mapped_by` then."""

    UNKNOWN = "unmapped"
    CONTRADICTS_IMAGES = "contradicts-images"
    NOT_YET_VALID = "not-yet-valid"
    NO_LONGER_VALID = "no-longer-valid"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Exam:
    """One row of the exam catalogue, in force on the local dates from `valid_from` to `valid_to`, both inclusive.

    `reporting_minutes` is what the network values one at; None: the minutes rules do. `subspecialty` None: no scope
    group yet. `trust` None: of every trust's catalogue. A change of the row has the next `version`.
    """

    code: str
    description: str
    modality: str
    subspecialty: str | None
    reporting_minutes: Decimal | None
    ionising: bool
    snomed_code: str | None = None
    snomed_description: str | None = None
    body_region: str | None = None
    valid_from: date = ALWAYS
    valid_to: date | None = None
    trust: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Alias:
    """A trust's own word for an exam, on exam dates from `valid_from` to `valid_to`, both inclusive."""

    exam_code: str
    valid_from: date = ALWAYS
    valid_to: date | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """The exams that a trust may have, by code and of any date, and its own words for them.

    `aliases` are by kind and value in `normal` form; of several in force on a day the first counts.
    """

    exams: Mapping[str, Exam]
    aliases: Mapping[tuple[str, str], Sequence[Alias]] = field(default_factory=dict)
    by_snomed_code: Mapping[str, Sequence[Exam]] = field(init=False)
    by_description: Mapping[str, Sequence[Exam]] = field(init=False)

    def __post_init__(self) -> None:
        """Index the exams by what they may be named by."""
        snomed: dict[str, list[Exam]] = {}
        words: dict[str, list[Exam]] = {}
        for exam in self.exams.values():
            if exam.snomed_code:
                snomed.setdefault(exam.snomed_code, []).append(exam)
            for word in {normal(exam.description), normal(exam.snomed_description or "")} - {""}:
                words.setdefault(word, []).append(exam)
        object.__setattr__(self, "by_snomed_code", snomed)
        object.__setattr__(self, "by_description", words)


class CodedExam(NamedTuple):
    """An exam of an item as rules see it, by its code in the catalogue and its modality; None is unknown."""

    code: str | None
    modality: str | None


NOT_MAPPED = CodedExam(None, None)


@dataclass(frozen=True, slots=True)
class MappedExam:
    """An exam as sent and as the catalogue knows it; `exam` None: unmapped.

    `mapped_by` says which statement decided (`requested-code`, `performed-code`, `snomed-code`, `description`), or
    in words of `Unmapped` why none did; `alias_id` which of the trust's own words. `named` is the exam that an
    unmapped one would be, were it in force or did the images agree.
    """

    exam: Exam | None
    code_as_sent: str | None
    description_as_sent: str | None
    mapped_by: str
    scheme_as_sent: str | None = None
    alias_id: int | None = None
    named: Exam | None = field(default=None, compare=False)


def map_exams(
    requested: Sequence[Code],
    performed: Sequence[Code],
    description: str | None,
    image_modalities: Collection[str],
    catalogue: Catalogue,
    on: date,
) -> tuple[MappedExam, ...]:
    """Map the exams of one accession, examined on a local date; at least one row comes back.

    The first statement that has codes decides. One of which no code is known gives way to the next if that is
    known whole and names no fewer exams, so that nothing is lost; never to a description, which is one exam's
    and often the scanner's. An exam named twice, in other words or by codes of two schemes, is one exam.
    A code whose exam needs images that did not come (a CT code on MR images) is not believed: the
    exam is unmapped, for a person to classify.
    """
    stated = [
        _distinct(_map_code(code, description, named, image_modalities, catalogue, on) for code in codes)
        for codes, named in _statements(requested, performed)
    ]
    if stated:
        return next((one for one in stated if _stands_for(one, stated[0])), stated[0])
    found = _by_description(description, catalogue, on)
    return (_believe(found, Code(""), description, "description", image_modalities),)


def is_snomed(scheme: str | None) -> bool:
    """Whether a coding scheme designator is one of SNOMED CT."""
    return (scheme or "").upper() in _SNOMED_SCHEMES


def uk_modality(modality: str) -> str:
    """Give the UK label of a DICOM modality: CR and DX are XR."""
    return UK_MODALITY.get(modality, modality)


def normal(text: str) -> str:
    """Upper case, single spaces: the form in which descriptions are compared."""
    return " ".join(text.upper().split())


@dataclass(frozen=True, slots=True)
class _Found:
    exam: Exam | None
    why_not: Unmapped = Unmapped.UNKNOWN
    alias_id: int | None = None
    named: Exam | None = None


def _statements(requested: Sequence[Code], performed: Sequence[Code]) -> list[tuple[Sequence[Code], str]]:
    """Give what was stated in order: a statement of SNOMED codes alone comes after those with a code of a RIS."""
    both = [(codes, named) for codes, named in ((requested, "requested-code"), (performed, "performed-code")) if codes]
    return sorted(both, key=lambda one: all(is_snomed(code.scheme) for code in one[0]))


def _stands_for(one: Sequence[MappedExam], first: Sequence[MappedExam]) -> bool:
    if one is first:
        return any(each.exam or each.mapped_by == Unmapped.CONTRADICTS_IMAGES for each in one)
    return len(one) >= len(first) and all(each.exam for each in one)


def _distinct(mapped: Iterable[MappedExam]) -> tuple[MappedExam, ...]:
    return tuple({one.exam.code if one.exam else (one.code_as_sent,): one for one in mapped}.values())


def _map_code(
    code: Code,
    description: str | None,
    named: str,
    image_modalities: Collection[str],
    catalogue: Catalogue,
    on: date,
) -> MappedExam:
    if is_snomed(code.scheme):
        found, named = _by_snomed_code(code.value, catalogue, on), "snomed-code"
    else:
        found = _by_code(code.value, catalogue, on)
    return _believe(found, code, code.meaning or description, named, image_modalities)


def _by_code(value: str, catalogue: Catalogue, on: date) -> _Found:
    aliased = _by_alias(AliasKind.CODE, value, catalogue, on)
    return aliased or _in_force(catalogue.exams.get(value.strip().upper()), on)


def _by_snomed_code(value: str, catalogue: Catalogue, on: date) -> _Found:
    aliased = _by_alias(AliasKind.SNOMED_CODE, value, catalogue, on)
    return aliased or _only(catalogue.by_snomed_code.get(value.strip(), ()), on)


def _by_description(description: str | None, catalogue: Catalogue, on: date) -> _Found:
    """Match a whole description, or a bare code that stands where a description should."""
    if not description:
        return _Found(None)
    words = normal(description)
    aliased = _by_alias(AliasKind.DESCRIPTION, description, catalogue, on)
    if aliased:
        return aliased
    if words in catalogue.exams:
        return _in_force(catalogue.exams[words], on)
    return _only(catalogue.by_description.get(words, ()), on)


def _by_alias(kind: AliasKind, value: str, catalogue: Catalogue, on: date) -> _Found | None:
    """Give what the trust's own word in force on the day means; None where it has none for it."""
    known = catalogue.aliases.get((kind, normal(value)), ())
    alias = next((one for one in known if one.valid_from <= on and (one.valid_to is None or on <= one.valid_to)), None)
    if alias is None:
        return None
    found = _in_force(catalogue.exams.get(alias.exam_code), on)
    return _Found(found.exam, found.why_not, alias.id, found.named)


def _only(exams: Sequence[Exam], on: date) -> _Found:
    """Give the one exam in force that is named so; two of one name are none."""
    found = [_in_force(exam, on) for exam in exams]
    standing = [one for one in found if one.exam]
    if len(standing) > 1:
        return _Found(None, Unmapped.AMBIGUOUS)
    return next(iter(standing or found), _Found(None))


def _in_force(exam: Exam | None, on: date) -> _Found:
    if exam is None:
        return _Found(None)
    if on < exam.valid_from:
        return _Found(None, Unmapped.NOT_YET_VALID, named=exam)
    if exam.valid_to is not None and on > exam.valid_to:
        return _Found(None, Unmapped.NO_LONGER_VALID, named=exam)
    return _Found(exam)


def _believe(
    found: _Found, code: Code, description: str | None, named: str, image_modalities: Collection[str]
) -> MappedExam:
    labels = {uk_modality(modality) for modality in image_modalities} - {"OT", "SC"}
    sent = (code.value if named != "description" else None, description)
    scheme = code.scheme or None
    if found.exam is None:
        return MappedExam(None, *sent, found.why_not.value, scheme, found.alias_id, found.named)
    if labels and found.exam.modality not in labels:
        return MappedExam(None, *sent, Unmapped.CONTRADICTS_IMAGES.value, scheme, found.alias_id, found.exam)
    return MappedExam(found.exam, *sent, named, scheme, found.alias_id)
