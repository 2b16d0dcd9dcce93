"""What happens to payments, in the past tense."""

from __future__ import annotations

from datetime import datetime

from subscriptions.frozen import frozen
from subscriptions.ids import (
    CustomerId,
    DisputeId,
    InvoiceId,
    PaymentId,
    RefundId,
)
from subscriptions.money import Money


@frozen
class PaymentIntended:
    """A charge was committed; the gateway is asked next."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


@frozen
class PaymentSucceeded:
    """The money was taken, or arrived."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


@frozen
class PaymentFailed:
    """The gateway declined; `hard` means that this method is not tried again."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money
    code: str
    hard: bool


@frozen
class PaymentAuthorized:
    """The amount is held and may be captured until `expires_at`; no money has moved."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money
    expires_at: datetime


@frozen
class PaymentCaptureIntended:
    """A capture was committed; the gateway is asked next."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


@frozen
class PaymentCaptureFailed:
    """The gateway would not capture, and still holds what was authorised."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money
    code: str


@frozen
class PaymentRestReleased:
    """What was authorised and not captured is not held any more."""

    payment: PaymentId
    customer: CustomerId
    amount: Money


@frozen
class PaymentActionRequired:
    """The customer must act at `url`, for example to authenticate with the bank."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    url: str


@frozen
class PaymentProcessing:
    """The gateway accepted and will know in some days."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None


@frozen
class PaymentOutcomeUnknown:
    """The gateway did not answer; nothing else is tried on the invoice until it has."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    tries: int
    ask_at: datetime


@frozen
class PaymentNotExecuted:
    """The gateway was not reached; the same attempt is sent again at `send_at`."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    tries: int
    send_at: datetime


@frozen
class PaymentWithdrawn:
    """The attempt is not wanted any more: its invoice was settled otherwise. It is being voided."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None


@frozen
class PaymentVoided:
    """The attempt is proven never to have happened, or was given up before it was sent."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    reason: str


@frozen
class PaymentAllocated:
    """Money that was received pays an invoice (or, with None, waits for one)."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    amount: Money


@frozen
class PaymentDeallocated:
    """Money that paid an invoice does so no more: it was not meant for it, or it is gone."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId
    amount: Money


@frozen
class PaymentPutOnBalance:
    """More was paid than was owed: the rest is to the customer's credit."""

    payment: PaymentId
    customer: CustomerId
    amount: Money


@frozen
class PaymentTakenOffBalance:
    """What it put to the customer's credit is wanted: for an invoice, given back, or taken."""

    payment: PaymentId
    customer: CustomerId
    amount: Money


@frozen
class PaymentRefundReserved:
    """A part of the payment is to be given back; nothing else may take this part."""

    payment: PaymentId
    customer: CustomerId
    refund: RefundId
    amount: Money


@frozen
class PaymentRefunded:
    """A part of the payment was given back."""

    payment: PaymentId
    customer: CustomerId
    refund: RefundId
    amount: Money


@frozen
class PaymentRefundReleased:
    """A part of the payment could not be given back, and is free again."""

    payment: PaymentId
    customer: CustomerId
    refund: RefundId
    amount: Money


@frozen
class PaymentAdopted:
    """A charge came into the books that they did not know; the gateway's list or message told."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId
    amount: Money
    gateway: str


@frozen
class PaymentQuarantined:
    """The gateway says another amount or currency than was asked for; a person must look at it."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    asked: Money
    said: Money
    outcome: str
    reference: str | None


@frozen
class PaymentResolved:
    """A person found out what became of the attempt, and said so."""

    payment: PaymentId
    customer: CustomerId
    invoice: InvoiceId | None
    outcome: str
    reason: str


@frozen
class PaymentDisputed:
    """Somebody wants a part of the payment back, or has taken it back."""

    payment: PaymentId
    customer: CustomerId
    dispute: DisputeId
    amount: Money


@frozen
class PaymentWithheld:
    """Disputes have taken a further part of the payment."""

    payment: PaymentId
    customer: CustomerId
    amount: Money


@frozen
class PaymentRestored:
    """A part that disputes had taken is there again."""

    payment: PaymentId
    customer: CustomerId
    amount: Money
