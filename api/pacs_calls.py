"""Asks PACS on behalf of a request: one request at a time to each, few in all, so that dead PACS hold up nobody else.

It must not be used in the event loop or within a transaction: an answer may take many seconds.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from dicom_listener.client.association import Unreachable, WhyNot
from dicom_listener.client.echo import why_no_echo
from dicom_listener.client.find import PatientStudies, QueryFailed, ask_priors, asking, names_one_patient
from dicom_listener.client.query_address import Manners, QueryAddress
from worklist.intake.study import StudyAtSource

_MOST_CALLS = 4
_NOTHING = PatientStudies((), whole=False)


class TooManyCalls(RuntimeError):
    """As many requests ask PACS as may, or another asks the same one; the caller may try again."""


class PacsCalls:
    """What requests of one process share to ask PACS; used from many threads."""

    def __init__(self, calling_ae_title: str = "RADPOOL", tls: ssl.SSLContext | None = None) -> None:
        self._manners = Manners(calling_ae_title, connect_seconds=5.0, answer_seconds=5.0, max_answers=200)
        self._tls = tls
        self._lock = Lock()
        self._asked: set[str] = set()

    def echo(self, address: QueryAddress) -> WhyNot | None:
        """Send a C-ECHO, and say why it was not answered with success; None when it was.

        Raises
        ------
        TooManyCalls
            When it cannot be sent now.
        """
        with self._turn([address]):
            return why_no_echo(address, self._manners, self._tls)

    def priors(
        self, addresses: Sequence[QueryAddress], identities: Sequence[tuple[str, str | None]]
    ) -> list[tuple[str, WhyNot | None, PatientStudies]]:
        """Ask PACS one after another for a patient's studies; give each source, why it gave no answer, and its studies.

        `identities` are identifiers with their issuers, all of one patient: a PACS may know them by an earlier one.

        Raises
        ------
        TooManyCalls
            When one of them cannot be asked now.
        """
        with self._turn(addresses):
            return [(one.source, *self._priors(one, identities)) for one in addresses]

    def _priors(
        self, address: QueryAddress, identities: Sequence[tuple[str, str | None]]
    ) -> tuple[WhyNot | None, PatientStudies]:
        asked = [one for one in identities if names_one_patient(*one)]
        if not asked:
            return WhyNot.NO_IDENTIFIER, _NOTHING
        try:
            with asking(address, self._manners, self._tls) as pacs:
                return None, _all_of([ask_priors(pacs, *one) for one in asked])
        except Unreachable as unreachable:
            return unreachable.why, _NOTHING
        except QueryFailed as failed:
            return WhyNot.NO_ANSWER if failed.status is None else WhyNot.FAILED, _NOTHING

    @contextmanager
    def _turn(self, addresses: Sequence[QueryAddress]) -> Iterator[None]:
        wanted = {one.source for one in addresses}
        with self._lock:
            if self._asked & wanted or len(self._asked | wanted) > _MOST_CALLS:
                raise TooManyCalls("as many requests ask PACS as may; send the same again later")
            self._asked |= wanted
        try:
            yield
        finally:
            with self._lock:
                self._asked -= wanted


def _all_of(answers: Sequence[PatientStudies]) -> PatientStudies:
    """Give the studies of several answers, each once."""
    studies: dict[str, StudyAtSource] = {}
    for study in (study for one in answers for study in one.studies):
        studies.setdefault(study.study_instance_uid, study)
    return PatientStudies(tuple(studies.values()), whole=all(one.whole for one in answers))
