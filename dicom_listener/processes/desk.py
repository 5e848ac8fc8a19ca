"""The words that a worker's calls use over the link, and what each side makes of them.

`Desk` answers in the acceptor's process, `Caller` asks in a worker's. It must not hold a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from dicom_listener.admission import Admit, Rejection, RejectionReason, Source
from dicom_listener.journal.committer import Committer
from dicom_listener.journal.writer import Place
from dicom_listener.processes.link import Link
from dicom_listener.services.availability import Announce
from dicom_listener.services.performed_procedure_step import Note, StepAnswer
from dicom_listener.services.storage import Refuse, StoreAnswer
from dicom_listener.services.storage_commitment import Commitment, Deliver
from worklist.feeds.peer import Peer
from worklist.intake.study import AvailabilityNotice, ProcedureStep

_SECONDS = 30.0
_STEP = TypeAdapter(ProcedureStep)
_COMMITMENT = TypeAdapter(Commitment)


class CallFailed(Exception):
    """The acceptor's process could not do what was asked."""


@dataclass(frozen=True, slots=True)
class Others:
    """What the services of DIMSE-N ask for."""

    note: Note
    announce: Announce
    deliver: Deliver


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers the calls of workers."""

    admit: Admit
    refuse: Refuse
    refuse_unprotected: Callable[[str, str], None]
    committer: Committer
    others: Others

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
            case "note":
                return asdict(self.others.note(_STEP.validate_python(fields["step"])))
            case "announce":
                self.others.announce(AvailabilityNotice(**fields["notice"]))
            case "deliver":
                return {"taken": self.others.deliver(_COMMITMENT.validate_python(fields["commitment"]))}
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

    def note(self, step: ProcedureStep) -> StepAnswer:
        """Keep what a message says of a performed procedure step."""
        return StepAnswer(**self._ask("note", step=_STEP.dump_python(step, mode="json")))

    def announce(self, notice: AvailabilityNotice) -> None:
        """Keep a notice of availability."""
        self._ask("announce", notice=asdict(notice))

    def deliver(self, commitment: Commitment) -> bool:
        """Have the failure of a storage commitment reported."""
        return bool(self._ask("deliver", commitment=asdict(commitment))["taken"])

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
