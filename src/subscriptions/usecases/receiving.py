"""Money that came in: which invoices it pays, and what becomes of the rest.

It pays what it is said to pay, else the oldest debts. More than is owed goes to the customer's
balance, if he owes nothing else in that currency; if he does, it waits on the payment until
somebody says what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from subscriptions import balance, invoices, payments
from subscriptions.balance import Cause
from subscriptions.customers import Customer
from subscriptions.decisions import Change, Decision, changed, created, in_turn, join, left_by
from subscriptions.errors import UnknownReference, ValidationError
from subscriptions.ids import CustomerId, InvoiceId, PaymentId
from subscriptions.invoices import (
    INVOICE,
    ApplyPayment,
    EndCollection,
    Invoice,
    Open,
    Paid,
    Uncollectible,
)
from subscriptions.money import Currency, Money
from subscriptions.payments import (
    PAYMENT,
    Allocation,
    AllocationRule,
    Payment,
    PaymentAllocated,
    PaymentSucceeded,
)
from subscriptions.records import Ref, evolve
from subscriptions.usecases.flows import Context, Flow, Having, Maybe
from subscriptions.usecases.receivables import close_cases

Target: TypeAlias = Mapping[str, Money] | AllocationRule | str
"""What money is to pay: amounts by the ids of invoices, or a rule."""

_Wanted: TypeAlias = dict[str, Money] | AllocationRule


def read_target(to: Target) -> _Wanted:
    """Return what money is to pay, or raise `ValidationError`."""
    if isinstance(to, str):
        return payments.read_rule(to)
    given: object = to
    if not isinstance(given, Mapping):
        raise ValidationError("to", given, "a rule, or amounts by invoice")
    for id, amount in to.items():
        wanted: object = amount
        if not isinstance(wanted, Money) or wanted.minor <= 0:
            raise ValidationError(f"to[{id}]", wanted, "an amount above zero")
    return dict(to)


def open_invoices(
    customer: CustomerId, currency: Currency, *, given_up: bool = False
) -> Flow[tuple[Invoice, ...]]:
    """Return what a customer owes in a currency, the oldest debt first.

    With `given_up` also what is uncollectible: who names it pays it all the same.
    """
    states = Open | Uncollectible if given_up else Open
    found = yield from Having(INVOICE, "customer", customer)
    owed = [each for each in found if isinstance(each.state, states) and each.currency == currency]
    return payments.in_order(owed, AllocationRule.OLDEST)


def owed_invoice(id: str, customer: CustomerId, currency: Currency) -> Flow[Invoice]:
    """Return an invoice that money of a customer may pay.

    Raises `UnknownReference` for an unknown one, `ValidationError` for one of another customer or
    currency, and for one that is not owed.
    """
    named = yield from Maybe(INVOICE, id)
    if named is None:
        raise UnknownReference("invoice", id)
    if named.customer != customer:
        raise ValidationError("invoice", id, f"an invoice of customer {customer}")
    if named.currency != currency:
        raise ValidationError("amount", currency.code, f"an amount in {named.currency}")
    if not isinstance(named.state, Open | Uncollectible):
        raise ValidationError("invoice", id, f"an invoice that is owed, not {named.status}")
    return named


def shares(
    payment: Payment, available_minor: int, to: _Wanted, text: str
) -> Flow[tuple[tuple[Invoice, int], ...]]:
    """Return what money of a payment pays of which invoices, as it is said to.

    Raises `ValidationError` for more than is there or than is owed.
    """
    customer, currency = payment.customer, payment.currency
    if isinstance(to, AllocationRule):
        named = to is AllocationRule.REFERENCE
        owed = yield from open_invoices(customer, currency, given_up=named)
        parts = payments.allocate(available_minor, owed, to, text=text)
        by_id = {each.id: each for each in owed}
        return tuple([(by_id[part.invoice], part.amount_minor) for part in parts])
    split: list[tuple[Invoice, int]] = []
    for id, amount in to.items():
        if amount.currency != currency:
            raise ValidationError("amount", str(amount), f"an amount in {currency}")
        invoice = yield from owed_invoice(id, customer, currency)
        if amount.minor > invoice.due_minor:
            raise ValidationError(f"to[{id}]", amount, f"at most {invoice.amount_due}")
        split.append((invoice, amount.minor))
    wanted_minor = sum([minor for _, minor in split])
    if wanted_minor > available_minor:
        most = Money(available_minor, currency)
        raise ValidationError("to", Money(wanted_minor, currency), f"at most {most} in all")
    return tuple(split)


def received(
    owner: Customer,
    amount: Money,
    to: _Wanted,
    context: Context,
    *,
    id: PaymentId,
    gateway: str,
    reference: str | None,
    text: str = "",
    keep: bool = False,
) -> Flow[Decision]:
    """Decide to record money that came in, and what it pays; about the payment.

    With `keep` nothing of it goes to the balance.
    """
    payment = payments.receive(
        id,
        amount,
        tenant=context.tenant,
        customer=owner.id,
        gateway=gateway,
        reference=reference,
        at=context.at,
    )
    split = yield from shares(payment, payment.amount_minor, to, text)
    payment, paid = yield from _pay(payment, split, context)
    first = payment.allocations[0].invoice if payment.allocations else None
    events: list[object] = [PaymentSucceeded(payment.id, owner.id, first, amount)]
    events += allocation_events(payment, payment.allocations)
    left = payment.unallocated.minor
    surplus = 0 if keep or not left else (yield from _surplus(payment, split, left))
    if surplus:
        put = payments.put_on_balance(payment, surplus)
        payment, events = _after(put), [*events, *put.events]
    elif left:
        events.append(PaymentAllocated(payment.id, owner.id, None, payment.unallocated))
    made = created(PAYMENT, evolve(payment, version=len(events)), *events)
    decision = join(Decision((made,)), paid)
    if surplus:
        decision = on_balance(decision, owner, payment, surplus, context)
    return evolve(decision, about=Ref(PAYMENT, payment.id))


def allocated(
    payment: Payment, owner: Customer, to: _Wanted, context: Context, *, text: str = ""
) -> Flow[Decision]:
    """Decide what money pays that waits on a payment, or that it put on the balance."""
    on_the_balance = min(payment.balanced_minor, owner.credit_minor(payment.currency))
    available_minor = payment.unallocated.minor + on_the_balance
    split = yield from shares(payment, available_minor, to, text)
    wanted_minor = sum([minor for _, minor in split])
    taken = max(0, wanted_minor - payment.unallocated.minor)
    events: tuple[object, ...] = ()
    after = payment
    if taken:
        off = payments.take_off_balance(after, taken)
        after, events = _after(off), off.events
    known = len(after.allocations)
    after, paid = yield from _pay(after, split, context)
    events = (*events, *allocation_events(after, after.allocations[known:]))
    if not events:
        return Decision(about=Ref(PAYMENT, payment.id))
    after = evolve(after, version=payment.version + len(events))
    decision = join(Decision((changed(PAYMENT, payment, after, *events),)), paid)
    if taken:
        decision = on_balance(decision, owner, payment, -taken, context)
    return evolve(decision, about=Ref(PAYMENT, payment.id))


def on_balance(
    decision: Decision, owner: Customer, payment: Payment, minor: int, context: Context
) -> Decision:
    """Let money of a payment go to the balance in a decision, or with a negative amount off it."""
    moves = balance.move(
        left_by(decision, owner),
        Money(minor, payment.currency),
        cause=Cause.OVERPAYMENT,
        at=context.at,
        payment=payment.id,
    )
    return in_turn(decision, Decision(moves))


def allocation_events(
    payment: Payment, parts: Sequence[Allocation]
) -> tuple[PaymentAllocated, ...]:
    """Say which invoices parts of a payment pay."""
    return tuple(
        [
            PaymentAllocated(
                payment.id,
                payment.customer,
                part.invoice,
                Money(part.amount_minor, payment.currency),
            )
            for part in parts
        ]
    )


def _pay(
    payment: Payment, split: Sequence[tuple[Invoice, int]], context: Context
) -> Flow[tuple[Payment, Decision]]:
    payment, applied = pay_each(payment, split, context)
    return payment, (yield from settled(applied, context))


def pay_each(
    payment: Payment, wanted: Sequence[tuple[Invoice, int]], context: Context
) -> tuple[Payment, list[Change]]:
    """Let what is left of a payment pay invoices in turn, each what it owes and at most so much.

    One that waits for this payment and gets nothing of it waits no more. Returns the payment with
    its allocations, and what becomes of the invoices.
    """
    applied: list[Change] = []
    for invoice, most in wanted:
        minor = min(most, invoice.due_minor, payment.unallocated.minor)
        if minor:
            payment = payments.allocated(payment, Allocation(invoice.id, minor))
            paying = ApplyPayment(payment.id, minor, context.at)
            applied.append(invoices.decide(invoice, paying))
        elif invoice.collecting == payment.id:
            applied.append(invoices.decide(invoice, EndCollection(payment.id)))
    return payment, applied


def settled(applied: Sequence[Change], context: Context) -> Flow[Decision]:
    """Add to what money did to invoices what follows for those that are paid now."""
    paid = [each for each in applied if is_paid(each)]
    closed = yield from close_cases(*paid, reason="paid", context=context, paid=True)
    return join(Decision(tuple([x for x in applied if x not in paid])), closed)


def _surplus(payment: Payment, split: Sequence[tuple[Invoice, int]], left: int) -> Flow[int]:
    """Return how much goes to the balance: all that is left, if nothing else is owed."""
    paid: dict[InvoiceId, int] = {invoice.id: minor for invoice, minor in split}
    owed = yield from open_invoices(payment.customer, payment.currency)
    if any(each.due_minor > paid.get(each.id, 0) for each in owed):
        return 0
    return left


def is_paid(change: Change) -> bool:
    """Return whether a change leaves an invoice paid."""
    return isinstance(change.after, Invoice) and isinstance(change.after.state, Paid)


def _after(change: Change) -> Payment:
    assert isinstance(change.after, Payment)
    return change.after
