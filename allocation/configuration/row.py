"""What every row of a configuration document is, and the forms of the words, codes and moments in it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from worklist.local_time import LONDON
from worklist.turnaround.span import Span

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
OdsCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{3,6}$")]
_AE_TITLE = r"^[\x21-\x5B\x5D-\x7E]([\x20-\x5B\x5D-\x7E]*[\x21-\x5B\x5D-\x7E])?$"
AeTitle = Annotated[str, StringConstraints(min_length=1, max_length=16, pattern=_AE_TITLE)]
Modality = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2,4}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Region = Annotated[str, StringConstraints(min_length=1, max_length=64, strip_whitespace=True, to_lower=True)]
Years = Annotated[int, Field(ge=0, le=130)]


def _span(text: str) -> str:
    return str(Span.parse(text))


SpanText = Annotated[str, AfterValidator(_span)]


def _with_zone(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=LONDON)


Moment = Annotated[datetime, AfterValidator(_with_zone)]


class Row(BaseModel):
    """A row of the document: no key that the schema does not know, no change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def in_order(first: Any, last: Any, first_name: str, last_name: str) -> None:
    """Refuse dates that are not in order.

    Raises
    ------
    ValueError
        When the last lies before the first; it names both.
    """
    if first is not None and last is not None and last < first:
        raise ValueError(f"`{last_name}` lies before `{first_name}`")
