"""Why people change what becomes of an item: a fixed list for each act, which a network may add to.

Pure: no I/O, no clock, no settings. It must not say who may act.
"""

from __future__ import annotations

from enum import StrEnum


class ReasonedAct(StrEnum):
    """An act on an item that needs a reason."""

    HOLD = "hold"
    RETURN_TO_SITE = "return-to-site"
    RECALL = "recall"
    OUTSOURCE = "outsource"
    CANCEL = "cancel"
    CHANGE_PRIORITY = "change-priority"


#: What every network has. Their words are their meaning; a network's own come with the configuration.
FIXED: dict[ReasonedAct, tuple[str, ...]] = {
    ReasonedAct.HOLD: (
        "awaiting-clinical-information",
        "awaiting-priors",
        "awaiting-images",
        "query-identity",
        "other",
    ),
    ReasonedAct.RETURN_TO_SITE: (
        "wrong-patient",
        "wrong-exam",
        "wrong-side-marked",
        "images-missing",
        "images-not-diagnostic",
        "other",
    ),
    ReasonedAct.RECALL: ("wrong-patient", "wrong-side", "error-in-report", "new-information", "other"),
    ReasonedAct.OUTSOURCE: ("backlog", "out-of-hours", "no-eligible-reporter", "other"),
    ReasonedAct.CANCEL: ("duplicate", "not-performed", "test-images", "other"),
    ReasonedAct.CHANGE_PRIORITY: (
        "clinical-request",
        "clinic-or-meeting-brought-forward",
        "patient-deteriorated",
        "ordered-wrongly",
        "other",
    ),
}


class UnknownReason(ValueError):
    """A reason that neither the fixed list nor the network's own has; says which there are."""

    def __init__(self, act: ReasonedAct, known: tuple[str, ...]) -> None:
        super().__init__(f"reasons to {act.value.replace('-', ' ')} are {', '.join(known)}")
        self.known = known


def known_reasons(act: ReasonedAct, own: tuple[str, ...]) -> tuple[str, ...]:
    """Give the reasons of an act, the network's own after the fixed ones."""
    return tuple(dict.fromkeys((*FIXED[act], *own)))
