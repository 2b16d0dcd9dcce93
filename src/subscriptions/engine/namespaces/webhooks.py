"""`billing.webhooks`, with and without `await`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from subscriptions.engine import receiving
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
from subscriptions.engine.receiving import Receipt
from subscriptions.usecases import inbox


class Webhooks(Namespace):
    """What gateways tell by themselves."""

    replay = Does(inbox.replay)
    get = Asks(inbox.get)
    list = Lists(inbox.list_)

    def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> Receipt:
        """Take in a gateway's message: verify it, keep it, then do what it tells.

        The signature is checked on the raw bytes. What is kept is what was read of it, not the body
        as it came. Answer the gateway with success whatever the receipt says: a message about
        something unknown is tried again, one that nobody here reads is kept and ignored, and what
        goes wrong after it was kept is for the next run. A message that comes twice, late or out of
        order does no harm.

        Raises `WebhookRefused` for a message that is not genuine (answer with 400; it is not kept),
        `ValidationError` for an unknown gateway, and `StorageError` if it could not be kept (answer
        with 500: the gateway sends it again).
        """
        return run_sync(receiving.receive(self.engine, gateway, raw, headers, at))

    def prune(
        self,
        *,
        older_than: timedelta,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Drop what messages said that are older and over; returns of how many.

        That they came is kept, so that each still counts once. What waits for a person stays.
        Raises `ValidationError` for less than the three days in which a message may be tried again,
        and `IdempotencyMismatch` for a key that was used with another age.
        """
        return run_sync(receiving.prune(self.engine, older_than, at, idempotency_key))


class AsyncWebhooks(Namespace):
    """What gateways tell by themselves."""

    replay = AsyncDoes(inbox.replay)
    get = AsyncAsks(inbox.get)
    list = AsyncLists(inbox.list_)

    async def receive(
        self, gateway: str, raw: bytes, headers: Mapping[str, str], *, at: datetime | None = None
    ) -> Receipt:
        """Take in a gateway's message, as `Webhooks.receive` does."""
        return await run_async(receiving.receive(self.engine, gateway, raw, headers, at))

    async def prune(
        self,
        *,
        older_than: timedelta,
        at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Drop what messages said that are older and over, as `Webhooks.prune` does."""
        return await run_async(receiving.prune(self.engine, older_than, at, idempotency_key))
