"""The messages of the fake gateway: each change of its books waits here until a test takes it.

A message is signed when it is taken, or taken again; it says what was so when it was written.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import TypeAlias

from attrs import define, field

from subscriptions.errors import ValidationError
from subscriptions.gateways import Secret
from subscriptions.gateways.fake.ledger import LedgerCharge, LedgerDispute, LedgerRefund
from subscriptions.gateways.fake.messages import (
    WebhookMessage,
    write,
    write_dispute,
    write_refund,
)
from subscriptions.ids import derived_id

Entry: TypeAlias = LedgerCharge | LedgerRefund | LedgerDispute
"""A line of the books, as it was when its message was written."""


@define
class Outbox:
    """What waits to be delivered, and what was taken before."""

    _waiting: deque[Entry] = field(factory=deque[Entry])
    _sent: dict[str, Entry] = field(factory=dict[str, Entry])

    def put(self, entry: Entry) -> None:
        """Let a message say what a line of the books says now."""
        self._waiting.append(entry)

    def take(self, at: datetime, secret: Secret) -> list[WebhookMessage]:
        """Hand out what waits, oldest first, signed at an instant."""
        messages: list[WebhookMessage] = []
        while self._waiting:
            entry = self._waiting.popleft()
            # The id is derived: no two states of a line are alike.
            state = [entry.outcome.value]
            if isinstance(entry, LedgerCharge) and entry.captured_minor:
                state.append(str(entry.captured_minor))
            if isinstance(entry, LedgerDispute):
                state.append(str(entry.changes))
            id = derived_id("evt", entry.reference, *state)
            self._sent[id] = entry
            messages.append(_written(entry, id, at, secret))
        return messages

    def again(self, id: str, at: datetime, secret: Secret) -> WebhookMessage:
        """Sign a message again that was taken before; raises `ValidationError` for another."""
        if id not in self._sent:
            raise ValidationError("id", id, "a message that was taken before")
        return _written(self._sent[id], id, at, secret)


def _written(entry: Entry, id: str, at: datetime, secret: Secret) -> WebhookMessage:
    if isinstance(entry, LedgerRefund):
        return write_refund(entry, id=id, at=at, secret=secret)
    if isinstance(entry, LedgerDispute):
        return write_dispute(entry, id=id, at=at, secret=secret)
    return write(entry, id=id, at=at, secret=secret)
