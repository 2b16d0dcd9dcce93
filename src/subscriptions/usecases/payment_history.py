"""What was tried and paid on an invoice: every attempt with its outcome, in order."""

from __future__ import annotations

from datetime import datetime

from subscriptions.events import EVENT, Recorded
from subscriptions.frozen import frozen
from subscriptions.ids import PaymentId, PaymentMethodId
from subscriptions.invoices import INVOICE
from subscriptions.money import Money
from subscriptions.payments import PAYMENT, Advice, Decline, Declined, Payment
from subscriptions.usecases.flows import Context, Flow, Get, Having, Question


@frozen
class Attempt:
    """One attempt to pay an invoice, or money that came in and pays it.

    `outcome` is the payment's status. Of a decline, `code`, `message` and `advice` are the bank's,
    and `hard` says that the method is not tried again. `paid` is what of it pays this invoice.
    `steps` are the payment's events, so each silence and each answer with its time.
    """

    payment: PaymentId
    at: datetime
    amount: Money
    gateway: str
    method: PaymentMethodId | None
    outcome: str
    paid: Money
    code: str = ""
    message: str = ""
    advice: Advice | None = None
    hard: bool = False
    steps: tuple[Recorded, ...] = ()

    @property
    def tries(self) -> int:
        """How often the gateway was not reached or did not answer."""
        silent = {"payment.not_executed", "payment.outcome_unknown"}
        return len([step for step in self.steps if step.type in silent])


def history(invoice: str) -> Question[tuple[Attempt, ...]]:
    """Return every attempt on an invoice and all money that pays it, in the order of time.

    Raises `NotFound` if there is no invoice with this id.
    """

    def flow(_: Context) -> Flow[tuple[Attempt, ...]]:
        named = yield from Get(INVOICE, invoice)
        found = yield from Having(PAYMENT, "customer", named.customer)
        attempts: list[Attempt] = []
        for payment in found:
            paid = sum([x.amount_minor for x in payment.allocations if x.invoice == named.id])
            charged_too = any(part.invoice == named.id for part in payment.also)
            if payment.invoice == named.id or paid or charged_too:
                steps = yield from Having(EVENT, "subject", payment.id)
                attempts.append(_attempt(payment, paid, steps))
        # Those of one instant stay in the order in which they were made.
        return tuple(sorted(attempts, key=lambda each: each.at))

    return Question(flow)


def _attempt(payment: Payment, paid_minor: int, steps: tuple[Recorded, ...]) -> Attempt:
    decline: Decline | None = None
    hard = False
    if isinstance(payment.state, Declined):
        decline, hard = payment.state.decline, payment.state.hard
    return Attempt(
        payment.id,
        payment.intended_at,
        payment.amount,
        payment.gateway,
        payment.method,
        payment.status,
        Money(paid_minor, payment.currency),
        "" if decline is None else decline.code,
        "" if decline is None else decline.message,
        None if decline is None else decline.advice,
        hard,
        steps,
    )
