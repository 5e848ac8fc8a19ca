"""A database that radpool is only given a URL of, by a login that may make roles."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from cli.data_folder import DatabaseAddress, given
from worklist.db import embedded
from worklist.db.migrate import migrate, require_newest


@pytest.fixture
def address(cluster: embedded.Cluster) -> Iterator[DatabaseAddress]:
    embedded.clone_database(cluster, "template1", "given_without_rights")
    yield given(cluster.url("superuser", "given_without_rights"))
    embedded.drop_database(cluster, "given_without_rights")


def test_a_database_in_which_the_owner_role_has_no_rights_yet_is_migrated(address: DatabaseAddress) -> None:
    login = address.migration_engine()
    migrate(login)
    login.dispose()
    engine = address.app_engine()
    with engine.connect() as connection:
        require_newest(connection)
        assert connection.scalar(text("SELECT current_user")) == "radpool_app"
    engine.dispose()
