"""What is exported is the configuration in force, and can be imported again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text

from allocation.configuration.apply import apply
from allocation.configuration.export import network_in_force, to_toml
from allocation.configuration.read import read_files, read_texts
from tests.allocation.configuration.applying import apply_text
from tests.conftest import NETWORK, Database
from worklist.db.tables.network import source
from worklist.exams.mappings import map_from_now_on, word_as_sent
from worklist.intake.completeness import Completeness, Signal
from worklist.intake.senders import claim_while_arriving_of, completeness_of
from worklist.turnaround.targets import Urgency

RENAMED = '[[trust]]\nods_code = "RXA"\nname = "Alder Vale, renamed"\n'


def test_the_export_of_an_import_is_the_same_network(network: Database) -> None:
    with network.app.connect() as connection:
        assert network_in_force(connection) == read_files([NETWORK]).network


def test_an_export_can_be_read_and_imported_again(network: Database) -> None:
    with network.app.begin() as connection:
        words = to_toml(network_in_force(connection))
        again = read_texts([("export.toml", words)])
        assert again.network == read_files([NETWORK]).network
        assert apply(connection, again, by="test").reprofiled == 0


def test_the_later_import_of_a_row_counts(network: Database) -> None:
    with network.app.begin() as connection:
        apply(connection, read_texts([("rename.toml", RENAMED)]), by="test")
        names = {row.ods_code: row.name for row in network_in_force(connection).trust}
    assert names == {"RXA": "Alder Vale, renamed", "RXB": "Birch Moor (synthetic)"}


def test_a_completeness_policy_takes_effect_is_exported_and_the_simple_form_takes_it_back(network: Database) -> None:
    words = (
        '[[source]]\nae_title = "PACS_A"\ntrust = "RXA"\naddress = "::1"\n'
        'completeness = { signals = ["expected_count", "procedure_step"], quiet_seconds = 45 }\n'
        'claim_while_arriving = { urgencies = ["stroke"] }\n'
    )
    with network.app.begin() as connection:
        apply(connection, read_texts([("a.toml", words)]), by="test")
        row = connection.execute(select(source).where(source.c.ae_title == "PACS_A")).one()
        policy, opens = completeness_of(row.completeness), claim_while_arriving_of(row.claim_while_arriving)
        assert (row.quiet_seconds, policy) == (45, Completeness((Signal.EXPECTED_COUNT, Signal.PROCEDURE_STEP)))
        assert (opens.settings, opens.urgencies) == (frozenset(), frozenset({Urgency.STROKE}))
        exported = read_texts([("export.toml", to_toml(network_in_force(connection)))]).network
        [stands] = [one for one in exported.source if one.ae_title == "PACS_A"]
        assert stands == read_texts([("a.toml", words)]).network.source[0]
        simple = words.split("completeness", maxsplit=1)[0] + "quiet_seconds = 5\n"
        apply(connection, read_texts([("b.toml", simple)]), by="test")
        row = connection.execute(select(source).where(source.c.ae_title == "PACS_A")).one()
        assert (row.quiet_seconds, row.completeness, row.claim_while_arriving) == (5, None, None)
        assert completeness_of(row.completeness) == Completeness()


def test_what_people_mapped_through_the_api_is_exported_and_means_the_same_elsewhere(
    network: Database, empty: Database
) -> None:
    stated = '[[exam_alias]]\nkind = "description"\nvalue = "chest pa"\nexam = "XCHES"\ntrust = "RXA"\n'
    apply_text(network, stated + stated.replace("chest pa", "hand"))
    for trust, code, words, exam in (("RXA", None, "Chest  PA", "XHANL"), ("RXB", "NOVEL", None, "CHEAD")):
        with network.app.begin() as connection:
            map_from_now_on(connection, "pat", word_as_sent(trust, code, None, words), exam, "seen in the RIS")
    with network.app.connect() as connection:
        exported = to_toml(network_in_force(connection))
    rows = {(row.trust, row.kind, row.value): row.exam for row in read_texts([("a.toml", exported)]).network.exam_alias}
    assert rows == {
        ("RXA", "description", "hand"): "XCHES",
        ("RXA", "description", "CHEST PA"): "XHANL",
        ("RXB", "code", "NOVEL"): "CHEAD",
    }
    apply_text(empty, exported)
    assert meanings(empty) == meanings(network)
    apply_text(network, exported)  # and where it comes from it changes nothing
    assert meanings(empty) == meanings(network)


def meanings(database: Database) -> list[tuple[Any, ...]]:
    """Give the words that stand, as of the day of the test."""
    with database.owner.connect() as connection:
        rows = connection.execute(
            text("SELECT trust_ods, kind, value, exam_code FROM exam_alias WHERE closed_at IS NULL ORDER BY 1, 2, 3")
        )
        return [tuple(row) for row in rows]
