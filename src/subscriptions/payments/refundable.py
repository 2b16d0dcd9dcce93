"""How much of a payment may be given back: reserved first, then confirmed or released.

The reservation stands on the payment, so that of two refunds at once the second sees the first.
Law: what is reserved and what was given back are together at most what was taken. What became of a
refund is decided elsewhere.
"""

from __future__ import annotations

from subscriptions.decisions import Change, changed
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import RefundId
from subscriptions.money import Money
from subscriptions.payments.events import (
    PaymentRefunded,
    PaymentRefundReleased,
    PaymentRefundReserved,
)
from subscriptions.payments.payment import PAYMENT, Payment, Succeeded
from subscriptions.records import evolve


def refund_limit(payment: Payment) -> str:
    """Say how much of a payment may be given back or disputed, and where the rest has gone.

    >>> from subscriptions.testing.builders import a_payment
    >>> refund_limit(a_payment())
    'more than zero, at most 34.51 EUR'
    """
    refunded_minor = payment.refunding_minor + payment.refunded_minor
    gone = [
        f"{Money(minor, payment.currency)} {what}"
        for minor, what in ((refunded_minor, "given back"), (payment.disputed_minor, "disputed"))
        if minor
    ]
    said = f", for of {payment.amount} are {' and '.join(gone)}" if gone else ""
    return f"more than zero, at most {payment.refundable}{said}"


def reserve_refund(payment: Payment, amount: Money, *, refund: RefundId) -> Change:
    """Decide to keep a part of a payment for a refund.

    Raises `InvalidTransition` unless the payment succeeded, `ValidationError` for an amount that is
    not positive, of another currency, or more than is `refundable`.
    """
    if not isinstance(payment.state, Succeeded):
        raise InvalidTransition(f"payment {payment.id}", payment.status, "refund")
    if amount.currency != payment.currency:
        raise ValidationError("amount", str(amount), f"an amount in {payment.currency}")
    if not 0 < amount.minor <= payment.refundable.minor:
        raise ValidationError("amount", amount, refund_limit(payment))
    after = evolve(
        payment,
        refunds=payment.refunds + 1,
        refunding_minor=payment.refunding_minor + amount.minor,
        version=payment.version + 1,
    )
    event = PaymentRefundReserved(payment.id, payment.customer, refund, amount)
    return changed(PAYMENT, payment, after, event)


def confirm_refund(payment: Payment, amount: Money, *, refund: RefundId) -> Change:
    """Decide that what was reserved for a refund was given back."""
    after = evolve(
        payment,
        refunding_minor=payment.refunding_minor - amount.minor,
        refunded_minor=payment.refunded_minor + amount.minor,
        version=payment.version + 1,
    )
    event = PaymentRefunded(payment.id, payment.customer, refund, amount)
    return changed(PAYMENT, payment, after, event)


def release_refund(payment: Payment, amount: Money, *, refund: RefundId) -> Change:
    """Decide that what was reserved for a refund is free again: the refund failed."""
    after = evolve(
        payment,
        refunding_minor=payment.refunding_minor - amount.minor,
        version=payment.version + 1,
    )
    event = PaymentRefundReleased(payment.id, payment.customer, refund, amount)
    return changed(PAYMENT, payment, after, event)


def take_back_refund(payment: Payment, amount: Money, *, refund: RefundId) -> Change:
    """Decide that what was given back came back after all: a refund failed after it succeeded."""
    after = evolve(
        payment,
        refunded_minor=payment.refunded_minor - amount.minor,
        version=payment.version + 1,
    )
    event = PaymentRefundReleased(payment.id, payment.customer, refund, amount)
    return changed(PAYMENT, payment, after, event)
