"""A demonstration takes a folder of its own and free ports, and removes nothing that it did not make."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.addresses import Addresses
from cli.demonstration import place
from cli.demonstration.place import MARKER, ForeignFolder, addresses, fresh_folder


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_folder_for_one_run_is_empty_and_gone_afterwards() -> None:
    with fresh_folder(None, once=True) as folder:
        assert list(folder.iterdir()) == []
        (folder / "something").touch()
    assert not folder.exists()


def test_a_named_folder_is_marked_and_stays(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "demo", once=True) as folder:
        pass
    assert [path.name for path in folder.iterdir()] == [MARKER]


def test_the_folder_of_an_earlier_demonstration_is_emptied(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "demo", once=False) as folder:
        (folder / "run.json").touch()
    with fresh_folder(tmp_path / "demo", once=False) as folder:
        assert not (folder / "run.json").exists()


def test_a_folder_with_somebody_elses_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("kept")
    with pytest.raises(ForeignFolder, match="not made by a demonstration"), fresh_folder(tmp_path, once=False):
        pass
    assert (tmp_path / "letters").read_text() == "kept"


def test_without_a_name_a_demonstration_that_stays_lives_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with fresh_folder(None, once=False) as folder:
        assert folder == tmp_path / "var" / "demo"


def test_one_run_takes_free_ports() -> None:
    assert addresses(once=True) == (Addresses("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"), [])


def test_a_service_whose_agreed_port_is_taken_gets_a_free_one_and_is_named(
    taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as let_go:
        free = let_go.getsockname()[1]
    agreed = Addresses(f"127.0.0.1:{free}", f"127.0.0.1:{taken_port}", f"127.0.0.1:{free}")
    monkeypatch.setattr(place, "Addresses", lambda **given: Addresses(**given) if given else agreed)
    found, taken = addresses(once=False)
    assert taken == ["dicom"]
    assert found == Addresses(agreed.http, "127.0.0.1:0", agreed.hl7)
