"""A peer of its own process that sends C-ECHO until it is told to end, then says how long each took.

Started as `python -m tests.attacks.echo_peer PORT PAUSE_SECONDS`; it ends when a line or the end comes to it.
"""

from __future__ import annotations

import select
import sys

from tests.attacks.attacked import echo_seconds


def main() -> None:
    port, pause_seconds = int(sys.argv[1]), float(sys.argv[2])
    echo_seconds(port)
    print("ready", flush=True)
    seconds = []
    while not select.select([sys.stdin], [], [], pause_seconds)[0]:
        seconds.append(echo_seconds(port))
    print(*seconds, flush=True)


if __name__ == "__main__":
    main()
