"""Whether an invoice may be charged once more: not too often.

It reads the customer's payments, so it is asked only before a further attempt, never before the
first one that an invoice gets when it is issued.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import payments
from subscriptions.errors import TooManyAttempts
from subscriptions.frozen import frozen
from subscriptions.invoices import Invoice
from subscriptions.payment_methods import PaymentMethod
from subscriptions.payments import PAYMENT, Payment
from subscriptions.usecases.flows import Context, Flow, Having


@frozen
class Refusal:
    """A method was declined too often to be charged now; it may be at `until`."""

    method: PaymentMethod
    until: datetime

    def error(self) -> TooManyAttempts:
        """Return what is raised to who asks for an attempt."""
        return TooManyAttempts(self.method.id, self.until)


def refused(
    invoice: Invoice, method: PaymentMethod, context: Context, planned: Sequence[Payment] = ()
) -> Flow[Refusal | None]:
    """Decide whether an invoice may be charged to a method once more now; None says that it may.

    `planned` are the attempts of the same decision, on other invoices.
    """
    history = yield from Having(PAYMENT, "customer", invoice.customer)
    often = payments.may_attempt(
        (*history, *planned), method.id, brand=method.details.brand, at=context.at
    )
    if often is None:
        return None
    return Refusal(method, often.until)
