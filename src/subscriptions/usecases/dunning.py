"""Dunning: policies, cases, and the next step of a case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from subscriptions import dunning, invoices, lifecycle
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.decisions import Change, Decision, join
from subscriptions.dunning import (
    DEFAULT_POLICY,
    DUNNING_CASE,
    DUNNING_POLICY,
    CancelSubscription,
    DunningCase,
    DunningPolicy,
    Held,
    MarkUncollectible,
    MarkUnpaid,
    Reminder,
    Retry,
    Step,
    StoredPolicy,
)
from subscriptions.errors import NotFound, ValidationError
from subscriptions.invoices import EndDunning, Invoice, Open
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    ClearPastDue,
    Ended,
    EndReason,
    PastDue,
)
from subscriptions.records import Ref, aware
from subscriptions.usecases import collection, retrying
from subscriptions.usecases.billing_periods import Moves
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
from subscriptions.usecases.receivables import clear_debts
from subscriptions.usecases.renewals import finish

# While an attempt's outcome is open, look again after a day.
WAIT = timedelta(days=1)

ON_HOLD = "nothing is collected of the customer"
"""Why a case waits that goes on together with the customer."""


def set_policy(
    policy: DunningPolicy, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[StoredPolicy]:
    """Let a policy apply to all cases that begin from now on; running cases keep theirs.

    Raises `ValidationError` for another name than "default": there is one policy for all.
    """
    if not isinstance(policy, DunningPolicy):
        raise ValidationError("policy", policy, "a DunningPolicy")
    if policy.name != DEFAULT_POLICY.name:
        raise ValidationError("name", policy.name, f"{DEFAULT_POLICY.name!r}")

    def flow(context: Context) -> Flow[Decision]:
        before = yield from Maybe(DUNNING_POLICY, policy.name)
        change = dunning.set_policy(before, policy, tenant=context.tenant)
        return Decision((change,), about=Ref(DUNNING_POLICY, policy.name))

    return Command(DUNNING_POLICY, flow, at, idempotency_key)


def policies() -> Question[tuple[DunningPolicy, ...]]:
    """Return the policies in force; the built-in one if the host has set none."""

    def flow(_: Context) -> Flow[tuple[DunningPolicy, ...]]:
        stored = yield from Maybe(DUNNING_POLICY, DEFAULT_POLICY.name)
        return (DEFAULT_POLICY if stored is None else stored.policy,)

    return Question(flow)


def simulate(policy: DunningPolicy, *, failed_at: datetime) -> Question[tuple[Step, ...]]:
    """Return what a policy would do after a failure, and when, if nothing were paid."""

    def flow(_: Context) -> Flow[tuple[Step, ...]]:
        yield from ()  # it reads nothing, and is a generator all the same
        return policy.schedule(failed_at=aware("failed_at", failed_at))

    return Question(flow)


def status(invoice: str) -> Question[DunningCase]:
    """Return the latest case of an invoice; raises `NotFound` if it never had one."""

    def flow(_: Context) -> Flow[DunningCase]:
        cases = yield from Having(DUNNING_CASE, "invoice", invoice)
        if not cases:
            raise NotFound("dunning_case", invoice)
        return cases[-1]

    return Question(flow)


def list_(
    *,
    customer: str | None = None,
    status: str | None = None,
    limit: int = 100,
    after: str | None = None,
) -> Listing[DunningCase]:
    """List cases in the order they began; each filter is an exact match."""
    where = only(customer=customer, status=one_of("status", status, dunning.STATUS.values()))
    return Listing(DUNNING_CASE, where, limit=limit, after=after)


def hold(
    id: str,
    *,
    reason: str,
    until: datetime | None = None,
    at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Command[DunningCase]:
    """Wait with a case, until an instant or until it is released: a promise to pay.

    Raises `InvalidTransition` unless it is running.
    """
    end = None if until is None else aware("until", until).astimezone(UTC)

    def flow(context: Context) -> Flow[Decision]:
        case = yield from Get(DUNNING_CASE, id)
        change = dunning.hold(case, reason=reason, until=end, at=context.at)
        return Decision((change,), about=Ref(DUNNING_CASE, id))

    return Command(DUNNING_CASE, flow, at, idempotency_key)


def release(
    id: str, *, at: datetime | None = None, idempotency_key: str | None = None
) -> Command[DunningCase]:
    """Go on with a held case; the steps that are left come later by the time it was held.

    Raises `InvalidTransition` unless it is held.
    """

    def flow(context: Context) -> Flow[Decision]:
        case = yield from Get(DUNNING_CASE, id)
        change = dunning.release(case, at=context.at)
        return Decision((change,), about=Ref(DUNNING_CASE, id))

    return Command(DUNNING_CASE, flow, at, idempotency_key)


# ---- the next step --------------------------------------------------------------------------


def advance(id: str, context: Context) -> Flow[Decision]:
    """Do what is due for one case: the next step, or stop because nothing is owed any more."""
    case = yield from Get(DUNNING_CASE, id)
    due_at, step = case.due_at, case.upcoming
    if due_at is None or step is None or due_at > context.at:
        return Decision()
    if isinstance(case.state, Held):
        return Decision((dunning.release(case, at=context.at),))
    invoice = yield from Get(invoices.INVOICE, case.invoice)
    if not isinstance(invoice.state, Open):
        stop = dunning.stop(case, reason=f"invoice {invoice.status}", at=context.at)
        return Decision(() if stop is None else (stop,))
    owner = yield from Get(CUSTOMER, case.customer)
    if owner.collection_hold is not None:
        held = dunning.hold(case, reason=ON_HOLD, until=None, at=context.at, with_customer=True)
        return Decision((held,))
    if invoice.collecting is not None:
        # Money may be on its way: nobody who has paid is contacted, and nothing ends.
        return Decision((dunning.postpone(case, until=context.at + WAIT),))
    match step.action:
        case Retry():
            return (yield from _retry(case, invoice, owner, context))
        case Reminder():
            return Decision((dunning.take_step(case, at=context.at),))
        case CancelSubscription():
            return (yield from _cancel(case, invoice, context))
        case MarkUnpaid():
            return (yield from _mark_unpaid(case, invoice, context))
        case MarkUncollectible():
            return (yield from _write_off(case, invoice, context))


def _retry(
    case: DunningCase, invoice: Invoice, owner: Customer, context: Context
) -> Flow[Decision]:
    if invoice.disputed:
        return Decision((dunning.take_step(case, at=context.at, skipped="disputed"),))
    method = yield from collection.method_for(invoice, owner, context)
    if method is None:
        return Decision((dunning.take_step(case, at=context.at, skipped="no usable method"),))
    if collection.is_small(invoice.due_minor, invoice.currency, method.gateway, context):
        return Decision((dunning.take_step(case, at=context.at, skipped="too small to charge"),))
    refusal = yield from retrying.refused(invoice, method, context)
    if refusal is not None:
        return Decision((dunning.postpone(case, until=refusal.until),))
    payment, collecting = collection.collect(invoice, method, context)
    return Decision((dunning.take_step(case, at=context.at), payment, collecting))


def _cancel(case: DunningCase, invoice: Invoice, context: Context) -> Flow[Decision]:
    """End what the invoice is for; what is left to bill stays a draft for a person to look at."""
    decision = Decision((dunning.take_step(case, at=context.at),))
    for id in invoice.subscriptions:
        subscription = yield from Get(SUBSCRIPTION, id)
        if isinstance(subscription.contract, Ended):
            continue
        owner = yield from Get(CUSTOMER, subscription.customer)
        moves = Moves(subscription, owner)
        yield from finish(moves, EndReason.PAYMENT_FAILED, context=context, collect=False)
        decision = join(decision, moves.decision())
    return decision


def _mark_unpaid(case: DunningCase, invoice: Invoice, context: Context) -> Flow[Decision]:
    changes: list[Change] = [dunning.take_step(case, at=context.at)]
    for id in invoice.subscriptions:
        subscription = yield from Get(SUBSCRIPTION, id)
        if isinstance(subscription.collection, PastDue) and (
            lifecycle.MarkUnpaid in lifecycle.ALLOWED[type(subscription.contract)]
        ):
            changes.append(lifecycle.decide(subscription, lifecycle.MarkUnpaid()))
    return Decision(tuple(changes))


def _write_off(case: DunningCase, invoice: Invoice, context: Context) -> Flow[Decision]:
    taken = dunning.take_step(case, at=context.at)
    given_up = invoices.MarkUncollectible("dunning ended without payment", context.at)
    commands: tuple[invoices.Command, ...] = (given_up, EndDunning())
    decided = Decision((taken, invoices.decide(invoice, *commands)))
    clear = ClearPastDue(invoice.id, paid=False)
    for id in invoice.subscriptions:
        decided = yield from clear_debts(id, [clear], context, so_far=decided)
    return decided
