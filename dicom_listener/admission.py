"""Who may open an association: the question the listener asks and the answers it knows.

It must not look anything up: the composition root gives the function that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from worklist.feeds.peer import Peer


@dataclass(frozen=True, slots=True)
class Source:
    """An admitted sender: its AE title and the trust (ODS code) that its objects belong to."""

    ae_title: str
    trust: str


class RejectionReason(Enum):
    """Result, source and reason of an A-ASSOCIATE-RJ (PS3.8, Table 9-21)."""

    NO_REASON_GIVEN = (1, 1, 1)
    APPLICATION_CONTEXT_NAME_NOT_SUPPORTED = (1, 1, 2)
    CALLING_AE_TITLE_NOT_RECOGNIZED = (1, 1, 3)
    CALLED_AE_TITLE_NOT_RECOGNIZED = (1, 1, 7)
    PROTOCOL_VERSION_NOT_SUPPORTED = (1, 2, 2)
    TEMPORARY_CONGESTION = (2, 3, 1)
    LOCAL_LIMIT_EXCEEDED = (2, 3, 2)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is not admitted, in the words of the standard."""

    reason: RejectionReason


#: Asked with the calling AE title, the called AE title and the peer.
Admit = Callable[[str, str, Peer], Source | Rejection]
