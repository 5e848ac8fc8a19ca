"""Who may do what through the API: roles, one rule per route, and whose rows each role sees.

Pure. A route without a rule here does not start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from worklist.viewer import Viewer


class Role(StrEnum):
    """What a user is here to do."""

    REPORTER = "reporter"
    SUPERVISOR = "supervisor"
    CLINICAL_LEAD = "clinical_lead"
    TRUST_MANAGER = "trust_manager"
    NETWORK_MANAGER = "network_manager"
    PAY_APPROVER = "pay_approver"
    FINANCE = "finance"
    AUDITOR = "auditor"
    PACS_MANAGER = "pacs_manager"
    COORDINATOR = "coordinator"
    ADMINISTRATOR = "administrator"


#: Roles that only make sense for one trust.
NEEDS_TRUST = frozenset({Role.TRUST_MANAGER})
#: Roles that look after a trust's patients, and see them where the user has a trust.
SEES_OWN_PATIENTS = frozenset(
    {Role.TRUST_MANAGER, Role.SUPERVISOR, Role.CLINICAL_LEAD, Role.PACS_MANAGER, Role.COORDINATOR}
)
#: Roles that, without a trust, look after the whole network's work; patients stay hidden from them.
SEES_NETWORK = frozenset(
    {
        Role.NETWORK_MANAGER,
        Role.ADMINISTRATOR,
        Role.AUDITOR,
        Role.SUPERVISOR,
        Role.CLINICAL_LEAD,
        Role.PACS_MANAGER,
        Role.COORDINATOR,
    }
)
#: Roles that settle what an item is, of any item that is theirs to see.
SETTLES = frozenset({Role.PACS_MANAGER, Role.CLINICAL_LEAD, Role.ADMINISTRATOR})

#: Roles that say of any item that is theirs to see that its images are complete, or its report available at home.
COMPLETES = frozenset({Role.PACS_MANAGER, Role.COORDINATOR})

_R = Role
_MANAGERS = frozenset({_R.TRUST_MANAGER, _R.NETWORK_MANAGER, _R.ADMINISTRATOR})
_WORK = _MANAGERS | {_R.REPORTER, _R.SUPERVISOR, _R.CLINICAL_LEAD, _R.PACS_MANAGER, _R.COORDINATOR, _R.AUDITOR}
_MONEY = frozenset({_R.REPORTER, _R.PAY_APPROVER, _R.FINANCE, _R.AUDITOR, _R.NETWORK_MANAGER, _R.ADMINISTRATOR})
_SOURCES = frozenset({_R.PACS_MANAGER, _R.NETWORK_MANAGER, _R.ADMINISTRATOR})
_DELIVERIES = frozenset({_R.PACS_MANAGER, _R.COORDINATOR, _R.NETWORK_MANAGER, _R.ADMINISTRATOR})

#: Who decides what becomes of an item that is theirs to see.
_STEERS = frozenset({_R.COORDINATOR, _R.PACS_MANAGER, _R.CLINICAL_LEAD})
_OUTSOURCES = frozenset({_R.COORDINATOR, _R.CLINICAL_LEAD, _R.TRUST_MANAGER, _R.NETWORK_MANAGER})

#: Who signs for the network's reporters; a trust's own lead does so for nobody of another trust.
_SUSPENDS = frozenset({_R.CLINICAL_LEAD})

#: The one place where routes get their rule: method and path under /api/v1, and who may.
RULES: dict[str, frozenset[Role]] = {
    "GET /me": frozenset(Role),
    "GET /worklist": _WORK,
    "GET /items/{item_id}": _WORK,
    "GET /items/{item_id}/eligibility": _WORK,
    "POST /items/{item_id}/classify": SETTLES | {_R.REPORTER},
    "POST /items/{item_id}/accession": frozenset({_R.PACS_MANAGER, _R.COORDINATOR, _R.ADMINISTRATOR}),
    "POST /items/{item_id}/complete": COMPLETES | {_R.REPORTER},
    "POST /items/{item_id}/available": COMPLETES,
    "GET /reasons": _WORK,
    "GET /items/{item_id}/acts": _WORK,
    "POST /items/{item_id}/hold": _STEERS,
    "POST /items/{item_id}/release": _STEERS,
    "POST /items/{item_id}/return-to-site": _STEERS | {_R.REPORTER},
    "POST /items/{item_id}/corrected": _STEERS,
    "POST /items/{item_id}/outsource": _OUTSOURCES,
    "POST /items/{item_id}/take-back": _OUTSOURCES,
    "POST /items/{item_id}/cancel": _STEERS,
    "POST /items/{item_id}/recall": frozenset({_R.CLINICAL_LEAD, _R.SUPERVISOR, _R.REPORTER}),
    "POST /items/{item_id}/discrepancy": frozenset({_R.CLINICAL_LEAD, _R.SUPERVISOR, _R.REPORTER}),
    "POST /items/{item_id}/priority": frozenset({_R.COORDINATOR, _R.CLINICAL_LEAD, _R.REPORTER}),
    "POST /items/{item_id}/flags": frozenset({_R.CLINICAL_LEAD, _R.SUPERVISOR, _R.REPORTER}),
    "GET /flags/unknown": _WORK - {_R.REPORTER},
    "GET /alerts": _WORK - {_R.REPORTER},
    "POST /alerts/{alert_id}/acknowledge": frozenset({_R.COORDINATOR, _R.CLINICAL_LEAD, _R.SUPERVISOR}),
    "GET /exceptions": _WORK - {_R.REPORTER},
    "GET /exams/unmapped": _WORK - {_R.REPORTER},
    "GET /exams/mappings": _WORK - {_R.REPORTER},
    "POST /exams/mappings": frozenset({_R.PACS_MANAGER, _R.CLINICAL_LEAD}),
    "POST /claims": frozenset({_R.REPORTER}),
    "GET /claims": frozenset({_R.REPORTER}),
    "POST /claims/{claim_id}/renew": frozenset({_R.REPORTER}),
    "POST /claims/{claim_id}/release": frozenset({_R.REPORTER}),
    "POST /claims/{claim_id}/skip": frozenset({_R.REPORTER}),
    "POST /claims/{claim_id}/refer": frozenset({_R.REPORTER}),
    "POST /claims/{claim_id}/report": frozenset({_R.REPORTER}),
    "GET /metrics/backlog": _WORK | {_R.FINANCE},
    "GET /metrics/turnaround": _WORK | {_R.FINANCE},
    "GET /metrics/skill-mix": _WORK | {_R.FINANCE},
    "GET /metrics/value": _MANAGERS | {_R.FINANCE, _R.PAY_APPROVER, _R.AUDITOR},
    "GET /reporters": _WORK | {_R.FINANCE, _R.PAY_APPROVER},
    "GET /scopes": _WORK,
    "GET /grants": _WORK,
    "GET /entitlements": _WORK,
    "POST /reporters/{reporter}/suspend": _SUSPENDS,
    "POST /reporters/{reporter}/resume": _SUSPENDS,
    "POST /grants/{grant_id}/suspend": _SUSPENDS,
    "POST /grants/{grant_id}/resume": _SUSPENDS,
    "GET /sessions": _WORK | _MONEY,
    "GET /rate-cards": frozenset(Role),
    "GET /pay/lines": _MONEY,
    "GET /pay/statements": _MONEY,
    "GET /events": _WORK,
    "GET /items/{item_id}/priors": _WORK,
    "GET /deliveries": _DELIVERIES,
    "POST /deliveries/{delivery_id}/send-again": _DELIVERIES,
    "POST /deliveries/{delivery_id}/settle": _DELIVERIES,
    "GET /items/{item_id}/merges": SEES_OWN_PATIENTS,
    "POST /merges/{merge_id}/unmerge": frozenset({_R.PACS_MANAGER, _R.COORDINATOR}),
    "GET /sources": _SOURCES,
    "POST /sources/{ae_title}/echo": _SOURCES,
    "POST /dicom-web/{ae_title}/studies": frozenset({_R.PACS_MANAGER}),
    "POST /dicom-web/{ae_title}/studies/{study_instance_uid}": frozenset({_R.PACS_MANAGER}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a user with roles, perhaps of one trust, perhaps a reporter."""

    user_id: int
    name: str
    roles: frozenset[Role]
    trust: str | None
    reporter_id: int | None

    def may(self, rule: str) -> bool:
        """Whether one of the roles is in the route's rule."""
        return bool(self.roles & RULES[rule])

    def may_beside_reporting(self, rule: str) -> bool:
        """Whether a role of theirs other than the reporter's is in the route's rule."""
        return bool((self.roles - {Role.REPORTER}) & RULES[rule])

    @property
    def is_only_reporter(self) -> bool:
        """Whether they are here as a reporter and as nothing else."""
        return self.roles <= {Role.REPORTER}

    @property
    def lists_work(self) -> bool:
        """Whether a role of theirs looks after a trust's or the network's work; a reporter is offered some of it."""
        return bool(self.roles & (SEES_NETWORK | NEEDS_TRUST))

    @property
    def settles(self) -> bool:
        """Whether a role of theirs settles what an item is; a reporter only what they are reading."""
        return bool(self.roles & SETTLES)

    @property
    def completes(self) -> bool:
        """Whether a role of theirs says that images are complete; a reporter of what they hold or have duty for."""
        return bool(self.roles & COMPLETES)

    @property
    def sees_pay_of_others(self) -> bool:
        """Whether a role of theirs looks after pay; anybody else sees their own alone."""
        return bool(self.roles & (_MONEY - {Role.REPORTER}))

    @property
    def network_wide(self) -> bool:
        """Whether they see the work (not the patients) of every trust."""
        return self.trust is None and bool(self.roles & SEES_NETWORK)

    @property
    def viewer(self) -> Viewer:
        """Whose identities the database shows them."""
        own = self.trust if self.roles & SEES_OWN_PATIENTS else None
        offered = self.reporter_id if Role.REPORTER in self.roles else None
        return Viewer(trust=own, reporter_id=offered, network_wide=self.network_wide)

    def sees_trust(self, trust: str | None) -> bool:
        """Whether the work of a trust is theirs to list."""
        return self.network_wide or (self.trust is not None and trust == self.trust and self.lists_work)


def parse_roles(words: str) -> frozenset[Role]:
    """Read roles from `reporter,trust_manager`; hyphens count as underscores.

    Raises
    ------
    ValueError
        Naming the word that is no role and the words that are.
    """
    found = set()
    for word in words.split(","):
        try:
            found.add(Role(word.strip().replace("-", "_")))
        except ValueError:
            raise ValueError(f"{word.strip()!r} is no role; use {', '.join(Role)}") from None
    return frozenset(found)
