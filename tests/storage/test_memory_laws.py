"""The storage in memory keeps every law."""

from __future__ import annotations

import pytest

from subscriptions.storage.memory import MemoryStorage
from subscriptions.testing import StorageLaws


class TestMemoryStorage(StorageLaws):
    @pytest.fixture
    def storage(self) -> MemoryStorage:
        return MemoryStorage()
