"""Routes of sources: who sends, and whether it answers."""

from __future__ import annotations

from fastapi import APIRouter

from api.acts import Act, Permitted
from api.dicom_web.sources import UnknownSource
from api.pacs_calls import PacsCalls
from api.problems import Problem
from api.schemas.sources import HELP, Echo, Source, Sources
from dicom_listener.client.query_address import stated_address
from worklist.feeds.sources import SourceView, list_sources
from worklist.log import audit

router = APIRouter(prefix="/sources", tags=["dicom"])


@router.get("")
def sources(act: Permitted) -> Sources:
    """List the sources of your trust, or of the network: where each is bound, how it is asked, when it last sent."""
    return Sources(sources=[Source.model_validate(one) for one in _sources(act)])


@router.post("/{ae_title}/echo")
def echo(act: Permitted, ae_title: str) -> Echo:
    """Ask a source whether it is there, by C-ECHO to the address that its `query` states."""
    found = next((one for one in _sources(act) if one.ae_title == ae_title), None)
    if found is None:
        raise UnknownSource("no source of this AE title of yours")
    if found.query is None:
        raise Problem(409, "no-address", "the source states no address to be asked at; add `query` to its [[source]]")
    with act.transaction() as connection:
        audit.append(connection, act.principal.name, "source asked for an echo", detail={"source": found.ae_title})
    calls: PacsCalls = act.request.app.state.pacs_calls
    why = calls.echo(stated_address(found.ae_title, found.query))
    return Echo(ae_title=found.ae_title, answered=why is None, why=why, detail=HELP[why] if why else None)


def _sources(act: Act) -> list[SourceView]:
    who = act.principal
    if who.trust is None and not who.network_wide:
        return []
    with act.transaction() as connection:
        return list_sources(connection, None if who.network_wide else who.trust)
