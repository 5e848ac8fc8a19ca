"""The post of one home RIS as a process of its own, which a test can kill: `python -m ... DATABASE_URL`."""

from __future__ import annotations

import sys
import time

from hl7_listener.delivery.courier import Courier, follow, homes
from tests.hl7_listener.delivery.telling import QUICK
from worklist.db.engine import make_engine
from worklist.log.sequencer import sequence


def main(url: str) -> None:
    engine = make_engine(url)
    [home] = homes(engine).values()
    courier = Courier(engine, home, QUICK)
    print("ready", flush=True)
    while True:
        sequence(engine)
        follow(engine)
        courier.deliver()
        time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1])
