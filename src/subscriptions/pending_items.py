"""What waits for a customer's next invoice: one amount, added by the host, invoiced exactly once.

An item is of a customer, or of one of his subscriptions. It waits until an invoice takes it, or
until it is withdrawn; what took it stays written on it. Its tax is that of the invoice, so none is
decided here. How many wait is counted on the customer, for whom that asks nothing extra.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, InvoiceId, PendingItemId, SubscriptionId
from subscriptions.money import Money
from subscriptions.records import Column, ColumnType, Kind, evolve
from subscriptions.taxes import TaxBehavior, TaxRate


@frozen
class Waiting:
    """No invoice has taken it yet."""


@frozen
class Invoiced:
    """It is a line of an invoice."""

    invoice: InvoiceId
    at: datetime


@frozen
class Withdrawn:
    """It was taken back before any invoice took it."""

    at: datetime


ItemState: TypeAlias = Waiting | Invoiced | Withdrawn

STATUS: dict[type[ItemState], str] = {
    Waiting: "waiting",
    Invoiced: "invoiced",
    Withdrawn: "withdrawn",
}


@frozen
class PendingItem:
    """One item. `unit_amount` is for each unit: net, or gross where `tax_behavior` says so.

    `amount` is what the line comes to, rounded once when it was added. It is taxed under the
    `tax_category`, or by `tax_rates` where it was given its own.
    """

    id: PendingItemId
    tenant: str
    version: int
    customer: CustomerId
    subscription: SubscriptionId | None
    description: str
    unit_amount: Money
    quantity: int | Decimal
    amount: Money
    tax_behavior: TaxBehavior
    added_at: datetime
    state: ItemState = Waiting()
    tax_category: str = "standard"
    tax_rates: tuple[TaxRate, ...] = ()

    @property
    def status(self) -> str:
        """One word: waiting, invoiced or withdrawn."""
        return STATUS[type(self.state)]

    @property
    def waits_for(self) -> CustomerId | None:
        """The customer whose next invoice it waits for; None if it does not wait any more."""
        return self.customer if isinstance(self.state, Waiting) else None


PENDING_ITEM = Kind(
    "pending_item",
    PendingItem,
    columns=(
        Column("customer", ColumnType.TEXT, lambda i: i.customer),
        Column("waits_for", ColumnType.TEXT, lambda i: i.waits_for),
        Column("status", ColumnType.TEXT, lambda i: i.status, indexed=False),
    ),
)


@frozen
class PendingItemAdded:
    """Something waits for the next invoice of a customer, or of one of his subscriptions."""

    item: PendingItemId
    customer: CustomerId
    subscription: SubscriptionId | None
    amount: Money


@frozen
class PendingItemInvoiced:
    """What waited is on an invoice now."""

    item: PendingItemId
    customer: CustomerId
    invoice: InvoiceId


@frozen
class PendingItemWithdrawn:
    """What waited will not be invoiced."""

    item: PendingItemId
    customer: CustomerId


def add(item: PendingItem) -> Change:
    """Decide that an item waits."""
    event = PendingItemAdded(item.id, item.customer, item.subscription, item.amount)
    return created(PENDING_ITEM, item, event)


def take(item: PendingItem, invoice: InvoiceId, at: datetime) -> Change:
    """Decide that an invoice has taken an item; raises `InvalidTransition` unless it waits."""
    _check_waits(item, "invoice")
    after = evolve(item, state=Invoiced(invoice, at), version=item.version + 1)
    return changed(PENDING_ITEM, item, after, PendingItemInvoiced(item.id, item.customer, invoice))


def withdraw(item: PendingItem, at: datetime) -> Change:
    """Decide that an item is not to be invoiced; raises `InvalidTransition` unless it waits."""
    _check_waits(item, "remove")
    after = evolve(item, state=Withdrawn(at), version=item.version + 1)
    return changed(PENDING_ITEM, item, after, PendingItemWithdrawn(item.id, item.customer))


def _check_waits(item: PendingItem, command: str) -> None:
    if not isinstance(item.state, Waiting):
        raise InvalidTransition(f"pending item {item.id}", item.status, command)
