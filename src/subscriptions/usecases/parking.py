"""Setting records aside for a person, and letting them go on: whatever it is that keeps them."""

from __future__ import annotations

from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision, park, unpark
from subscriptions.grants import Grant
from subscriptions.payments import Payment
from subscriptions.records import AnyKind, Ref
from subscriptions.refunds import Refund
from subscriptions.review import Matter
from subscriptions.usecases import certainty, grants, holding, review
from subscriptions.usecases.flows import Context, Flow, Get, Maybe


def set_aside(kind: AnyKind, id: str, *, reason: str, context: Context) -> Flow[Decision]:
    """Park a record whose due work failed, and put it on the review list.

    With a payment or a refund, nothing is charged to its customer: nobody asks what became of it.
    Nothing for one that is gone, is not due any more, or was parked in between.
    """
    record = yield from Maybe(kind, id)
    if record is None or record.due_at is None:
        return Decision()
    parked = park(kind, record, reason=reason)
    listed = yield from review.needed(
        Matter.PARKED,
        kind.name,
        id,
        since=context.at,
        facts=reason,
        context=context,
        customer=getattr(record, "customer", None),
    )
    aside = Decision((parked, *(yield from _with_holder(parked)), *listed))
    return (yield from certainty.doubted(parked, aside, context))


def release(kind: AnyKind, id: str, context: Context) -> Flow[Decision]:
    """Let a parked record go on, and take it from the review list; then its customer is charged.

    Raises `NotFound` for an unknown record and `ValidationError` for one that is not parked.
    """
    record = yield from Get(kind, id)
    released = unpark(kind, record)
    changes = [released, *(yield from _with_holder(released))]
    if isinstance(record, Payment):
        changes += yield from certainty.freed(record)
    for matter in (Matter.PARKED, Matter.QUARANTINED):
        changes += yield from review.over(matter, kind.name, id, reason="unparked", context=context)
    decision = Decision(tuple(changes), about=Ref(kind, id))
    if not isinstance(record, Payment | Refund):
        return decision
    return (yield from holding.trusted(id, record.customer, decision, context))


def _with_holder(moved: Change) -> Flow[tuple[Change, ...]]:
    """Let the customer who holds a grant hold it as it is now."""
    if not isinstance(moved.after, Grant):
        return ()
    owner = yield from Get(CUSTOMER, moved.after.customer)
    return (grants.carried(owner, moved),)
