"""A person's session of reporting: when, of what kind, which work it takes, whether it pays per report.

Pure: no I/O, no clock, no settings. It must not judge eligibility.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SessionKind(StrEnum):
    """In whose time the work is done."""

    JOB_PLANNED = "job_planned"  # direct clinical care in the job plan; never paid per report
    INSOURCED = "insourced"  # paid additional reporting
    ON_CALL = "on_call"
    DUTY = "duty"

    @property
    def pays_per_report(self) -> bool:
        """Whether a verified report claimed in such a session earns a pay line."""
        return self is SessionKind.INSOURCED


@dataclass(frozen=True, slots=True)
class ReportingSession:
    """One session; instants are aware UTC. `trusts` and `modalities` None: any that is eligible."""

    id: int
    reporter_id: int
    kind: SessionKind
    starts_at: datetime
    ends_at: datetime
    trusts: frozenset[str] | None = None
    modalities: frozenset[str] | None = None

    @property
    def pays_per_report(self) -> bool:
        """Whether a verified report claimed in it earns a pay line."""
        return self.kind.pays_per_report

    def runs_at(self, at: datetime) -> bool:
        """Whether the instant lies within it; its end does not."""
        return self.starts_at <= at < self.ends_at

    def takes(self, trust: str, modality: str | None) -> bool:
        """Whether work of a trust and modality belongs in it; unknown modality needs an open session."""
        return (self.trusts is None or trust in self.trusts) and (
            self.modalities is None or modality in self.modalities
        )
