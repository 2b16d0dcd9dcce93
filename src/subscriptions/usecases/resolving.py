"""Certainty from outside: what a person found out about an attempt, and charges that were lost."""

from __future__ import annotations

from datetime import datetime

from subscriptions import invoices, payments, refunds
from subscriptions.decisions import Change, Decision, join
from subscriptions.ids import InvoiceId
from subscriptions.invoices import INVOICE, CountAttempt, Draft
from subscriptions.payments import PAYMENT, Payment, PaymentSnapshot
from subscriptions.records import AnyKind, Ref, plain_text
from subscriptions.refunds import REFUND, Refund
from subscriptions.review import Matter
from subscriptions.usecases import certainty, holding, review
from subscriptions.usecases.flows import Command, Context, Flow, Get, Maybe
from subscriptions.usecases.payments import follow
from subscriptions.usecases.refunds import follow as follow_refund


def resolve(
    id: str,
    *,
    outcome: str,
    reason: str,
    reference: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Payment]:
    """Say what became of a payment that nobody knew, because a person has looked at the gateway.

    `outcome` is "succeeded", with the gateway's `reference` of the charge, or "never_happened".
    The first pays the invoice; after the second the invoice is open, and dunning looks after it:
    nothing is charged by this. A payment that was set aside because of another amount is released,
    as the attempt that was asked for: what the gateway took otherwise is given back there, or
    recorded with `payments.record`. Nothing was charged to its customer meanwhile; if nothing else
    of his is in doubt, what he owes is charged now. Who says so and why is kept in a
    `PaymentResolved`.

    Raises `NotFound` for an unknown payment, `InvalidTransition` for one whose outcome is known and
    not in question, or whose money was taken and is said never to have been; `ValidationError` for
    another outcome, an empty reason, and a success without its reference.
    """
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        payment = yield from Get(PAYMENT, id)
        change = payments.resolve(
            payment, outcome, reference=reference, reason=reason, at=context.at
        )
        after = change.after
        assert isinstance(after, Payment)
        moved = type(after.state) is not type(payment.state)
        if moved:
            decision = yield from follow(change, context)
        else:
            decision = Decision((change, *(yield from certainty.freed(after))))
        decision = yield from holding.trusted(id, payment.customer, decision, context)
        closed = yield from _closed(PAYMENT, id, reason, context)
        return join(decision, Decision(closed), about=Ref(PAYMENT, id))

    return Command(PAYMENT, flow, at, idempotency_key)


def resolve_refund(
    id: str,
    *,
    outcome: str,
    reason: str,
    reference: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Refund]:
    """Say what became of a refund that nobody knew, because a person has looked at the gateway.

    `outcome` is "succeeded", with the gateway's `reference` of the refund, or "never_happened":
    then it failed, with the code `resolved_by_hand`, and what it was for can be given back anew.
    Who says so and why is kept in a `RefundResolved`. Should the gateway say afterwards that it was
    made all the same, that is on the review list.

    Raises `NotFound` for an unknown refund, `InvalidTransition` for one whose outcome is known and
    not in question, or is said to be another; `ValidationError` for another outcome, an empty
    reason, and a success without its reference.
    """
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        refund = yield from Get(REFUND, id)
        change = refunds.resolve(refund, outcome, reference=reference, reason=reason, at=context.at)
        after = change.after
        assert isinstance(after, Refund)
        decision = Decision((change,))
        if type(after.state) is not type(refund.state):
            decision = yield from follow_refund(refund, change, context)
        decision = yield from holding.trusted(id, refund.customer, decision, context)
        closed = yield from _closed(REFUND, id, reason, context)
        return join(decision, Decision(closed), about=Ref(REFUND, id))

    return Command(REFUND, flow, at, idempotency_key)


def _closed(kind: AnyKind, id: str, reason: str, context: Context) -> Flow[tuple[Change, ...]]:
    closed: tuple[Change, ...] = ()
    for matter in (Matter.OUTCOME_UNKNOWN, Matter.QUARANTINED, Matter.PARKED):
        closed += yield from review.over(
            matter, kind.name, id, reason=f"resolved: {reason}", context=context
        )
    return closed


def adopt(snapshot: PaymentSnapshot, gateway: str, context: Context) -> Flow[Decision | None]:
    """Decide to take a charge into the books that they do not know, if it is for a known invoice.

    Its id is derived from the invoice, so nobody can be mistaken about whose it is. It pays what
    the invoice still needs; the rest is kept. None if there is no such invoice.
    """
    attempt, named = snapshot.attempt_id, snapshot.invoice
    if attempt is None or not named:
        return None
    invoice = yield from Maybe(INVOICE, named)
    if invoice is None or isinstance(invoice.state, Draft):
        return None
    ordinal = payments.ordinal_of(
        attempt, tenant=context.tenant, invoice=InvoiceId(named), attempts=invoice.attempts
    )
    if ordinal is None:
        return None
    change = payments.adopt(
        snapshot,
        tenant=context.tenant,
        customer=invoice.customer,
        invoice=invoice.id,
        ordinal=ordinal,
        gateway=gateway,
        at=context.at,
    )
    if change is None:
        return None
    adopted = change.after
    assert isinstance(adopted, Payment)
    same = adopted.currency == invoice.currency
    counted = CountAttempt(adopted.id, ordinal, live=adopted.live or not same)
    if same:
        return (yield from follow(change, context, counted))
    # Money in another currency pays nothing of it: somebody must look at this.
    aside = payments.quarantine(adopted, snapshot, asked=invoice.total)
    assert aside is not None
    listed = yield from certainty.listed(aside, Matter.QUARANTINED, context)
    joined = Change(PAYMENT, None, aside.after, (*change.events, *aside.events))
    decision = Decision((joined, invoices.decide(invoice, counted), *listed))
    return (yield from certainty.doubted(aside, decision, context))
