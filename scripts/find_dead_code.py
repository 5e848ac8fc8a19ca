"""Finds functions, classes and imports that nothing in the product uses; tests do not count as use.

Fields and constants are left out: frameworks and the database read them by name. What a framework
calls stands in `dead_code_allowed.py`, with who calls it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).resolve().parent.parent
PATHS = ("worklist", "allocation", "insight", "dicom_listener", "hl7_listener", "api", "cli", "benchmarks")
KINDS = frozenset({"function", "class", "method", "property", "import", "unreachable_code"})
#: What these decorate is called by the framework that they belong to.
DECORATORS = [
    "@router.*",
    "@app.*",
    "@*_app.*",
    "@model_validator*",
    "@field_validator*",
    "@field_serializer*",
    "@computed_field*",
    "@*.listens_for*",
]


def main() -> int:
    """Print what is dead; exit status 1 if anything is."""
    vulture = Vulture(ignore_decorators=DECORATORS)
    vulture.scavenge([str(ROOT / path) for path in PATHS] + [str(ROOT / "scripts" / "dead_code_allowed.py")])
    dead = [item for item in vulture.get_unused_code(min_confidence=60) if item.typ in KINDS]
    for item in dead:
        where = f"{item.filename.relative_to(ROOT)}:{item.first_lineno}"
        print(f"{where}: {item.typ} {item.name!r} is used by nothing in the product")
    if not dead:
        print("No dead code")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
