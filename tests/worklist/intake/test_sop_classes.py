"""Every storage class of the standard is an image or none, by the table; none is lost for want of a modality."""

from __future__ import annotations

import pytest
from pydicom import uid
from pydicom.uid import UID

from worklist.intake import sop_classes
from worklist.intake.sop_classes import is_image, modality_of_class


@pytest.mark.parametrize(
    "sop_class",
    [
        uid.SecondaryCaptureImageStorage,
        uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
        uid.KeyObjectSelectionDocumentStorage,
        uid.GrayscaleSoftcopyPresentationStateStorage,
        uid.EnhancedSRStorage,
        uid.XRayRadiationDoseSRStorage,
        uid.EncapsulatedPDFStorage,
        uid.SegmentationStorage,
        uid.RTDoseStorage,
        uid.TwelveLeadECGWaveformStorage,
        uid.RawDataStorage,
    ],
)
@pytest.mark.parametrize("modality", [None, "CT", "OT"])
def test_what_accompanies_images_is_none_whatever_modality_it_states(sop_class: UID, modality: str | None) -> None:
    assert not is_image(sop_class, modality)
    assert modality_of_class(sop_class) is None


@pytest.mark.parametrize("modality", ["SR", "KO", "PR", "SEG", "RTPLAN"])
def test_a_modality_of_what_is_no_image_is_none_whatever_the_class(modality: str) -> None:
    assert not is_image(uid.CTImageStorage, modality)
    assert not is_image("1.2.3", modality)


@pytest.mark.parametrize(
    ("sop_class", "modality"),
    [
        (uid.CTImageStorage, "CT"),
        (uid.EnhancedMRImageStorage, "MR"),
        (uid.DigitalXRayImageStorageForPresentation, "DX"),
        (uid.DigitalMammographyXRayImageStorageForPresentation, "MG"),
        (uid.UltrasoundMultiFrameImageStorage, "US"),
        (uid.PositronEmissionTomographyImageStorage, "PT"),
        (uid.RTImageStorage, "RTIMAGE"),
    ],
)
def test_an_image_without_modality_has_that_of_its_class(sop_class: UID, modality: str) -> None:
    assert is_image(sop_class, None)
    assert modality_of_class(sop_class) == modality


@pytest.mark.parametrize("sop_class", ["1.2.840.113619.4.2", "1.2.840.10008.5.1.4.1.1.30", "1.2.3"])
def test_a_class_that_tells_nothing_is_an_image_of_a_modality_not_known(sop_class: str) -> None:
    assert is_image(sop_class, None)
    assert modality_of_class(sop_class) is None


def test_every_class_of_the_tables_is_one_of_the_standard() -> None:
    for sop_class in [*sop_classes._MODALITY_OF_CLASS, *sop_classes._NO_IMAGE_CLASSES]:
        known = UID(sop_class).name != sop_class
        family = any(name.startswith(f"{sop_class}.") for name in _standard())
        assert known or family, sop_class


def test_no_class_called_an_image_is_held_to_be_none_but_secondary_captures() -> None:
    wrong = [
        UID(one).name
        for one in _standard()
        if "Image Storage" in UID(one).name and "Secondary Capture" not in UID(one).name and not is_image(one, None)
    ]
    assert wrong == []


def _standard() -> list[str]:
    from pydicom._uid_dict import UID_dictionary

    return [one for one in UID_dictionary if one.startswith("1.2.840.10008.5.1.4.")]
