"""Refunds: give a payment back, list what was given back, and take in what gateways say.

A refund is money given back of a payment. It changes no invoice: what was paid stays paid, and
nothing is owed again by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import balance, payments, refunds
from subscriptions.balance import Cause
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision
from subscriptions.errors import NotSupported, UnknownReference, ValidationError
from subscriptions.ids import InvoiceId, RefundId
from subscriptions.invoices import Invoice
from subscriptions.money import Currency, Money
from subscriptions.payments import PAYMENT, Payment, Succeeded
from subscriptions.records import Ref, plain_text
from subscriptions.refunds import REFUND, STATUS, Failed, Refund, RefundSnapshot
from subscriptions.usecases import certainty, flows
from subscriptions.usecases.balance import moved
from subscriptions.usecases.disputes import reconsidered
from subscriptions.usecases.flows import (
    Command,
    Context,
    Flow,
    Get,
    Having,
    Listing,
    Maybe,
    Question,
    one_of,
    only,
)


def refund(
    payment: str,
    amount: Money | None = None,
    *,
    reason: str,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Refund]:
    """Give back a payment, or a part of it, to where it came from; returns the refund.

    Without `amount` it is all that is `refundable`. First goes what pays nothing, then what of the
    payment is on the customer's balance, and is taken off it; then what paid invoices. The amount
    is reserved and committed before the gateway is asked, so that two refunds at once never exceed
    what was taken. The outcome may take days: see the refund's `status`. The customer gets his
    money; the invoice that the payment paid stays paid.

    Raises `UnknownReference` for an unknown payment, `InvalidTransition` for one that took no
    money, `ValidationError` for an amount that is not positive, of another currency or more than
    can be given back, and for an empty reason; `NotSupported` if the payment's gateway cannot
    refund, as with a bank transfer: then a person pays it back.
    """
    if amount is not None and not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        found = yield from Maybe(PAYMENT, payment)
        if found is None:
            raise UnknownReference("payment", payment)
        if found.gateway not in context.gateways:
            expected = f"one of {', '.join(context.gateways)}"
            raise ValidationError("gateway", found.gateway, expected)
        if found.gateway not in context.refunding:
            instead = "pay the money back by hand, and say so with credit_notes.create(outside=…)"
            raise NotSupported(found.gateway, "Refunds", instead)
        given_back = found.refundable if amount is None else amount
        if not found.balanced_minor:
            changes = _begin(found, given_back, reason, context)
            return Decision(changes, about=Ref(REFUND, changes[1].after.id))
        owner = yield from Get(CUSTOMER, found.customer)
        return _begin_off_balance(found, owner, given_back, reason, context)

    return Command(REFUND, flow, at, idempotency_key)


def get(id: str) -> Question[Refund]:
    """Return a refund; raises `NotFound` if there is none with this id."""
    return flows.get(REFUND, id)


def list_(
    *,
    payment: str | None = None,
    customer: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Refund]:
    """List refunds in the order they were made, those that failed included."""
    status = one_of("status", status, STATUS.values())
    where = only(payment=payment, customer=customer, status=status)
    return Listing(REFUND, where, limit=limit, after=after)


def settle(id: str, snapshot: RefundSnapshot, context: Context) -> Flow[Decision]:
    """Decide what an answer of the gateway means for a refund, its payment and the balance."""
    refund = yield from Get(REFUND, id)
    change = refunds.merge(refund, snapshot, at=context.at)
    if change is None:
        if not refunds.contradicts(refund, snapshot):
            return Decision()
        return Decision((yield from certainty.contradicted(REFUND, refund, "made", context)))
    decision = yield from follow(refund, change, context)
    return (yield from certainty.watched_refund(refund, change, decision, context))


def follow(refund: Refund, change: Change, context: Context) -> Flow[Decision]:
    """Decide what the change of a refund means for its payment and the balance."""
    after = change.after
    assert isinstance(after, Refund)
    if after.open:
        return Decision((change,))
    payment = yield from Get(PAYMENT, refund.payment)
    if not isinstance(after.state, Failed):
        paid = payments.confirm_refund(payment, refund.amount, refund=refund.id)
        made = Decision((change, paid))
        return (yield from reconsidered(payment, made, context, if_short=True))
    release = payments.release_refund if refund.open else payments.take_back_refund
    decision = Decision((change, release(payment, refund.amount, refund=refund.id)))
    decision = yield from reconsidered(payment, decision, context)
    if refund.off_balance_minor:
        owner = yield from Get(CUSTOMER, refund.customer)
        return _put_back(decision, owner, refund, context)
    if not refund.from_balance:
        return decision
    owner = yield from Get(CUSTOMER, refund.customer)
    return moved(
        decision,
        owner,
        refund.amount,
        cause=Cause.REFUND_FAILED,
        context=context,
        invoice=refund.invoice,
        refund=refund.id,
    )


def absent(id: str, context: Context) -> Flow[Decision]:
    """Decide that the gateway has proved never to have had a refund: it is sent once more."""
    refund = yield from Get(REFUND, id)
    change = refunds.renew(refund, at=context.at, now=context.now)
    return Decision(() if change is None else (change,))


# ---- a credit that is given back as money ------------------------------------------------------


def give_back(
    owner: Customer,
    on_balance: Money,
    invoices: Sequence[InvoiceId],
    context: Context,
    *,
    invoice: InvoiceId,
) -> Flow[Decision]:
    """Decide to give back as money what `invoice`, or its correction, has put on the balance.

    It goes to the latest payments of `invoices`, the first of these first, as far as each can be
    given back. The rest stays on the balance, as what came by transfer and what the balance paid.
    """
    left = min(on_balance.minor, owner.credit_minor(on_balance.currency))
    found = yield from Having(PAYMENT, "customer", owner.id)
    decision = Decision()
    for payment in _refundable(found, invoices, on_balance.currency, context):
        amount = Money(min(left, payment.refundable.minor), on_balance.currency)
        if not amount:
            break
        left -= amount.minor
        changes = _begin(payment, amount, "cancellation", context, invoice=invoice)
        begun = changes[1].after
        assert isinstance(begun, Refund)
        decision = moved(
            Decision((*decision.changes, *changes)),
            owner,
            -amount,
            cause=Cause.REFUND,
            context=context,
            invoice=invoice,
            refund=begun.id,
        )
    return decision


def give_back_credited(
    decision: Decision, owner: Customer, invoice: Invoice, amount: Money, context: Context
) -> Flow[Decision]:
    """Decide to give back as money what a credit note of an invoice has put on the balance.

    It goes to the latest payments of the invoice, of each at most what it paid of it. Raises
    `ValidationError` if they cannot give back so much.
    """
    found = yield from Having(PAYMENT, "customer", owner.id)
    parts: list[tuple[Payment, Money]] = []
    left = amount.minor
    for payment in _refundable(found, [invoice.id], invoice.currency, context):
        paid = sum([x.amount_minor for x in payment.allocations if x.invoice == invoice.id])
        share = min(left, payment.refundable.minor, paid)
        left -= share
        parts += [(payment, Money(share, amount.currency))] if share else []
    if left:
        most = amount - Money(left, amount.currency)
        expected = f"at most {most}: what the payments of the invoice can give back"
        raise ValidationError("refund", amount, expected)
    for payment, part in parts:
        changes = _begin(payment, part, "credit note", context, invoice=invoice.id)
        begun = changes[1].after
        assert isinstance(begun, Refund)
        decision = moved(
            Decision((*decision.changes, *changes), decision.issues, decision.about),
            owner,
            -part,
            cause=Cause.REFUND,
            context=context,
            invoice=invoice.id,
            refund=begun.id,
        )
    return decision


def _refundable(
    found: Sequence[Payment],
    invoices: Sequence[InvoiceId],
    currency: Currency,
    context: Context,
) -> list[Payment]:
    """Return the payments that can be given back, in the order of the invoices that they paid."""
    usable = [
        payment
        for payment in reversed(found)
        if isinstance(payment.state, Succeeded)
        and payment.currency == currency
        and payment.gateway in context.refunding
        and payment.refundable
    ]
    paid = [payment for id in invoices for payment in usable if _pays(payment, id)]
    return list({payment.id: payment for payment in paid}.values())


def _pays(payment: Payment, invoice: InvoiceId) -> bool:
    return any(part.invoice == invoice for part in payment.allocations)


def _begin_off_balance(
    payment: Payment, owner: Customer, amount: Money, reason: str, context: Context
) -> Decision:
    """Decide to give back a payment of which a part is on the balance: what is there still."""
    beyond = amount.minor - payment.unallocated.minor
    minor = max(0, min(beyond, payment.balanced_minor, owner.credit_minor(payment.currency)))
    if not minor:
        changes = _begin(payment, amount, reason, context)
        return Decision(changes, about=Ref(REFUND, changes[1].after.id))
    off = payments.take_off_balance(payment, minor)
    left = off.after
    assert isinstance(left, Payment)
    reserved, intended = _begin(left, amount, reason, context, off_balance_minor=minor)
    taken = Change(PAYMENT, payment, reserved.after, (*off.events, *reserved.events))
    moves = balance.move(
        owner,
        Money(-minor, payment.currency),
        cause=Cause.OVERPAYMENT,
        at=context.at,
        refund=RefundId(intended.after.id),
        payment=payment.id,
    )
    return Decision((taken, intended, *moves), about=Ref(REFUND, intended.after.id))


def _put_back(decision: Decision, owner: Customer, refund: Refund, context: Context) -> Decision:
    """Let what a payment had put on the balance return there, because its refund failed."""
    place = next(n for n, each in enumerate(decision.changes) if each.kind is PAYMENT)
    released = decision.changes[place]
    payment = released.after
    assert isinstance(payment, Payment)
    minor = min(refund.off_balance_minor, payment.unallocated.minor)
    if not minor:
        return decision
    put = payments.put_on_balance(payment, minor)
    both = Change(PAYMENT, released.before, put.after, (*released.events, *put.events))
    changes = (*decision.changes[:place], both, *decision.changes[place + 1 :])
    moves = balance.move(
        owner,
        Money(minor, payment.currency),
        cause=Cause.OVERPAYMENT,
        at=context.at,
        refund=refund.id,
        payment=payment.id,
    )
    return Decision((*changes, *moves), decision.issues, decision.about)


def _begin(
    payment: Payment,
    amount: Money,
    reason: str,
    context: Context,
    *,
    invoice: InvoiceId | None = None,
    off_balance_minor: int = 0,
) -> tuple[Change, Change]:
    """Decide to give back a part of a payment: what is reserved on it, and the intent.

    With `invoice` the amount comes off the balance, where that invoice had put it.
    """
    intended = refunds.intend(
        payment,
        amount,
        reason=reason,
        at=context.at,
        now=context.now,
        invoice=invoice,
        from_balance=invoice is not None,
        off_balance_minor=off_balance_minor,
    )
    reserved = payments.reserve_refund(payment, amount, refund=RefundId(intended.after.id))
    return reserved, intended
