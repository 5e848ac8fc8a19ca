"""Reports go to a RIS over TLS where it says so, and to nobody whose certificate is not believed."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from sqlalchemy import text

from cli.tls import client_context, server_context
from hl7_listener.delivery.courier import Courier, homes
from tests.builders import arrive
from tests.certificates import Certificates, make_certificates
from tests.conftest import Database
from tests.hl7_listener.delivery.home_ris import home_ris
from tests.hl7_listener.delivery.telling import QUICK, at_home, deliver, put_in_line, verify


def test_a_report_goes_to_its_ris_over_tls(network: Database, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with home_ris(tls=_taking(certificates)) as ris:
        at_home(network, ris.port, tls=True)
        arrive(network)
        verify(network)
        put_in_line(network)
        courier = Courier(network.app, homes(network.app)["RIS_A"], QUICK, _sending(certificates))
        assert courier.deliver() == 1
        arrive(network, accession="000999")
        verify(network)
        put_in_line(network)
        assert courier.deliver() == 1
        courier.close()
    assert (len(ris.taken), ris.connections) == (2, 1)


@pytest.mark.parametrize("whose", ["another authority's", "none"])
def test_a_report_goes_to_nobody_whose_certificate_is_not_believed(
    network: Database, tmp_path: Path, whose: str
) -> None:
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    context = _sending(make_certificates(tmp_path / "ours")) if whose != "none" else None
    with home_ris(tls=_taking(make_certificates(tmp_path / "theirs"))) as ris:
        at_home(network, ris.port, tls=True)
        arrive(network)
        verify(network)
        put_in_line(network)
        courier = Courier(network.app, homes(network.app)["RIS_A"], QUICK, context)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            courier.deliver()
        assert ris.heard == []
    with home_ris() as ris:
        at_home(network, ris.port, tls=False)
        assert deliver(network) == 1, "it stayed in the line"
    with network.owner.connect() as connection:
        assert connection.scalar(text("SELECT max(attempts) FROM delivery")) == 1


def _taking(certificates: Certificates) -> ssl.SSLContext:
    return server_context(certificates.server.certificate, certificates.server.key, certificates.authority)


def _sending(certificates: Certificates) -> ssl.SSLContext:
    return client_context(certificates.server.certificate, certificates.server.key, certificates.authority)
