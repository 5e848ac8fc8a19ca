"""Tells where an error was raised without what it said: messages of drivers and parsers quote values.

It must not log.
"""

from __future__ import annotations

import traceback
from pathlib import Path

_FRAMES = 4


def where_raised(error: BaseException) -> str:
    """Give the innermost places that an error passed, the last one first, as `module.py:line`."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames))
