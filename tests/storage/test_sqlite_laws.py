"""The storage in SQLite keeps every law, in a file and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from subscriptions.storage.sql import SqlStorage
from subscriptions.testing import StorageLaws


class TestSqliteFile(StorageLaws):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[SqlStorage]:
        storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
        yield storage
        storage.close()


class TestSqliteMemory(StorageLaws):
    @pytest.fixture
    def storage(self) -> Iterator[SqlStorage]:
        storage = SqlStorage("sqlite:///:memory:")
        yield storage
        storage.close()
