"""Tells a source on an association of our own that nothing it asked us to commit to is stored (PS3.4, J.3.3).

It must not decide what is reported. Reports wait in memory: one that is lost with the process, or that a source does
not take in a few attempts, promises nothing, and the source asks again.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Event
from time import monotonic

from pynetdicom.presentation import build_role

from dicom_listener.client.association import Unreachable, associated
from dicom_listener.client.query_address import Manners, QueryAddress
from dicom_listener.conformance import STORAGE_COMMITMENT_INSTANCE, STORAGE_COMMITMENT_PUSH_MODEL, Status
from dicom_listener.services.storage_commitment import FAILURES_EXIST, Commitment, event_data_set

#: How many reports may wait; another goes out on the association that its request came on.
MOST_WAITING = 32
#: Before each attempt. The first lets the response to the request arrive before the report.
ATTEMPT_AFTER_SECONDS = (1.0, 10.0, 60.0)
_TICK_SECONDS = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One report that waits; `attempt_at` is monotonic seconds."""

    attempt_at: float
    address: QueryAddress
    commitment: Commitment
    attempts: int = 0


class CommitmentReports:
    """Takes reports from many threads and sends them from the one that runs it."""

    def __init__(
        self,
        address_of: Callable[[str], QueryAddress | None],
        manners: Manners,
        tls: ssl.SSLContext | None = None,
        attempt_after_seconds: tuple[float, ...] = ATTEMPT_AFTER_SECONDS,
    ) -> None:
        self._address_of = address_of
        self._manners = manners
        self._tls = tls
        self._attempt_after_seconds = attempt_after_seconds
        self._free_places = BoundedSemaphore(MOST_WAITING)
        self._taken: SimpleQueue[_Waiting] = SimpleQueue()

    def deliver(self, commitment: Commitment) -> bool:
        """Take a report over; false when its source has no address or too many wait."""
        address = self._address_of(commitment.ae_title)
        if address is None or not self._free_places.acquire(blocking=False):
            return False
        self._taken.put(_Waiting(monotonic() + self._attempt_after_seconds[0], address, commitment))
        return True

    def run(self, stop: Event) -> None:
        """Send what waits until `stop`; a source that does not answer holds up the others for one attempt at most."""
        waiting: list[_Waiting] = []
        while not stop.is_set():
            with suppress(Empty):
                waiting.append(self._taken.get(timeout=_TICK_SECONDS))
            for each in [each for each in waiting if each.attempt_at <= monotonic()]:
                waiting.remove(each)
                if not stop.is_set() and (later := self._attempt(each)) is not None:
                    waiting.append(later)

    def _attempt(self, waiting: _Waiting) -> _Waiting | None:
        """Send one report; give what waits on, None when it was taken or given up."""
        attempts = waiting.attempts + 1
        sent = send_report(waiting.address, waiting.commitment, self._manners, self._tls)
        if not sent and attempts < len(self._attempt_after_seconds):
            attempt_at = monotonic() + self._attempt_after_seconds[attempts]
            return replace(waiting, attempt_at=attempt_at, attempts=attempts)
        if not sent:
            log.warning("storage commitment not reported: source=%s", waiting.address.source)
        self._free_places.release()
        return None


def send_report(
    address: QueryAddress, commitment: Commitment, manners: Manners, tls: ssl.SSLContext | None = None
) -> bool:
    """Report once, as the provider on an association that the provider opens (PS3.7, D.3.3.4); whether it was taken."""
    role = build_role(STORAGE_COMMITMENT_PUSH_MODEL, scp_role=True)
    try:
        with associated(address, STORAGE_COMMITMENT_PUSH_MODEL, manners, tls, role) as association:
            answer, _ = association.send_n_event_report(
                event_data_set(commitment), FAILURES_EXIST, STORAGE_COMMITMENT_PUSH_MODEL, STORAGE_COMMITMENT_INSTANCE
            )
            return bool(answer.get("Status") == Status.SUCCESS)
    except Unreachable:
        return False
    except Exception as error:
        log.error("storage commitment report failed: source=%s error=%s", address.source, type(error).__name__)
        return False
