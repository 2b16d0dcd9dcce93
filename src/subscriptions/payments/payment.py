"""The payment as a record: its states, and the table of how they may follow each other."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from subscriptions.frozen import frozen
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
class Authorized:
    """The amount is held: it may be captured until `expires_at`; then it is released."""

    at: datetime
    expires_at: datetime


@frozen
class Capturing:
    """A part of what was authorised is being captured; the gateway is asked (again) at `ask_at`.

    It was intended at `since`. `fresh_at` and `keyed_at` say since when its key counts as young: by
    the time of the work, and by the clock. `invoice` is what the money is to pay.
    """

    authorized: Authorized
    amount_minor: int
    since: datetime
    fresh_at: datetime
    keyed_at: datetime
    ask_at: datetime
    tries: int = 0
    invoice: InvoiceId | None = None


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
    Intended
    | Unknown
    | ActionRequired
    | Processing
    | Authorized
    | Capturing
    | Succeeded
    | Declined
    | Voided
)


LIVE = (Intended, Unknown, ActionRequired, Processing, Capturing)


STATUS: dict[type[PaymentState], str] = {
    Intended: "intended",
    Unknown: "unknown",
    ActionRequired: "requires_action",
    Processing: "processing",
    Authorized: "authorized",
    Capturing: "capturing",
    Succeeded: "succeeded",
    Declined: "declined",
    Voided: "void",
}


ALLOWED: dict[type[PaymentState], frozenset[type[PaymentState]]] = {
    Intended: frozenset(
        {Intended, Unknown, ActionRequired, Processing, Authorized, Succeeded, Declined, Voided}
    ),
    Unknown: frozenset(
        {Unknown, ActionRequired, Processing, Authorized, Succeeded, Declined, Voided}
    ),
    # To itself only when its time is over and it could not be voided.
    ActionRequired: frozenset(
        {ActionRequired, Processing, Authorized, Succeeded, Declined, Voided}
    ),
    Processing: frozenset({Processing, Authorized, Succeeded, Declined}),
    # To itself only when it could not be released.
    Authorized: frozenset({Authorized, Capturing, Succeeded, Voided}),
    # Back to Authorized when the gateway would not capture, but still holds the amount.
    Capturing: frozenset({Capturing, Authorized, Succeeded, Declined, Voided}),
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
class Release:
    """What is held is to be released; the gateway is asked (again) at `ask_at`.

    At `until` the authorisation is over by itself.
    """

    ask_at: datetime
    until: datetime
    tries: int = 0


@frozen
class Authorization:
    """What sets a payment apart that was authorised first: how much was, and what became of it.

    `captures` counts the captures that were ever begun. Law: what was captured, the payment's
    amount since, is at most `amount_minor`; the rest is released.
    """

    amount_minor: int
    captures: int = 0
    release: Release | None = None


@frozen
class Payment:
    """One attempt to take money, or one sum that came in.

    `method`, `method_ref` and `intended_at` are frozen when it is intended, so that the gateway is
    asked with the same parameters for ever. `intended_at` is the time of the work that intended it,
    which a run that catches up takes from the calendar; `keyed_at` is what the clock said then.

    `refunds` counts the refunds that were ever begun; `refunding_minor` is reserved for those whose
    outcome is open, `refunded_minor` was given back. Law: together they are at most the amount.

    `also` are invoices too small to be charged alone, for which it is as well. `balanced_minor` is
    what went to the customer's balance, because nothing was owed for it.

    `disputes` counts those that were ever heard of. `disputed_minor` is what they have taken: out
    of `unallocated` first, then out of `balanced_minor` (`unbalanced_minor` is how much), then out
    of the last allocations (`withheld` is what these have lost), the last time at `disputed_at`.
    Law: with what is or was given back it is at most the amount.

    `resolved` says that a person, and no gateway, said that it succeeded.
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
    also: tuple[Allocation, ...] = ()
    balanced_minor: int = 0
    authorization: Authorization | None = None
    disputes: int = 0
    disputed_minor: int = 0
    withheld: tuple[Allocation, ...] = ()
    unbalanced_minor: int = 0
    disputed_at: datetime | None = None
    resolved: bool = False

    @property
    def amount(self) -> Money:
        """The amount asked for or received; of an authorisation what was captured, once it was."""
        return Money(self.amount_minor, self.currency)

    @property
    def authorized(self) -> Money:
        """How much was authorised, or is to be; zero for what is charged at once."""
        held = self.authorization
        return Money(0 if held is None else held.amount_minor, self.currency)

    @property
    def unallocated(self) -> Money:
        """What was received and pays no invoice yet; zero unless the payment succeeded.

        What is given back comes out of this first, then out of what it put on the balance, and
        only then out of what pays invoices.
        """
        if not isinstance(self.state, Succeeded):
            return Money(0, self.currency)
        used = self.balanced_minor + sum(part.amount_minor for part in self.allocations)
        gone = self.refunding_minor + self.refunded_minor + self.disputed_minor
        return Money(max(0, self.amount_minor - used - gone), self.currency)

    @property
    def balanced(self) -> Money:
        """What of it was more than was owed and went to the customer's balance."""
        return Money(self.balanced_minor, self.currency)

    @property
    def own_minor(self) -> int:
        """What it is for its invoice, without what it is for smaller ones, in minor units."""
        return self.amount_minor - sum(part.amount_minor for part in self.also)

    @property
    def refunded(self) -> Money:
        """What was given back for certain."""
        return Money(self.refunded_minor, self.currency)

    @property
    def disputed(self) -> Money:
        """What disputes have taken of it, for now or for good."""
        return Money(self.disputed_minor, self.currency)

    @property
    def refundable(self) -> Money:
        """What can still be given back: what was taken, less what was or is being given back.

        What is disputed cannot be given back: it is gone already.
        """
        if not isinstance(self.state, Succeeded):
            return Money(0, self.currency)
        gone = self.refunding_minor + self.refunded_minor + self.disputed_minor
        return Money(self.amount_minor - gone, self.currency)

    @property
    def status(self) -> str:
        """One word: intended, unknown, requires_action, processing, succeeded, declined or void.

        Of a payment that is authorised first, authorized and capturing too.
        """
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
        if self.authorization is not None and self.authorization.release is not None:
            return self.authorization.release.ask_at
        match self.state:
            case Intended(send_at=at) | Unknown(ask_at=at) | Processing(ask_at=at):
                return at
            case ActionRequired(expires_at=at) | Authorized(expires_at=at) | Capturing(ask_at=at):
                return at
            case Succeeded() | Declined() | Voided():
                return None
            case other:
                assert_never(other)


WAITS = "yes"
"""What the column `unallocated` says of a payment of which money waits for an invoice."""


def _waits(payment: Payment) -> str | None:
    # Most pay one invoice with all that they brought.
    parts = payment.allocations
    if len(parts) == 1 and parts[0].amount_minor == payment.amount_minor:
        return None
    return WAITS if payment.unallocated else None


PAYMENT = Kind(
    "payment",
    Payment,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda p: p.due_at),
        Column("customer", ColumnType.TEXT, lambda p: p.customer),
        Column("invoice", ColumnType.TEXT, lambda p: p.invoice),
        Column("status", ColumnType.TEXT, lambda p: p.status),
        Column("gateway", ColumnType.TEXT, lambda p: p.gateway, indexed=False),
        Column("reference", ColumnType.TEXT, lambda p: p.reference),
        Column("amount_minor", ColumnType.INTEGER, lambda p: p.amount_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda p: p.currency.code, indexed=False),
        Column("intended_at", ColumnType.INSTANT, lambda p: p.intended_at, indexed=False),
        Column("unallocated", ColumnType.TEXT, _waits, sparse=True),
    ),
    unique=(("gateway", "reference"),),
)
