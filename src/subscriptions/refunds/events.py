"""What happens to refunds, in the past tense."""

from __future__ import annotations

from datetime import datetime

from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, PaymentId, RefundId
from subscriptions.money import Money


@frozen
class RefundIntended:
    """A refund was committed; the gateway is asked next."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId
    amount: Money


@frozen
class RefundSucceeded:
    """The money was given back."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId
    amount: Money


@frozen
class RefundPending:
    """The gateway accepted and will know in some days."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId


@frozen
class RefundResolved:
    """A person has found out what became of the refund, and said so."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId
    outcome: str
    reason: str


@frozen
class RefundFailed:
    """The money could not be given back; the customer still has it to get."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId
    amount: Money
    code: str


@frozen
class RefundUnknown:
    """The gateway did not answer; it is asked again with the same key at `ask_at`."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId
    tries: int
    ask_at: datetime


@frozen
class RefundNotExecuted:
    """Nothing has happened for certain; the same refund is sent again at `send_at`."""

    refund: RefundId
    customer: CustomerId
    payment: PaymentId
    tries: int
    send_at: datetime
