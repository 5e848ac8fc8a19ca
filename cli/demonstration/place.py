"""Where a demonstration lives: a folder of its own, made fresh, and three addresses to listen on.

It must not remove a folder that it did not make itself.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cli.addresses import Addresses, listen
from worklist.db import embedded

#: Lies in every folder that a demonstration made; without it nothing is removed.
MARKER = "radpool-demonstration"
#: Where a demonstration that stays up lives, below the current folder.
DEFAULT = Path("var") / "demo"


class ForeignFolder(ValueError):
    """The folder named for the demonstration holds something that no demonstration made."""


class DemonstrationRunning(ValueError):
    """Another demonstration, still up, lives in the folder."""


@contextmanager
def fresh_folder(data: Path | None, *, once: bool) -> Iterator[Path]:
    """Give an empty, marked folder; one made for a single run is removed afterwards.

    A folder of an earlier demonstration is emptied first; `data` None is a temporary folder for a
    single run, else `DEFAULT`.

    Raises
    ------
    ForeignFolder, DemonstrationRunning
        If the folder may not be emptied.
    """
    if once and data is None:
        with tempfile.TemporaryDirectory(prefix="radpool-demo-") as made:
            yield Path(made).resolve()
        return
    folder = (data or DEFAULT).resolve()
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARKER).is_file():
            raise ForeignFolder(f"{folder} was not made by a demonstration; name an empty folder, or none")
        if embedded.running(folder) is not None:
            raise DemonstrationRunning(f"a demonstration is up in {folder}; end it first, or name another --data")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text("Made by `radpool demo`, which empties this folder when it is started again.\n")
    yield folder


def addresses(*, once: bool) -> tuple[Addresses, list[str]]:
    """Give where to listen, and of which services the agreed port was taken: they get a free one.

    A single run takes free ports throughout.
    """
    if once:
        return Addresses(*["127.0.0.1:0"] * 3), []
    agreed = Addresses()
    taken = [name for name in ("http", "dicom", "hl7") if not _is_free(getattr(agreed, name))]
    free = dict.fromkeys(taken, "127.0.0.1:0")
    return Addresses(**{"http": agreed.http, "dicom": agreed.dicom, "hl7": agreed.hl7, **free}), taken


def _is_free(where: str) -> bool:
    with contextlib.suppress(OSError), listen(where):
        return True
    return False
