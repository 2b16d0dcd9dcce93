"""Backups of a storage: a copy to go back to, while the gateway goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from itertools import count
from pathlib import Path

import pytest
from attrs import define, field

from subscriptions import MemoryStorage, SqlStorage
from subscriptions.events import KINDS
from subscriptions.storage import Storage


@define
class Disk:
    """Where a storage lies, and its backups: in memory, or in files of SQLite."""

    folder: Path | None
    opened: list[SqlStorage] = field(factory=list[SqlStorage])
    numbers: Iterator[int] = field(factory=count)

    def fresh(self) -> Storage:
        if self.folder is None:
            return MemoryStorage()
        return self._open(self.folder / f"{next(self.numbers)}.db")

    def beside(self) -> Disk:
        """Return an empty one of the same sort, which is closed with this one."""
        if self.folder is None:
            return Disk(None)
        folder = self.folder / f"disk{next(self.numbers)}"
        folder.mkdir()
        return Disk(folder, self.opened)

    def backup(self, storage: Storage) -> Callable[[], Storage]:
        """Return how to restore a storage as it is now; what is restored is another one."""
        if self.folder is None:
            assert isinstance(storage, MemoryStorage)
            kept = _copied(storage)
            return lambda: _copied(kept)
        (path,) = [each for each in self.folder.iterdir() if each.suffix == ".db"]
        backup = self.folder / "backup"
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(backup)) as target:
            source.backup(target)

        def restored() -> Storage:
            assert self.folder is not None
            copy = self.folder / f"{next(self.numbers)}.db"
            copy.write_bytes(backup.read_bytes())
            return self._open(copy)

        return restored

    def _open(self, path: Path) -> SqlStorage:
        storage = SqlStorage(f"sqlite:///{path}")
        self.opened.append(storage)
        return storage


def _copied(storage: MemoryStorage) -> MemoryStorage:
    # The kinds are compared by identity: they are what they are in every copy.
    memo: dict[int, object] = {id(kind): kind for kind in KINDS}
    copy = MemoryStorage()
    for name in ("_tables", "_acknowledged"):
        setattr(copy, name, deepcopy(getattr(storage, name), memo))
    return copy


@pytest.fixture(params=["memory", "sqlite"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path if request.param == "sqlite" else None)
    yield disk
    for storage in disk.opened:
        storage.close()
