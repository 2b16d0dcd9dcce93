"""The review list: what a person must look at, put there and taken away with what makes it so."""

from __future__ import annotations

from datetime import datetime

from subscriptions import review
from subscriptions.decisions import Change, Decision
from subscriptions.money import Money
from subscriptions.records import Ref, plain_text
from subscriptions.review import REVIEW_ITEM, Matter, ReviewItem
from subscriptions.usecases.flows import Command, Context, Flow, Get, Listing, Maybe, one_of, only


def list_(
    *,
    matter: str | None = None,
    customer: str | None = None,
    status: str | None = "open",
    limit: int = 100,
    after: str | None = None,
) -> Listing[ReviewItem]:
    """List what a person must look at, in the order in which it was first noticed.

    Each item says what happened (`matter`, `facts`), to which record, since when, and what is
    `todo`. With `status=None` those that are over are listed too.
    """
    status = one_of("status", status, ("open", "closed"))
    matter = one_of("matter", matter, Matter)
    where = only(status=status, matter=matter, customer=customer)
    return Listing(REVIEW_ITEM, where, limit=limit, after=after)


def close(
    id: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[ReviewItem]:
    """Take an item from the list, because somebody has looked at it; the reason is kept.

    What the item is about stays as it is: a parked record is released with `unpark`, a payment
    settled with `payments.resolve`, and both close their items by themselves. Raises `NotFound` for
    an unknown item and `InvalidTransition` for one that is closed.
    """
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        item = yield from Get(REVIEW_ITEM, id)
        change = review.close(item, reason=reason, at=context.at)
        return Decision((change,), about=Ref(REVIEW_ITEM, id))

    return Command(REVIEW_ITEM, flow, at, idempotency_key)


def needed(
    matter: Matter,
    kind: str,
    subject: str,
    *,
    since: datetime,
    facts: str,
    context: Context,
    customer: str | None = None,
    amount: Money | None = None,
) -> Flow[tuple[Change, ...]]:
    """Decide to put something on the list; nothing if it is there."""
    before = yield from Maybe(REVIEW_ITEM, review.item_id(context.tenant, matter, kind, subject))
    change = review.needed(
        before,
        tenant=context.tenant,
        matter=matter,
        kind=kind,
        subject=subject,
        since=since,
        facts=facts,
        customer=customer,
        amount=amount,
    )
    return () if change is None else (change,)


def over(
    matter: Matter, kind: str, subject: str, *, reason: str, context: Context
) -> Flow[tuple[Change, ...]]:
    """Decide to take something from the list; nothing if it is not there."""
    before = yield from Maybe(REVIEW_ITEM, review.item_id(context.tenant, matter, kind, subject))
    change = review.over(before, reason=reason, at=context.at)
    return () if change is None else (change,)
