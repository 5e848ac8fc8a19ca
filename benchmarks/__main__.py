"""The command `python -m benchmarks NAME`: which benchmarks there are and what they take; measures nothing itself."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import claims, hl7, ingest
from benchmarks.result import Plan, publish

BENCHMARKS = {"claims": claims.run, "hl7": hl7.run, "ingest": ingest.run}


def main(words: Sequence[str]) -> int:
    """Run one benchmark, print what it found, its last line one JSON object; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure radpool beside its peers.")
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help=f"one of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--seconds", type=float, help="how long one measured run of `claims` lasts")
    parser.add_argument("--small", action="store_true", help="tiny sizes: shows that it works, measures nothing")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same work")
    given = parser.parse_args(words)
    if given.name not in BENCHMARKS:
        print(f"there is no benchmark {given.name!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    publish(given.name, BENCHMARKS[given.name](Plan(given.seed, given.small, given.seconds)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
