"""How an invoice is collected: which method pays it, the intent, and the next attempt.

One attempt at a time: the invoice names the attempt whose outcome is open.
"""

from __future__ import annotations

from subscriptions import invoices, payments
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.ids import PaymentId
from subscriptions.invoices import INVOICE, Invoice, StartCollection
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.records import Ref, evolve
from subscriptions.usecases.flows import Context, Flow, Maybe


def method_of(customer: Customer, context: Context) -> Flow[PaymentMethod | None]:
    """Return the method that is charged automatically, or None if the customer pays by himself.

    That is the customer's default, if it is usable and its gateway collects; else the account's
    default, the bank transfer. Raises `ValidationError` if its gateway is not known here: then
    nobody may guess, and the record is parked.
    """
    if customer.default_method is None:
        return None
    method = yield from Maybe(PAYMENT_METHOD, customer.default_method)
    if method is None or not method.usable or not method.details.automatic:
        return None
    capabilities = context.gateways.get(method.gateway)
    if capabilities is None:
        raise ValidationError("gateway", method.gateway, f"one of {', '.join(context.gateways)}")
    return method if capabilities.collects else None


def issue(
    invoice: Invoice, customer: Customer, method: PaymentMethod | None, context: Context
) -> Decision:
    """Decide to make a composed invoice final and, if there is a method, to charge it."""
    payment = None
    if method is not None and invoice.total_minor > 0:
        payment = _intent(invoice, 1, invoice.total_minor, method, context)
    document = invoices.finalize(
        invoice,
        customer,
        seller=context.seller,
        salt=context.ids.secret(),
        collecting=None if payment is None else PaymentId(payment.after.id),
    )
    return Decision(() if payment is None else (payment,), (document,), Ref(INVOICE, invoice.id))


def attempt(
    invoice: Invoice, method: PaymentMethod, context: Context
) -> tuple[Change, StartCollection]:
    """Decide on a further attempt: the payment's change, and the command for its invoice."""
    payment = _intent(invoice, invoice.attempts + 1, invoice.due_minor, method, context)
    return payment, StartCollection(PaymentId(payment.after.id))


def collect(invoice: Invoice, method: PaymentMethod, context: Context) -> tuple[Change, Change]:
    """Decide to charge an open invoice now: the payment's change and the invoice's."""
    payment, command = attempt(invoice, method, context)
    return payment, invoices.decide(invoice, command)


def composed_for(invoice: Invoice, method: PaymentMethod | None, context: Context) -> Invoice:
    """Return a draft with the terms of who pays it: at once if charged, else the seller's."""
    terms_days = 0 if method is not None else context.seller.terms_days
    return evolve(invoice, terms_days=terms_days)


def _intent(
    invoice: Invoice, ordinal: int, amount_minor: int, method: PaymentMethod, context: Context
) -> Change:
    return payments.intend(
        tenant=context.tenant,
        customer=invoice.customer,
        invoice=invoice.id,
        ordinal=ordinal,
        amount_minor=amount_minor,
        currency=invoice.currency,
        gateway=method.gateway,
        method=method.id,
        method_ref=method.details.reference,
        at=context.at,
        now=context.now,
    )
