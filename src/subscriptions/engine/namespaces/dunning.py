"""`billing.dunning`, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    Does,
    Lists,
    Namespace,
)
from subscriptions.usecases import dunning


class Dunning(Namespace):
    """What happens to invoices that are not paid."""

    policies = Asks(dunning.policies)
    set_policy = Does(dunning.set_policy)
    simulate = Asks(dunning.simulate)
    status = Asks(dunning.status)
    hold = Does(dunning.hold)
    release = Does(dunning.release)
    list = Lists(dunning.list_)


class AsyncDunning(Namespace):
    """What happens to invoices that are not paid."""

    policies = AsyncAsks(dunning.policies)
    set_policy = AsyncDoes(dunning.set_policy)
    simulate = AsyncAsks(dunning.simulate)
    status = AsyncAsks(dunning.status)
    hold = AsyncDoes(dunning.hold)
    release = AsyncDoes(dunning.release)
    list = AsyncLists(dunning.list_)
