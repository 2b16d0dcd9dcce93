"""Where nobody is sure: what goes on the review list, and what a person's word changes.

A payment whose outcome has been open for days, or of which the gateway says another amount than was
asked for, is put on the list in the commit that finds it so, and taken from it by what settles it.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions import invoices, payments
from subscriptions.decisions import Change, Decision, join
from subscriptions.disputes import DISPUTE, Dispute, DisputeKind, Opened
from subscriptions.errors import CurrencyMismatch, ValidationError
from subscriptions.invoices import INVOICE, CountAttempt, EndCollection, Open
from subscriptions.payments import PAYMENT, Capturing, Intended, Payment, PaymentSnapshot, Unknown
from subscriptions.records import AnyKind
from subscriptions.refunds import REFUND, Refund
from subscriptions.review import Matter
from subscriptions.usecases import holding, review
from subscriptions.usecases.flows import Context, Flow, Get


def watched(
    before: Payment, change: Change, decision: Decision, context: Context
) -> Flow[Decision]:
    """Add to what a change of a payment means what it means for the review list, if anything."""
    after = change.after
    assert isinstance(after, Payment)
    if payments.open_too_long(after, at=context.at):
        state = after.state
        assert isinstance(state, Intended | Unknown | Capturing)
        added = yield from review.needed(
            Matter.OUTCOME_UNKNOWN,
            PAYMENT.name,
            after.id,
            since=after.intended_at if isinstance(state, Intended) else state.since,
            facts=f"gateway {after.gateway} was asked {state.tries} times about {after.amount}",
            context=context,
            customer=after.customer,
            amount=after.amount,
        )
    elif payments.open_too_long(before, at=context.at):
        added = yield from review.over(
            Matter.OUTCOME_UNKNOWN, PAYMENT.name, after.id, reason=after.status, context=context
        )
    else:
        return decision
    return join(decision, Decision(added))


def watched_refund(
    before: Refund, change: Change, decision: Decision, context: Context
) -> Flow[Decision]:
    """Add to what a change of a refund means what it means for the review list, if anything."""
    after = change.after
    assert isinstance(after, Refund)
    if open_too_long(after, context.at):
        added = yield from review.needed(
            Matter.OUTCOME_UNKNOWN,
            REFUND.name,
            after.id,
            since=after.intended_at,
            facts=f"gateway {after.gateway} was asked about the refund of {after.amount}",
            context=context,
            customer=after.customer,
            amount=after.amount,
        )
    elif open_too_long(before, context.at):
        added = yield from review.over(
            Matter.OUTCOME_UNKNOWN, REFUND.name, after.id, reason=after.status, context=context
        )
    else:
        return decision
    return join(decision, Decision(added))


def open_too_long(refund: Refund, at: datetime) -> bool:
    """Return whether nobody has known for days what became of a refund."""
    asked = refund.status == "unknown" or (refund.status == "intended" and refund.version > 1)
    return asked and at - refund.intended_at >= payments.REVIEW_AFTER


def quarantined(
    payment: Payment,
    snapshot: PaymentSnapshot,
    error: CurrencyMismatch | ValidationError,
    context: Context,
) -> Flow[Decision]:
    """Decide to set a payment aside of which the gateway says another amount than was asked for.

    Nothing is charged to its customer then, until a person has settled it.

    Raises the error if it is another one: an adapter that answers about something else.
    """
    if isinstance(error, ValidationError) and error.field != "amount":
        raise error
    change = payments.quarantine(payment, snapshot)
    if change is None:
        return Decision()
    blocked = yield from _blocked(payment)
    aside = (change, *blocked, *(yield from listed(change, Matter.QUARANTINED, context)))
    return (yield from doubted(change, Decision(aside), context))


def doubted(aside: Change, decision: Decision, context: Context) -> Flow[Decision]:
    """Add to what sets a payment or refund aside that nothing is charged to its customer."""
    record = aside.after
    if not isinstance(record, Payment | Refund):
        return decision
    reason = record.parked or ""
    return (
        yield from holding.doubted(
            record.id, record.customer, decision, reason=reason, context=context
        )
    )


def _blocked(payment: Payment) -> Flow[tuple[Change, ...]]:
    """Let the invoice of an attempt that was over wait for it again: money may have moved.

    Nothing is charged for it meanwhile, nobody is reminded, and nothing ends.
    """
    if payment.live or payment.invoice is None:
        return ()
    invoice = yield from Get(INVOICE, payment.invoice)
    if not isinstance(invoice.state, Open) or invoice.collecting is not None:
        return ()
    return (invoices.decide(invoice, CountAttempt(payment.id, payment.ordinal, live=True)),)


def freed(payment: Payment) -> Flow[tuple[Change, ...]]:
    """Let the invoice of a payment that was set aside, and is over, wait for it no more."""
    if payment.live or payment.invoice is None:
        return ()
    invoice = yield from Get(INVOICE, payment.invoice)
    if invoice.collecting != payment.id:
        return ()
    return (invoices.decide(invoice, EndCollection(payment.id)),)


def listed(aside: Change, matter: Matter, context: Context) -> Flow[tuple[Change, ...]]:
    """Decide to put a payment that is set aside on the review list."""
    payment = aside.after
    assert isinstance(payment, Payment)
    return (
        yield from review.needed(
            matter,
            PAYMENT.name,
            payment.id,
            since=context.at,
            facts=payment.parked or "",
            context=context,
            customer=payment.customer,
            amount=payment.amount,
        )
    )


def contradicted(
    kind: AnyKind, record: Payment | Refund, said: str, context: Context
) -> Flow[tuple[Change, ...]]:
    """Decide that a gateway says the opposite of what a person said: one of them is mistaken."""
    return (
        yield from review.needed(
            Matter.CONTRADICTED,
            kind.name,
            record.id,
            since=context.at,
            facts=f"a person said {record.status}, gateway {record.gateway} says {said}",
            context=context,
            customer=record.customer,
            amount=record.amount,
        )
    )


def contested(dispute: Dispute, context: Context) -> Flow[tuple[Change, ...]]:
    """Decide that a dispute is on the review list while a person must answer, and no longer.

    That is while it is under review, and of a debit that came back if nothing is done by itself.
    """
    due_at = dispute.evidence_due_at
    to_clear = dispute.kind is DisputeKind.RETURN and dispute.holds_invoice
    if not isinstance(dispute.state, Opened) and not to_clear:
        return (
            yield from review.over(
                Matter.DISPUTE, DISPUTE.name, dispute.id, reason=dispute.status, context=context
            )
        )
    asked = "" if due_at is None else f", evidence until {due_at.isoformat()}"
    return (
        yield from review.needed(
            Matter.DISPUTE,
            DISPUTE.name,
            dispute.id,
            since=dispute.noted_at,
            facts=f"{dispute.kind} of {dispute.amount}: {dispute.reason}{asked}",
            context=context,
            customer=dispute.customer,
            amount=dispute.amount,
        )
    )
