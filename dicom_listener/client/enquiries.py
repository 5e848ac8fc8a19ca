"""The loop that asks each PACS about the studies that want an answer, and in quiet hours about whole days.

It must not touch the database: what to ask about, and what becomes of an answer, are functions that it is given.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from time import monotonic

from dicom_listener.client.association import Unreachable
from dicom_listener.client.find import Asking, QueryFailed, ask_study, asking, sweep
from dicom_listener.client.off_peak import days_to_sweep, sweep_is_due
from dicom_listener.client.query_address import Manners, QueryAddress
from worklist.intake.study import StudyAtSource

#: So many studies are asked about in one association; the next round takes the rest.
STUDIES_IN_A_ROUND = 50
_FIRST_REST_SECONDS = 60.0
_LONGEST_REST_SECONDS = 3600.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Questions:
    """What the loop is given: where to ask, about what, and what to do with an answer.

    `studies_to_ask_about` takes a source's AE title and how many UIDs it may give at most, and must not give one that
    was just asked about. `note_study_unknown` is told of a study (AE title, UID) that the PACS does not have.
    `swept_at` and `note_swept` remember when the last sweep of a source began, so that a restart does not forget.
    """

    addresses: Callable[[], Sequence[QueryAddress]]
    studies_to_ask_about: Callable[[str, int], Sequence[str]]
    note_study_at_source: Callable[[StudyAtSource], None]
    note_study_unknown: Callable[[str, str], None]
    swept_at: Callable[[str], datetime | None]
    note_swept: Callable[[str, datetime], None]
    now: Callable[[], datetime]


class Enquiries:
    """Asks the PACS one after another; one that fails is left alone for a while, longer each time."""

    def __init__(self, questions: Questions, manners: Manners, tls: ssl.SSLContext | None = None) -> None:
        self._questions = questions
        self._manners = manners
        self._tls = tls
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}

    def run(self, stop: Event, *, every_seconds: float) -> None:
        """Make a round every so often until `stop`."""
        while not stop.is_set():
            try:
                self.make_round(stop)
            except Exception as error:
                log.error("enquiries failed: error=%s", type(error).__name__)
            stop.wait(every_seconds)

    def make_round(self, stop: Event) -> None:
        """Ask each PACS that has a question waiting and is not left alone."""
        for address in self._questions.addresses():
            if stop.is_set():
                return
            if monotonic() < self._rests_until.get(address.source, 0.0):
                continue
            try:
                self._visit(address, stop)
            except (Unreachable, QueryFailed) as error:
                self._leave_alone(address, error)
            except Exception as error:
                # one source's fault, or that of what keeps its answers, must not keep the others waiting
                log.error("enquiry failed: source=%s error=%s", address.source, type(error).__name__)
            else:
                self._failures.pop(address.source, None)

    def _visit(self, address: QueryAddress, stop: Event) -> None:
        questions = self._questions
        uids = questions.studies_to_ask_about(address.source, STUDIES_IN_A_ROUND)
        began, swept_at = questions.now(), questions.swept_at(address.source)
        sweeps = address.off_peak is not None and sweep_is_due(began, address.off_peak, swept_at)
        if not uids and not sweeps:
            return
        with asking(address, self._manners, self._tls) as pacs:
            for uid in uids[:STUDIES_IN_A_ROUND]:
                if stop.is_set():
                    return
                self._reconcile(pacs, uid)
            if not sweeps:
                return
            for study in sweep(pacs, *days_to_sweep(began, swept_at)):
                if stop.is_set():
                    return
                questions.note_study_at_source(study)
        questions.note_swept(address.source, began)

    def _reconcile(self, pacs: Asking, study_instance_uid: str) -> None:
        study = ask_study(pacs, study_instance_uid)
        if study is None:
            self._questions.note_study_unknown(pacs.source, study_instance_uid)
        else:
            self._questions.note_study_at_source(study)

    def _leave_alone(self, address: QueryAddress, error: Unreachable | QueryFailed) -> None:
        failures = self._failures.get(address.source, 0) + 1
        self._failures[address.source] = failures
        rest = rest_seconds(failures)
        self._rests_until[address.source] = monotonic() + rest
        log.warning("PACS not asked: source=%s error=%s rest_seconds=%d", address.source, type(error).__name__, rest)


def rest_seconds(failures: int) -> float:
    """Give how long a PACS is left alone after so many failures in a row."""
    return min(_FIRST_REST_SECONDS * 2.0 ** min(failures - 1, 16), _LONGEST_REST_SECONDS)
