"""Nothing is charged to one customer: by a person's word, or while something of his is in doubt.

Invoices go on being issued, for they are owed. None is charged or reminded of, and none makes a
subscription past due; what is under way goes on. When the last reason is gone, what waited is
charged at once, and dunning goes on where it stood.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions import customers, dunning, invoices
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, in_turn, left_by
from subscriptions.dunning import DUNNING_CASE, Held
from subscriptions.ids import CustomerId
from subscriptions.invoices import INVOICE, Invoice, Open, ReleaseCollection, StartCollection
from subscriptions.payments import Payment
from subscriptions.records import Ref, plain_text
from subscriptions.usecases import collection, retrying
from subscriptions.usecases.flows import Command, Context, Flow, Get, Having


def hold_collection(
    id: str, *, reason: str, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Customer]:
    """Charge nothing to a customer until `release_collection`: no run, dunning or new method does.

    His invoices go on being issued, with the due day that they would have had; they are `held`, not
    dunned and make no subscription past due, and nobody is contacted for them. What he pays by
    himself is taken. Charges under way go on. The customer's `collection_hold` says since when and
    why; so it is by itself while a payment or refund of his is set aside.

    Raises `NotFound` for an unknown customer, `InvalidTransition` if a person holds it already,
    `ValidationError` for an empty reason.
    """
    plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Get(CUSTOMER, id)
        held = customers.hold_collection(owner, reason=reason, at=context.at)
        return Decision((held,), about=Ref(CUSTOMER, id))

    return Command(CUSTOMER, flow, at, idempotency_key)


def release_collection(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Customer]:
    """Charge a customer again: what waited at once, and dunning goes on, later by the time held.

    While something of his is in doubt, that alone holds it still. Raises `NotFound` for an unknown
    customer, `InvalidTransition` unless a person holds it.
    """

    def flow(context: Context) -> Flow[Decision]:
        owner = yield from Get(CUSTOMER, id)
        released = Decision((customers.release_collection(owner),), about=Ref(CUSTOMER, id))
        return (yield from _gone_on(released, context))

    return Command(CUSTOMER, flow, at, idempotency_key)


def doubted(
    record: str, customer: CustomerId, decision: Decision, *, reason: str, context: Context
) -> Flow[Decision]:
    """Add to a decision that sets a payment or refund aside that nothing is charged meanwhile."""
    owner = left_by(decision, (yield from Get(CUSTOMER, customer)))
    held = customers.doubt(owner, record, reason=reason, at=context.at)
    return decision if held is None else in_turn(decision, Decision((held,)))


def trusted(
    record: str, customer: CustomerId, decision: Decision, context: Context
) -> Flow[Decision]:
    """Add to a decision that settles a payment or refund that it is in doubt no longer."""
    owner = left_by(decision, (yield from Get(CUSTOMER, customer)))
    released = customers.trust(owner, record)
    if released is None:
        return decision
    return (yield from _gone_on(in_turn(decision, Decision((released,))), context))


def _gone_on(decision: Decision, context: Context) -> Flow[Decision]:
    """Add what follows for a customer of whom something may be collected again."""
    (released,) = [each for each in decision.changes if each.kind is CUSTOMER]
    owner = released.after
    assert isinstance(owner, Customer)
    if owner.collection_hold is not None:
        return decision
    cases = yield from Having(DUNNING_CASE, "customer", owner.id)
    for stored in cases:
        case = left_by(decision, stored)
        if isinstance(case.state, Held) and case.state.with_customer:
            decision = in_turn(decision, Decision((dunning.release(case, at=context.at),)))
    found = yield from Having(INVOICE, "customer", owner.id)
    planned: list[Payment] = []
    for stored_invoice in found:
        invoice = left_by(decision, stored_invoice)
        if not invoice.held or not isinstance(invoice.state, Open):
            continue
        if not invoice.attempts and not invoice.dunning:
            # Charged for the first time, with those that are too small to be charged alone.
            first = invoices.decide(invoice, ReleaseCollection(context.at))
            decision = in_turn(decision, Decision((first,)))
            continue
        payment = yield from _retried(invoice, owner, planned, context)
        again: list[invoices.Command] = [ReleaseCollection()]
        if payment is not None:
            attempt = payment.after
            assert isinstance(attempt, Payment)
            planned.append(attempt)
            again.append(StartCollection(attempt.id))
            decision = in_turn(decision, Decision((payment,)))
        decision = in_turn(decision, Decision((invoices.decide(invoice, *again),)))
    return decision


def _retried(
    invoice: Invoice, owner: Customer, planned: list[Payment], context: Context
) -> Flow[Change | None]:
    """Return the next attempt on an invoice; None if there can be none now."""
    if invoice.collecting is not None or invoice.disputed:
        return None
    method = yield from collection.method_for(invoice, owner, context)
    if method is None:
        return None
    if collection.is_small(invoice.due_minor, invoice.currency, method.gateway, context):
        return None
    if (yield from retrying.refused(invoice, method, context, planned)) is not None:
        return None
    payment, _ = collection.attempt(invoice, method, context)
    return payment
