"""The credit note as a record: what it credits of which line, and where the money goes.

Amounts are minor units of `currency` (fields end in `_minor`); the properties give `Money`.
"""

from __future__ import annotations

from datetime import date, datetime

from subscriptions.billing_cycles import Period
from subscriptions.frozen import frozen
from subscriptions.ids import CreditNoteId, CustomerId, InvoiceId, SubscriptionId
from subscriptions.invoices import LineKind, Party, SellerSnapshot
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind
from subscriptions.taxes import TaxBehavior, TaxGroup, TaxRate


@frozen
class CreditNoteIssued:
    """A credit note was numbered; it never changes."""

    credit_note: CreditNoteId
    customer: CustomerId
    invoice: InvoiceId
    number: str
    total: Money


@frozen
class CreditLine:
    """What is credited of one line of the invoice, which is named by its place from 0.

    `amount_minor` is as the line was priced: net, or gross where `behavior` says so. `more_rates`
    are the taxes that it bears besides `rate`.
    """

    line: int
    description: str
    amount_minor: int
    net_minor: int
    currency: Currency
    rate: TaxRate
    behavior: TaxBehavior
    kind: LineKind
    period: Period | None = None
    more_rates: tuple[TaxRate, ...] = ()

    @property
    def amount(self) -> Money:
        """What is credited as it was priced: net or gross as `behavior` says."""
        return Money(self.amount_minor, self.currency)

    @property
    def net(self) -> Money:
        """What is credited without tax."""
        return Money(self.net_minor, self.currency)


@frozen
class Division:
    """Where the total of a credit note goes, in minor units; the five add up to it.

    `open_minor` was owed, and is owed no more. The rest was paid and is given back: it is refunded
    to where it came from, added to the customer's balance, or paid back outside of this library;
    and what credit grants paid returns to them, for that was no money.
    """

    open_minor: int
    refund_minor: int
    balance_minor: int
    outside_minor: int
    granted_minor: int = 0


@frozen
class CreditNote:
    """One credit note. `invoice_number` and `invoice_issued_on` name the invoice for people.

    `ordinal` counts the credit notes of the invoice from 1. Before it is sealed it has no number:
    only in a plan it is seen like that. It is the invoice's seller's, who is named in `seller_id`
    (empty: the main one), and has its number in the `series`.
    """

    id: CreditNoteId
    tenant: str
    version: int
    customer: CustomerId
    subscription: SubscriptionId | None
    invoice: InvoiceId
    invoice_number: str
    invoice_issued_on: date
    ordinal: int
    currency: Currency
    lines: tuple[CreditLine, ...]
    taxes: tuple[TaxGroup, ...]
    net_minor: int
    tax_minor: int
    total_minor: int
    reason: str
    zone: str
    division: Division
    seller: SellerSnapshot
    party: Party | None
    salt: str
    number: str | None = None
    issued_at: datetime | None = None
    issued_on: date | None = None
    commitment: str = ""
    previous_hash: str = ""
    hash: str = ""
    seller_id: str = ""
    series: str = ""

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
    def taken_off(self) -> Money:
        """What was owed on the invoice and is owed no more."""
        return Money(self.division.open_minor, self.currency)

    @property
    def refund(self) -> Money:
        """What is given back to where it came from."""
        return Money(self.division.refund_minor, self.currency)

    @property
    def balance(self) -> Money:
        """What is added to the customer's balance."""
        return Money(self.division.balance_minor, self.currency)

    @property
    def outside(self) -> Money:
        """What is paid back outside of this library."""
        return Money(self.division.outside_minor, self.currency)

    @property
    def granted(self) -> Money:
        """What returns to the credit grants that paid it."""
        return Money(self.division.granted_minor, self.currency)


CREDIT_NOTE = Kind(
    "credit_note",
    CreditNote,
    columns=(
        Column("customer", ColumnType.TEXT, lambda c: c.customer),
        Column("invoice", ColumnType.TEXT, lambda c: c.invoice),
        Column("number", ColumnType.TEXT, lambda c: c.number),
        Column("issued_on", ColumnType.DAY, lambda c: c.issued_on),
        Column("currency", ColumnType.TEXT, lambda c: c.currency.code, indexed=False),
        Column("net_minor", ColumnType.INTEGER, lambda c: c.net_minor, indexed=False),
        Column("tax_minor", ColumnType.INTEGER, lambda c: c.tax_minor, indexed=False),
        Column("total_minor", ColumnType.INTEGER, lambda c: c.total_minor, indexed=False),
        Column("seller", ColumnType.TEXT, lambda c: c.seller_id, indexed=False),
        Column("series", ColumnType.TEXT, lambda c: c.series, indexed=False),
    ),
    unique=(("number", "seller"),),
)
