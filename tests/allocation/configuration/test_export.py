"""What is exported is the configuration in force, and can be imported again."""

from __future__ import annotations

from allocation.configuration.apply import apply
from allocation.configuration.export import network_in_force, to_toml
from allocation.configuration.read import read_files, read_texts
from tests.conftest import NETWORK, Database

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
