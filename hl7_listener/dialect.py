"""How one home RIS speaks HL7: which fields hold what, and what its words mean; defaults and overrides.

The overrides are the `dialect` of a `[[ris]]` in the configuration. A key that is not described here
is refused. It must not read messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from hl7_listener.delivery.wording import Wording
from hl7_listener.fault import MessageFault
from hl7_listener.header import codec_of
from hl7_listener.messages import parts_of
from worklist.intake.home_reports import HomeReportStatus
from worklist.intake.orders import OrderControl
from worklist.turnaround.targets import Setting, Urgency

_Meaning = TypeVar("_Meaning")


class DialectNotValid(ValueError):
    """A dialect that says something that is not understood; names each place."""


def _field(path: str) -> str:
    parts_of(path)
    return path


def _character_set(name: str) -> str:
    try:
        codec_of(name, "character_set")
    except MessageFault as fault:
        raise ValueError(fault.reason) from None
    return name


Field = Annotated[str, AfterValidator(_field)]
NhsNumberStatus = Literal["01", "02", "03", "04", "05", "06", "07", "08"]

#: HL7 table 0004, patient class. What it leaves open (preadmit, obstetrics, unknown) is not known here.
_PATIENT_CLASSES: dict[str, Setting | None] = {
    "E": Setting.EMERGENCY,
    "I": Setting.INPATIENT,
    "O": Setting.OUTPATIENT,
    "R": Setting.OUTPATIENT,
}
#: Priorities of ORC-7 and OBR-27 (component 6) and of TQ1-9 (HL7 table 0485).
_URGENCIES: dict[str, Urgency | None] = {
    "S": Urgency.EMERGENCY,
    "STAT": Urgency.EMERGENCY,
    "A": Urgency.URGENT,
    "ASAP": Urgency.URGENT,
    "URGENT": Urgency.URGENT,
    "R": Urgency.ROUTINE,
    "ROUTINE": Urgency.ROUTINE,
}
#: ORC-5 of a change of status (HL7 table 0038): whether somebody reads it, where the words say that.
_READING_STATUSES: dict[str, bool | None] = {
    "IP": True,
    **dict.fromkeys(("SC", "A", "CM", "HD", "DC", "CA"), False),
}
_CONTROLS: dict[str, OrderControl | None] = {
    "NW": OrderControl.NEW,
    "XO": OrderControl.CHANGE,
    "CA": OrderControl.CANCEL,
}
#: HL7 tables 0123 (OBR-25), 0085 (OBX-11) and 0038 (ORC-5).
_REPORT_STATUSES: dict[str, HomeReportStatus | None] = {
    "F": HomeReportStatus.FINAL,
    "C": HomeReportStatus.FINAL,
    "CM": HomeReportStatus.FINAL,
    **dict.fromkeys(("A", "I", "IP", "O", "P", "R", "S", "SC"), HomeReportStatus.PRELIMINARY),
    **dict.fromkeys(("CA", "D", "W", "X"), HomeReportStatus.WITHDRAWN),
}
#: NHS number status indicators of the NHS Data Dictionary, and as HL7 v2 messages of the NHS write them.
_NHS_NUMBER_STATUSES: dict[str, NhsNumberStatus | None] = {
    word: status for status in get_args(NhsNumberStatus) for word in (status, f"NSTS{status}")
}


class Dialect(BaseModel):
    """The dialect of one home RIS.

    Of several fields for one thing the first that is valued counts; of `urgency_fields` the most
    urgent. The maps (`controls`, `settings`, `urgencies`, `report_statuses`, `nhs_number_statuses`) add to the
    defaults, word by word; null takes a word out. Words are compared in upper case.

    - `character_set`: of messages that declare none in MSH-18.
    - `study_uid_fields`: the StudyInstanceUID of the images, where the order names it.
    - `accession_fields`, `placer_fields`, `exam_fields` (code, text and system from the component
      named on), `clinical_question_fields`.
    - `status_controls`: of ORC-1, that tell a change of status; `reading_status_fields` and `reading_statuses` say
      whether somebody reads it there. A word that is not known says nothing of that.
    - `orders_are_whole`: what an order leaves empty is not there any more. Else it is as it was, which is HL7's rule,
      and two double quotes (`""`) say that it is gone. Exams and numbers are never cleared.
    - `setting_fields` and, for each of them, its words in `settings`.
    - `report_status_fields`, `reported_at_fields`.
    - `exam_ended_fields`: when the examination ended, of orders and of results; it starts the turnaround clock.
    - `requester_fields`, `call_back_fields`: who asked, and how they are reached.
    - `needed_by_fields`: when the report is needed (clinic, multidisciplinary meeting): a time, or a day, which counts
      from its beginning. When the examination is to be done (OBR-27.4) is none of them unless it is named.
    - `referral_date_fields`: the referral that the faster diagnosis standard counts from; none unless named.
    - `patient_issuer`: the IssuerOfPatientID of the identifiers that the RIS sends, where PID-3.4
      does not say what the images say.
    - `reporter_fields`: who reported, in a result; `reporters`: whom its words mean, by the code of a reporter.
    - `sent`: how it wants our messages.
    - `nhs_number_status_fields`: where the trace status of the NHS number stands, `01` being verified; its words
      in `nhs_number_statuses`. What is not sent is not verified.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    character_set: Annotated[str, AfterValidator(_character_set)] = "8859/1"
    accession_fields: tuple[Field, ...] = ("IPC-1", "ORC-3", "OBR-3")
    placer_fields: tuple[Field, ...] = ("ORC-2", "OBR-2")
    study_uid_fields: tuple[Field, ...] = ("IPC-3", "ZDS-1")
    controls: dict[str, OrderControl | None] = _CONTROLS
    status_controls: tuple[str, ...] = ("SC",)
    reading_status_fields: tuple[Field, ...] = ("ORC-5",)
    reading_statuses: dict[str, bool | None] = _READING_STATUSES
    exam_fields: tuple[Field, ...] = ("OBR-4",)
    orders_are_whole: bool = False
    setting_fields: tuple[Field, ...] = ("PV1-3", "PV1-2")
    settings: dict[Field, dict[str, Setting | None]] = {"PV1-2": _PATIENT_CLASSES}
    urgency_fields: tuple[Field, ...] = ("TQ1-9", "ORC-7.6", "OBR-27.6", "OBR-5")
    urgencies: dict[str, Urgency | None] = _URGENCIES
    requester_fields: tuple[Field, ...] = ("ORC-12", "OBR-16")
    call_back_fields: tuple[Field, ...] = ("ORC-14", "OBR-17")
    needed_by_fields: tuple[Field, ...] = ("OBR-27.5", "ORC-7.5", "TQ1-8")
    referral_date_fields: tuple[Field, ...] = ()
    clinical_question_fields: tuple[Field, ...] = ("OBR-31.2", "OBR-31", "OBR-13")
    report_status_fields: tuple[Field, ...] = ("OBR-25", "OBX-11", "ORC-5")
    report_statuses: dict[str, HomeReportStatus | None] = _REPORT_STATUSES
    reported_at_fields: tuple[Field, ...] = ("OBR-22",)
    reporter_fields: tuple[Field, ...] = ("OBR-32", "OBX-16")
    reporters: dict[str, str] = {}
    #: Observation end, observation, and the end that OBR-34 gives beside the technician (NDL, component 3).
    exam_ended_fields: tuple[Field, ...] = ("OBR-8", "OBR-7", "OBR-34.3")
    patient_issuer: str | None = None
    sent: Wording = Wording()
    nhs_number_status_fields: tuple[Field, ...] = ("PID-32",)
    nhs_number_statuses: dict[str, NhsNumberStatus | None] = _NHS_NUMBER_STATUSES

    def segments(self) -> frozenset[str]:
        """Give the segments in which this dialect looks."""
        fields = (
            *self.accession_fields,
            *self.placer_fields,
            *self.study_uid_fields,
            *self.reading_status_fields,
            *self.exam_fields,
            *self.setting_fields,
            *self.urgency_fields,
            *self.clinical_question_fields,
            *self.requester_fields,
            *self.call_back_fields,
            *self.needed_by_fields,
            *self.referral_date_fields,
            *self.report_status_fields,
            *self.reported_at_fields,
            *self.reporter_fields,
            *self.exam_ended_fields,
            *self.nhs_number_status_fields,
        )
        return frozenset({"PID", "ORC", "OBR", *(parts_of(field)[0] for field in fields)})


def read_dialect(overrides: Mapping[str, Any]) -> Dialect:
    """Give the dialect that a RIS's overrides make of the defaults.

    Raises
    ------
    DialectNotValid
        When a key, a field or a meaning is not one that is described here.
    """
    try:
        given = Dialect.model_validate(dict(overrides))
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False))
        raise DialectNotValid("; ".join(faults)) from None
    return given.model_copy(
        update={
            "reading_statuses": _together(_READING_STATUSES, given.reading_statuses),
            "status_controls": tuple(word.upper() for word in given.status_controls),
            "controls": _together(_CONTROLS, given.controls),
            "urgencies": _together(_URGENCIES, given.urgencies),
            "nhs_number_statuses": _together(_NHS_NUMBER_STATUSES, given.nhs_number_statuses),
            "report_statuses": _together(_REPORT_STATUSES, given.report_statuses),
            "reporters": _together({}, given.reporters),
            "settings": {
                field: _together(_PATIENT_CLASSES if field == "PV1-2" else {}, given.settings.get(field, {}))
                for field in given.setting_fields
            },
        }
    )


def _together(defaults: Mapping[str, _Meaning], given: Mapping[str, _Meaning]) -> dict[str, _Meaning]:
    return {**defaults, **{word.upper(): meaning for word, meaning in given.items()}}
