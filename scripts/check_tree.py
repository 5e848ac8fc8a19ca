"""Checks the files of the project as files: text, of bearable size, speaking of nothing outside.

What is not part of the project (the virtual environment, caches, data folders) is not looked at.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "dist", "var"})
KEPT_HIDDEN = frozenset({".ci", ".gitignore", ".dockerignore"})

MOST_BYTES = 400_000
MOST_SOURCE_LINES = 400

#: Hosts that a file may name. A package index or registry is none of them: where packages come from
#: is the matter of whoever installs.
HOSTS = frozenset({"127.0.0.1", "localhost", "www.apache.org", "[::1]"})
#: Ends of invented names, kept for that (RFC 2606, RFC 6761).
INVENTED = (".example", ".test", ".invalid", "example.org", "example.com")
_ADDRESS = re.compile(r"\b(?:https?|ftp|git\+[a-z]+)://(?:[^\s/@\"'<>]*@)?(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+)")

#: What tells of a place or a paper that a reader of the project does not have.
_OUTSIDE = (
    (re.compile(r"(?<![\w.$}-])/(?:work|root|home|Users)/[\w.]"), "a path of one machine"),
    (re.compile(r"\b(?:proofs|mission|domain|design|style|brief)\.md\b"), "a paper that is not here"),
    (re.compile(r"\b(?:issue|ticket|pull request|PR) #?\d+\b", re.IGNORECASE), "a discussion that is not here"),
)
_LONG_SOURCE = frozenset({".py", ".js", ".css", ".html"})


def main() -> int:
    """Print every fault of the tree; exit status 1 if there is one."""
    faults = [fault for path in project_files(ROOT) for fault in faults_of(path, path.relative_to(ROOT))]
    print("\n".join(faults) or "The tree is in order")
    return 1 if faults else 0


def project_files(folder: Path) -> Iterator[Path]:
    """Give the project's files, in order of their names."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in KEPT_HIDDEN
        if hidden or path.name in SKIPPED_FOLDERS or path.name.endswith(".egg-info"):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from project_files(path)
        else:
            yield path


def faults_of(path: Path, shown: Path) -> Iterator[str]:
    """Give what is wrong with one file."""
    content = path.read_bytes()
    if path.is_symlink():
        yield f"{shown}: a link; the project is plain files"
        return
    if len(content) > MOST_BYTES:
        yield f"{shown}: {len(content)} bytes; more than {MOST_BYTES} is not written by hand"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or "\0" in text:
        yield f"{shown}: not text; others' binaries come as packages"
        return
    lines = text.splitlines()
    if path.suffix in _LONG_SOURCE and len(lines) > MOST_SOURCE_LINES and "tests" not in shown.parts:
        yield f"{shown}: {len(lines)} lines; split at {MOST_SOURCE_LINES}"
    for number, line in enumerate(lines, start=1):
        yield from (f"{shown}:{number}: {fault}" for fault in _line_faults(line))


def _line_faults(line: str) -> Iterator[str]:
    for address in _ADDRESS.finditer(line):
        host = address[1].lower()
        if host not in HOSTS and not host.endswith(INVENTED) and "." in host:
            yield f"names the address {host}"
    for pattern, what in _OUTSIDE:
        if found := pattern.search(line):
            yield f"{found[0]!r} is {what}"


if __name__ == "__main__":
    sys.exit(main())
