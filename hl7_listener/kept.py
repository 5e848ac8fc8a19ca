"""Takes messages again that were kept out, once whom they name may be their accession's patient.

It must not read messages: what they said is kept as facts (`worklist.home.kept`).
"""

from __future__ import annotations

from sqlalchemy import Engine, select

from allocation.home_finals import take_home_report
from worklist.db.tables.network import ris
from worklist.home.kept import Takers, take_due
from worklist.home.reading import HomeReading, receive_home_reading
from worklist.intake.home_reports import HomeReport
from worklist.intake.orders import Order, receive_order

_TAKERS: Takers = {
    "order": (Order, receive_order),
    "report": (HomeReport, take_home_report),
    "reading": (HomeReading, receive_home_reading),
}


def take_kept(engine: Engine) -> int:
    """Take what is due again, and give how many messages were taken in."""
    with engine.connect() as connection:
        trusts = set(connection.scalars(select(ris.c.trust_ods)))
    return take_due(engine, trusts, _TAKERS)
