"""Tells by SOP class and modality whether an object is an image that people report, and of which modality.

Pure: no I/O, no clock, no settings. It must not refuse anything: a class that stands in neither table
(private ones, those that come after this edition) is an image unless its modality says otherwise.
"""

from __future__ import annotations

_DOCUMENTS = {"DOC", "KO", "M3D", "OT-DOC", "PLAN", "PR", "SR", "HC"}
_DERIVED = {"ANN", "FID", "REG", "RWV", "SEG", "SMR", "STAIN", "TEXTUREMAP", "ASMT", "POS"}
_WAVEFORMS = {"AU", "ECG", "EEG", "EMG", "EOG", "EPS", "HD", "RESP"}
_RADIOTHERAPY = {"RTDOSE", "RTINTENT", "RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT"}
_EYE_MEASUREMENTS = {"AR", "IOL", "KER", "LEN", "OAM", "OPV", "OSS", "SRF", "VA"}
_PROTOCOLS = {"CTPROTOCOL", "XAPROTOCOL"}
#: Modalities of objects that accompany images and never make work of their own (DICOM PS3.3, C.7.3.1.1.1).
NON_IMAGE_MODALITIES = frozenset(_DOCUMENTS | _DERIVED | _WAVEFORMS | _RADIOTHERAPY | _EYE_MEASUREMENTS | _PROTOCOLS)

_ROOT = "1.2.840.10008.5.1.4."

#: Below `_ROOT`: storage classes of objects that are no images to report (DICOM PS3.4, Annex B; PS3.6, Annex A).
#: Secondary captures stand here because their modality is that of anything: a dose screen of a CT says CT.
_NO_IMAGES = (
    "1.1.7",  # secondary capture
    "1.1.8",  # standalone overlays (retired)
    "1.1.9",  # waveforms and standalone curves
    "1.1.10",  # standalone look-up tables (retired)
    "1.1.11",  # presentation states
    "1.1.66",  # raw data, registrations, fiducials, segmentations, tractography
    "1.1.67",  # real world value mapping
    "1.1.68",  # surface scans
    "1.1.77.1.5.3",  # stereometric relationship
    "1.1.78",  # lensometry, refraction, visual acuity, prescriptions
    "1.1.79",  # macular grid report
    "1.1.80",  # visual field measurements
    "1.1.88",  # structured reports and key object selections
    "1.1.90",  # content assessment results
    "1.1.91",  # annotations in bulk
    "1.1.104",  # encapsulated documents and models
    "1.1.129",  # standalone PET curves (retired)
    "1.1.131",  # structured display
    "1.1.200",  # protocols
    "1.1.201",  # inventories
    "1.1.481",  # radiotherapy, but for its images
    "34",  # delivery instructions
    "38",  # hanging protocols
    "39",  # colour palettes
    "43",  # implant templates
    "44",
    "45",
)
_RADIOTHERAPY_IMAGES = ("1.1.481.1", "1.1.481.23", "1.1.481.24")

#: Below `_ROOT`: the modality of image classes that are of one modality (the defined terms of the modules of PS3.3).
_MODALITIES = {
    "CR": ("1.1.1",),
    "DX": ("1.1.1.1", "1.1.1.1.1"),
    "MG": ("1.1.1.2", "1.1.1.2.1", "1.1.13.1.3", "1.1.13.1.4", "1.1.13.1.5"),
    "IO": ("1.1.1.3", "1.1.1.3.1"),
    "CT": ("1.1.2", "1.1.2.1", "1.1.2.2"),
    "MR": ("1.1.4", "1.1.4.1", "1.1.4.2", "1.1.4.3", "1.1.4.4"),
    "US": ("1.1.3", "1.1.3.1", "1.1.6", "1.1.6.1", "1.1.6.2"),
    "NM": ("1.1.5", "1.1.20"),
    "PT": ("1.1.128", "1.1.128.1", "1.1.130"),
    "XA": ("1.1.12.1", "1.1.12.1.1", "1.1.12.3", "1.1.13.1.1"),
    "RF": ("1.1.12.2", "1.1.12.2.1"),
    "RTIMAGE": _RADIOTHERAPY_IMAGES,
    "ES": ("1.1.77.1.1", "1.1.77.1.1.1"),
    "GM": ("1.1.77.1.2", "1.1.77.1.2.1"),
    "SM": ("1.1.77.1.3", "1.1.77.1.6"),
    "XC": ("1.1.77.1.4", "1.1.77.1.4.1"),
    "OP": ("1.1.77.1.5.1", "1.1.77.1.5.2", "1.1.77.1.5.5", "1.1.77.1.5.6"),
    "OPT": ("1.1.77.1.5.4",),
    "IVOCT": ("1.1.14.1", "1.1.14.2"),
}
_MODALITY_OF_CLASS = {f"{_ROOT}{uid}": modality for modality, uids in _MODALITIES.items() for uid in uids}
_NO_IMAGE_CLASSES = frozenset(f"{_ROOT}{uid}" for uid in _NO_IMAGES)
_NO_IMAGE_FAMILIES = tuple(f"{_ROOT}{uid}." for uid in _NO_IMAGES)


def is_image(sop_class_uid: str, modality: str | None) -> bool:
    """Tell whether an object can make or time work; one without a modality can, unless its class cannot."""
    if modality in NON_IMAGE_MODALITIES:
        return False
    if sop_class_uid in _MODALITY_OF_CLASS:
        return True
    return sop_class_uid not in _NO_IMAGE_CLASSES and not sop_class_uid.startswith(_NO_IMAGE_FAMILIES)


def modality_of_class(sop_class_uid: str) -> str | None:
    """Give the modality of an image class; None where the class is of several or is not known."""
    return _MODALITY_OF_CLASS.get(sop_class_uid)
