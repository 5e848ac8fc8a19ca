"""The rows of a configuration document that say who sends studies, from where, and what is believed of them."""

from __future__ import annotations

from datetime import time
from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from allocation.configuration.row import AeTitle, OdsCode, Row, Words
from worklist.feeds.peer import is_name
from worklist.intake.completeness import LONGEST_WAIT, Signal
from worklist.turnaround.targets import Setting, Urgency


class Service(Row):
    """What a requesting service, department or location name of a source means for the item."""

    name: Words
    setting: Setting | None = None
    urgency: Urgency | None = None


class Completeness(Row):
    """When a study of a source is complete.

    `signals` are what of the source is listened to, in order: `procedure_step` (MPPS), `availability_notice`
    (IAN), `expected_count` (C-FIND). The first that says complete counts. While one says that more is to come
    the study waits, `longest_wait_seconds` after its last object at most; when none says anything, nothing new
    for `quiet_seconds` makes it complete.
    """

    signals: tuple[Signal, ...] = ()
    quiet_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    longest_wait_seconds: Annotated[int, Field(ge=0, le=604800)] | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if len(set(self.signals)) < len(self.signals):
            raise ValueError("`signals` names one twice; give each once")
        if self.longest_wait_seconds is not None and not self.signals:
            raise ValueError("`longest_wait_seconds` waits for `signals`; name some, or leave it out")
        longest = LONGEST_WAIT.total_seconds() if self.longest_wait_seconds is None else self.longest_wait_seconds
        if self.signals and longest < (self.quiet_seconds or 0):
            raise ValueError("`longest_wait_seconds` is shorter than `quiet_seconds`; a wait begins when it is quiet")
        return self


class ClaimWhileArriving(Row):
    """Which work of a source may be claimed while its images still come; both empty: none."""

    settings: tuple[Setting, ...] = ()
    urgencies: tuple[Urgency, ...] = ()


class Query(Row):
    """Where a source takes our associations: queries (C-FIND), C-ECHO, reports of storage commitment.

    Between `from` and `to`, London times of day, it may be asked about whole days, for studies that it never
    sent; without them it is asked only about studies that it began to send. With `tls` the connection is protected.
    """

    host: Words
    port: Annotated[int, Field(ge=1, le=65535)]
    ae_title: AeTitle
    from_: Annotated[time | None, Field(alias="from")] = None
    to: time | None = None
    tls: bool = False

    @model_validator(mode="after")
    def _window(self) -> Self:
        if (self.from_ is None) != (self.to is None):
            raise ValueError("give `from` and `to` together, or neither")
        return self


def _peer_address(address: str) -> str:
    try:
        network = ip_network(address, strict=False)
    except ValueError:
        raise ValueError(
            "`address` is no IP address or network: give where its connections come from (10.20.30.40, 10.20.30.0/24)"
        ) from None
    if not network.prefixlen:
        raise ValueError("`address` is every address there is, and so binds to nothing")
    return address


def _distinguished_name(name: str) -> str:
    if not is_name(name):
        raise ValueError(
            "`certificate_subject` is no distinguished name: give it as `openssl x509 -noout -subject -nameopt RFC2253`"
            " does (CN=pacs.example,O=Trust)"
        )
    return name


PeerAddress = Annotated[str, AfterValidator(_peer_address)]
DistinguishedName = Annotated[str, AfterValidator(_distinguished_name)]


class Source(Row):
    """A PACS or modality that may send; its AE title is bound to an address or a certificate.

    `quiet_seconds` is the simple form of its completeness policy: how long without a new object makes a study
    complete. Without `claim_while_arriving` that is work of the settings emergency and critical care, or of the
    urgencies stroke, major trauma and emergency.

    Studies that it sends and whose headers name a performer of `elsewhere` (issuer of the accession number, or
    institution), or another trust of the network, are priors and no work; so are those of an examination more than
    `old_after_days` before they came, unless an order or a report of the home RIS has their accession number.
    """

    ae_title: AeTitle
    trust: OdsCode
    address: PeerAddress | None = None
    certificate_subject: DistinguishedName | None = None
    quiet_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    completeness: Completeness | None = None
    claim_while_arriving: ClaimWhileArriving | None = None
    query: Query | None = None
    services: tuple[Service, ...] = ()
    elsewhere: tuple[Words, ...] = ()
    old_after_days: Annotated[int, Field(ge=1, le=36500)] | None = None

    @model_validator(mode="after")
    def _bound(self) -> Self:
        if self.quiet_seconds is not None and self.completeness and self.completeness.quiet_seconds is not None:
            raise ValueError("give `quiet_seconds` once: by itself or within `completeness`")
        if self.address is None and self.certificate_subject is None:
            raise ValueError("give `address` or `certificate_subject`: an AE title alone proves nothing")
        return self
