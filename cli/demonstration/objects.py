"""Makes the DICOM objects of a study out of a header and a list of series.

Pure: a seeded generator draws the pixels. It must not decide what a study shows or says.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from random import Random

from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

#: The storage SOP class of each modality (DICOM PS3.4, B.5).
SOP_CLASS: dict[str, uid.UID] = {
    "CR": uid.ComputedRadiographyImageStorage,
    "DX": uid.DigitalXRayImageStorageForPresentation,
    "CT": uid.CTImageStorage,
    "MR": uid.MRImageStorage,
    "MG": uid.DigitalMammographyXRayImageStorageForPresentation,
    "NM": uid.NuclearMedicineImageStorage,
    "PT": uid.PositronEmissionTomographyImageStorage,
    "US": uid.UltrasoundImageStorage,
    "SR": uid.BasicTextSRStorage,
    "PR": uid.GrayscaleSoftcopyPresentationStateStorage,
}
_SIDE = 16


@dataclass(frozen=True, slots=True)
class Series:
    """A series to make: its modality, how many objects, and what it is called."""

    modality: str
    instances: int
    description: str


@dataclass(frozen=True, slots=True)
class Acquisition:
    """When a study was acquired: aware instants, and the zone in which its device writes them.

    `states_offset` writes TimezoneOffsetFromUTC beside them.
    """

    started_at: datetime
    ended_at: datetime
    zone: tzinfo
    states_offset: bool


def study_objects(
    header: Dataset, series: Sequence[Series], acquisition: Acquisition, transfer_syntax_uid: str, rng: Random
) -> tuple[Dataset, ...]:
    """Give the objects of a study, series by series, each with `header` and its file meta information.

    Acquisition times are spread evenly from start to end, the last image at the end; objects that
    are no images are written half a minute later. UIDs depend on the study's alone.
    """
    images = sum(each.instances for each in series if _is_image(each.modality))
    moments = _moments(acquisition, images)
    objects: list[Dataset] = []
    for number, each in enumerate(series, start=1):
        series_uid = _uid(header.StudyInstanceUID, "series", number)
        series_at: datetime | None = None
        for instance in range(1, each.instances + 1):
            dataset = deepcopy(header)
            dataset.SOPClassUID = SOP_CLASS[each.modality]
            dataset.SOPInstanceUID = _uid(series_uid, "instance", instance)
            dataset.SeriesInstanceUID = series_uid
            dataset.Modality = each.modality
            dataset.SeriesDescription = each.description
            dataset.SeriesNumber = number
            dataset.InstanceNumber = instance
            if _is_image(each.modality):
                at = next(moments)
                series_at = series_at or at
                _stamp(dataset, "Series", series_at, acquisition)
                _add_image(dataset, at, acquisition, rng)
            else:
                _add_words(dataset, acquisition, objects[0])
            _add_file_meta(dataset, transfer_syntax_uid)
            objects.append(dataset)
    return tuple(objects)


def study_header(study_uid: str, acquisition: Acquisition) -> Dataset:
    """Give the header of a study with its UID and start, and nothing about patient or request."""
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    header.StudyInstanceUID = study_uid
    _stamp(header, "Study", acquisition.started_at, acquisition)
    if acquisition.states_offset:
        header.TimezoneOffsetFromUTC = acquisition.ended_at.astimezone(acquisition.zone).strftime("%z")
    return header


def coded(**sequences: tuple[str, str]) -> Dataset:
    """Give an item with one-item code sequences, each from a NICIP code and its meaning."""
    item = Dataset()
    for keyword, (value, meaning) in sequences.items():
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "NICIP", meaning
        setattr(item, keyword, [code])
    return item


def _is_image(modality: str) -> bool:
    return modality not in {"SR", "PR"}


def _moments(acquisition: Acquisition, images: int) -> Iterator[datetime]:
    whole = acquisition.ended_at - acquisition.started_at
    return (acquisition.ended_at - whole * (images - number) / images for number in range(1, images + 1))


def _stamp(dataset: Dataset, which: str, at: datetime, acquisition: Acquisition) -> None:
    local = at.astimezone(acquisition.zone)
    setattr(dataset, f"{which}Date", local.strftime("%Y%m%d"))
    setattr(dataset, f"{which}Time", local.strftime("%H%M%S"))


def _add_image(dataset: Dataset, at: datetime, acquisition: Acquisition, rng: Random) -> None:
    for which in ("Acquisition", "Content"):
        _stamp(dataset, which, at, acquisition)
    if dataset.Modality == "CT":
        local = at.astimezone(acquisition.zone)
        offset = local.strftime("%z") if acquisition.states_offset else ""
        dataset.AcquisitionDateTime = f"{local:%Y%m%d%H%M%S.%f}{offset}"
    dataset.Manufacturer = "Invented Imaging"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows = dataset.Columns = _SIDE
    dataset.BitsAllocated = 16
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = b"".join(rng.randrange(4096).to_bytes(2, "little") for _ in range(_SIDE * _SIDE))


def _add_words(dataset: Dataset, acquisition: Acquisition, image: Dataset) -> None:
    at = acquisition.ended_at + timedelta(seconds=30)
    for which in ("Series", "Content"):
        _stamp(dataset, which, at, acquisition)
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    if dataset.Modality == "SR":
        dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
        dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
        dataset.ContentSequence = [_text_content("Dose length product within the local reference level")]
    else:
        series = Dataset()
        series.SeriesInstanceUID = image.SeriesInstanceUID
        series.ReferencedImageSequence = [reference]
        dataset.ReferencedSeriesSequence = [series]
        dataset.ContentLabel = "WINDOW"
        dataset.PresentationLUTShape = "IDENTITY"


def _text_content(words: str) -> Dataset:
    content = Dataset()
    content.RelationshipType, content.ValueType, content.TextValue = "CONTAINS", "TEXT", words
    return content


def _add_file_meta(dataset: Dataset, transfer_syntax_uid: str) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = uid.UID(transfer_syntax_uid)


def _uid(*entropy: object) -> str:
    return uid.generate_uid(entropy_srcs=[str(each) for each in entropy])
