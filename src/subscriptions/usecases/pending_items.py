"""Pending items: what waits for a customer's next invoice, and how an invoice takes it.

They are taken where an invoice of a subscription becomes final, after its own lines, and exactly
once: invoice, items and their count on the customer are one commit. A customer for whom nothing
waits is not asked for anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from subscriptions import customers, pending_items
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import InvoiceId, PendingItemId, SubscriptionId
from subscriptions.invoices import Charge, Invoice
from subscriptions.lifecycle import SUBSCRIPTION
from subscriptions.money import Currency, Money
from subscriptions.pending_items import PENDING_ITEM, PendingItem
from subscriptions.records import Ref
from subscriptions.usecases import one_off
from subscriptions.usecases.flows import Command, Context, Flow, Get, Having, Listing, Maybe, only
from subscriptions.usecases.one_off import OneOff


@frozen
class Taken:
    """The items that an invoice takes: its lines, what is committed with it, and the customer."""

    charges: Sequence[Charge]
    changes: tuple[Change, ...]
    owner: Customer


def add(
    customer: str,
    line: OneOff,
    *,
    subscription: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[PendingItem]:
    """Let a line wait for the next invoice of a customer, or of one of his subscriptions.

    It comes on the next invoice in its currency that is made for a period, for a change or at an
    end, after that one's own lines, and once. Its tax is that of the day of the invoice; coupons of
    a subscription take nothing off it. Who has no further invoice is invoiced by
    `invoices.invoice_pending_items`.

    Raises `UnknownReference` for an unknown customer and for a subscription that is not his,
    `ValidationError` for a wrong value, for another currency than the subscription's, and for what
    could not be taxed today.
    """
    amount_minor = one_off.amount_of(line)
    currency = line.amount.currency

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        if subscription is not None:
            found = yield from Maybe(SUBSCRIPTION, subscription)
            if found is None or found.customer != owner.id:
                raise UnknownReference("subscription", subscription)
            if found.currency != currency:
                raise ValidationError("amount", line.amount, f"an amount in {found.currency}")
        # What nobody could tax today is refused here, and not by the run that bills a period.
        one_off.charge(line, amount_minor, owner, context)
        item = PendingItem(
            PendingItemId(context.ids.fresh("item")),
            context.tenant,
            1,
            owner.id,
            None if subscription is None else SubscriptionId(subscription),
            line.description,
            line.amount,
            line.quantity,
            Money(amount_minor, currency),
            line.tax_behavior,
            context.at,
            tax_category=line.tax_category,
            tax_rates=line.tax_rates,
        )
        changes = (pending_items.add(item), customers.count_pending_items(owner, 1))
        return Decision(changes, about=Ref(PENDING_ITEM, item.id))

    return Command(PENDING_ITEM, flow, at, idempotency_key)


def remove(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[PendingItem]:
    """Take a pending item back, so that it is not invoiced.

    Raises `NotFound` for an unknown one, `InvalidTransition` if it was invoiced or taken back.
    """

    def flow(context: Context) -> Flow[Decision]:
        item = yield from Get(PENDING_ITEM, id)
        withdrawn = pending_items.withdraw(item, context.at)
        owner = yield from Get(CUSTOMER, item.customer)
        changes = (withdrawn, customers.count_pending_items(owner, -1))
        return Decision(changes, about=Ref(PENDING_ITEM, item.id))

    return Command(PENDING_ITEM, flow, at, idempotency_key)


def list_(
    *,
    customer: str | None = None,
    waiting_for: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[PendingItem]:
    """List pending items in the order they were added; each filter is an exact match.

    `customer` gives all that a customer ever had, `waiting_for` what still waits for his invoice.
    """
    where = only(customer=customer, waits_for=waiting_for)
    return Listing(PENDING_ITEM, where, limit=limit, after=after)


def take(
    owner: Customer,
    invoice: InvoiceId,
    context: Context,
    *,
    currency: Currency,
    subscriptions: Collection[SubscriptionId] | None,
) -> Flow[Taken]:
    """Let an invoice take what waits in its currency: for the customer, and these subscriptions.

    Without `subscriptions` it takes what waits for any of his, too.
    """
    if not owner.pending_items:
        return Taken((), (), owner)
    found = yield from Having(PENDING_ITEM, "waits_for", owner.id)
    items = [
        item
        for item in found
        if item.amount.currency == currency
        and (
            item.subscription is None or subscriptions is None or item.subscription in subscriptions
        )
    ]
    if not items:
        return Taken((), (), owner)
    counted = customers.count_pending_items(owner, -len(items))
    left = counted.after
    assert isinstance(left, Customer)
    taken = [pending_items.take(item, invoice, context.at) for item in items]
    charges = [one_off.charge(_line(item), item.amount.minor, owner, context) for item in items]
    return Taken(charges, (counted, *taken), left)


def _line(item: PendingItem) -> OneOff:
    return OneOff(
        item.description,
        item.unit_amount,
        item.quantity,
        item.tax_behavior,
        item.tax_category,
        item.tax_rates,
    )


def take_for_draft(draft: Invoice, owner: Customer, context: Context) -> Flow[Taken]:
    """Let a draft of subscriptions take what waits; what was invoiced by hand takes nothing."""
    by_hand = draft.subscription is None and draft.finalize_at is None
    if by_hand or draft.taxing is not None or draft.replaces is not None:
        return Taken((), (), owner)
    return (
        yield from take(
            owner,
            draft.id,
            context,
            currency=draft.currency,
            subscriptions=draft.subscriptions,
        )
    )
