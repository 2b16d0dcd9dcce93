"""`billing.events`, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import AsyncLists, Lists, Namespace
from subscriptions.engine.deliveries import Subscriber
from subscriptions.records import plain_text
from subscriptions.usecases import events


class Events(Namespace):
    """What happened."""

    list = Lists(events.list_)

    def subscribe(self, subscriber: Subscriber, *, name: str = "default") -> None:
        """Hand every committed event to a callable, in order, at least once.

        Its place is remembered under `name`: after a restart it goes on where it was. A new name
        begins with the first event there is. If the callable raises, it gets the event again later.
        """
        self.engine.deliveries.subscribers[plain_text("name", name)] = subscriber


class AsyncEvents(Namespace):
    """What happened."""

    list = AsyncLists(events.list_)

    def subscribe(self, subscriber: Subscriber, *, name: str = "default") -> None:
        """Hand every committed event to a callable or a coroutine function, as `Events` does."""
        self.engine.deliveries.subscribers[plain_text("name", name)] = subscriber
