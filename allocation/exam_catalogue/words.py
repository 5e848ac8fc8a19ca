"""What the words of a catalogue file mean: systems as modalities, lateralities; a word that is not here is a fault.

Pure: no I/O, no clock, no settings. It must not guess: a modality decides who may read.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Words of the column `system` (lower case) to the label that UK worklists use.
MODALITY_OF_SYSTEM: Mapping[str, str] = {
    **{
        label.lower(): label
        for label in ("XR", "CT", "MR", "US", "NM", "PT", "MG", "RF", "XA", "DXA", "IO", "ES", "OP")
    },
    "x-ray": "XR",
    "xray": "XR",
    "plain film": "XR",
    "plain radiography": "XR",
    "plain x-ray": "XR",
    "radiography": "XR",
    "computed tomography": "CT",
    "computerised tomography": "CT",
    "magnetic resonance": "MR",
    "magnetic resonance imaging": "MR",
    "mri": "MR",
    "ultrasound": "US",
    "ultrasonography": "US",
    "nuclear medicine": "NM",
    "radionuclide": "NM",
    "positron emission tomography": "PT",
    "pet": "PT",
    "mammography": "MG",
    "fluoroscopy": "RF",
    "angiography": "XA",
    "interventional": "XA",
    "dental": "IO",
    "endoscopy": "ES",
}

#: Words of the column `laterality` (lower case; empty: none) to those of the catalogue.
LATERALITY: Mapping[str, str] = {
    **dict.fromkeys(("", "none", "n/a", "not applicable", "no laterality"), "none"),
    **dict.fromkeys(("left", "lt", "l"), "left"),
    **dict.fromkeys(("right", "rt", "r"), "right"),
    **dict.fromkeys(("bilateral", "both", "b", "left and right"), "bilateral"),
}

#: Modalities without ionising radiation; all others fall under IR(ME)R 2017.
NOT_IONISING = frozenset({"MR", "US", "OP", "ES"})
