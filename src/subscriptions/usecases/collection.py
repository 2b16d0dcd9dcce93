"""How an invoice is collected: which method pays it, the intent, and the next attempt.

One attempt at a time: the invoice names the attempt whose outcome is open.
"""

from __future__ import annotations

from collections.abc import Sequence

from subscriptions import balance, invoices, payments
from subscriptions.balance import Cause
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId, SubscriptionId
from subscriptions.invoices import INVOICE, Charge, Draft, Invoice, StartCollection
from subscriptions.money import Currency, Money
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.records import Ref, evolve
from subscriptions.usecases.balance import in_turn, left_by
from subscriptions.usecases.flows import Context, Flow, Having, Maybe


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


def issue_new(
    id: InvoiceId,
    customer: Customer,
    charges: Sequence[Charge],
    method: PaymentMethod | None,
    context: Context,
    *,
    currency: Currency,
    subscription: SubscriptionId | None,
    activates: bool = False,
) -> Decision:
    """Decide to invoice charges at once, as `issue` does what was composed before.

    The billing run makes one for nearly every record, and each copy of it that is saved shows.
    """
    totals = invoices.totals_of(charges)
    applied = 0
    moves: tuple[Change, ...] = ()
    if customer.balance or totals.gross_minor < 0:
        applied, moves = _balance(customer, totals.gross_minor, currency, id, context)
    owed_minor = totals.gross_minor - applied
    payment = None
    if method is not None and owed_minor > 0:
        payment = _intent(id, customer.id, currency, 1, owed_minor, method=method, context=context)
        moves = (payment, *moves)
    issuing = invoices.Issuing(
        context.ids.secret(),
        None if payment is None else PaymentId(payment.after.id),
        applied,
    )
    composed = invoices.compose(
        id,
        customer,
        charges,
        currency=currency,
        seller=context.seller,
        automatic=method is not None,
        subscription=subscription,
        may_be_negative=True,
        totals=totals,
        issuing=issuing,
    )
    if activates:
        composed = evolve(composed, activates=True)
    return Decision(moves, (invoices.issue(composed, context.seller),), Ref(INVOICE, id))


def issue(
    invoice: Invoice, customer: Customer, method: PaymentMethod | None, context: Context
) -> Decision:
    """Decide to make a composed invoice final and, if there is a method, to charge it.

    The customer's balance pays first; a negative total is added to it.
    """
    invoice, moves = with_balance(invoice, customer, context)
    payment = None
    owed_minor = invoice.total_minor - invoice.balance_minor
    if method is not None and owed_minor > 0:
        payment = _intent(
            invoice.id,
            invoice.customer,
            invoice.currency,
            1,
            owed_minor,
            method=method,
            context=context,
        )
    document = invoices.finalize(
        invoice,
        customer,
        seller=context.seller,
        salt=context.ids.secret(),
        collecting=None if payment is None else PaymentId(payment.after.id),
    )
    changes = moves if payment is None else (payment, *moves)
    return Decision(changes, (document,), Ref(INVOICE, invoice.id))


def issue_drafts(subscription: SubscriptionId, owner: Customer, context: Context) -> Flow[Decision]:
    """Decide to make all drafts of a subscription final, in the order in which they were made."""
    drafts = yield from Having(INVOICE, "subscription", subscription)
    method = yield from method_of(owner, context)
    decision = Decision()
    for draft in drafts:
        if isinstance(draft.state, Draft):
            # One invoice after the other may use the balance up.
            there = left_by(decision, owner)
            issued = issue(composed_for(draft, method, context), there, method, context)
            decision = in_turn(decision, issued)
    return decision


def with_balance(
    invoice: Invoice, customer: Customer, context: Context
) -> tuple[Invoice, tuple[Change, ...]]:
    """Let the customer's balance pay what it can of an invoice, or take what it gives him."""
    applied, moves = _balance(customer, invoice.total_minor, invoice.currency, invoice.id, context)
    return (evolve(invoice, balance_minor=applied) if applied else invoice), moves


def _balance(
    customer: Customer, total_minor: int, currency: Currency, invoice: InvoiceId, context: Context
) -> tuple[int, tuple[Change, ...]]:
    there = customer.credit_minor(currency) if customer.balance else 0
    applied = min(there, total_minor)
    if not applied:
        return 0, ()
    cause = Cause.APPLIED if applied > 0 else Cause.NEGATIVE_INVOICE
    moves = balance.move(
        customer, Money(-applied, currency), cause=cause, at=context.at, invoice=invoice
    )
    return applied, moves


def attempt(
    invoice: Invoice, method: PaymentMethod, context: Context
) -> tuple[Change, StartCollection]:
    """Decide on a further attempt: the payment's change, and the command for its invoice."""
    payment = _intent(
        invoice.id,
        invoice.customer,
        invoice.currency,
        invoice.attempts + 1,
        invoice.due_minor,
        method=method,
        context=context,
    )
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
    invoice: InvoiceId,
    customer: CustomerId,
    currency: Currency,
    ordinal: int,
    amount_minor: int,
    *,
    method: PaymentMethod,
    context: Context,
) -> Change:
    return payments.intend(
        tenant=context.tenant,
        customer=customer,
        invoice=invoice,
        ordinal=ordinal,
        amount_minor=amount_minor,
        currency=currency,
        gateway=method.gateway,
        method=method.id,
        method_ref=method.details.reference,
        at=context.at,
        now=context.now,
    )
