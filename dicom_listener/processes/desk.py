"""The words that a worker's calls use over the link, and what each side makes of them.

`Desk` answers in the acceptor's process, `Caller` asks in a worker's. It must not hold a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from dicom_listener.admission import Admit, Peer, Rejection, RejectionReason, Source
from dicom_listener.journal.committer import Committer
from dicom_listener.journal.writer import Place
from dicom_listener.processes.link import Link
from dicom_listener.services.storage import Refuse, StoreAnswer

_SECONDS = 30.0


class CallFailed(Exception):
    """The acceptor's process could not do what was asked."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers the calls of workers."""

    admit: Admit
    refuse: Refuse
    refuse_unprotected: Callable[[str, str], None]
    committer: Committer

    def __call__(
        self, name: str, fields: Mapping[str, Any]
    ) -> Mapping[str, Any] | Future[Mapping[str, Any] | None] | None:
        """Answer one call."""
        match name:
            case "commit":
                return self._commit(Place(**fields))
            case "admit":
                return _told(self.admit(fields["calling"], fields["called"], Peer(**fields["peer"])))
            case "refuse":
                self.refuse(fields["calling_ae_title"], fields["keyword"], fields["reason"])
            case "refuse_unprotected":
                self.refuse_unprotected(fields["address"], fields["why"])
            case _:
                raise ValueError("a call that nobody answers")
        return None

    def _commit(self, place: Place) -> Future[Mapping[str, Any] | None]:
        told = Future[Mapping[str, Any] | None]()
        self.committer.committed(place).add_done_callback(lambda done: told.set_result(asdict(done.result())))
        return told


@dataclass(frozen=True, slots=True)
class Caller:
    """Asks the acceptor's process, and waits at most half a minute for each answer."""

    link: Link

    def admit(self, calling_ae_title: str, called_ae_title: str, peer: Peer) -> Source | Rejection:
        """Ask who may associate."""
        told = self._ask("admit", calling=calling_ae_title, called=called_ae_title, peer=asdict(peer))
        if "refused" in told:
            return Rejection(RejectionReason[told["refused"]])
        return Source(**told)

    def commit(self, place: Place) -> StoreAnswer:
        """Wait for a commit."""
        return StoreAnswer(**self._ask("commit", **asdict(place)))

    def refuse(self, calling_ae_title: str, keyword: str, reason: str) -> None:
        """Put an object that cannot be taken before people."""
        self._ask("refuse", calling_ae_title=calling_ae_title, keyword=keyword, reason=reason)

    def refuse_unprotected(self, address: str, why: str) -> None:
        """Tell of a TLS handshake that failed."""
        self._ask("refuse_unprotected", address=address, why=why)

    def _ask(self, name: str, **fields: Any) -> dict[str, Any]:
        told: dict[str, Any] = self.link.call(name, fields, _SECONDS) or {}
        if "failed" in told:
            raise CallFailed(name)
        return told


def _told(verdict: Source | Rejection) -> dict[str, Any]:
    return asdict(verdict) if isinstance(verdict, Source) else {"refused": verdict.reason.name}
