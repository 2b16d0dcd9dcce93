"""The dispute as a record: its states, what it takes, and what is held because of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias, assert_never

from subscriptions.disputes.outcomes import DisputeKind, DisputeStatus
from subscriptions.disputes.returns import Next, rule_for
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, DisputeId, InvoiceId, PaymentId
from subscriptions.money import Currency, Money
from subscriptions.records import Column, ColumnType, Kind


@frozen
class Opened:
    """Under review; evidence is asked for until `evidence_due_at`, if it is at all."""

    evidence_due_at: datetime | None = None


@frozen
class Won:
    """Decided for the seller: the money is back, or never went."""

    at: datetime


@frozen
class Lost:
    """Decided for the payer, or a debit that came back: the money is gone."""

    at: datetime


@frozen
class Withdrawn:
    """The payer or his bank gave it up: the money is back, or never went."""

    at: datetime


DisputeState: TypeAlias = Opened | Won | Lost | Withdrawn

STATUS: dict[type[DisputeState], DisputeStatus] = {
    Opened: DisputeStatus.OPENED,
    Withdrawn: DisputeStatus.WITHDRAWN,
    Won: DisputeStatus.WON,
    Lost: DisputeStatus.LOST,
}

_CLOSED: frozenset[type[DisputeState]] = frozenset({Withdrawn, Won, Lost})

# What the gateway said last is what counts, for banks take disputes up again: one that was won is
# charged back a second time, one that was lost is reversed by arbitration.
ALLOWED: dict[type[DisputeState], frozenset[type[DisputeState]]] = {
    Opened: frozenset({Opened}) | _CLOSED,
    Withdrawn: frozenset({Opened}) | _CLOSED,
    Won: frozenset({Opened}) | _CLOSED,
    Lost: frozenset({Opened}) | _CLOSED,
}


class Reopen(StrEnum):
    """When a dispute reopens the invoices that the payment had paid."""

    WHEN_TAKEN = "when_taken"
    """As soon as the money is gone."""
    WHEN_LOST = "when_lost"
    """Only when it is lost."""
    NEVER = "never"
    """Never: the loss is the seller's."""


@frozen
class DisputePolicy:
    """What a dispute does by itself; each keeps the policy that it began with.

    `reopen` says when the invoice is owed again. `hold_method` says that the card is not charged by
    itself, for this or anything else, until the dispute ends in the seller's favour. A debit that
    came back always reopens its invoice; what is done next is its code's: `returns.SEPA_RETURNS`.
    """

    reopen: Reopen = Reopen.WHEN_TAKEN
    hold_method: bool = True


DEFAULT_POLICY = DisputePolicy()


@frozen
class Dispute:
    """Money of one payment that somebody wants back, or has taken back.

    `reference` is the gateway's. `said_at` is when it came to stand there as it does, `noted_at`
    when it was first heard of here. `apply_at` is set while what it does to the payment is
    yet to be decided. `invoices` are those that are short of money by the payment's disputes.
    """

    id: DisputeId
    tenant: str
    version: int
    customer: CustomerId
    payment: PaymentId
    gateway: str
    reference: str
    kind: DisputeKind
    amount_minor: int
    currency: Currency
    reason: str
    state: DisputeState
    said_at: datetime
    noted_at: datetime
    funds_withdrawn: bool = False
    policy: DisputePolicy = DEFAULT_POLICY
    fee: Money | None = None
    apply_at: datetime | None = None
    invoices: tuple[InvoiceId, ...] = ()
    parked: str | None = None

    @property
    def amount(self) -> Money:
        """The amount that is disputed, a part of the payment or all of it."""
        return Money(self.amount_minor, self.currency)

    @property
    def status(self) -> DisputeStatus:
        """One word: opened, withdrawn, won or lost."""
        return STATUS[type(self.state)]

    @property
    def taken_minor(self) -> int:
        """What the seller does not have because of it, in minor units."""
        match self.state:
            case Lost():
                return self.amount_minor
            case Opened():
                return self.amount_minor if self.funds_withdrawn else 0
            case Won() | Withdrawn():
                return 0
            case other:
                assert_never(other)

    @property
    def reopening_minor(self) -> int:
        """How much of what it takes is owed again, in minor units."""
        if self.kind is DisputeKind.RETURN:
            return self.taken_minor
        match self.policy.reopen:
            case Reopen.WHEN_TAKEN:
                return self.taken_minor
            case Reopen.WHEN_LOST:
                return self.taken_minor if isinstance(self.state, Lost) else 0
            case Reopen.NEVER:
                return 0
            case other:
                assert_never(other)

    @property
    def holds_invoice(self) -> bool:
        """Whether what it reopens is not to be charged by itself: a dispute is not a retry."""
        if not self.taken_minor:
            return False
        return self.kind is not DisputeKind.RETURN or rule_for(self.reason).next is Next.CONTACT

    @property
    def holds_method(self) -> bool:
        """Whether the card is not to be charged by itself while it stands so."""
        chargeback = self.kind is DisputeKind.CHARGEBACK
        return chargeback and self.policy.hold_method and self.taken_minor > 0

    @property
    def refuses_method(self) -> bool:
        """Whether the method is good for nothing any more, as its bank says."""
        returned = self.kind is DisputeKind.RETURN and self.taken_minor > 0
        return returned and rule_for(self.reason).next is Next.NEW_METHOD

    @property
    def evidence_due_at(self) -> datetime | None:
        """Until when evidence is asked for; None if it is not, or no more."""
        return self.state.evidence_due_at if isinstance(self.state, Opened) else None

    @property
    def due_at(self) -> datetime | None:
        """When what it does to the payment is to be decided; None if that is done."""
        return None if self.parked is not None else self.apply_at


DISPUTE = Kind(
    "dispute",
    Dispute,
    columns=(
        Column("due_at", ColumnType.INSTANT, lambda d: d.due_at),
        Column("customer", ColumnType.TEXT, lambda d: d.customer),
        Column("payment", ColumnType.TEXT, lambda d: d.payment),
        Column("status", ColumnType.TEXT, lambda d: d.status.value),
        Column("kind", ColumnType.TEXT, lambda d: d.kind.value, indexed=False),
        Column("gateway", ColumnType.TEXT, lambda d: d.gateway, indexed=False),
        Column("reference", ColumnType.TEXT, lambda d: d.reference, indexed=False),
        Column("amount_minor", ColumnType.INTEGER, lambda d: d.amount_minor, indexed=False),
        Column("currency", ColumnType.TEXT, lambda d: d.currency.code, indexed=False),
        Column("evidence_due_at", ColumnType.INSTANT, lambda d: d.evidence_due_at, indexed=False),
    ),
)
