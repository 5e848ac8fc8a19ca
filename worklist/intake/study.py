"""What a source tells us about a study: the facts of one received object, as plain data.

Pure: no I/O, no clock, no settings. The DICOM side builds these from headers and the intake reads
them; neither needs to know the other. It must not interpret: codes are not mapped and times not
judged here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from worklist.intake import sop_classes
from worklist.local_time import LocalTime


@dataclass(frozen=True, slots=True)
class Code:
    """A coded entry as sent: value, coding scheme designator and meaning (DICOM PS3.3, 8.8)."""

    value: str
    scheme: str = ""
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class PatientAsSent:
    """Who the source says the patient is; every field may be missing.

    `birth_date` is the local calendar date; `nhs_number` is ten digits without spaces, unvalidated;
    `nhs_number_trace` its status indicator (`01` to `08`), which headers do not state. `cleared` names fields of which
    the source says that they are not known any more; headers clear nothing.
    """

    identifier: str | None = None
    issuer: str | None = None
    nhs_number: str | None = None
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    sex: str | None = None
    nhs_number_trace: str | None = None
    cleared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReceivedObject:
    """The header of one DICOM object, in the field's own words.

    `acquisition_ended` is the best statement of the end of acquisition that this object carries,
    with its own source keyword inside; `header_faults` names attributes that could not be read
    (keyword and reason, never the value: values can identify a patient). `requested_accession_numbers` are those of the
    requests that the object satisfies, where there are several.
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
    requested_accession_numbers: tuple[str, ...] = ()
    institution_name: str | None = None

    @property
    def is_image(self) -> bool:
        """Whether the object can make or time work (see `worklist.intake.sop_classes`)."""
        return sop_classes.is_image(self.sop_class_uid, self.modality)

    @property
    def image_modality(self) -> str | None:
        """The modality of an image, by its SOP class where it states none; None where neither tells, or no image."""
        if not self.is_image:
            return None
        return self.modality or sop_classes.modality_of_class(self.sop_class_uid)


class StepStatus(StrEnum):
    """Where a performed procedure step stands (DICOM PS3.3, C.4.14)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


@dataclass(frozen=True, slots=True)
class ProcedureStep:
    """What one MPPS message says of a performed procedure step: an N-CREATE, or an N-SET that changes it.

    `status` None means that the message does not state one; `ended` is the local end of the step with its source. An
    N-SET repeats no study, so its `studies` may be empty: the step is known by its own UID.
    `performed_instances` counts what the step says it made, per series UID.
    """

    calling_ae_title: str
    step_uid: str
    creates: bool
    status: StepStatus | None = None
    studies: tuple[tuple[str, str | None], ...] = ()
    ended: LocalTime | None = None
    discontinuation_reason: Code | None = None
    performed_instances: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class AvailabilityNotice:
    """What an Instance Availability Notification says of one study (DICOM PS3.4, R).

    `instances` counts the objects that it names as available; `whole` is false when some of them are not
    on line or near line.
    """

    calling_ae_title: str
    notice_uid: str
    study_instance_uid: str
    instances: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class StudyAtSource:
    """What a PACS answers of one study to a query (C-FIND, study level); counts are None where it does not tell."""

    ae_title: str
    study_instance_uid: str
    accession_number: str | None = None
    patient_identifier: str | None = None
    study_date: date | None = None
    modalities: tuple[str, ...] = ()
    description: str | None = None
    instances: int | None = None
    series: int | None = None
