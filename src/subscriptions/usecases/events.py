"""Events: what happened, for reading. Subscribing is the engine's."""

from __future__ import annotations

from subscriptions.events import EVENT, Recorded
from subscriptions.usecases.flows import Listing, only


def list_(
    *,
    subject: str | None = None,
    customer: str | None = None,
    type: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Recorded]:
    """List events in the order they were committed; each filter is an exact match.

    `subject` is the id of the record that an event is about, `type` a stored name such as
    `invoice.paid`.
    """
    where = only(subject=subject, customer=customer, type=type)
    return Listing(EVENT, where, limit=limit, after=after)
