"""What a person must look at: one item for each thing, from when it was noticed until it is over.

Decided here: when an item is opened, opened again and closed. Never here: what is to be done about
it, which is the command that the item names. An item is written in the same commit as the fact that
makes it necessary, so nothing waits for a person without being on the list.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition
from subscriptions.frozen import frozen
from subscriptions.ids import ReviewItemId, derived_id
from subscriptions.money import Money
from subscriptions.records import Column, ColumnType, Kind, evolve, plain_text


class Matter(StrEnum):
    """What kind of thing a person must look at."""

    OUTCOME_UNKNOWN = "outcome_unknown"
    PARKED = "parked"
    QUARANTINED = "quarantined"
    UNMATCHED_MESSAGE = "unmatched_message"
    ORPHAN_CHARGE = "orphan_charge"
    DISPUTE = "dispute"
    CONTRADICTED = "contradicted"


TODO: MappingProxyType[Matter, str] = MappingProxyType(
    {
        Matter.OUTCOME_UNKNOWN: (
            "Look at the gateway what became of it; for a payment, say so with payments.resolve. "
            "The gateway is asked daily all the same."
        ),
        Matter.PARKED: "Set right what the reason says, then call unpark.",
        Matter.QUARANTINED: (
            "The gateway speaks of another amount than was asked for: find out why, set it right "
            "there, then call payments.resolve."
        ),
        Matter.UNMATCHED_MESSAGE: (
            "A gateway tells of something that is not known here: find out what it is, then call "
            "webhooks.replay or payments.close_review."
        ),
        Matter.ORPHAN_CHARGE: (
            "A gateway has a charge of ours for an invoice that is not known here: give it back "
            "there or record it with payments.record, then call payments.close_review."
        ),
        Matter.CONTRADICTED: (
            "The gateway says the opposite of what a person said: look there again. If it took no "
            "money, say so with payments.record_return; if a refund was made after all, see that "
            "it is not made again. Then call payments.close_review."
        ),
        Matter.DISPUTE: "Send the gateway what it asks for in time, or accept the dispute.",
    }
)
"""What is to be done about each matter."""


@frozen
class Closed:
    """When an item was over, and why."""

    at: datetime
    reason: str


@frozen
class ReviewItem:
    """One thing that a person must look at: the record `subject` of a `kind`, since when, and why.

    `facts` say what happened; they name ids and amounts and no person. `closed` is None as long as
    somebody must look at it.
    """

    id: ReviewItemId
    tenant: str
    version: int
    matter: Matter
    kind: str
    subject: str
    since: datetime
    facts: str
    customer: str | None = None
    amount: Money | None = None
    closed: Closed | None = None

    @property
    def status(self) -> str:
        """One word: open or closed."""
        return "open" if self.closed is None else "closed"

    @property
    def todo(self) -> str:
        """What is to be done about it."""
        return TODO[self.matter]


@frozen
class ReviewNeeded:
    """A person must look at something; it happens once for each thing, until that is over."""

    item: ReviewItemId
    matter: Matter
    kind: str
    subject: str
    customer: str | None


@frozen
class ReviewClosed:
    """Nobody must look at it any more: it came right by itself, or somebody has."""

    item: ReviewItemId
    customer: str | None
    reason: str


def item_id(tenant: str, matter: Matter, kind: str, subject: str) -> ReviewItemId:
    """Derive the id of the item about one thing."""
    return ReviewItemId(derived_id("rev", tenant, matter.value, kind, subject))


def needed(
    before: ReviewItem | None,
    *,
    tenant: str,
    matter: Matter,
    kind: str,
    subject: str,
    since: datetime,
    facts: str,
    customer: str | None = None,
    amount: Money | None = None,
) -> Change | None:
    """Decide that a person must look at something; None if it is on the list already.

    `before` is the item with the id of `item_id`, if there is one: a closed one is opened again.
    """
    if before is not None and before.closed is None:
        return None
    id = item_id(tenant, matter, kind, subject)
    version = 1 if before is None else before.version + 1
    item = ReviewItem(
        id, tenant, version, matter, kind, subject, since, facts[:500], customer, amount
    )
    event = ReviewNeeded(id, matter, kind, subject, customer)
    if before is None:
        return created(REVIEW_ITEM, item, event)
    return changed(REVIEW_ITEM, before, item, event)


def over(before: ReviewItem | None, *, reason: str, at: datetime) -> Change | None:
    """Decide that nobody must look at it any more; None if it is not on the list."""
    if before is None or before.closed is not None:
        return None
    after = evolve(before, closed=Closed(at, reason), version=before.version + 1)
    return changed(REVIEW_ITEM, before, after, ReviewClosed(before.id, before.customer, reason))


def close(before: ReviewItem, *, reason: str, at: datetime) -> Change:
    """Decide that somebody has looked at it; raises `InvalidTransition` if it is closed."""
    change = over(before, reason=plain_text("reason", reason), at=at)
    if change is None:
        raise InvalidTransition(f"review_item {before.id}", before.status, "close")
    return change


REVIEW_ITEM = Kind(
    "review_item",
    ReviewItem,
    columns=(
        Column("status", ColumnType.TEXT, lambda r: r.status),
        Column("matter", ColumnType.TEXT, lambda r: r.matter.value),
        Column("subject", ColumnType.TEXT, lambda r: r.subject),
        Column("customer", ColumnType.TEXT, lambda r: r.customer),
        Column("since", ColumnType.INSTANT, lambda r: r.since, indexed=False),
    ),
)
