"""For whom identities are read: what row-level security is told before a transaction reads.

Pure: no I/O, no clock, no settings. It must not decide who may see what; `api.permissions` does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewer:
    """For whom a transaction reads identities; row-level security holds it to that.

    `trust` opens the patients and orders of one trust (ODS code); `reporter_id` those that were
    offered to that reporter; `network_wide` the accession numbers, never the patients, of all trusts.
    Nothing set sees nobody.
    """

    trust: str | None = None
    reporter_id: int | None = None
    network_wide: bool = False
