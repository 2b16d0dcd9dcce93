"""What a customer has to his credit, entry by entry: each movement of his balance is kept for ever.

Law: in each currency the balance is the sum of its entries, and never negative. An entry is only
ever added. What is used is taken from the oldest credit first. Nothing here decides when a balance
is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from subscriptions import customers
from subscriptions.customers import Customer
from subscriptions.decisions import Change, created
from subscriptions.frozen import frozen
from subscriptions.ids import (
    BalanceEntryId,
    CustomerId,
    InvoiceId,
    PaymentId,
    RefundId,
    derived_id,
)
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind, plain_text


class Cause(StrEnum):
    """Why a balance moved."""

    NEGATIVE_INVOICE = "negative_invoice"
    """An invoice gave more than it took; the difference is the customer's."""
    APPLIED = "applied"
    """The balance paid for an invoice, or for a part of it."""
    ADJUSTMENT = "adjustment"
    """The seller gave or took it, for a reason of his own."""
    REFUND = "refund"
    """It is given back as money instead."""
    REFUND_FAILED = "refund_failed"
    """It could not be given back as money, so it is on the balance again."""
    VOID_RETURNED = "void_returned"
    """An invoice that the balance had paid for is void."""
    CREDIT_NOTE = "credit_note"
    """A credit note gives back what was paid of an invoice."""
    OVERPAYMENT = "overpayment"
    """A payment brought more than was owed; negative where that money pays an invoice after all,
    or is given back."""
    DISPUTE = "dispute"
    """A payment that had brought more is disputed; positive where that money is back."""


@frozen
class BalanceEntry:
    """One movement of a customer's balance: what was added, or used where it is negative.

    `ordinal` is the number of the customer's event that tells of it, so entries are in order.
    `balance_minor` is what he has in this currency after it.
    """

    id: BalanceEntryId
    tenant: str
    version: int
    customer: CustomerId
    ordinal: int
    amount_minor: int
    balance_minor: int
    currency: Currency
    cause: Cause
    at: datetime
    invoice: InvoiceId | None = None
    refund: RefundId | None = None
    reason: str = ""
    payment: PaymentId | None = None

    @property
    def amount(self) -> Money:
        """What was added; negative where it was used."""
        return Money(self.amount_minor, self.currency)

    @property
    def balance(self) -> Money:
        """What the customer has in this currency after it."""
        return Money(self.balance_minor, self.currency)


BALANCE_ENTRY = Kind(
    "balance_entry",
    BalanceEntry,
    columns=(
        Column("customer", ColumnType.TEXT, lambda e: e.customer),
        Column("cause", ColumnType.TEXT, lambda e: e.cause.value, indexed=False),
        Column("invoice", ColumnType.TEXT, lambda e: e.invoice, indexed=False),
        Column("amount_minor", ColumnType.INTEGER, lambda e: e.amount_minor, indexed=False),
        Column("balance_minor", ColumnType.INTEGER, lambda e: e.balance_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda e: e.currency.code, indexed=False),
        Column("at", ColumnType.INSTANT, lambda e: e.at, indexed=False),
        Column("payment", ColumnType.TEXT, lambda e: e.payment, indexed=False),
    ),
)


def move(
    customer: Customer,
    amount: Money,
    *,
    cause: Cause,
    at: datetime,
    invoice: InvoiceId | None = None,
    refund: RefundId | None = None,
    reason: str = "",
    payment: PaymentId | None = None,
) -> tuple[Change, Change]:
    """Decide to move a balance: returns the change of the customer, and the entry that tells of it.

    A positive amount is added, a negative one used. Raises `ValidationError` for zero, and if more
    would be used than there is.
    """
    moved = customers.move_balance(customer, amount, reason=cause.value, invoice=invoice)
    after = moved.after
    assert isinstance(after, Customer)
    id = derived_id("bal", customer.tenant, customer.id, str(after.version))
    entry = BalanceEntry(
        BalanceEntryId(id),
        customer.tenant,
        1,
        customer.id,
        after.version,
        amount.minor,
        after.credit_minor(amount.currency),
        amount.currency,
        cause,
        at,
        invoice,
        refund,
        plain_text("reason", reason, empty=True),
        payment,
    )
    return moved, created(BALANCE_ENTRY, entry)


def unused(entries: Iterable[BalanceEntry]) -> tuple[tuple[BalanceEntry, Money], ...]:
    """Return the credits that are not used up, oldest first, each with what is left of it.

    `entries` are all of one customer, in order. Law: what is left adds up to the balance, in each
    currency.

    >>> from datetime import UTC
    >>> from subscriptions.money import EUR
    >>> def entry(ordinal, minor, after):
    ...     at = datetime(2027, 1, ordinal, tzinfo=UTC)
    ...     return BalanceEntry(
    ...         f"bal_{ordinal}", "acme", 1, "cus_1", ordinal, minor, after, EUR,
    ...         Cause.ADJUSTMENT, at,
    ...     )
    >>> entries = [entry(1, 500, 500), entry(2, 300, 800), entry(3, -600, 200)]
    >>> [(credit.id, left) for credit, left in unused(entries)]
    [('bal_2', Money.of("2.00", "EUR"))]
    """
    left: list[tuple[BalanceEntry, int]] = []
    for entry in entries:
        if entry.amount_minor > 0:
            left.append((entry, entry.amount_minor))
            continue
        used = -entry.amount_minor
        kept: list[tuple[BalanceEntry, int]] = []
        for credit, minor in left:
            taken = min(used, minor) if credit.currency == entry.currency else 0
            used -= taken
            if minor > taken:
                kept.append((credit, minor - taken))
        left = kept
    return tuple((credit, Money(minor, credit.currency)) for credit, minor in left)
