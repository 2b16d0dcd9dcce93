"""What disputes do to a payment, to what it paid, and to the method that was charged.

What all disputes of a payment take together is decided anew each time, in whatever order they came:
the payment is short of it, invoices are owed again or are paid once more, and a card that is
disputed is not charged by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from subscriptions import balance, disputes, invoices, payment_methods, payments
from subscriptions.balance import Cause
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, in_turn, join, left_by
from subscriptions.disputes import (
    DISPUTE,
    Dispute,
    DisputeKind,
    Next,
    retry_days,
    rule_for,
)
from subscriptions.ids import InvoiceId
from subscriptions.invoices import INVOICE, ApplyPayment, EndDispute, Invoice, Open, Paid, TakeBack
from subscriptions.money import Money
from subscriptions.payment_methods import PAYMENT_METHOD
from subscriptions.payments import PAYMENT, Allocation, Payment, Shares, Succeeded
from subscriptions.review import Matter
from subscriptions.usecases import certainty
from subscriptions.usecases.flows import (
    Context,
    Flow,
    Get,
    Having,
)
from subscriptions.usecases.receivables import Failing, close_cases, open_cases


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one dispute: decide what all disputes of its payment take of it."""
    dispute = yield from Get(DISPUTE, id)
    due_at = dispute.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    payment = yield from Get(PAYMENT, dispute.payment)
    if not isinstance(payment.state, Succeeded):
        return Decision((disputes.await_payment(dispute),))
    every = yield from Having(DISPUTE, "payment", payment.id)
    owner: Customer | None = None
    if payment.balanced_minor or payment.unbalanced_minor:
        owner = yield from Get(CUSTOMER, payment.customer)
    shares = payments.shares_of(
        payment,
        sum([each.taken_minor for each in every]),
        reopening_minor=sum([each.reopening_minor for each in every]),
        on_balance_minor=0 if owner is None else owner.credit_minor(payment.currency),
    )
    reopened = yield from _taken(dispute, every, payment, shares, context)
    restored, parts = yield from _returned(payment, shares, context)
    moved = payments.settle_disputes(payment, shares, parts, at=context.at)
    after = payment if moved is None else moved.after
    assert isinstance(after, Payment)
    short = tuple(dict.fromkeys([part.invoice for part in after.withheld]))
    done = disputes.took_effect(dispute, after.disputed, short)
    changes: list[Change] = [done, *([] if moved is None else [moved])]
    aside = moved if payment.parked is None and after.parked is not None else None
    if aside is not None:
        changes += yield from certainty.listed(aside, Matter.PARKED, context)
    changes += yield from _method(dispute, payment, context)
    decision = join(Decision(tuple(changes)), reopened, restored)
    if owner is not None and shares.balance_minor:
        moves = balance.move(
            left_by(decision, owner),
            Money(-shares.balance_minor, payment.currency),
            cause=Cause.DISPUTE,
            at=context.at,
            payment=payment.id,
        )
        decision = in_turn(decision, Decision(moves))
    if aside is None:
        return decision
    return (yield from certainty.doubted(aside, decision, context))


def _taken(
    dispute: Dispute,
    every: Sequence[Dispute],
    payment: Payment,
    shares: Shares,
    context: Context,
) -> Flow[Decision]:
    """Let invoices be owed again; what was paid begins its own dunning."""
    held = any(each.holds_invoice for each in every)
    changes: list[Change] = []
    failing: list[Failing] = []
    for id, minor in _by_invoice(shares.taken).items():
        invoice = yield from Get(INVOICE, id)
        retries: tuple[int, ...] | None = None
        if dispute.kind is DisputeKind.RETURN and rule_for(dispute.reason).next is Next.RETRY:
            retries = retry_days(dispute.reason, invoice.reopened)
        hold = held or retries == ()
        change = invoices.decide(invoice, TakeBack(payment.id, minor, hold))
        after = change.after
        assert isinstance(after, Invoice)
        if _fails_now(after, context):
            failing.append(Failing(invoice, (TakeBack(payment.id, minor, hold),), retries))
        else:
            changes.append(change)
    if not failing:
        return Decision(tuple(changes))
    opened = yield from open_cases(*failing, context=context)
    return join(Decision(tuple(changes)), opened)


def _fails_now(invoice: Invoice, context: Context) -> bool:
    """Return whether a reopened invoice is due at once, with nobody looking after it yet.

    Who pays by himself has until the due day, if that is still to come; an attempt under way may
    pay it yet.
    """
    if not isinstance(invoice.state, Open) or invoice.dunning or invoice.collecting is not None:
        return False
    due_at = invoice.due_at
    return invoice.terms_days == 0 or due_at is None or due_at <= context.at


def _returned(
    payment: Payment, shares: Shares, context: Context
) -> Flow[tuple[Decision, list[Allocation]]]:
    """Let money that is back pay its invoices again, as far as these still need it."""
    changes: list[Change] = []
    paid: list[Change] = []
    parts: list[Allocation] = []
    left = _by_invoice(payment.withheld)
    for id, minor in _by_invoice(shares.returned).items():
        invoice = yield from Get(INVOICE, id)
        commands: list[invoices.Command] = []
        if payment.id in invoice.disputed and left[id] == minor:
            commands.append(EndDispute(payment.id))
        share = min(minor, invoice.due_minor)
        if share:
            parts.append(Allocation(id, share))
            commands.append(ApplyPayment(payment.id, share, context.at))
        if not commands:
            continue
        change = invoices.decide(invoice, *commands)
        after = change.after
        assert isinstance(after, Invoice)
        settled = share and isinstance(after.state, Paid)
        (paid if settled else changes).append(change)
    closed = yield from close_cases(*paid, reason="paid", context=context, paid=True)
    return join(Decision(tuple(changes)), closed), parts


def _method(dispute: Dispute, payment: Payment, context: Context) -> Flow[list[Change]]:
    """Hold, release or refuse the method that was charged, as the dispute says."""
    if payment.method is None:
        return []
    method = yield from Get(PAYMENT_METHOD, payment.method)
    if dispute.refuses_method:
        change = payment_methods.refuse(method, code=dispute.reason, at=context.at)
    elif dispute.holds_method:
        change = payment_methods.hold(method, dispute.id, at=context.at)
    else:
        change = payment_methods.release(method, dispute.id)
    return [] if change is None else [change]


def _by_invoice(parts: Sequence[Allocation]) -> dict[InvoiceId, int]:
    minors: dict[InvoiceId, int] = {}
    for part in parts:
        minors[part.invoice] = minors.get(part.invoice, 0) + part.amount_minor
    return minors
