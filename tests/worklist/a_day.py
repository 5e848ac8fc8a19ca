"""A day of a small network as facts: what its PACS, modalities and RIS send of some studies.

All patients are synthetic. The same seed gives the same facts. It must not tell anybody; `a_day_told` does.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.builders import IMAGES_OF
from worklist.intake.senders import Sender
from worklist.intake.study import Code, PatientAsSent, ProcedureStep, ReceivedObject, StepStatus
from worklist.local_time import LocalTime

LONDON = ZoneInfo("Europe/London")
SENDERS = {"RXA": Sender("PACS_A", "RXA", 0), "RXB": Sender("PACS_B", "RXB", 0)}
SIX = datetime(2026, 6, 10, 6, 0, tzinfo=UTC)
DESCRIPTIONS = {"XCHES": "XR Chest", "XHANL": "XR Hand Lt", "XKNEL": "XR Knee Lt", "CHEAD": "CT Head"}
#: What the configuration of the day states beside `network.toml`.
PREPARED = "UPDATE source SET old_after_days = 90"


@dataclass(frozen=True, slots=True)
class Message:
    """A message of a home RIS."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """An object, from the PACS of a trust."""

    trust: str
    received: ReceivedObject


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a modality says of a performed step."""

    trust: str
    step: ProcedureStep


Fact = Message | Received | Stepped


@dataclass(frozen=True, slots=True)
class Person:
    """A patient of a trust under one identifier."""

    trust: str
    number: int
    identifier: str
    nhs_number: str | None
    family_name: str
    birth_date: date
    sex: str

    def pid(self, **said: str) -> str:
        """PID, with fields said otherwise by number."""
        nhs = f"~{self.nhs_number}^^^NHS^NH" if self.nhs_number else ""
        fields = {
            3: f"{self.identifier}^^^{self.trust}^PI{nhs}",
            5: f"{self.family_name}^Sam",
            7: f"{self.birth_date:%Y%m%d}",
            8: self.sex,
        } | {int(name[1:]): value for name, value in said.items()}
        return "PID|1|" + "|".join(fields.get(n, "") for n in range(2, max(fields) + 1))

    def sent(self) -> PatientAsSent:
        """The patient as headers state them."""
        return PatientAsSent(
            self.identifier, self.trust, self.nhs_number, self.family_name, "Sam", self.birth_date, self.sex
        )


def nhs_number(nine: int) -> str:
    """Give a number of the synthetic range with its check digit, of nine digits or the next that have one."""
    digits = f"{nine:09d}"
    check = 11 - sum(int(one) * weight for one, weight in zip(digits, range(10, 1, -1), strict=True)) % 11
    return nhs_number(nine + 1) if check == 10 else f"{digits}{0 if check == 11 else check}"


@dataclass
class Day:
    """Makes facts; `chance` decides everything."""

    chance: random.Random
    facts: list[Fact] = field(default_factory=list)
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def of(self, studies: int) -> list[Fact]:
        """Give the facts of so many studies."""
        for number in range(1, studies + 1):
            kind: Callable[[int], None] = self.chance.choice(self._kinds())
            kind(number)
        for _ in range(studies // 3):
            self._of_patients()
        return self.facts

    def _kinds(self) -> list[Callable[[int], None]]:
        often = [self.ordinary] * 5 + [self.reported] * 3 + [self.only_images] * 2 + [self.cancelled] * 2
        seldom = [
            self.only_order,
            self.ordered_again,
            self.two_studies,
            self.two_accessions,
            self.without_number,
            self.named_by_order,
            self.old,
            self.old_and_ordered,
            self.of_the_other_trust,
            self.ordered_by_one_of_two,
            self.cleared,
            self.nameless,
        ]
        return [*often, *seldom]

    # What happens to one study ---------------------------------------------------------------------------------

    def ordinary(self, number: int) -> None:
        """An order, perhaps changed, its images and perhaps their step, perhaps read at home for a while."""
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam)
        for _ in range(self.chance.choice([0, 0, 1, 2])):
            self._order(trust, number, who, "XO", exam=self.chance.choice([exam, ""]))
        self._images(trust, number, who, exam)
        if self.chance.random() < 0.4:
            self._step(trust, number)
        for status in self.chance.choice([(), (), ("IP",), ("IP", "CM")]):
            self._status(trust, number, who, status)

    def reported(self, number: int) -> None:
        """The same, with results of the home RIS."""
        self.ordinary(number)
        trust, who, _ = self._begin(number)
        for status in self.chance.choice([("F",), ("P", "F"), ("P",), ("F", "C"), ("F", "F"), ("X",)]):
            self._result(trust, number, who, status)

    def only_images(self, number: int) -> None:
        """Images that nobody ordered."""
        trust, who, exam = self._begin(number)
        self._images(trust, number, who, exam)

    def only_order(self, number: int) -> None:
        """An order whose images do not come."""
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam, kind=self.chance.choice(["ORM^O01", "OMI^O23"]))

    def cancelled(self, number: int) -> None:
        """An order that is cancelled; images may have been taken."""
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam, hour=0)
        self._order(trust, number, who, "CA", exam=exam, hour=2)
        if self.chance.random() < 0.5:
            self._images(trust, number, who, exam)

    def ordered_again(self, number: int) -> None:
        """An order that is cancelled and ordered again."""
        self.cancelled(number)
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "XO", exam=exam, hour=3)

    def two_studies(self, number: int) -> None:
        """One accession in two studies."""
        self.ordinary(number)
        trust, who, exam = self._begin(number)
        self._images(trust, number, who, exam, study=f"{number}.2")

    def two_accessions(self, number: int) -> None:
        """One study for two orders."""
        trust, who, exam = self._begin(number)
        both = (self._accession(number), self._accession(number, "B"))
        for suffix in ("", "B"):
            self._order(trust, number, who, "NW", exam=exam, suffix=suffix)
        self._images(trust, number, who, exam, requested_accession_numbers=both)

    def without_number(self, number: int) -> None:
        """Images without an accession number."""
        trust, who, exam = self._begin(number)
        self._images(trust, number, who, exam, accession_number=None)

    def named_by_order(self, number: int) -> None:
        """Images without an accession number whose order names their study."""
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam, kind="OMI^O23", uid=f"2.25.{number}")
        self._images(trust, number, who, exam, accession_number=None)

    def old(self, number: int) -> None:
        """A migrated study."""
        trust, who, exam = self._begin(number)
        self._images(trust, number, who, exam, study_date=date(2020, 2, 1))

    def old_and_ordered(self, number: int) -> None:
        """A migrated study that was never reported."""
        self.old(number)
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam)

    def of_the_other_trust(self, number: int) -> None:
        """A study that both PACS send and that names its performer."""
        trust, who, exam = self._begin(number)
        other = "RXB" if trust == "RXA" else "RXA"
        self._images(trust, number, who, exam, issuer_of_accession_number=trust)
        self._images(other, number, self._person(other, number), exam, issuer_of_accession_number=trust)
        self._order(trust, number, who, "NW", exam=exam)

    def ordered_by_one_of_two(self, number: int) -> None:
        """A study that both PACS send, that names nobody, and that one trust ordered."""
        trust, who, exam = self._begin(number)
        other = "RXB" if trust == "RXA" else "RXA"
        self._images(trust, number, who, exam)
        self._images(other, number, self._person(other, number), exam)
        self._order(trust, number, who, "NW", exam=exam)

    def cleared(self, number: int) -> None:
        """An order of which a change takes things back."""
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam, hour=0, obr_31="^? fracture", needed="202606121000")
        self._order(trust, number, who, "XO", exam="", hour=1, obr_31='""', needed='""')
        self._images(trust, number, who, exam)

    def nameless(self, number: int) -> None:
        """An order that names nobody."""
        trust, who, exam = self._begin(number)
        self._order(trust, number, who, "NW", exam=exam, pid="PID|1")
        self._images(trust, number, who, exam)

    # The facts -------------------------------------------------------------------------------------------------

    def _begin(self, number: int) -> tuple[str, Person, str]:
        trust = "RXB" if number % 4 == 0 else "RXA"
        return trust, self._person(trust, number), sorted(DESCRIPTIONS)[number % len(DESCRIPTIONS)]

    def _person(self, trust: str, number: int) -> Person:
        # two and two are one person, registered twice under one NHS number
        one = number % 30
        born = date(1950, 1, 1) + timedelta(days=400 * (one // 2))
        number_of_both = nhs_number(999_100_000 + 10 * (one // 2)) if one % 6 < 4 else None
        sex = "FM"[one // 2 % 2]
        return Person(trust, one, f"{trust}{one:04d}", number_of_both, f"Synthetic{one // 2}", born, sex)

    def _accession(self, number: int, suffix: str = "") -> str:
        return f"0{number:05d}{suffix}"

    def _made(self, hour: int | None = None) -> datetime:
        """An instant between six and half past nine, to the second; within an hour of six where one is asked for."""
        seconds = self.chance.randrange(0, 12_600) if hour is None else 3600 * hour + self.chance.randrange(0, 1800)
        return SIX + timedelta(seconds=seconds)

    def _tell(self, kind: str, trust: str, made: datetime, *segments: str) -> None:
        local = made.astimezone(LONDON).strftime("%Y%m%d%H%M%S")
        facility = {"RXA": "RIS_A", "RXB": "RIS_B"}[trust]
        msh = f"MSH|^~\\&|RIS|{facility}|RADPOOL|NET|{local}||{kind}|M{next(self._ids):06d}|P|2.5"
        self.facts.append(Message("\r".join((msh, *(one for one in segments if one))).encode("ascii")))

    def _order(
        self,
        trust: str,
        number: int,
        who: Person,
        control: str,
        *,
        exam: str,
        suffix: str = "",
        hour: int | None = None,
        kind: str = "ORM^O01",
        uid: str = "",
        obr_31: str = "",
        needed: str = "",
        pid: str = "",
    ) -> None:
        accession = self._accession(number, suffix)
        setting, urgency = self.chance.choice(["I", "O", "E", "", '""']), self.chance.choice(["S", "A", "R", "", "ZZ"])
        code = f"{exam}^{DESCRIPTIONS[exam]}^NICIP" if exam else ""
        self._tell(
            kind,
            trust,
            self._made(hour),
            pid or who.pid(),
            f"PV1|1|{setting}|WARD" if setting else "",
            f"ORC|{control}|P{number}|{accession}||||^^^^{needed}^{urgency}",
            f"OBR|1|P{number}|{accession}|{code}" + "|" * 27 + obr_31,
            f"IPC|{accession}|RP|{uid}" if uid else "",
        )

    def _status(self, trust: str, number: int, who: Person, status: str) -> None:
        orc = f"ORC|SC|P{number}|{self._accession(number)}||{status}"
        self._tell("ORM^O01", trust, self._made(3), who.pid(), orc)

    def _result(self, trust: str, number: int, who: Person, status: str) -> None:
        made = self._made(3)
        verified = made.astimezone(LONDON).strftime("%Y%m%d%H%M%S")
        ended = (SIX + timedelta(minutes=number % 50)).astimezone(LONDON).strftime("%Y%m%d%H%M%S")
        obr = f"OBR|1||R{number}|XR|||{ended if number % 3 == 0 else ''}" + "|" * 15 + f"{verified}|||{status}"
        self._tell("ORU^R01", trust, made, who.pid(), f"ORC|RE||{self._accession(number)}", obr)

    def _images(
        self, trust: str, number: int, who: Person, exam: str, *, study: str | None = None, **stated: Any
    ) -> None:
        uid = f"2.25.{study or number}"
        for place in range(1, self.chance.randint(2, 4)):
            ended = SIX - timedelta(minutes=number % 50) + timedelta(seconds=place)
            values: dict[str, Any] = {
                "modality": IMAGES_OF[exam],
                "accession_number": self._accession(number),
                "patient": who.sent(),
                "requested_codes": (Code(exam, "NICIP", DESCRIPTIONS[exam]),),
                "study_description": DESCRIPTIONS[exam],
                "requesting_service": ["Emergency Department", "General Practice", "Ward 4", None][number % 4],
                "acquisition_ended": _local(ended, "AcquisitionDateTime"),
                "study_date": date(2026, 6, 10),
                **stated,
            }
            sent = ReceivedObject(
                SENDERS[trust].ae_title, "1.2.840.10008.5.1.4.1.1.1.1", f"{uid}.1.{place}", uid, f"{uid}.1", **values
            )
            self.facts.append(Received(trust, sent))

    def _step(self, trust: str, number: int) -> None:
        title, uid, studies = (
            SENDERS[trust].ae_title,
            f"2.25.{number}.9",
            ((f"2.25.{number}", self._accession(number)),),
        )
        begun = ProcedureStep(title, uid, creates=True, status=StepStatus.IN_PROGRESS, studies=studies)
        ended = _local(SIX + timedelta(minutes=number % 40), "PerformedProcedureStepEndDateTime")
        status = self.chance.choice([StepStatus.COMPLETED, StepStatus.DISCONTINUED])
        done = ProcedureStep(title, uid, creates=False, status=status, ended=ended)
        self.facts += [Stepped(trust, begun), Stepped(trust, done)]

    def _of_patients(self) -> None:
        """An update, a merge of the two registrations of a person, or its end; nobody is merged into a lower one."""
        trust, pair = self.chance.choice(["RXA", "RXA", "RXB"]), 2 * self.chance.randrange(15)
        low, high = self._person(trust, pair), self._person(trust, pair + 1)
        who, event = self.chance.choice([low, high]), self.chance.choice(["A08", "A31", "A40", "A40", "A37"])
        made = self._made()
        evn = f"EVN||{made.astimezone(LONDON):%Y%m%d%H%M%S}"
        if event == "A40":
            self._tell("ADT^A40", trust, made, evn, high.pid(), f"MRG|{low.identifier}^^^{trust}^PI")
        elif event == "A37":
            self._tell("ADT^A37", trust, made, evn, low.pid(), high.pid())
        else:
            said = self.chance.choice(
                [{"_5": "Renamed^Sam"}, {"_7": '""'}, {"_7": "19991231"}, {"_8": "O"}, {"_7": "", "_8": ""}]
            )
            self._tell(f"ADT^{event}", trust, made, evn, who.pid(**said))


def _local(at: datetime, source: str) -> LocalTime:
    return LocalTime(at.strftime("%Y%m%d%H%M%S"), "+0000", 0, source, at)
