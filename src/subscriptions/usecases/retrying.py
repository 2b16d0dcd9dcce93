"""Whether an invoice may be charged once more: not while somebody must look, nor too often.

It reads the customer's payments, so it is asked only before a further attempt, never before the
first one that an invoice gets when it is issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from subscriptions import payments
from subscriptions.errors import InvalidTransition, TooManyAttempts
from subscriptions.invoices import Invoice
from subscriptions.payment_methods import PaymentMethod
from subscriptions.payments import PAYMENT, Payment
from subscriptions.usecases.flows import Context, Flow, Having


@frozen
class Refusal:
    """Why an invoice may not be charged: a payment that is set aside, or too many declines.

    `until` is when it may be; None if a person has to look first.
    """

    invoice: Invoice
    set_aside: Payment | None = None
    method: PaymentMethod | None = None
    until: datetime | None = None

    def error(self) -> InvalidTransition | TooManyAttempts:
        """Return what is raised to who asks for an attempt."""
        if self.set_aside is not None:
            instead = f"settle payment {self.set_aside.id} with payments.resolve first"
            return InvalidTransition(f"invoice {self.invoice.id}", "quarantined", "pay", instead)
        assert self.method is not None
        assert self.until is not None
        return TooManyAttempts(self.method.id, self.until)


def refused(
    invoice: Invoice, method: PaymentMethod, context: Context, planned: Sequence[Payment] = ()
) -> Flow[Refusal | None]:
    """Decide whether an invoice may be charged to a method once more now; None says that it may.

    `planned` are the attempts of the same decision, on other invoices.
    """
    history = yield from Having(PAYMENT, "customer", invoice.customer)
    for payment in history:
        if payment.invoice == invoice.id and payment.parked is not None:
            return Refusal(invoice, set_aside=payment)
    often = payments.may_attempt(
        (*history, *planned), method.id, brand=method.details.brand, at=context.at
    )
    if often is None:
        return None
    return Refusal(invoice, method=method, until=often.until)
