"""How an invoice is collected: which method pays it, the intent, and the next attempt.

One attempt at a time: the invoice names the attempt whose outcome is open.
"""

from __future__ import annotations

from subscriptions import customers, invoices, payments
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, Issue
from subscriptions.errors import ValidationError
from subscriptions.ids import PaymentId, SubscriptionId
from subscriptions.invoices import INVOICE, Draft, Invoice, StartCollection
from subscriptions.money import Money
from subscriptions.payment_methods import PAYMENT_METHOD, PaymentMethod
from subscriptions.records import Ref, evolve
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


def issue(
    invoice: Invoice, customer: Customer, method: PaymentMethod | None, context: Context
) -> Decision:
    """Decide to make a composed invoice final and, if there is a method, to charge it.

    The customer's balance pays first; a negative total is added to it.
    """
    invoice, balance = with_balance(invoice, customer)
    payment = None
    owed_minor = invoice.total_minor - invoice.balance_minor
    if method is not None and owed_minor > 0:
        payment = _intent(invoice, 1, owed_minor, method, context)
    document = invoices.finalize(
        invoice,
        customer,
        seller=context.seller,
        salt=context.ids.secret(),
        collecting=None if payment is None else PaymentId(payment.after.id),
    )
    changes = tuple(change for change in (payment, balance) if change is not None)
    return Decision(changes, (document,), Ref(INVOICE, invoice.id))


def issue_drafts(subscription: SubscriptionId, owner: Customer, context: Context) -> Flow[Decision]:
    """Decide to make all drafts of a subscription final, in the order in which they were made."""
    drafts = yield from Having(INVOICE, "subscription", subscription)
    method = yield from method_of(owner, context)
    changes: list[Change] = []
    issues: list[Issue] = []
    before = owner
    events: tuple[object, ...] = ()
    for draft in drafts:
        if not isinstance(draft.state, Draft):
            continue
        issued = issue(composed_for(draft, method, context), owner, method, context)
        issues += issued.issues
        for change in issued.changes:
            if isinstance(change.after, Customer):
                # One invoice after the other may use the balance up.
                owner, events = change.after, (*events, *change.events)
            else:
                changes.append(change)
    if events:
        changes.append(Change(CUSTOMER, before, owner, events))
    return Decision(tuple(changes), tuple(issues))


def with_balance(invoice: Invoice, customer: Customer) -> tuple[Invoice, Change | None]:
    """Let the customer's balance pay what it can of an invoice, or take what it gives him."""
    total, currency = invoice.total_minor, invoice.currency
    there = customer.credit_minor(currency) if customer.balance else 0
    applied = min(there, total)
    if not applied:
        return invoice, None
    reason = "applied" if applied > 0 else "negative invoice"
    moved = customers.move_balance(
        customer, Money(-applied, currency), reason=reason, invoice=invoice.id
    )
    return evolve(invoice, balance_minor=applied), moved


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
