"""Objects, steps and notices that come three times, in any order and by many ways, leave what once in order leaves."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from tests.attacks.attacked import Attacked, attacked
from tests.attacks.objects import ROOT, Element, Object, ct_object
from tests.attacks.senders import CONTEXTS, NOTICES, STEPS, SUCCESS, ask, create_rq, set_rq
from tests.attacks.wire import store_rq, uid
from tests.cli.commanding import until
from tests.dicom_listener.services.requests import CT, completed_step, new_step, with_values
from worklist.intake.arrived import digest_of

SEED = 20260611
WAYS = 4
#: An N-SET that comes before its N-CREATE is refused, as it has to be, but kept (PS3.7, C.5.7).
NO_SUCH_STEP_YET = 0x0112
STUDIES = range(7001, 7007)
ONCE, THRICE = ("ONCE", "RXA"), ("THRICE", "RXB")
SOURCES = "".join(
    f"""
    [[source]]
    ae_title = "{ae_title}"
    trust = "{trust}"
    address = "127.0.0.1"
    completeness = {{ signals = ["procedure_step", "availability_notice"], quiet_seconds = 1 }}
    """
    for ae_title, trust in (ONCE, THRICE)
)


@pytest.fixture(scope="module")
def radpool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    with attacked(tmp_path_factory.mktemp("again")) as running:
        path = running.server.data / "sources.toml"
        path.write_text(SOURCES)
        running.server.command("import", str(path))
        yield running


def test_everything_sent_three_times_and_shuffled_leaves_what_once_in_order_leaves(radpool: Attacked) -> None:
    chance = random.Random(SEED)
    sent = [made(number) for number in STUDIES]
    assert send(radpool, ONCE[0], [message for each in sent for message in each.messages("1")]) == {SUCCESS}
    again = 3 * [message for each in sent for message in each.messages("2")]
    chance.shuffle(again)
    with ThreadPoolExecutor(WAYS) as ways:
        answered = set().union(*ways.map(partial(send, radpool, THRICE[0]), [again[way::WAYS] for way in range(WAYS)]))
    assert answered == {SUCCESS, NO_SUCH_STEP_YET}
    left = [Left(radpool, ONCE[1], sent, "1"), Left(radpool, THRICE[1], sent, "2")]
    until(lambda: all(each.settled() for each in left))
    try:
        until(lambda: left[0].state() == left[1].state())
    except TimeoutError:
        assert left[0].state() == left[1].state()
    assert [len(rows) for rows in left[0].state().values()] == [6, 12, 12, 36, 6, 6, 12, 6, 6, 0]
    journal = radpool.server.data / "journal"
    until(lambda: [path.name for path in journal.iterdir()] == ["aside"])
    assert list((journal / "aside").iterdir()) == []
    radpool.server.command("verify-audit")


@dataclass(frozen=True)
class Sent:
    """One study: its objects by series; what is sent of it differs by a last component of every UID alone."""

    number: int
    objects: tuple[tuple[Object, ...], ...]

    def uids(self, last: str) -> dict[str, str]:
        """Give every UID as sent, by what it is when nobody asks by which way it came."""
        plain = [self.study, self.step, *(self.series(number) for number in range(len(self.objects)))]
        plain += [one.sop_instance for series in self.objects for one in series]
        return {f"{each}.{last}": each for each in plain}

    @property
    def study(self) -> str:
        return f"{ROOT}.2.{self.number}"

    @property
    def step(self) -> str:
        return f"{ROOT}.4.{self.number}"

    def series(self, number: int) -> str:
        return f"{ROOT}.3.{self.number}.{number}"

    def messages(self, last: str) -> list[bytes]:
        """Give all messages in the order in which a modality and its PACS send them."""
        scheduled = with_values(StudyInstanceUID=f"{self.study}.{last}", AccessionNumber=f"ACC{self.number}")
        made, named = [], []
        for number, series in enumerate(self.objects):
            uids = [f"{one.sop_instance}.{last}" for one in series]
            images = [with_values(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=each) for each in uids]
            held = [
                with_values(InstanceAvailability="ONLINE", ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=each)
                for each in uids
            ]
            series_uid = f"{self.series(number)}.{last}"
            made.append(with_values(SeriesInstanceUID=series_uid, ReferencedImageSequence=images))
            named.append(with_values(SeriesInstanceUID=series_uid, ReferencedSOPSequence=held))
        step_uid = f"{self.step}.{last}"
        begun = new_step(ScheduledStepAttributesSequence=[scheduled])
        ended = completed_step(
            PerformedSeriesSequence=made,
            PerformedProcedureStepEndDate="20240105",
            PerformedProcedureStepEndTime=f"10{self.number % 60:02}00",
        )
        notice = with_values(StudyInstanceUID=f"{self.study}.{last}", ReferencedSeriesSequence=named)
        return [
            create_rq(STEPS, step_uid, begun),
            *(
                store_rq(5, instance.sop_instance, instance.encoded())
                for number, series in enumerate(self.objects)
                for one in series
                for instance in [with_last(one, self.study, self.series(number), last)]
            ),
            set_rq(step_uid, ended),
            create_rq(NOTICES, f"{step_uid}.9", notice),
        ]


def made(number: int) -> Sent:
    """Make a study of two series; its objects do not agree on everything."""
    series = [
        tuple(
            ct_object(number, request=each == 0).but(
                Element(0x00081030, "LO", b"CT Head " if number % 2 else b"CT Head and neck"),
                Element(0x00100040, "CS", b"M " if (number + each) % 3 == 0 else b"F "),
                Element(0x00080032, "TM", f"09{each:02}{number % 60:02}".encode()),
            )
            for _ in range(3)
        )
        for each in range(2)
    ]
    return Sent(number, tuple(series))


def with_last(one: Object, study: str, series: str, last: str) -> Object:
    instance = f"{one.sop_instance}.{last}"
    changed = one.but(
        Element(0x00080018, "UI", uid(instance)),
        Element(0x0020000D, "UI", uid(f"{study}.{last}")),
        Element(0x0020000E, "UI", uid(f"{series}.{last}")),
    )
    return Object(instance, changed.elements)


def send(radpool: Attacked, ae_title: str, messages: Sequence[bytes]) -> set[int]:
    """Send messages over three associations, one after another, and give the statuses answered."""
    answered = set()
    for part in range(3):
        with radpool.peer() as peer:
            peer.associate(ae_title, CONTEXTS)
            for message in messages[part * len(messages) // 3 : (part + 1) * len(messages) // 3]:
                answered.add(ask(peer, message))
            peer.release()
    return answered


@dataclass(frozen=True)
class Left:
    """What is left of a trust's studies, without ids, times of receipt and the last components of UIDs."""

    radpool: Attacked
    trust: str
    sent: Sequence[Sent]
    last: str

    def settled(self) -> bool:
        """Whether all its studies are complete and nothing is to be judged any more."""
        rows = self._rows(_OPEN)
        return rows == [(len(self.sent), 0)]

    def state(self) -> dict[str, list[str]]:
        return {name: sorted(self._plain(repr(row)) for row in self._rows(query)) for name, query in _STATE.items()}

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.radpool.owner.begin() as connection:
            connection.execute(text("SELECT set_config('radpool.trust', :trust, true)"), {"trust": self.trust})
            return [tuple(row) for row in connection.execute(text(query), {"trust": self.trust})]

    def _plain(self, told: str) -> str:
        for each in self.sent:
            for as_sent, plain in each.uids(self.last).items():
                told = told.replace(f"'{as_sent}'", f"'{plain}'").replace(str(digest_of(as_sent)), plain)
        return told


_OPEN = (
    "SELECT count(*), count(*) FILTER (WHERE completed_at IS NULL OR quiet_until IS NOT NULL"
    " OR instance_count >= judge_at_instances) FROM study WHERE trust_ods = :trust"
)
_ENDED = "acquisition_ended_at, acquisition_ended_as_sent, acquisition_ended_zone, acquisition_ended_source"
_STATE = {
    "studies": "SELECT i.study_instance_uid, i.stated, s.modalities, s.series_count, s.instance_count, s.facts,"
    f" {_ENDED} FROM study s JOIN study_identity i ON i.study_id = s.id WHERE s.trust_ods = :trust",
    "series": "SELECT e.series_digest::text, e.modality, e.instance_count FROM series e"
    " JOIN study s ON s.id = e.study_id WHERE s.trust_ods = :trust",
    "headers": "SELECT e.series_digest::text, h.is_image, h.modality, h.stated, h.objects FROM header_statement h"
    " JOIN series e ON e.id = h.series_id WHERE h.trust_ods = :trust",
    "instances": "SELECT o.sop_digest::text, e.series_digest::text, h.stated FROM instance o"
    " JOIN series e ON e.id = o.series_id JOIN header_statement h ON h.id = o.header_id WHERE h.trust_ods = :trust",
    "announced": "SELECT study_instance_uid, accession_number, available_instances, available_whole, expected_instances"
    " FROM announced_study WHERE trust_ods = :trust",
    "steps": "SELECT step_digest::text, status, ended_at, ended_as_sent, ended_zone, ended_source,"
    " cardinality(set_digests) FROM performed_step WHERE trust_ods = :trust",
    "performed": "SELECT p.step_digest::text, e.series_digest::text, e.instances FROM performed_series e"
    " JOIN performed_step p ON p.id = e.step_id WHERE p.trust_ods = :trust",
    "items": "SELECT o.accession_number, i.state, i.modality, i.age_years, i.exam_date, i.setting, i.urgency, i.flags,"
    " i.clock_start_at, i.clock_start_source, i.due_at, i.hard_limit_at, i.reporting_minutes, i.arriving,"
    " p.identifier, p.family_name, p.given_name, p.birth_date, p.sex,"
    " (SELECT array_agg(concat_ws('|', exam_code, s.code, s.description, mapped_by) ORDER BY x.position)"
    " FROM item_exam x JOIN exam_as_sent s ON s.item_id = x.item_id AND s.position = x.position"
    " WHERE x.item_id = i.id),"
    " (SELECT array_agg(concat_ws('|', kind, detail) ORDER BY kind, detail) FROM worklist_exception d"
    " WHERE d.item_id = i.id AND d.closed_at IS NULL)"
    " FROM item i JOIN order_identity o ON o.item_id = i.id JOIN patient p ON p.id = i.patient_id"
    " WHERE i.trust_ods = :trust",
    "readings": "SELECT o.accession_number, r.purpose, r.state, r.due_at, r.reporting_minutes, r.profile_id"
    " FROM reading r JOIN order_identity o ON o.item_id = r.item_id WHERE r.trust_ods = :trust",
    "other doubts": "SELECT kind, detail FROM worklist_exception"
    " WHERE trust_ods = :trust AND item_id IS NULL AND closed_at IS NULL",
}
