"""Keeps a demonstration up after its run, and says what a visitor can try.

It must not change anything on the server.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from datetime import datetime

from cli.demonstration.server import DemoServer, tail
from cli.demonstration.telling import Teller
from worklist.local_time import LONDON

#: Whose tokens are shown: the network's manager, a trust's, its PACS manager, a radiologist, a radiographer.
_SHOWN = ("manager", "manager-rz1", "pacs-rz1", "finance", "hargreaves", "adeyemi")


def stay_up(tell: Teller, server: DemoServer, tokens: Mapping[str, str], at: datetime) -> list[str]:
    """Stay up until Ctrl-C; gives what was not as expected, which is a server that ended by itself."""
    tell.out.rule("The server stays up until Ctrl-C", align="left")
    tell.say(f"HTTP   http://{server.http}/api/v1   (OpenAPI: http://{server.http}/api/openapi.json)")
    tell.say(
        f"DICOM  {server.dicom}, calling AE titles PACS_NORTH1, PACS_EAST1, PACS_SOUTH1, PACS_WEST1 and their second"
    )
    tell.say(f"HL7    {server.hl7}; the trusts' RIS of this demonstration go on taking reports")
    tell.say(f"The server's clock stands at {at.astimezone(LONDON):%A %d %B %Y, %H:%M} London time;")
    tell.say(f"  move it on with: radpool clock +1h --data {server.data}")
    tell.say("Users and their tokens (every reporter has an account, named like the reporter's id):")
    for name in _SHOWN:
        if name in tokens:
            tell.say(f"  {name:<12}{tokens[name]}")
    tell.say("Try:")
    for user, rest in (
        ("manager", f"'http://{server.http}/api/v1/worklist?limit=3'"),
        ("manager", f"'http://{server.http}/api/v1/metrics/backlog?by=trust,modality'"),
        ("hargreaves", f"-H 'Content-Type: application/json' -d '{{}}' http://{server.http}/api/v1/claims"),
    ):
        tell.say(f"  curl -s -H 'Authorization: Bearer {tokens[user]}' {rest}")
    with contextlib.suppress(KeyboardInterrupt):
        while server.is_up:
            time.sleep(0.2)
        tell.fault(f"the server ended by itself; the end of its log:\n{tail(server.data)}")
        return ["the server ended by itself"]
    tell.say("Stopping the server ...")
    return []
