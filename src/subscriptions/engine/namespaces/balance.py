"""`billing.balance`, with and without `await`."""

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
from subscriptions.usecases import balance, grants


class Balance(Namespace):
    """What customers have to their credit."""

    adjust = Does(balance.adjust)
    entries = Lists(balance.entries)
    grant = Does(grants.grant)
    void_grant = Does(grants.void_grant)
    get_grant = Asks(grants.get_grant)
    grant_entries = Lists(grants.grant_entries)
    grants = Lists(grants.list_grants)  # last: from here on the name is this


class AsyncBalance(Namespace):
    """What customers have to their credit."""

    adjust = AsyncDoes(balance.adjust)
    entries = AsyncLists(balance.entries)
    grant = AsyncDoes(grants.grant)
    void_grant = AsyncDoes(grants.void_grant)
    get_grant = AsyncAsks(grants.get_grant)
    grant_entries = AsyncLists(grants.grant_entries)
    grants = AsyncLists(grants.list_grants)  # last: from here on the name is this
