"""`billing.entitlements`, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import Asks, AsyncAsks, Namespace
from subscriptions.usecases import entitlements


class Entitlements(Namespace):
    """What customers may use."""

    list = Asks(entitlements.list_)
    check = Asks(entitlements.check)


class AsyncEntitlements(Namespace):
    """What customers may use."""

    list = AsyncAsks(entitlements.list_)
    check = AsyncAsks(entitlements.check)
