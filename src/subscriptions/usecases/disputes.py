"""Disputes: what gateways and people say of them.

What is said is merged into the dispute, and leaves it due; what it then does to payments and
invoices is decided in `dispute_effects`. Two steps, so that a dispute which is heard of before its
payment has succeeded waits, and takes effect when it has.
"""

from __future__ import annotations

from datetime import datetime

from subscriptions import disputes, payments
from subscriptions.decisions import Change, Decision, join
from subscriptions.disputes import (
    DISPUTE,
    STATUS,
    Dispute,
    DisputeKind,
    DisputeSnapshot,
    DisputeStatus,
)
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    UnknownReference,
    ValidationError,
)
from subscriptions.money import Money
from subscriptions.payments import PAYMENT, Payment, Succeeded
from subscriptions.records import Ref, plain_text
from subscriptions.review import Matter
from subscriptions.usecases import certainty, flows
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


def record_dispute(
    payment: str,
    amount: Money | None = None,
    *,
    reason: str,
    kind: str = "chargeback",
    reference: str | None = None,
    evidence_due_at: datetime | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Dispute]:
    """Record by hand that a payment is disputed; returns the dispute.

    For a gateway that does not tell by itself. Without `amount` it is all of the payment that is
    not given back or disputed yet. The money of a "chargeback" is gone from then on, an "inquiry"
    takes none. `reference` is the gateway's, unique: the same one cannot be recorded twice.

    Raises `UnknownReference` for an unknown payment, `InvalidTransition` for one that took no
    money, `ValidationError` for an amount that is not positive, of another currency or more than is
    there, for another kind, for a known reference and for an empty reason.
    """
    kinds = (DisputeKind.CHARGEBACK, DisputeKind.INQUIRY)
    chosen = DisputeKind(one_of("kind", kind, kinds) or kind)
    given = plain_text("reason", reason)

    def flow(context: Context) -> Flow[Decision]:
        found, whole, name = yield from _recorded(payment, amount, reference)
        snapshot = DisputeSnapshot(
            name,
            found.id,
            None,
            whole,
            chosen,
            DisputeStatus.OPENED,
            given,
            context.at,
            evidence_due_at,
            funds_withdrawn=chosen is DisputeKind.CHARGEBACK,
        )
        return (yield from _said(found, _noted(found, snapshot, context), context))

    return Command(DISPUTE, flow, at, idempotency_key)


def record_return(
    payment: str,
    code: str,
    amount: Money | None = None,
    *,
    reference: str | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Dispute]:
    """Record by hand that a debit which had succeeded came back; returns the dispute.

    `code` is the bank's, such as "AM04"; `disputes.SEPA_RETURNS` says what is done next. One that
    is not there is a matter for a person: nothing is charged again by itself.

    Raises what `record_dispute` raises.
    """
    given = plain_text("code", code, length_max=20)

    def flow(context: Context) -> Flow[Decision]:
        found, whole, name = yield from _recorded(payment, amount, reference)
        snapshot = DisputeSnapshot(
            name,
            found.id,
            None,
            whole,
            DisputeKind.RETURN,
            DisputeStatus.LOST,
            given,
            context.at,
            funds_withdrawn=True,
        )
        return (yield from _said(found, _noted(found, snapshot, context), context))

    return Command(DISPUTE, flow, at, idempotency_key)


def close_dispute(
    id: str,
    outcome: str,
    *,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[Dispute]:
    """Record by hand how a dispute ended: "won", "lost" or "withdrawn"; returns the dispute.

    What the gateway says of a later time counts more. Raises `InvalidTransition` if it stands so
    already or has moved since, `ValidationError` for another outcome.
    """
    outcomes = (DisputeStatus.WON, DisputeStatus.LOST, DisputeStatus.WITHDRAWN)
    status = DisputeStatus(one_of("outcome", outcome, outcomes) or outcome)

    def flow(context: Context) -> Flow[Decision]:
        dispute = yield from Get(DISPUTE, id)
        snapshot = DisputeSnapshot(
            dispute.reference,
            dispute.payment,
            None,
            dispute.amount,
            dispute.kind,
            status,
            dispute.reason,
            context.at,
            funds_withdrawn=dispute.funds_withdrawn,
            fee=dispute.fee,
        )
        change = disputes.merge(dispute, snapshot, at=context.at)
        if change is None or dispute.status is status:
            raise InvalidTransition(f"dispute {id}", dispute.status, f"become {status}")
        payment = yield from Get(PAYMENT, dispute.payment)
        return (yield from _said(payment, change, context))

    return Command(DISPUTE, flow, at, idempotency_key)


def get(id: str) -> Question[Dispute]:
    """Return a dispute; raises `NotFound` if there is none with this id."""
    return flows.get(DISPUTE, id)


def list_(
    *,
    payment: str | None = None,
    customer: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[Dispute]:
    """List disputes and returned debits in the order they were heard of."""
    status = one_of("status", status, STATUS.values())
    where = only(payment=payment, customer=customer, status=status)
    return Listing(DISPUTE, where, limit=limit, after=after)


# ---- what is said ------------------------------------------------------------------------------


def settle(payment: str, snapshot: DisputeSnapshot, context: Context) -> Flow[Decision]:
    """Decide what a gateway's word on a dispute of a payment means; it may say nothing new.

    What cannot be true (another currency, another payment) parks the payment: a person must look.
    """
    found = yield from Get(PAYMENT, payment)
    known = yield from Maybe(
        DISPUTE, disputes.dispute_id(context.tenant, found.gateway, snapshot.dispute_ref)
    )
    try:
        change = _merged(found, known, snapshot, context)
    except (CurrencyMismatch, ValidationError) as error:
        parked = payments.park_disputed(found, f"dispute {snapshot.dispute_ref}: {error}")
        if parked is None:
            return Decision()
        aside = (parked, *(yield from certainty.listed(parked, Matter.PARKED, context)))
        return (yield from certainty.doubted(parked, Decision(aside), context))
    return Decision() if change is None else (yield from _said(found, change, context))


def _merged(
    payment: Payment, known: Dispute | None, snapshot: DisputeSnapshot, context: Context
) -> Change | None:
    """Merge what is said of a known dispute, or keep a new one; raises for what cannot be true."""
    if snapshot.amount.currency != payment.currency:
        raise CurrencyMismatch(payment.currency.code, snapshot.amount.currency.code)
    if known is None:
        return _noted(payment, snapshot, context)
    if known.payment != payment.id:
        raise ValidationError("payment", payment.id, f"{known.payment}, as was said before")
    return disputes.merge(known, snapshot, at=context.at)


def reconsidered(
    payment: Payment, decision: Decision, context: Context, *, if_short: bool = False
) -> Flow[Decision]:
    """Add to what is decided about a payment that its disputes are to be decided anew.

    For its success, which they may have waited for, and for the end of a refund; with `if_short`
    only if they would have taken more than there was.
    """
    if not payment.disputes:
        return decision
    found = yield from Having(DISPUTE, "payment", payment.id)
    if if_short and sum([each.taken_minor for each in found]) <= payment.disputed_minor:
        return decision
    again = tuple(
        [
            disputes.reconsider(dispute, at=context.at)
            for dispute in found
            if dispute.taken_minor and dispute.apply_at is None
        ]
    )
    return join(decision, Decision(again), about=decision.about)


def _recorded(
    payment: str, amount: Money | None, reference: str | None
) -> Flow[tuple[Payment, Money, str]]:
    """Return the payment that a person speaks of, how much of it, and the dispute's reference."""
    if amount is not None and not isinstance(amount, Money):
        raise ValidationError("amount", amount, "a Money, such as Money.of('5.00', 'EUR')")
    found = yield from Maybe(PAYMENT, payment)
    if found is None:
        raise UnknownReference("payment", payment)
    if not isinstance(found.state, Succeeded):
        raise InvalidTransition(f"payment {found.id}", found.status, "dispute")
    whole = found.refundable if amount is None else amount
    if whole.currency != found.currency:
        raise ValidationError("amount", str(whole), f"an amount in {found.currency}")
    if not 0 < whole.minor <= found.refundable.minor:
        raise ValidationError("amount", whole, payments.refund_limit(found))
    name = f"{found.id}/{found.disputes + 1}"
    if reference is not None:
        name = plain_text("reference", reference, length_max=200)
    known = yield from Maybe(DISPUTE, disputes.dispute_id(found.tenant, found.gateway, name))
    if known is not None:
        raise ValidationError("reference", name, "one that is not recorded yet")
    return found, whole, name


def _noted(payment: Payment, snapshot: DisputeSnapshot, context: Context) -> Change:
    return disputes.note(
        snapshot,
        tenant=context.tenant,
        customer=payment.customer,
        payment=payment.id,
        gateway=payment.gateway,
        at=context.at,
        policy=context.disputes,
    )


def _said(payment: Payment, change: Change, context: Context) -> Flow[Decision]:
    """Decide what a word on a dispute changes; what a person must answer is on the review list."""
    dispute = change.after
    assert isinstance(dispute, Dispute)
    changes = [change]
    if change.before is None:
        changes.append(payments.note_dispute(payment, dispute.amount, dispute=dispute.id))
    changes += yield from certainty.contested(dispute, context)
    return Decision(tuple(changes), about=Ref(DISPUTE, dispute.id))
