"""Payments: money that came in, answers of gateways, and attempts that never happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import invoices, payment_methods, payments
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision, created, join
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
    Intended,
    Payment,
    PaymentAllocated,
    PaymentSnapshot,
    PaymentSucceeded,
    Processing,
    Succeeded,
    Unknown,
    Voided,
)
from subscriptions.records import Ref, evolve, plain_text
from subscriptions.usecases import collection, flows
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
from subscriptions.usecases.receivables import close_cases, open_case


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

    if reference is not None:
        plain_text("reference", reference)

    def flow(context: Context) -> Flow[Decision]:
        if gateway not in context.gateways:
            raise ValidationError("gateway", gateway, f"one of {', '.join(context.gateways)}")
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
        return join(Decision((created(PAYMENT, after, *events),)), settled, about=about)

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
        case Declined() | Voided():
            return (yield from _brought_nothing(change, after, context))
        case _:
            return Decision((change,))


def absent(id: str, context: Context) -> Flow[Decision]:
    """Decide that an attempt is proven never to have happened: void it, and try anew."""
    payment = yield from Get(PAYMENT, id)
    if isinstance(payment.state, Processing):
        # It said that it was at work on it: nobody may guess what became of the money.
        raise InvalidTransition(f"payment {id}", payment.status, "gateway has never had it")
    if not isinstance(payment.state, Intended | Unknown) or payment.invoice is None:
        return Decision()
    void = payments.void(payment, reason="the gateway never had it", at=context.at)
    invoice = yield from Get(INVOICE, payment.invoice)
    if invoice.collecting != payment.id:
        return Decision((void,))
    ended = EndCollection(payment.id)
    if isinstance(invoice.state, Open):
        return Decision((void, *(yield from _another_attempt(invoice, ended, context))))
    return Decision((void, invoices.decide(invoice, ended)))


def _succeeded(change: Change, payment: Payment, context: Context) -> Flow[Decision]:
    """Allocate what was taken to its invoice; what the invoice does not need stays unallocated."""
    if payment.invoice is None:
        return Decision((change,))
    invoice = yield from Get(INVOICE, payment.invoice)
    share = min(payment.amount_minor, invoice.due_minor)
    surplus = Money(payment.amount_minor - share, payment.currency)
    events = change.events
    if surplus:
        events = (*events, PaymentAllocated(payment.id, payment.customer, None, surplus))
    paid = evolve(
        payment,
        allocations=(Allocation(invoice.id, share),) if share else (),
        version=payment.version + (1 if surplus else 0),
    )
    received = Change(change.kind, change.before, paid, events)
    if share:
        settled = yield from _apply(invoice, payment.id, share, context)
        return join(Decision((received,)), settled)
    if invoice.collecting != payment.id:
        return Decision((received,))
    return Decision((received, invoices.decide(invoice, EndCollection(payment.id))))


def _brought_nothing(change: Change, payment: Payment, context: Context) -> Flow[Decision]:
    """End the collection; a first failure begins dunning, a part payment asks for the rest."""
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
    partly_paid = 0 < invoice.due_minor < payment.amount_minor
    if isinstance(payment.state, Voided) and isinstance(invoice.state, Open) and partly_paid:
        rest = yield from _another_attempt(invoice, ended, context)
        return Decision((*changes, *rest))
    if isinstance(invoice.state, Open) and not invoice.dunning:
        opened = yield from open_case(invoice, (ended,), context=context)
        return Decision((*changes, *opened.changes))
    return Decision((*changes, invoices.decide(invoice, ended)))


def _another_attempt(
    invoice: Invoice, ended: EndCollection, context: Context
) -> Flow[tuple[Change, ...]]:
    """End one attempt and begin the next for what is still owed, if there is a method."""
    owner = yield from Get(CUSTOMER, invoice.customer)
    method = yield from collection.method_of(owner, context)
    if method is None:
        return (invoices.decide(invoice, ended),)
    again, start = collection.attempt(invoice, method, context)
    return again, invoices.decide(invoice, ended, start)


def _apply(
    invoice: Invoice, payment: PaymentId, amount_minor: int, context: Context
) -> Flow[Decision]:
    applied = invoices.decide(invoice, ApplyPayment(payment, amount_minor, context.at))
    return (yield from _settled([applied], context))


def _settled(applied: Sequence[Change], context: Context) -> Flow[Decision]:
    """Add to payments of invoices what follows for those that are paid now."""
    paid = [c for c in applied if isinstance(c.after, Invoice) and isinstance(c.after.state, Paid)]
    closed = yield from close_cases(*paid, reason="paid", context=context, paid=True)
    return join(Decision(tuple(c for c in applied if c not in paid)), closed)


def _owed(payment: Payment, invoice: str | None) -> Flow[Sequence[Invoice]]:
    if invoice is None:
        found = yield from Having(INVOICE, "customer", payment.customer)
        owed = [
            each
            for each in found
            if isinstance(each.state, Open) and each.currency == payment.currency
        ]
        # The oldest debt first: not by when it was drafted, but by when it became one.
        return sorted(owed, key=lambda each: (str(each.finalized_at), each.number))
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
