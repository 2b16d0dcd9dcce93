"""The storage that the documentation writes keeps every law."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from subscriptions.storage import Storage
from subscriptions.testing import StorageLaws
from tests.docs.test_outputs import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "write-a-storage.md"


def documented() -> type:
    namespace: dict[str, Any] = {"__name__": "documented"}
    for block in blocks(PAGE):
        if block.language == "python" and "StorageLaws" not in block.content:
            exec(block.content, namespace)  # noqa: S102 - the document's own example
    found: type = namespace["FileStorage"]
    return found


FILE_STORAGE = documented()


class TestDocumentedStorage(StorageLaws):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Storage:
        made: Storage = FILE_STORAGE(tmp_path / "billing.json")
        return made
