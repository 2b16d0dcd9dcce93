"""The laws of a storage, for authors of adapters: inherit them, supply a fixture, run pytest.

The laws stand by topic in the modules beside this one, each a sentence in its name.
"""

from __future__ import annotations

from subscriptions.testing.storage_laws.concurrency import ConcurrencyLaws
from subscriptions.testing.storage_laws.fidelity import FidelityLaws
from subscriptions.testing.storage_laws.outbox import OutboxLaws
from subscriptions.testing.storage_laws.queries import QueryLaws
from subscriptions.testing.storage_laws.uniqueness import NumberSeriesLaws, UniquenessLaws
from subscriptions.testing.storage_laws.unit_of_work import UnitOfWorkLaws


class StorageLaws(
    UnitOfWorkLaws,
    ConcurrencyLaws,
    UniquenessLaws,
    NumberSeriesLaws,
    OutboxLaws,
    FidelityLaws,
    QueryLaws,
    kit=True,
):
    """Tells the author of a storage when it is done; a subclass supplies the fixture `storage`.

    What it deletes: nothing itself, but every law begins with an **empty** storage, so a fixture
    that empties a database for it deletes all that is in there. Give it a database of its own. It
    writes to the tenants `acme` and `other` and leaves what it wrote.

    The storage is used by up to nine threads at once. A storage that lets one writer at a time
    begin keeps the laws as well as one that refuses the later commit.

    ```
    class TestMyStorage(StorageLaws):
        waived = {"test_load_takes_however_many_ids": "at most 32,766 values in a statement"}

        @pytest.fixture
        def storage(self, tmp_path):
            return MyStorage(tmp_path / "billing.db")
    ```
    """


__all__ = ["StorageLaws"]
