"""Disputes: what gateways and people say of them, and what they do to payments and invoices.

What is said is merged into the dispute, and leaves it due. Then what all disputes of its payment
take together is decided anew: the payment is short of it, invoices are owed again or are paid once
more, and a card that is disputed is not charged by itself. Two steps, so that a dispute which is
heard of before its payment has succeeded waits, and takes effect when it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from subscriptions import balance, disputes, invoices, payment_methods, payments
from subscriptions.balance import Cause
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, in_turn, join, left_by
from subscriptions.disputes import (
    DISPUTE,
    STATUS,
    Dispute,
    DisputeKind,
    DisputeSnapshot,
    DisputeStatus,
    Next,
    retry_days,
    rule_for,
)
from subscriptions.errors import (
    CurrencyMismatch,
    InvalidTransition,
    UnknownReference,
    ValidationError,
)
from subscriptions.ids import InvoiceId
from subscriptions.invoices import INVOICE, ApplyPayment, EndDispute, Invoice, Open, Paid, TakeBack
from subscriptions.money import Money
from subscriptions.payment_methods import PAYMENT_METHOD
from subscriptions.payments import PAYMENT, Allocation, Payment, Shares, Succeeded
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
from subscriptions.usecases.receivables import Failing, close_cases, open_cases


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


# ---- what it does ------------------------------------------------------------------------------


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
