"""The hard limits under which instances are taken over HTTP; plain numbers, no reading of settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from dicom_listener.limits import Limits


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What one store request may send, and how many may be at work; seconds and bytes.

    The length of a body is not limited: what is kept of it is. `header` bounds what is kept of each object,
    `most_parts` and `most_objects` how many there are in a request, `part_header_bytes` one line of a part's
    header. `silence_seconds` bounds the wait for the next bytes, `request_seconds` the whole body, and after
    `grace_seconds` a body must have come at `slowest_bytes_per_second` on average. `objects_per_commit` are
    taken in one transaction. `most_requests` are at work in one process, `most_threads` of them at once.
    """

    header: Limits = field(default_factory=Limits)
    most_parts: int = 20_000
    most_objects: int = 20_000
    part_header_lines: int = 16
    part_header_bytes: int = 4096
    silence_seconds: float = 30.0
    request_seconds: float = 3600.0
    grace_seconds: float = 60.0
    slowest_bytes_per_second: int = 1024
    objects_per_commit: int = 100
    most_requests: int = 16
    most_threads: int = 4
