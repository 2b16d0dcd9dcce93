"""What happens to disputes, in the past tense."""

from __future__ import annotations

from datetime import datetime

from subscriptions.disputes.outcomes import DisputeKind
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, DisputeId, PaymentId
from subscriptions.money import Money


@frozen
class DisputeOpened:
    """A payment is disputed; evidence is asked for until `evidence_due_at`, if it is at all."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    kind: DisputeKind
    amount: Money
    reason: str
    evidence_due_at: datetime | None
    funds_withdrawn: bool


@frozen
class DisputeUpdated:
    """An open dispute stands otherwise: its amount, its kind, its date, or the money is taken."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    kind: DisputeKind
    amount: Money
    reason: str
    evidence_due_at: datetime | None
    funds_withdrawn: bool


@frozen
class DebitReturned:
    """A debit that had succeeded came back; `reason` is the bank's code."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    amount: Money
    reason: str


@frozen
class DisputeWon:
    """The dispute was decided for the seller: the money is back."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    amount: Money


@frozen
class DisputeLost:
    """The dispute was decided for the payer: the money is gone."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    amount: Money


@frozen
class DisputeWithdrawn:
    """The payer or his bank gave the dispute up: the money is back."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    amount: Money


@frozen
class DisputeReconsidered:
    """The payment moved, so what its disputes do to it is decided anew."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId


@frozen
class DisputeTookEffect:
    """What the payment is short of by its disputes is settled: `disputed` in all."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
    disputed: Money


@frozen
class DisputeAwaitsPayment:
    """The payment has not succeeded, as far as is known; the dispute has no effect until it has."""

    dispute: DisputeId
    customer: CustomerId
    payment: PaymentId
