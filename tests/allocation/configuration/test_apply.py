"""An import is all or nothing, changes nothing twice, and nothing that was signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from allocation.configuration.apply import Applied, apply
from allocation.configuration.read import read_files, read_texts
from allocation.workforce import index_new_profiles
from tests.allocation.configuration.applying import (
    HAND_SCOPE,
    VERSIONS_OF_HART,
    WHOLE,
    apply_text,
    everything,
    held_by,
    refused_text,
    session,
)
from tests.builders import arrive, shared
from tests.conftest import NETWORK, Database
from worklist.db import embedded


@pytest.fixture(scope="module")
def standing(cluster: embedded.Cluster, network_template: str) -> Iterator[Database]:
    """The network, for imports that are refused and so change nothing."""
    with shared(cluster, network_template) as database:
        yield database


def test_the_whole_network_is_there_after_the_import(network: Database) -> None:
    with network.owner.connect() as connection:
        counts = {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in ("trust", "source", "ris", "exam", "target_rule", "scope_of_practice", "reporter", "tariff")
        }
    assert counts == {
        "trust": 2, "source": 2, "ris": 2, "exam": 5, "target_rule": 3, "scope_of_practice": 5, "reporter": 4,
        "tariff": 4,
    }  # fmt: skip


def test_who_imported_what_and_when_is_kept_and_told(empty: Database) -> None:
    with empty.app.begin() as connection:
        applied = apply(connection, read_files([NETWORK]), by="somebody")
    assert applied.rows["reporter"] == 4
    with empty.owner.connect() as connection:
        row = connection.execute(text("SELECT imported_by, file_name, document FROM config_version")).one()
        assert (row.imported_by, row.file_name) == ("somebody", str(NETWORK))
        assert [one["id"] for one in row.document["reporter"]] == ["reed", "hart", "cole", "tran"]
        assert connection.scalar(text("SELECT kind FROM event")) == "configuration.imported"
        assert connection.scalar(text("SELECT actor FROM audit.entry")) == "somebody"


def test_the_same_file_again_has_no_effect_but_to_be_kept(network: Database) -> None:
    arrive(network)
    with network.app.begin() as connection:
        index_new_profiles(connection)
    before = everything(network)
    assert apply_text(network, WHOLE).reprofiled == 0
    assert everything(network) == before


@pytest.mark.parametrize(
    ("change", "key", "what"),
    [
        (('payer = "RXB"', 'payer = "RXZ"'), "reporter[3].engagements[0].payer", "no trust 'RXZ'"),
        (("amount_pence = 4000", "amount_pence = 4001"), "rate_card[0].version", "never edited"),
        (("starts = 2026-06-10T09:00:00\nends = 2026-06-10T13:00:00", 'starts = 2026-06-10T19:00:00\n'
          'ends = 2026-06-10T23:00:00\n[[session]]\nid = "again"\nreporter = "tran"\nengagement = "tran-rxb"\n'
          'kind = "duty"\nstarts = 2026-06-10T20:00:00\nends = 2026-06-10T21:00:00'), "session[3].starts", "overlaps"),
        (("min_age_years = 16", "min_age_years = 15"), "scope[0].version", "is signed and differs"),
    ],
)  # fmt: skip
def test_one_fault_and_nothing_at_all_is_changed(
    standing: Database, change: tuple[str, str], key: str, what: str
) -> None:
    before = everything(standing, keep=frozenset())
    text_ = WHOLE.replace("Dr Ruth Reed", "Dr Ruth Changed").replace(*change, 1)
    faults = refused_text(standing, text_)
    assert [fault.key for fault in faults] == [key]
    assert what in faults[0].what
    assert everything(standing, keep=frozenset()) == before


def test_a_dry_run_tells_what_would_be_done_and_does_nothing(network: Database) -> None:
    arrive(network)
    before = everything(network, keep=frozenset())
    with network.app.connect() as connection:
        applied = apply(connection, read_texts([("a.toml", HAND_SCOPE)]), by="test")
        connection.rollback()
    assert applied == Applied({"scope": 1}, 1)
    assert everything(network, keep=frozenset()) == before


class TestWhatIsSignedStands:
    """Scopes and rate cards are never edited: a change is a new version."""

    @pytest.mark.parametrize(
        "change",
        [
            ('exam_codes = ["XHANL", "XKNEL"]', 'exam_codes = ["XHANL"]'),
            ('exam_codes = ["XHANL", "XKNEL"]', 'exam_codes = ["XHANL", "XKNEL", "XCHES"]'),
            ('exam_codes = ["XHANL", "XKNEL"]', 'exam_codes = ["XHANL", "XKNEL"]\nregions = [{ modality = "MR" }]'),
            ("min_age_years = 18", "min_age_years = 17"),
            ('settings = ["emergency", "inpatient"]', ""),
            ("classifies_unmapped = true", 'classifies_unmapped = true\nexcluded_flags = ["research"]'),
            ('signed_by = "Clinical lead"', 'signed_by = "Another lead"'),
        ],
    )
    def test_a_signed_scope_that_differs_is_refused_with_its_line(
        self, standing: Database, change: tuple[str, str]
    ) -> None:
        (fault,) = refused_text(standing, WHOLE.replace(*change, 1))
        line = WHOLE.replace(*change, 1).splitlines()[fault.line - 1]
        assert (line, fault.key[-8:]) == ("version = 1", ".version")
        assert "give the change version 2" in fault.what

    def test_the_order_of_its_lists_is_no_difference(self, network: Database) -> None:
        turned = WHOLE.replace('["XHANL", "XKNEL"]', '["XKNEL", "XHANL"]').replace(
            '["emergency", "inpatient"]', '["inpatient", "emergency"]'
        )
        assert turned != WHOLE
        apply_text(network, turned)

    def test_a_scope_stays_as_it_was_signed_when_the_catalogue_grows(self, network: Database) -> None:
        exam = WHOLE[WHOLE.index('[[exam]]\ncode = "CHEAD"') : WHOLE.index('[[exam]]\ncode = "MHEAD"')]
        apply_text(network, exam.replace("CHEAD", "CNECK").replace("CT Head", "CT Neck"))
        apply_text(network, WHOLE)
        with network.owner.connect() as connection:
            codes = connection.scalar(text("SELECT exam_codes FROM scope_of_practice WHERE code = 'general'"))
        assert codes is not None
        assert "CNECK" not in codes

    def test_a_new_version_is_added_beside_the_old_and_grants_mean_the_newest(self, network: Database) -> None:
        changed = WHOLE.replace(
            'code = "msk-xr"\nversion = 1\nname = "Musculoskeletal X-ray, 16 and over"',
            'code = "msk-xr"\nversion = 2\nname = "Musculoskeletal X-ray, all ages"',
        )
        apply_text(network, changed)
        with network.owner.connect() as connection:
            held = connection.execute(VERSIONS_OF_HART).all()
            versions = connection.scalars(
                text("SELECT version FROM scope_of_practice WHERE code = 'msk-xr' ORDER BY 1")
            ).all()
        assert [tuple(row) for row in held] == [("msk-xr", 2)]
        assert versions == [1, 2]

    def test_a_suspended_grant_stays_suspended_when_its_scope_gets_a_new_version(self, network: Database) -> None:
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE scope_grant SET suspended_at = radpool_now()"))
        apply_text(network, WHOLE.replace('code = "msk-xr"\nversion = 1', 'code = "msk-xr"\nversion = 2'))
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM scope_grant WHERE suspended_at IS NULL")) == 0

    @pytest.mark.parametrize(
        "change",
        [
            ("amount_pence = 300", "amount_pence = 301"),
            ("multiplier_percent = 125", "multiplier_percent = 126"),
            ('name = "Test rates"', 'name = "Other rates"'),
            ('approved_by = ["Approver One", "Approver Two"]', 'approved_by = ["Approver One", "Approver Three"]'),
            ('days = ["mon", "tue", "wed", "thu", "fri"]', 'days = ["mon"]'),
            ('purposes = ["check"]', 'purposes = ["check", "second"]'),
            ('[[rate_card.windows]]\nname = "evening"', '[[rate_card.windows]]\nname = "night"'),
        ],
    )
    def test_a_standing_rate_card_that_differs_is_refused_with_its_line(
        self, standing: Database, change: tuple[str, str]
    ) -> None:
        (fault,) = refused_text(standing, WHOLE.replace(*change, 1))
        assert fault.key == "rate_card[0].version"
        assert WHOLE.splitlines()[fault.line - 1] == "version = 1"
        assert WHOLE.splitlines()[fault.line - 2] == 'code = "network"'

    def test_a_new_version_of_a_rate_card_stands_beside_the_old(self, network: Database) -> None:
        apply_text(
            network,
            WHOLE.replace('code = "network"\nversion = 1', 'code = "network"\nversion = 2').replace(
                "amount_pence = 300", "amount_pence = 310"
            ),
        )
        with network.owner.connect() as connection:
            amounts = connection.scalars(text("SELECT amount_pence FROM tariff WHERE code = 'xr' ORDER BY 1")).all()
        assert amounts == [300, 310]


class TestSessions:
    """Two sessions of one reporter never overlap."""

    def test_an_overlap_is_told_with_the_line_of_the_second(self, standing: Database) -> None:
        text_ = session("one", "09:00", "12:00") + session("two", "11:59", "13:00")
        (fault,) = refused_text(standing, text_)
        assert (fault.key, text_.splitlines()[fault.line - 1]) == ("session[1].starts", "starts = 2026-06-12T11:59:00")

    def test_an_overlap_with_a_session_that_stands_is_told_too(self, network: Database) -> None:
        apply_text(network, session("one", "09:00", "12:00"))
        (fault,) = refused_text(network, session("two", "08:00", "09:01"))
        assert fault.what == "overlaps another session of reed"

    def test_sessions_that_touch_or_are_other_people_s_do_not_overlap(self, network: Database) -> None:
        apply_text(
            network,
            session("one", "09:00", "12:00")
            + session("two", "12:00", "13:00")
            + session("three", "09:00", "13:00", reporter="hart"),
        )
        with network.owner.connect() as connection:
            codes = connection.scalars(text("SELECT code FROM reporting_session"))
            assert {"one", "two", "three"} <= set(codes)

    def test_sessions_that_all_move_an_hour_do_not_overlap_what_they_were(self, network: Database) -> None:
        apply_text(network, session("one", "09:00", "10:00") + session("two", "10:00", "11:00"))
        apply_text(network, session("one", "10:00", "11:00") + session("two", "11:00", "12:00"))
        with network.owner.connect() as connection:
            rows = connection.execute(
                text("SELECT starts_at, cancelled_at FROM reporting_session WHERE code IN ('one', 'two') ORDER BY code")
            ).all()
        assert [tuple(row) for row in rows] == [
            (datetime(2026, 6, 12, 9, tzinfo=UTC), None),
            (datetime(2026, 6, 12, 10, tzinfo=UTC), None),
        ]

    def test_a_cancelled_session_stays_cancelled(self, network: Database) -> None:
        apply_text(network, session("one", "09:00", "10:00"))
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE reporting_session SET cancelled_at = radpool_now() WHERE code = 'one'"))
        apply_text(network, session("one", "09:00", "10:00"))
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT cancelled_at FROM reporting_session WHERE code = 'one'")) is not None


class TestReporters:
    """What a reporter's row says of them replaces what stood, and only that."""

    def test_a_grant_and_an_entitlement_left_out_are_gone_and_another_reporter_s_stay(self, network: Database) -> None:
        hart = WHOLE[WHOLE.index('[[reporter]]\nid = "hart"') : WHOLE.index('[[reporter]]\nid = "cole"')]
        without = hart[: hart.index("entitlements = [")]
        apply_text(network, without)
        assert held_by(network, "hart") == (0, 0)
        assert held_by(network, "reed") == (2, 2)

    def test_a_reporter_left_out_stays_as_they_were(self, network: Database) -> None:
        apply_text(network, HAND_SCOPE)
        assert held_by(network, "hart") == (1, 2)

    def test_an_import_does_not_end_a_suspension(self, network: Database) -> None:
        with network.owner.begin() as connection:
            connection.execute(text("UPDATE reporter SET suspended_at = radpool_now()"))
        apply_text(network, WHOLE)
        with network.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM reporter WHERE suspended_at IS NULL")) == 0

    @pytest.mark.parametrize(
        "twice",
        [
            lambda text_: text_.replace('registrations = [{ body = "HCPC", number = "RA9000002"',
                'registrations = [{ body = "HCPC", number = "1", valid_until = 2030-01-01 }, { body = "HCPC",'
                ' number = "RA9000002"'),
            lambda text_: text_ + '\n[[exam_alias]]\nkind = "code"\nvalue = "a b"\nexam = "XCHES"\n'
                '[[exam_alias]]\nkind = "code"\nvalue = "A  B"\nexam = "XHANL"\n',
            lambda text_: text_ + '\n[[outsource_price]]\nmodality = "CT"\namount_pence = 1\nvalid_from = 2025-01-01\n'
                'source = "x"\n',
            lambda text_: text_.replace('code = "xr"\nunit', 'code = "ct-mr"\nunit'),
        ],
        ids=["registration", "alias", "price", "tariff"],
    )  # fmt: skip
    def test_what_stands_twice_is_a_fault_and_not_an_error(
        self, standing: Database, twice: Callable[[str], str]
    ) -> None:
        faults = refused_text(standing, twice(WHOLE))
        assert any("stands twice" in fault.what for fault in faults)

    def test_an_engagement_does_not_change_hands(self, standing: Database) -> None:
        hart = WHOLE[WHOLE.index('[[reporter]]\nid = "hart"') : WHOLE.index('[[reporter]]\nid = "cole"')]
        (fault,) = refused_text(standing, hart.replace('code = "hart-rxa"', 'code = "reed-rxa"'))
        assert fault.what == "engagement 'reed-rxa' is reed's; give another code"
