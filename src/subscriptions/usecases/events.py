"""Events: what happened, for reading. Subscribing is the engine's."""

from __future__ import annotations

from subscriptions.errors import ValidationError
from subscriptions.events import EVENT, TAGS, Recorded
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
    `invoice.paid`; raises `ValidationError` for a type that there is not.
    """
    if type is not None and type not in TAGS.values():
        expected = "the stored name of an event, such as invoice.paid"
        raise ValidationError("type", type, expected)
    where = only(subject=subject, customer=customer, type=type)
    return Listing(EVENT, where, limit=limit, after=after)
