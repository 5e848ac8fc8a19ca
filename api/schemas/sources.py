"""Shapes of sources, echoes and what came before of a patient. Instants are RFC 3339 in UTC; null is not known."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.work import Exam
from dicom_listener.client.association import WhyNot
from dicom_listener.client.find import PatientStudies
from worklist.intake.ownership import PriorBecause
from worklist.priors import Prior

#: What helps, for each reason why a PACS did not answer.
HELP = {
    WhyNot.NO_TLS: "its `query` asks for TLS and this server has no certificate for DICOM",
    WhyNot.NO_CONNECTION: "nobody takes the connection there, or the TLS handshake fails",
    WhyNot.REJECTED: "it rejects the association: it may not know our AE title, or be called by another",
    WhyNot.NOT_OFFERED: "it does not offer the service that was asked for",
    WhyNot.NO_ANSWER: "it took the connection and did not answer in time",
    WhyNot.FAILED: "it answered with a failure",
    WhyNot.NO_IDENTIFIER: "the patient has no identifier that can be asked about",
}


class Source(BaseModel):
    """A source as configured; `last_sent_at` null: none of the network's newest 100,000 studies is its."""

    model_config = ConfigDict(from_attributes=True)

    ae_title: str
    trust: str
    address: str | None
    certificate_subject: str | None = Field(description="as RFC 4514 writes it")
    quiet_seconds: int | None = Field(description="null: the server's setting")
    completeness: dict[str, Any] | None
    claim_while_arriving: dict[str, Any] | None
    query: dict[str, Any] | None = Field(description="where it takes our associations; null: it is asked nothing")
    active: bool
    swept_at: datetime | None = Field(description="when it was last asked about whole days")
    last_sent_at: datetime | None


class Sources(BaseModel):
    """All sources that are yours to see, by AE title."""

    sources: list[Source]


class Echo(BaseModel):
    """Whether a source answered a C-ECHO; `why` is a stable word where it did not, `detail` says what may help."""

    ae_title: str
    answered: bool
    why: WhyNot | None
    detail: str | None


class PriorItem(BaseModel):
    """An item of the same patient of the same trust; the accession number where it is yours to see."""

    item_id: int
    accession_number: str | None
    exam_date: date | None
    exams: list[Exam]
    modality: str | None
    state: str
    reported_at: datetime | None


class PacsStudy(BaseModel):
    """A study of the patient that a PACS names; what it does not tell is null."""

    model_config = ConfigDict(from_attributes=True)

    study_instance_uid: str
    accession_number: str | None
    study_date: date | None
    modalities: list[str]
    description: str | None
    series: int | None
    instances: int | None


class Asked(BaseModel):
    """What one PACS answered; `why` is a stable word where it did not: then nothing follows from `studies`.

    Where not `whole`, the PACS gave no answer or the patient has more studies there than are given.
    """

    source: str
    why: WhyNot | None
    detail: str | None
    studies: list[PacsStudy]
    whole: bool


class PriorOnly(BaseModel):
    """A study that came and is no work here; `performed_by` is a trust of the network, or `elsewhere`."""

    model_config = ConfigDict(from_attributes=True)

    study_instance_uid: str | None
    exam_date: date | None
    modalities: list[str]
    description: str | None
    because: PriorBecause
    performed_by: str | None


class Priors(BaseModel):
    """What came before of an item's patient, the newest first; `asked` is empty unless PACS were to be asked.

    `priors` are items, `studies` came as priors only.
    """

    item_id: int
    priors: list[PriorItem]
    studies: list[PriorOnly]
    asked: list[Asked]


def prior_of(prior: Prior) -> PriorItem:
    """Render one prior item."""
    view = prior.view
    return PriorItem(
        item_id=view.id,
        accession_number=view.accession_number,
        exam_date=prior.exam_date,
        exams=[Exam.model_validate(one) for one in view.exams],
        modality=view.modality,
        state=view.state,
        reported_at=view.reported_at,
    )


def asked_of(source: str, why: WhyNot | None, found: PatientStudies) -> Asked:
    """Render what one PACS answered."""
    return Asked(
        source=source,
        why=why,
        detail=HELP[why] if why else None,
        studies=[PacsStudy.model_validate(one) for one in found.studies],
        whole=found.whole,
    )
