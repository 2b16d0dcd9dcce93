"""Taking in what gateways tell by themselves: kept first, looked at after that commit.

Whoever delivers a message gets his answer as soon as it is kept: what goes wrong after that is for
the next run, which finds it again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from subscriptions import inbox
from subscriptions.decisions import Change, Decision
from subscriptions.engine import commit
from subscriptions.engine.procedures import Procedure, call
from subscriptions.engine.remembering import once
from subscriptions.errors import Duplicate, StorageError, ValidationError
from subscriptions.frozen import frozen
from subscriptions.gateways import GatewayEvent, WebhookRefused
from subscriptions.inbox import INBOUND, Inbound
from subscriptions.records import plain_text
from subscriptions.storage import Query, UnitOfWork
from subscriptions.usecases import inbox as usecase

if TYPE_CHECKING:
    from subscriptions.engine.core import Engine

log = logging.getLogger("subscriptions")

PAGE = 1000


@frozen
class Receipt:
    """That a message is kept: its id here, what became of it so far, whether it was known before.

    Whatever it says, the gateway is to be answered with success: it need not send it again.
    """

    id: str
    status: str
    duplicate: bool


def receive(
    engine: Engine, gateway: str, raw: bytes, headers: Mapping[str, str], at: datetime | None
) -> Procedure[Receipt]:
    """Keep a gateway's message, then look at it: its effect is one, however often it comes.

    Raises `WebhookRefused` for a message that is not genuine; that is not kept.
    """
    now = engine.time(at)
    adapter = engine.gateway(gateway)
    event = adapter.parse_webhook(raw, headers, secrets=engine.secrets.get(gateway, ()), now=now)
    return (yield from _take_in(engine, gateway, event, now))


def _take_in(
    engine: Engine, gateway: str, event: GatewayEvent, now: datetime
) -> Procedure[Receipt]:
    """Keep a genuine message, and look at it unless a transaction is open: then after that."""
    try:
        text = plain_text("event.id", event.id)
        type_ = plain_text("event.type", event.type, empty=True)
    except ValidationError as error:
        raise WebhookRefused("the id or the type is not readable") from error
    message = Inbound(
        inbox.inbound_id(engine.tenant, gateway, text),
        engine.tenant,
        1,
        gateway,
        text,
        type_,
        now,
        inbox.Waiting(now),
        event.snapshot,
        event.refund,
        dispute=event.dispute,
    )
    try:
        changes = yield from engine.decided(usecase.take_in([message], now), now)
    except Duplicate:
        changes = []  # somebody else got the same message at the same moment
    kept = yield from engine.stored(INBOUND, [message.id])
    if engine.acts:
        try:
            yield from engine.worker.now([(INBOUND, each) for each in kept], now)
            yield from engine.deliver()
            kept = yield from engine.stored(INBOUND, [message.id])
        except StorageError:
            # It is kept, so it need not come again: a run looks at it.
            log.exception("message %s of %s is kept, and looked at later", text, gateway)
    return Receipt(message.id, kept[0].status, not changes)


def prune(
    engine: Engine, older_than: timedelta, at: datetime | None, idempotency_key: str | None
) -> Procedure[int]:
    """Drop what messages said that were over long ago, in thousands; returns of how many."""
    if not engine.acts:
        raise StorageError("pruning has transactions of its own; leave the transaction first")
    now = engine.time(at)
    given: object = older_than
    if not isinstance(given, timedelta) or given <= inbox.GIVE_UP_AFTER:
        raise ValidationError("older_than", older_than, f"more than {inbox.GIVE_UP_AFTER}")
    query = Query(
        INBOUND,
        engine.tenant,
        {"status": ("processed", "ignored")},
        until=("received_at", now - older_than),
        limit=PAGE,
    )

    def some(unit: UnitOfWork) -> Procedure[list[Change]]:
        page = yield from call(unit.find, query)
        decision = Decision(tuple(inbox.pruned(each, at=now) for each in page.items))
        return (
            yield from commit.write(
                unit, [decision], tenant=engine.tenant, zone=engine.seller.zone, at=now
            )
        )

    def work() -> Procedure[int]:
        count = 0
        while changes := (yield from commit.within(engine.storage, some)):
            count += len(changes)
        return count

    asked = (older_than,)
    command = "webhooks.prune"
    return (yield from once(engine, command, idempotency_key, asked, work, kind=int, at=now))
