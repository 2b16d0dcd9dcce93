"""The refund as a record: its states, and the table of how they may follow each other."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, RefundId
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind
from subscriptions.refunds.outcomes import RefundFailure


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
class Pending:
    """The gateway works on it for days; it is asked again at `ask_at`."""

    since: datetime
    ask_at: datetime


@frozen
class Succeeded:
    """The money was given back."""

    at: datetime


@frozen
class Failed:
    """The money could not be given back."""

    at: datetime
    failure: RefundFailure


RefundState: TypeAlias = Intended | Unknown | Pending | Succeeded | Failed

OPEN = (Intended, Unknown, Pending)

STATUS: dict[type[RefundState], str] = {
    Intended: "intended",
    Unknown: "unknown",
    Pending: "pending",
    Succeeded: "succeeded",
    Failed: "failed",
}

ALLOWED: dict[type[RefundState], frozenset[type[RefundState]]] = {
    Intended: frozenset({Intended, Unknown, Pending, Succeeded, Failed}),
    # Back to Intended only when the gateway has proved that it never had it.
    Unknown: frozenset({Unknown, Intended, Pending, Succeeded, Failed}),
    Pending: frozenset({Pending, Succeeded, Failed}),
    # A bank may send the money back days after it was given: a failure wins, and never the reverse.
    Succeeded: frozenset({Failed}),
    Failed: frozenset(),
}


@frozen
class Refund:
    """Money of one payment that is given back to where it came from.

    What the gateway is asked is frozen when it is intended: `charge_ref`, `intended_at` and the
    amount. `fresh_at` and `keyed_at` say since when its key counts as young: by the time of the
    work, and by the clock. `from_balance` says that its amount was taken off the customer's balance
    and returns there if it fails; `invoice` is the invoice that had put it there. So it is with
    `off_balance_minor`, which the payment itself had put there: it was more than was owed.
    """

    id: RefundId
    tenant: str
    version: int
    customer: CustomerId
    payment: PaymentId
    ordinal: int
    gateway: str
    charge_ref: str | None
    amount_minor: int
    currency: Currency
    reason: str
    state: RefundState
    intended_at: datetime
    fresh_at: datetime
    keyed_at: datetime
    invoice: InvoiceId | None = None
    from_balance: bool = False
    reference: str | None = None
    parked: str | None = None
    off_balance_minor: int = 0

    @property
    def amount(self) -> Money:
        """The amount that is given back."""
        return Money(self.amount_minor, self.currency)

    @property
    def status(self) -> str:
        """One word: intended, unknown, pending, succeeded or failed."""
        return STATUS[type(self.state)]

    @property
    def open(self) -> bool:
        """Whether its outcome is still open."""
        return isinstance(self.state, OPEN)

    @property
    def due_at(self) -> datetime | None:
        """When the gateway is to be asked (again); None once the outcome is known."""
        if self.parked is not None:
            return None
        match self.state:
            case Intended(send_at=at) | Unknown(ask_at=at) | Pending(ask_at=at):
                return at
            case Succeeded() | Failed():
                return None
            case other:
                assert_never(other)


REFUND = Kind(
    "refund",
    Refund,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda r: r.due_at),
        Column("customer", ColumnType.TEXT, lambda r: r.customer),
        Column("payment", ColumnType.TEXT, lambda r: r.payment),
        Column("status", ColumnType.TEXT, lambda r: r.status),
        Column("gateway", ColumnType.TEXT, lambda r: r.gateway, indexed=False),
        Column("amount_minor", ColumnType.INTEGER, lambda r: r.amount_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda r: r.currency.code, indexed=False),
        Column("intended_at", ColumnType.INSTANT, lambda r: r.intended_at, indexed=False),
    ),
)
