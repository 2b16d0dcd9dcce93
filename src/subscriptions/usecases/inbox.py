"""Messages of gateways: kept, looked at after that, tried again while what they tell is not known.

What a message means is decided where answers of gateways are, in the commit in which it is marked
as processed: so it has its effect once, whenever a process dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import inbox
from subscriptions.decisions import Change, Decision, join
from subscriptions.disputes import DisputeSnapshot
from subscriptions.inbox import INBOUND, Inbound, Unmatched, Waiting
from subscriptions.payments import PAYMENT, Payment, PaymentSnapshot, charged_twice
from subscriptions.records import Ref
from subscriptions.refunds import REFUND, RefundSnapshot
from subscriptions.review import Matter
from subscriptions.usecases import disputes, flows, payments, refunds, resolving, review
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


def take_in(messages: Sequence[Inbound], at: datetime) -> Command[Inbound]:
    """Keep messages that are new; what is known and still waits is looked at again at once."""

    def flow(context: Context) -> Flow[Decision]:
        changes: list[Change] = []
        for message in messages:
            known = yield from Maybe(INBOUND, message.id)
            if known is None:
                changes.append(inbox.received(message, at=context.at))
            elif message.swept and isinstance(known.state, Waiting | Unmatched):
                changes.append(inbox.again(known, at=context.at))
        return Decision(tuple(changes), about=Ref(INBOUND, messages[0].id))

    return Command(INBOUND, flow, at)


def replay(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[Inbound]:
    """Look at a message now, whatever became of it: what it tells has its effect at most once.

    Raises `NotFound` for an unknown message and `InvalidTransition` for one that tells nothing, or
    of which only the fact that it came was kept.
    """

    def flow(context: Context) -> Flow[Decision]:
        message = yield from Get(INBOUND, id)
        change = inbox.again(message, at=context.at)
        closed = yield from _listed_no_more(message, "replayed", context)
        parked = yield from review.over(
            Matter.PARKED, INBOUND.name, id, reason="replayed", context=context
        )
        return Decision((change, *closed, *parked), about=Ref(INBOUND, id))

    return Command(INBOUND, flow, at, idempotency_key)


def get(id: str) -> Question[Inbound]:
    """Return a message; raises `NotFound` if there is none with this id."""
    return flows.get(INBOUND, id)


def list_(
    *,
    gateway: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Inbound]:
    """List messages in the order they came; each filter is an exact match."""
    status = one_of("status", status, inbox.STATUS.values())
    return Listing(INBOUND, only(gateway=gateway, status=status), limit=limit, after=after)


def advance(id: str, context: Context) -> Flow[Decision]:
    """Look at one message: do what it tells, or wait for what it is about."""
    message = yield from Get(INBOUND, id)
    due_at = message.due_at
    if due_at is None or due_at > context.at:
        return Decision()
    decision = yield from _effect(message, context)
    if decision is None:
        return (yield from _not_known(message, context))
    moved = inbox.processed(message, at=context.at)
    listed: tuple[Change, ...] = ()
    if message.swept or not isinstance(message.state, Waiting) or message.state.tries:
        listed = yield from _listed_no_more(message, "found", context)
    return join(decision, Decision((moved, *listed)))


def _effect(message: Inbound, context: Context) -> Flow[Decision | None]:
    """Decide what a message means; None if what it is about is not known."""
    if message.refund is not None:
        return (yield from _about_a_refund(message, message.refund, context))
    if message.dispute is not None:
        return (yield from _about_a_dispute(message, message.dispute, context))
    assert message.payment is not None
    return (yield from _about_a_payment(message, message.payment, context))


def _about_a_payment(
    message: Inbound, snapshot: PaymentSnapshot, context: Context
) -> Flow[Decision | None]:
    payment = yield from _payment(message, snapshot)
    if payment is not None and charged_twice(payment, snapshot):
        return Decision((yield from _listed(Matter.ORPHAN_CHARGE, message, context)))
    if payment is not None:
        return (yield from payments.settle(payment.id, snapshot, context))
    if snapshot.tenant not in (None, context.tenant):
        return None
    return (yield from resolving.adopt(snapshot, message.gateway, context))


def _payment(message: Inbound, snapshot: PaymentSnapshot | DisputeSnapshot) -> Flow[Payment | None]:
    """Find the payment by its own id, or else by what the gateway calls it."""
    if snapshot.attempt_id is not None:
        payment = yield from Maybe(PAYMENT, snapshot.attempt_id)
        return payment if payment is not None and payment.gateway == message.gateway else None
    if snapshot.gateway_ref is None:
        return None
    found = yield from Having(PAYMENT, "reference", snapshot.gateway_ref)
    return next((each for each in found if each.gateway == message.gateway), None)


def _about_a_refund(
    message: Inbound, snapshot: RefundSnapshot, context: Context
) -> Flow[Decision | None]:
    if snapshot.refund_id is None:
        return None
    refund = yield from Maybe(REFUND, snapshot.refund_id)
    if refund is None or refund.gateway != message.gateway:
        return None
    return (yield from refunds.settle(refund.id, snapshot, context))


def _about_a_dispute(
    message: Inbound, snapshot: DisputeSnapshot, context: Context
) -> Flow[Decision | None]:
    payment = yield from _payment(message, snapshot)
    if payment is None:
        return None
    return (yield from disputes.settle(payment.id, snapshot, context))


def _not_known(message: Inbound, context: Context) -> Flow[Decision]:
    """Wait for what a message is about, or put it on the review list; or it is nobody's here."""
    said = message.payment
    about = said or message.refund
    if about is not None and about.tenant not in (None, context.tenant):
        return Decision((inbox.ignored(message, reason="of another tenant", at=context.at),))
    ours: str | None = message.refund.refund_id if message.refund is not None else None
    if said is not None:
        ours = said.attempt_id or said.tenant
    if message.dispute is not None:
        # Whose it is, only its payment tells; and a message may come before that has a reference.
        ours = message.dispute.dispute_ref
    if ours is None:
        return Decision((inbox.ignored(message, reason="not made by us", at=context.at),))
    change = inbox.waits(message, at=context.at)
    after = change.after
    assert isinstance(after, Inbound)
    if not message.swept and not isinstance(after.state, Unmatched):
        return Decision((change,))
    listed = yield from _listed(_matter(message), message, context)
    return Decision((change, *listed))


def _listed(matter: Matter, message: Inbound, context: Context) -> Flow[tuple[Change, ...]]:
    said = message.payment
    return (
        yield from review.needed(
            matter,
            INBOUND.name,
            message.id,
            since=message.received_at,
            facts=_facts(message),
            context=context,
            amount=None if said is None else said.amount,
        )
    )


def _matter(message: Inbound) -> Matter:
    return Matter.ORPHAN_CHARGE if message.swept else Matter.UNMATCHED_MESSAGE


def _facts(message: Inbound) -> str:
    said = message.payment
    if message.dispute is not None:
        named = message.dispute.attempt_id or message.dispute.gateway_ref
        return f"{message.gateway}: {message.type} about a dispute of payment {named}"
    if said is None:
        assert message.refund is not None
        return f"{message.gateway}: {message.type} about refund {message.refund.refund_id}"
    about = f"attempt {said.attempt_id}, invoice {said.invoice or 'not told'}"
    what = f"{said.outcome.value} {said.amount}, {said.gateway_ref or 'without a reference'}"
    return f"{message.gateway}: {what}; {about}"


def _listed_no_more(message: Inbound, reason: str, context: Context) -> Flow[tuple[Change, ...]]:
    return (
        yield from review.over(
            _matter(message), INBOUND.name, message.id, reason=reason, context=context
        )
    )
