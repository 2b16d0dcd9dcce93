"""The payment as a record: its states, and the table of how they may follow each other."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from attrs import frozen

from subscriptions.ids import (
    CustomerId,
    InvoiceId,
    PaymentId,
    PaymentMethodId,
)
from subscriptions.money import Currency, Money
from subscriptions.payments.outcomes import (
    Decline,
)
from subscriptions.records import Column, ColumnType, Kind


@frozen
class Intended:
    """Committed; the gateway is to be asked at `send_at`. `tries` times nothing was executed."""

    send_at: datetime
    tries: int = 0


@frozen
class Unknown:
    """The gateway was asked and did not answer; it is asked again at `ask_at`."""

    since: datetime
    ask_at: datetime
    tries: int = 1


@frozen
class ActionRequired:
    """The customer must act (authenticate) at `url` until `expires_at`."""

    url: str
    expires_at: datetime


@frozen
class Processing:
    """The gateway works on it for days; it is asked again at `ask_at`."""

    since: datetime
    ask_at: datetime


@frozen
class Succeeded:
    """The money was taken or arrived."""

    at: datetime


@frozen
class Declined:
    """The gateway said no; `hard` means that this method is not to be tried again."""

    at: datetime
    decline: Decline
    hard: bool


@frozen
class Voided:
    """Proven never to have happened, or given up before anything was sent."""

    at: datetime
    reason: str


PaymentState: TypeAlias = (
    Intended | Unknown | ActionRequired | Processing | Succeeded | Declined | Voided
)


LIVE = (Intended, Unknown, ActionRequired, Processing)


STATUS: dict[type[PaymentState], str] = {
    Intended: "intended",
    Unknown: "unknown",
    ActionRequired: "requires_action",
    Processing: "processing",
    Succeeded: "succeeded",
    Declined: "declined",
    Voided: "void",
}


ALLOWED: dict[type[PaymentState], frozenset[type[PaymentState]]] = {
    Intended: frozenset(
        {Intended, Unknown, ActionRequired, Processing, Succeeded, Declined, Voided}
    ),
    Unknown: frozenset({Unknown, ActionRequired, Processing, Succeeded, Declined, Voided}),
    # To itself only when its time is over and it could not be voided.
    ActionRequired: frozenset({ActionRequired, Processing, Succeeded, Declined, Voided}),
    Processing: frozenset({Processing, Succeeded, Declined}),
    # A success that arrives after a decline is still money: it wins, and never the reverse.
    Declined: frozenset({Succeeded}),
    Voided: frozenset({Succeeded}),
    Succeeded: frozenset(),
}


@frozen
class Allocation:
    """How much of a payment pays which invoice, in minor units of the payment's currency."""

    invoice: InvoiceId
    amount_minor: int


@frozen
class Payment:
    """One attempt to take money, or one sum that came in.

    `method`, `method_ref` and `intended_at` are frozen when it is intended, so that the gateway is
    asked with the same parameters for ever. `intended_at` is the time of the work that intended it,
    which a run that catches up takes from the calendar; `keyed_at` is what the clock said then.

    `refunds` counts the refunds that were ever begun; `refunding_minor` is reserved for those whose
    outcome is open, `refunded_minor` was given back. Law: together they are at most the amount.
    """

    id: PaymentId
    tenant: str
    version: int
    customer: CustomerId
    gateway: str
    amount_minor: int
    currency: Currency
    state: PaymentState
    intended_at: datetime
    invoice: InvoiceId | None = None
    ordinal: int = 1
    method: PaymentMethodId | None = None
    method_ref: str = ""
    reference: str | None = None
    allocations: tuple[Allocation, ...] = ()
    parked: str | None = None
    keyed_at: datetime | None = None
    refunds: int = 0
    refunding_minor: int = 0
    refunded_minor: int = 0

    @property
    def amount(self) -> Money:
        """The amount asked for or received."""
        return Money(self.amount_minor, self.currency)

    @property
    def unallocated(self) -> Money:
        """What was received and pays no invoice yet; zero unless the payment succeeded.

        What is given back comes out of this first, and only then out of what pays invoices.
        """
        if not isinstance(self.state, Succeeded):
            return Money(0, self.currency)
        allocated = sum(part.amount_minor for part in self.allocations)
        given_back = self.refunding_minor + self.refunded_minor
        return Money(max(0, self.amount_minor - allocated - given_back), self.currency)

    @property
    def refunded(self) -> Money:
        """What was given back for certain."""
        return Money(self.refunded_minor, self.currency)

    @property
    def refundable(self) -> Money:
        """What can still be given back: what was taken, less what was or is being given back."""
        if not isinstance(self.state, Succeeded):
            return Money(0, self.currency)
        return Money(self.amount_minor - self.refunding_minor - self.refunded_minor, self.currency)

    @property
    def status(self) -> str:
        """One word: intended, unknown, requires_action, processing, succeeded, declined or void."""
        return STATUS[type(self.state)]

    @property
    def live(self) -> bool:
        """Whether the outcome is still open, so that no other attempt may start."""
        return isinstance(self.state, LIVE)

    @property
    def due_at(self) -> datetime | None:
        """When the gateway is to be asked (again), or when the customer's time to act is over."""
        if self.parked is not None:
            return None
        match self.state:
            case Intended(send_at=at) | Unknown(ask_at=at) | Processing(ask_at=at):
                return at
            case ActionRequired(expires_at=at):
                return at
            case Succeeded() | Declined() | Voided():
                return None
            case other:
                assert_never(other)


PAYMENT = Kind(
    "payment",
    Payment,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda p: p.due_at),
        Column("customer", ColumnType.TEXT, lambda p: p.customer),
        Column("invoice", ColumnType.TEXT, lambda p: p.invoice),
        Column("status", ColumnType.TEXT, lambda p: p.status, indexed=False),
        Column("gateway", ColumnType.TEXT, lambda p: p.gateway, indexed=False),
        Column("reference", ColumnType.TEXT, lambda p: p.reference),
        Column("amount_minor", ColumnType.INTEGER, lambda p: p.amount_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda p: p.currency.code, indexed=False),
        Column("intended_at", ColumnType.INSTANT, lambda p: p.intended_at, indexed=False),
    ),
    unique=(("gateway", "reference"),),
)
