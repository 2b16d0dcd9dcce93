"""The invoice as a record: its parties, lines and states, and what follows from them.

Amounts are minor units of `currency` (fields end in `_minor`); the properties give `Money`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias, assert_never

from subscriptions.billing_cycles import Period, first_instant
from subscriptions.customers import CollectionMethod
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, SubscriptionId
from subscriptions.invoices.lines import Line
from subscriptions.invoices.parties import Party, SellerSnapshot
from subscriptions.money import Currency, Money, Rounding
from subscriptions.payment_references import creditor_reference
from subscriptions.records import Column, ColumnType, Kind
from subscriptions.taxes import TaxGroup


@frozen
class Draft:
    """Not yet a document: it has no number and may change."""


@frozen
class Open:
    """Final and owed."""


@frozen
class Paid:
    """Nothing is owed any more."""

    at: datetime


@frozen
class Void:
    """It should not have been; the number stays taken."""

    at: datetime
    reason: str


@frozen
class Uncollectible:
    """Owed, but given up; it can still be paid."""

    at: datetime
    reason: str


InvoiceState: TypeAlias = Draft | Open | Paid | Void | Uncollectible


class Status(StrEnum):
    """The state in one word."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


STATUS: dict[type[InvoiceState], Status] = {
    Draft: Status.DRAFT,
    Open: Status.OPEN,
    Paid: Status.PAID,
    Void: Status.VOID,
    Uncollectible: Status.UNCOLLECTIBLE,
}


@frozen
class Taxing:
    """A draft waits for a tax engine: how often that was asked in vain, and why it said nothing.

    `gives_back` says that what the invoice credits is given back as money once it is final.
    """

    tries: int = 0
    reason: str = ""
    gives_back: bool = False


@frozen
class Sending:
    """An invoice was to be sent to an address, by the host."""

    at: datetime
    recipient: str


@frozen
class Invoice:
    """One invoice. `collecting` is the one attempt whose outcome is open, if there is one.

    `balance_minor` is what the customer's balance paid of it; where the total is negative, so is
    it: the customer got that. `credited_minor` is what credit notes took off what was owed;
    what they gave back of what was paid is on them alone. `granted_minor` is what credit grants
    paid after the balance. `activates` says that a subscription
    waits for it to be paid. `finalize_at` is when a draft becomes final by itself. `dunning` says
    that a dunning case looks after it; then the invoice itself is due no more.

    Once it is final, `seller_id` says whose it is (empty: the main seller's) and `series` in which
    series its number is. `replaces` names the void invoice that it was made instead of, which names
    it in `replaced_by`. `sendings` are the times when it was asked to be sent again.

    `disputed` are the payments that it is short of because they are disputed: while there are any
    it is not charged by itself. `reopened` counts how often money that had paid it was taken back.

    `collection_method` says whether it is charged or sent. A `small` one comes to less than the
    gateway charges: it waits for the customer's next charge, and is not dunned. At `charge_at` it
    is charged together with the small ones that wait. A `held` one waits until something is
    collected of its customer again.

    A draft with `taxing` waits for a tax engine; `tax_quote` is whose quote it has, and which.
    """

    id: InvoiceId
    tenant: str
    version: int
    customer: CustomerId
    subscription: SubscriptionId | None
    currency: Currency
    lines: tuple[Line, ...]
    taxes: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    rounding: Rounding
    zone: str
    terms_days: int
    state: InvoiceState = Draft()
    paid_minor: int = 0
    attempts: int = 0
    collecting: PaymentId | None = None
    dunning: bool = False
    number: str | None = None
    finalized_at: datetime | None = None
    issued_on: date | None = None
    due_on: date | None = None
    seller: SellerSnapshot | None = None
    party: Party | None = None
    salt: str = ""
    commitment: str = ""
    previous_hash: str = ""
    hash: str = ""
    parked: str | None = None
    balance_minor: int = 0
    activates: bool = False
    finalize_at: datetime | None = None
    credited_minor: int = 0
    granted_minor: int = 0
    seller_id: str = ""
    series: str = ""
    replaces: InvoiceId | None = None
    replaced_by: InvoiceId | None = None
    sendings: tuple[Sending, ...] = ()
    disputed: tuple[PaymentId, ...] = ()
    reopened: int = 0
    collection_method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY
    small: bool = False
    charge_at: datetime | None = None
    taxing: Taxing | None = None
    tax_quote: str = ""
    held: bool = False

    @property
    def status(self) -> Status:
        """One word: draft, open, paid, void or uncollectible."""
        return STATUS[type(self.state)]

    @property
    def net(self) -> Money:
        """The sum of the lines' nets."""
        return Money(self.net_minor, self.currency)

    @property
    def tax(self) -> Money:
        """The sum of the taxes, one for each category and rate."""
        return Money(self.tax_minor, self.currency)

    @property
    def total(self) -> Money:
        """Net plus tax."""
        return Money(self.total_minor, self.currency)

    @property
    def paid(self) -> Money:
        """What payments have been allocated to it."""
        return Money(self.paid_minor, self.currency)

    @property
    def balance_applied(self) -> Money:
        """What the customer's balance paid; negative where the customer got a credit by it."""
        return Money(self.balance_minor, self.currency)

    @property
    def granted(self) -> Money:
        """What credit grants paid; `balance.grant_entries` says which."""
        return Money(self.granted_minor, self.currency)

    @property
    def credited(self) -> Money:
        """What credit notes took off what was owed; not what they gave back of what was paid."""
        return Money(self.credited_minor, self.currency)

    @property
    def sent(self) -> bool:
        """Whether the customer pays it by himself, though there may be something to charge."""
        return self.collection_method is CollectionMethod.SEND_INVOICE

    @property
    def payment_reference(self) -> str | None:
        """The RF creditor reference to write on a transfer; None while it has no number."""
        return None if self.number is None else creditor_reference(self.number)

    @property
    def subscriptions(self) -> tuple[SubscriptionId, ...]:
        """The subscriptions that it bills: several where a customer's invoices are grouped."""
        if self.subscription is not None:
            return (self.subscription,)
        return tuple(
            dict.fromkeys([x.subscription for x in self.lines if x.subscription is not None])
        )

    @property
    def due_minor(self) -> int:
        """What is still owed, in minor units; never negative."""
        match self.state:
            case Draft() | Void() | Paid():
                return 0
            case Open() | Uncollectible():
                settled = self.balance_minor + self.granted_minor + self.paid_minor
                return self.total_minor - settled - self.credited_minor
            case other:
                assert_never(other)

    @property
    def amount_due(self) -> Money:
        """What is still owed; zero for drafts and void invoices."""
        return Money(self.due_minor, self.currency)

    @property
    def period(self) -> Period | None:
        """From the first day to the last that any line is for; None if no line has a period."""
        periods = [line.period for line in self.lines if line.period is not None]
        if not periods:
            return None
        if len(periods) == 1:
            return periods[0]
        return Period(min(p.start for p in periods), max(p.end for p in periods))

    @property
    def due_at(self) -> datetime | None:
        """The first instant after the due day, unless dunning looks after it or it is settled.

        Of a draft: when it becomes final by itself, if it does.
        """
        if self.finalize_at is not None and isinstance(self.state, Draft) and self.parked is None:
            return self.finalize_at
        if (
            self.due_on is None
            or self.dunning
            or self.small
            or self.held
            or self.collecting is not None
            or self.parked is not None
            or not isinstance(self.state, Open)
        ):
            return None
        if self.charge_at is not None:
            return self.charge_at
        return first_instant(self.due_on + timedelta(days=1), self.zone)


INVOICE = Kind(
    "invoice",
    Invoice,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda i: i.due_at),
        Column("customer", ColumnType.TEXT, lambda i: i.customer),
        Column("subscription", ColumnType.TEXT, lambda i: i.subscription),
        Column("status", ColumnType.TEXT, lambda i: i.status.value),
        Column("number", ColumnType.TEXT, lambda i: i.number),
        Column("issued_on", ColumnType.DAY, lambda i: i.issued_on),
        Column("due_on", ColumnType.DAY, lambda i: i.due_on, indexed=False),
        Column("currency", ColumnType.TEXT, lambda i: i.currency.code, indexed=False),
        Column("net_minor", ColumnType.INTEGER, lambda i: i.net_minor, indexed=False),
        Column("tax_minor", ColumnType.INTEGER, lambda i: i.tax_minor, indexed=False),
        Column("total_minor", ColumnType.INTEGER, lambda i: i.total_minor, indexed=False),
        Column("paid_minor", ColumnType.INTEGER, lambda i: i.paid_minor, indexed=False),
        Column("due_minor", ColumnType.INTEGER, lambda i: i.due_minor, indexed=False),
        Column("seller", ColumnType.TEXT, lambda i: i.seller_id, indexed=False),
        Column("series", ColumnType.TEXT, lambda i: i.series, indexed=False),
    ),
    # No seller gives a number twice, not even in two series of his.
    unique=(("number", "seller"),),
)
