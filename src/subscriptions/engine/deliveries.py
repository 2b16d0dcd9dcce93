"""Handing out events: to each subscriber in order, at least once, by one deliverer at a time.

A subscriber that raises gets the same event again next time; billing goes on. What subscribers
change themselves, and what is committed meanwhile, is handed out after what they are being given.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeAlias

from attrs import define, field

from subscriptions.engine.procedures import Procedure, call
from subscriptions.events import Recorded
from subscriptions.storage import Storage

log = logging.getLogger("subscriptions")

Subscriber: TypeAlias = Callable[[Recorded], object]

DELIVERY = 1000


@define
class Deliveries:
    """The subscribers of one engine; at most one thread or task hands out at a time."""

    subscribers: dict[str, Subscriber] = field(factory=dict[str, Subscriber])
    _busy: threading.Lock = field(factory=threading.Lock)
    _again: bool = False

    def deliver(self, storage: Storage, tenant: str) -> Procedure[None]:
        """Hand out what is committed; if somebody does so already, he does this too."""
        self._again = True
        while self._again and self.subscribers and self._busy.acquire(blocking=False):
            try:
                self._again = False
                for name, subscriber in tuple(self.subscribers.items()):
                    yield from _hand_out(storage, tenant, name, subscriber)
            finally:
                self._busy.release()


def _hand_out(storage: Storage, tenant: str, name: str, subscriber: Subscriber) -> Procedure[None]:
    while True:
        delivery = yield from call(storage.undelivered, tenant, name, DELIVERY)
        if not delivery.events:
            return
        for taken, event in enumerate(delivery.events):
            try:
                yield from call(subscriber, event)
            except Exception:
                log.exception("subscriber %s failed; the event will come again", name)
                yield from _acknowledge(storage, tenant, name, taken)
                return
        yield from call(storage.acknowledge, tenant, name, delivery.position)


def _acknowledge(storage: Storage, tenant: str, name: str, taken: int) -> Procedure[None]:
    """Remember the events before the one that failed: they need not come again."""
    if taken:
        before = yield from call(storage.undelivered, tenant, name, taken)
        yield from call(storage.acknowledge, tenant, name, before.position)
