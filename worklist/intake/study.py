"""What a source tells us about a study: the facts of one received object, as plain data.

Pure: no I/O, no clock, no settings. The DICOM side builds these from headers and the intake reads
them; neither needs to know the other. It must not interpret: codes are not mapped and times not
judged here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from worklist.local_time import LocalTime

#: Modalities of objects that accompany images and never make work of their own (key objects,
#: presentation states, structured reports, secondary capture, registrations and the like).
NON_IMAGE_MODALITIES = frozenset(
    {"AU", "DOC", "FID", "HC", "KO", "OT-DOC", "PLAN", "PR", "REG", "RWV", "SEG", "SMR", "SR"}
)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry as sent: value, coding scheme designator and meaning (DICOM PS3.3, 8.8)."""

    value: str
    scheme: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class PatientAsSent:
    """Who the source says the patient is; every field may be missing.

    `birth_date` is the local calendar date; `nhs_number` is ten digits without spaces, unvalidated.
    """

    identifier: str | None = None
    issuer: str | None = None
    nhs_number: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedObject:
    """The header of one DICOM object, in the field's own words.

    `acquisition_ended` is the best statement of the end of acquisition that this object carries,
    with its own source keyword inside; `header_faults` names attributes that could not be read
    (keyword and reason, never the value: values can identify a patient).
    """

    calling_ae_title: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    modality: str | None = None
    accession_number: str | None = None
    issuer_of_accession_number: str | None = None
    patient: PatientAsSent = field(default_factory=PatientAsSent)
    requested_codes: tuple[Code, ...] = ()
    performed_codes: tuple[Code, ...] = ()
    study_description: str | None = None
    requesting_service: str | None = None
    institutional_department_name: str | None = None
    current_patient_location: str | None = None
    requested_procedure_priority: str | None = None
    patient_age: str | None = None
    acquisition_ended: LocalTime | None = None
    study_date: date | None = None
    header_faults: tuple[tuple[str, str], ...] = ()

    @property
    def is_image(self) -> bool:
        """Whether the object can make or time work (see `NON_IMAGE_MODALITIES`)."""
        return bool(self.modality) and self.modality not in NON_IMAGE_MODALITIES
