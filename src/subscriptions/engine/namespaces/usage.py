"""`billing.usage`, with and without `await`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from subscriptions.engine import metering
from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    Does,
    Lists,
    Namespace,
)
from subscriptions.engine.procedures import run_async, run_sync
from subscriptions.usage import Usage as UsageRow
from subscriptions.usecases import usage, usage_so_far
from subscriptions.usecases.usage import UsageReport


class Usage(Namespace):
    """What was used, and what it comes to."""

    add_meter = Does(usage.add_meter)
    meters = Lists(usage.meters)
    record = Does(usage.record)
    summary = Asks(usage_so_far.summary)
    list = Lists(usage.list_)

    def record_many(
        self,
        events: Iterable[UsageRow],
        *,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> UsageReport:
        """Record usage in bulk: any iterable of `subscriptions.usage.Usage`, read as it comes.

        Events are stored in batches, each whole or not at all; one that is known is left alone, so
        after a crash the same events may come again. What `record` would raise for one of them is
        in the report and stops nothing. Inside `transaction()` all of it is part of that.

        Raises `StorageError` if the storage fails, and what the iterable raises; what came before
        is stored then, and the idempotency key not yet. Raises `IdempotencyMismatch` for the key of
        a call that came to its end with other events.
        """
        return run_sync(metering.record_usage(self.engine, events, at, idempotency_key))


class AsyncUsage(Namespace):
    """What was used, and what it comes to."""

    add_meter = AsyncDoes(usage.add_meter)
    meters = AsyncLists(usage.meters)
    record = AsyncDoes(usage.record)
    summary = AsyncAsks(usage_so_far.summary)
    list = AsyncLists(usage.list_)

    async def record_many(
        self,
        events: Iterable[UsageRow],
        *,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> UsageReport:
        """Record usage in bulk, as `Usage.record_many` does."""
        return await run_async(metering.record_usage(self.engine, events, at, idempotency_key))
