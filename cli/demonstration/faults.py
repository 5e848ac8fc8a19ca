"""What ends a demonstration early."""

from __future__ import annotations


class DemonstrationFailed(Exception):
    """The demonstration cannot go on; says what was not as it should be."""
