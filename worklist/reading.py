"""What a person claims of an item: a reading, with a purpose.

Pure: no I/O, no clock, no settings. It must not know leases in force; those are rows of the
database, judged by the database's clock.
"""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """Why an item is read."""

    FIRST = "first"
    CHECK = "check"  # of a trainee's or supervised person's preliminary report
    SECOND = "second"  # an opinion asked for
    SAMPLE = "sample"  # peer learning, blind to the author
    ADDENDUM = "addendum"
    AMENDMENT = "amendment"  # of a report that was recalled


class ReadingState(StrEnum):
    """Where a reading stands. An open reading is free unless a claim's lease on it is running."""

    OPEN = "open"
    HELD = "held"  # not offered until a person settles a doubt
    DONE = "done"
    WITHDRAWN = "withdrawn"


class ClaimEnd(StrEnum):
    """Why a claim ended."""

    REPORTED = "reported"
    RELEASED = "released"
    SKIPPED = "skipped"
    REFERRED = "referred"
    SUPERSEDED = "superseded"  # its lease had run out and another reporter claimed
    WITHDRAWN = "withdrawn"  # the reading itself was withdrawn or its reporter lost the right


class ReportStatus(StrEnum):
    """Standing of a report, in the contract's words."""

    PRELIMINARY = "preliminary"
    VERIFIED = "verified"
    ADDENDUM = "addendum"


class Discrepancy(StrEnum):
    """What a verified report changes of the one that went out before it, as who verified it says."""

    NONE = "none"
    MINOR = "minor"  # nothing that the requester would do otherwise
    MATERIAL = "material"  # the requester may have to do otherwise: they are alerted
