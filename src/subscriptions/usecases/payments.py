"""Payments: money that came in, answers of gateways, and attempts that never happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import invoices, payment_methods, payments
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision, created
from subscriptions.errors import InvalidTransition, UnknownReference, ValidationError
from subscriptions.ids import CustomerId, PaymentId
from subscriptions.invoices import (
    INVOICE,
    ApplyPayment,
    EndCollection,
    Invoice,
    Open,
    Paid,
    Uncollectible,
)
from subscriptions.money import Money
from subscriptions.payment_methods import PAYMENT_METHOD
from subscriptions.payments import (
    PAYMENT,
    Allocation,
    Declined,
    Payment,
    PaymentAllocated,
    PaymentSnapshot,
    PaymentSucceeded,
    Processing,
    Succeeded,
    Voided,
)
from subscriptions.records import Ref, evolve
from subscriptions.usecases import collection, flows
from subscriptions.usecases.dunning import close_cases, open_case
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Having,
    Listing,
    Maybe,
    Question,
    only,
)


def record(
    customer: str,
    amount: Money,
    *,
    invoice: str | None = None,
    reference: str | None = None,
    gateway: str = "transfer",
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Record money that came in, and let it pay: the given invoice, or the oldest open ones.

    What is left over stays on the payment as `unallocated`. `reference` is the bank's reference of
    the transfer, unique: the same one cannot be recorded twice.

    Raises `UnknownReference` for an unknown customer or invoice, `ValidationError` for an amount
    that is not positive or of another currency than the invoice, and for an invoice of another
    customer or one that is not owed; `Duplicate` for a known reference.
    """
    if not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Maybe(CUSTOMER, customer)
        if owner is None:
            raise UnknownReference("customer", customer)
        payment = payments.receive(
            PaymentId(context.ids.fresh("pay")),
            amount,
            tenant=context.tenant,
            customer=CustomerId(customer),
            gateway=gateway,
            reference=reference,
            at=context.at,
        )
        owed = yield from _owed(payment, invoice)
        applied: Sequence[Change] = ()
        left = payment.amount_minor
        for each in owed:
            share = min(left, each.due_minor)
            if share == 0:
                break
            left -= share
            payment = payments.allocated(payment, Allocation(each.id, share))
            paying = ApplyPayment(payment.id, share, context.at)
            applied = (*applied, invoices.decide(each, paying))
        settled = yield from _settled(applied, context)
        first = payment.allocations[0].invoice if payment.allocations else None
        succeeded = PaymentSucceeded(payment.id, payment.customer, first, amount)
        events: tuple[object, ...] = (succeeded, *_allocations(payment))
        after = evolve(payment, version=len(events))
        about = Ref(PAYMENT, after.id)
        return Decision((created(PAYMENT, after, *events), *settled), about=about)

    return Command(PAYMENT, flow, at, idempotency_key)


def get(id: str) -> Question[Payment]:
    """Return a payment; raises `NotFound` if there is none with this id."""
    return flows.get(PAYMENT, id)


def list_(
    *,
    customer: str | None = None,
    invoice: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Payment]:
    """List payments, every attempt included, in the order they were made."""
    where = only(customer=customer, invoice=invoice)
    return Listing(PAYMENT, where, limit=limit, after=after)


def settle(id: str, snapshot: PaymentSnapshot, context: Context) -> Flow[Decision]:
    """Decide what an answer of the gateway means for the payment, its invoice and its method."""
    payment = yield from Get(PAYMENT, id)
    change = payments.merge(payment, snapshot, at=context.at)
    if change is None:
        return Decision()
    after = change.after
    assert isinstance(after, Payment)
    match after.state:
        case Succeeded():
            return (yield from _succeeded(change, after, context))
        case Declined():
            return (yield from _declined(change, after, context))
        case _:
            return Decision((change,))


def absent(id: str, context: Context) -> Flow[Decision]:
    """Decide that an attempt is proven never to have happened: void it, and try anew."""
    payment = yield from Get(PAYMENT, id)
    if isinstance(payment.state, Processing):
        # It said that it was at work on it: nobody may guess what became of the money.
        raise InvalidTransition(f"payment {id}", payment.status, "gateway has never had it")
    if Voided not in payments.ALLOWED[type(payment.state)] or payment.invoice is None:
        return Decision()
    void = payments.void(payment, reason="the gateway never had it", at=context.at)
    invoice = yield from Get(INVOICE, payment.invoice)
    if invoice.collecting != payment.id:
        return Decision((void,))
    if isinstance(invoice.state, Open):
        owner = yield from Get(CUSTOMER, invoice.customer)
        method = yield from collection.method_of(owner, context)
        if method is not None:
            again, start = collection.attempt(invoice, method, context)
            moved = invoices.decide(invoice, EndCollection(payment.id), start)
            return Decision((void, again, moved))
    return Decision((void, invoices.decide(invoice, EndCollection(payment.id))))


def _succeeded(change: Change, payment: Payment, context: Context) -> Flow[Decision]:
    """Allocate what was taken to its invoice; what the invoice does not need stays unallocated."""
    if payment.invoice is None:
        return Decision((change,))
    invoice = yield from Get(INVOICE, payment.invoice)
    share = min(payment.amount_minor, invoice.due_minor)
    if share == payment.amount_minor:
        paid = evolve(payment, allocations=(Allocation(invoice.id, share),))
        settled = yield from _apply(invoice, payment.id, share, context)
        return Decision((Change(change.kind, change.before, paid, change.events), *settled))
    parts = (Allocation(invoice.id, share),) if share else ()
    surplus = Money(payment.amount_minor - share, payment.currency)
    waits = PaymentAllocated(payment.id, payment.customer, None, surplus)
    paid = evolve(payment, allocations=parts, version=payment.version + 1)
    received = Change(change.kind, change.before, paid, (*change.events, waits))
    if share:
        settled = yield from _apply(invoice, payment.id, share, context)
        return Decision((received, *settled))
    if invoice.collecting != payment.id:
        return Decision((received,))
    return Decision((received, invoices.decide(invoice, EndCollection(payment.id))))


def _declined(change: Change, payment: Payment, context: Context) -> Flow[Decision]:
    changes = [change]
    if payment.method is not None and isinstance(payment.state, Declined) and payment.state.hard:
        method = yield from Get(PAYMENT_METHOD, payment.method)
        code = payment.state.decline.code
        refused = payment_methods.refuse(method, code=code, at=context.at)
        changes += [refused] if refused is not None else []
    if payment.invoice is None:
        return Decision(tuple(changes))
    invoice = yield from Get(INVOICE, payment.invoice)
    if invoice.collecting != payment.id:
        return Decision(tuple(changes))
    ended = EndCollection(payment.id)
    if isinstance(invoice.state, Open) and not invoice.dunning:
        opened = yield from open_case(invoice, (ended,), context=context)
        return Decision((*changes, *opened.changes))
    return Decision((*changes, invoices.decide(invoice, ended)))


def _apply(
    invoice: Invoice, payment: PaymentId, amount_minor: int, context: Context
) -> Flow[tuple[Change, ...]]:
    applied = invoices.decide(invoice, ApplyPayment(payment, amount_minor, context.at))
    return (yield from _settled([applied], context))


def _settled(applied: Sequence[Change], context: Context) -> Flow[tuple[Change, ...]]:
    """Add to payments of invoices what follows for those that are paid now."""
    paid = [c for c in applied if isinstance(c.after, Invoice) and isinstance(c.after.state, Paid)]
    closed = yield from close_cases(*paid, reason="paid", context=context, paid=True)
    return (*[c for c in applied if c not in paid], *closed.changes)


def _owed(payment: Payment, invoice: str | None) -> Flow[Sequence[Invoice]]:
    if invoice is None:
        found = yield from Having(INVOICE, "customer", payment.customer)
        return [
            each
            for each in found
            if isinstance(each.state, Open) and each.currency == payment.currency
        ]
    named = yield from Maybe(INVOICE, invoice)
    if named is None:
        raise UnknownReference("invoice", invoice)
    if named.customer != payment.customer:
        raise ValidationError("invoice", invoice, f"an invoice of customer {payment.customer}")
    if named.currency != payment.currency:
        raise ValidationError("amount", str(payment.amount), f"an amount in {named.currency}")
    if not isinstance(named.state, Open | Uncollectible):
        raise ValidationError("invoice", invoice, f"an invoice that is owed, not {named.status}")
    return [named]


def _allocations(payment: Payment) -> tuple[PaymentAllocated, ...]:
    """Say where the money went, and what of it waits for an invoice."""
    id, customer, currency = payment.id, payment.customer, payment.currency
    events = tuple(
        PaymentAllocated(id, customer, part.invoice, Money(part.amount_minor, currency))
        for part in payment.allocations
    )
    if not payment.unallocated:
        return events
    return (*events, PaymentAllocated(id, customer, None, payment.unallocated))
