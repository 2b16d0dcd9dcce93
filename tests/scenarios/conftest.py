"""Every scenario runs on every storage, and ends with an audit of the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from subscriptions import MemoryStorage, SqlStorage
from subscriptions.storage import Storage
from tests.scenarios.shop import Shop, audit, open_shop


@pytest.fixture(params=["memory", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    if request.param == "memory":
        yield MemoryStorage()
        return
    storage = SqlStorage(f"sqlite:///{tmp_path / 'billing.db'}")
    yield storage
    storage.close()


@pytest.fixture
def open_a_shop(storage: Storage) -> Iterator[Callable[..., Shop]]:
    """Open a shop with a seller, taxes or a start of its own."""
    shops: list[Shop] = []

    def opened(**given: object) -> Shop:
        shops.append(open_shop(storage, **given))  # type: ignore[arg-type]  # passed on
        return shops[-1]

    yield opened
    for shop in shops:
        assert audit(shop) == []


@pytest.fixture
def shop(open_a_shop: Callable[..., Shop]) -> Shop:
    return open_a_shop()
