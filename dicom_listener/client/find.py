"""Asks a PACS about studies by C-FIND (PS3.4, Annex C, study root), with bounded answers.

It must not decide when or about what; `enquiries` does. What an answer says wrongly is left out, and an answer that
does not fit the question is none: a PACS may ignore a key that it does not know.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from time import monotonic, sleep
from typing import NamedTuple

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from dicom_listener.client.association import associated
from dicom_listener.client.query_address import Manners, QueryAddress
from dicom_listener.client.study_answer import KEYS, issuer_of, read_answer
from dicom_listener.conformance import STUDY_ROOT_FIND, Status
from worklist.intake.study import StudyAtSource

_PENDING = frozenset({0xFF00, 0xFF01})
_DONE = frozenset({Status.SUCCESS, 0xFE00})  # success, and stopped as we asked
#: Answers that a peer may still have under way when it is told to stop; after them the association is aborted.
_MOST_AFTER_CANCEL = 200
_DAY_SECONDS = 24 * 60 * 60
_SHORTEST_SPAN_SECONDS = 60
_WILDCARDS = frozenset("*?\\")

log = logging.getLogger(__name__)


class PatientStudies(NamedTuple):
    """A patient's studies at a PACS; not `whole` where it has more than are asked for."""

    studies: tuple[StudyAtSource, ...]
    whole: bool


class QueryFailed(Exception):
    """A query that came to no proper end; `status` is the peer's, None when it fell silent or went away."""

    def __init__(self, status: int | None) -> None:
        super().__init__("no answer" if status is None else f"status {status:04X}")
        self.status = status


class Asking:
    """An open association on which one PACS is asked, question by question, with a pause between them."""

    def __init__(self, association: Association, source: str, manners: Manners) -> None:
        self.source = source
        self._association = association
        self._manners = manners
        self._message_ids = count(1)
        self._not_before = 0.0

    def find(
        self, identifier: Dataset, fits: Callable[[Dataset], bool] = lambda _: True
    ) -> tuple[list[StudyAtSource], bool]:
        """Give the studies that a peer names, and whether those are all; beyond the bound it is told to stop.

        An answer that does not fit is left out.

        Raises
        ------
        QueryFailed
            When the peer fails, falls silent or goes away.
        """
        sleep(max(0.0, self._not_before - monotonic()))
        if not self._association.is_established:
            raise QueryFailed(None)
        message_id = next(self._message_ids) % 0x10000
        studies: list[StudyAtSource] = []
        most, code, whole = self._manners.max_answers, None, True
        responses = self._association.send_c_find(identifier, STUDY_ROOT_FIND, msg_id=message_id)
        for number, (status, answer) in enumerate(responses, 1):
            code = status.get("Status")
            if code not in _PENDING:
                continue  # it was the last
            whole = number <= most
            if number == most + 1:
                self._association.send_c_cancel(message_id, query_model=STUDY_ROOT_FIND)
            elif number > most + _MOST_AFTER_CANCEL:
                self._association.abort()
                raise QueryFailed(None)
            elif number <= most and answer is not None and fits(answer):
                studies += filter(None, [read_answer(answer, self.source)])
        self._not_before = monotonic() + self._manners.pause_seconds
        if code not in _DONE:
            raise QueryFailed(code)
        return studies, whole


@contextmanager
def asking(address: QueryAddress, manners: Manners, tls: ssl.SSLContext | None = None) -> Iterator[Asking]:
    """Hold the association on which a PACS is asked.

    Raises
    ------
    Unreachable
        When there is none to be had.
    """
    with associated(address, STUDY_ROOT_FIND, manners, tls) as association:
        yield Asking(association, address.source, manners)


def ask_study(pacs: Asking, study_instance_uid: str) -> StudyAtSource | None:
    """Ask about one study; None when the PACS does not have it. Raises `QueryFailed`."""
    studies, _ = pacs.find(_identifier(StudyInstanceUID=study_instance_uid))
    return next((study for study in studies if study.study_instance_uid == study_instance_uid), None)


def ask_priors(pacs: Asking, patient_identifier: str, issuer: str | None = None) -> PatientStudies:
    """Ask for a patient's studies; none for an identifier that would match others'. Raises `QueryFailed`.

    A PACS that does not know issuers may answer with somebody else who has the number by another issuer.
    """
    if not names_one_patient(patient_identifier, issuer):
        return PatientStudies((), whole=True)
    studies, whole = pacs.find(
        _identifier(PatientID=patient_identifier, IssuerOfPatientID=issuer or ""),
        lambda answer: issuer is None or issuer_of(answer) in {None, issuer},
    )
    return PatientStudies(tuple(study for study in studies if study.patient_identifier == patient_identifier), whole)


def names_one_patient(patient_identifier: str, issuer: str | None) -> bool:
    """Tell whether an identifier can be asked about: it is there, and would not match others' as a pattern."""
    return bool(patient_identifier) and _WILDCARDS.isdisjoint(patient_identifier + (issuer or ""))


def sweep(pacs: Asking, first: date, last: date) -> Iterator[StudyAtSource]:
    """Ask for all studies of some days by the source's calendar, first and last among them. Raises `QueryFailed`.

    A day with more studies than a query may answer is asked again in halves by the time of day, each on its own.
    """
    for number in range((last - first).days + 1):
        yield from _of_day(pacs, first + timedelta(days=number), 0, _DAY_SECONDS)


def _of_day(pacs: Asking, day: date, start: int, end: int) -> Iterator[StudyAtSource]:
    """Ask for a span of a day in seconds; a whole day is asked without times, as not every study has one."""
    times = "" if end - start == _DAY_SECONDS else f"{_clock(start)}-{_clock(end - 1)}"
    studies, whole = pacs.find(_identifier(StudyDate=day.strftime("%Y%m%d"), StudyTime=times))
    if whole or end - start <= _SHORTEST_SPAN_SECONDS:
        if not whole:
            log.warning("more studies than can be asked for: source=%s", pacs.source)
        yield from studies
        return
    middle = (start + end) // 2
    yield from _of_day(pacs, day, start, middle)
    yield from _of_day(pacs, day, middle, end)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}{seconds // 60 % 60:02}{seconds % 60:02}"


def _identifier(**keys: str) -> Dataset:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    for keyword in KEYS:
        setattr(identifier, keyword, "")
    for keyword, value in keys.items():
        if not value.isascii():
            identifier.SpecificCharacterSet = "ISO_IR 192"
        setattr(identifier, keyword, value)
    return identifier
