"""What follows when an invoice is not paid, and when it is settled after all.

Not paid: its dunning case begins and its subscription is past due. Settled: its cases stop, an
attempt under way is withdrawn, its subscription recovers, and what was only drafted is invoiced.
"""

from __future__ import annotations

from collections.abc import Sequence

from subscriptions import dunning, invoices, lifecycle, payments
from subscriptions.customers import CUSTOMER
from subscriptions.decisions import Change, Decision, in_turn, join, left_by
from subscriptions.dunning import DEFAULT_POLICY, DUNNING_CASE, DUNNING_POLICY
from subscriptions.frozen import frozen
from subscriptions.ids import SubscriptionId
from subscriptions.invoices import EndDunning, Invoice, StartDunning
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Activate,
    ClearPastDue,
    Current,
    Incomplete,
    MarkPastDue,
    Subscription,
    Unpaid,
)
from subscriptions.payments import PAYMENT
from subscriptions.records import Ref
from subscriptions.usecases import collection
from subscriptions.usecases.flows import Context, Flow, Get, Having, Maybe


@frozen
class Failing:
    """An open invoice that failed, and what is done to it before that, in the same change.

    `retries` are the days on which it is charged again; None for those of the policy. What is
    disputed is never charged again by itself.
    """

    invoice: Invoice
    commands: Sequence[invoices.Command] = ()
    retries: Sequence[int] | None = None


def open_case(
    invoice: Invoice, commands: Sequence[invoices.Command], *, context: Context
) -> Flow[Decision]:
    """Decide that an open invoice failed: its case begins, its subscription is past due.

    `commands` are done to the invoice before that, in the same change. While nothing is collected
    of its customer it only waits for that to be over.
    """
    owner = yield from Get(CUSTOMER, invoice.customer)
    if owner.collection_hold is not None:
        waits = collection.held_back(invoice)
        return Decision((invoices.decide(invoice, *commands, *waits),))
    return (yield from open_cases(Failing(invoice, commands), context=context))


def open_cases(*failing: Failing, context: Context) -> Flow[Decision]:
    """Decide that open invoices failed, each as `open_case` does."""
    stored = yield from Maybe(DUNNING_POLICY, DEFAULT_POLICY.name)
    changes: list[Change] = []
    past_due: dict[SubscriptionId, list[lifecycle.Command]] = {}
    for each in failing:
        invoice = each.invoice
        failed = invoices.decide(invoice, *each.commands, StartDunning())
        after = failed.after
        assert isinstance(after, Invoice)
        policy = DEFAULT_POLICY if stored is None else stored.policy
        retries = () if after.disputed else each.retries
        started = dunning.start(
            policy if retries is None else policy.retried_on(retries),
            tenant=context.tenant,
            customer=invoice.customer,
            invoice=invoice.id,
            subscription=invoice.subscription,
            attempt=invoice.attempts,
            at=context.at,
            reopened=after.reopened,
        )
        changes += (failed, started)
        for id in invoice.subscriptions:
            past_due.setdefault(id, []).append(MarkPastDue(invoice.id))
    for id, commands in past_due.items():
        subscription = yield from Get(SUBSCRIPTION, id)
        if MarkPastDue in lifecycle.ALLOWED[type(subscription.contract)]:
            changes.append(lifecycle.decide(subscription, *commands))
    return Decision(tuple(changes))


def close_cases(
    *settled: Change,
    reason: str,
    context: Context,
    paid: bool = False,
    besides: SubscriptionId | None = None,
) -> Flow[Decision]:
    """Decide what follows when invoices are settled: cases stop, subscriptions recover.

    An attempt that is still under way is withdrawn: nobody pays twice. `settled` are the changes
    that settle the invoices; the rest is added. It is about the first invoice. Whoever decides
    about a subscription himself names it in `besides`: it is left to him.
    """
    changes: tuple[Change, ...] = ()
    cleared: dict[SubscriptionId, tuple[lifecycle.Command, ...]] = {}
    for decided in settled:
        invoice = decided.after
        assert isinstance(invoice, Invoice)
        if invoice.collecting is not None:
            attempt = yield from Get(PAYMENT, invoice.collecting)
            withdrawn = payments.withdraw(attempt, at=context.at)
            changes += () if withdrawn is None else (withdrawn,)
        if invoice.activates and paid:
            for id in invoice.subscriptions:
                cleared[id] = (*cleared.get(id, ()), Activate())
        if not invoice.dunning:
            changes += (decided,)
            continue
        ended = invoices.decide(invoice, EndDunning())
        events = (*decided.events, *ended.events)
        changes += (Change(decided.kind, decided.before, ended.after, events),)
        cases = yield from Having(DUNNING_CASE, "invoice", invoice.id)
        stops = [dunning.stop(case, reason=reason, at=context.at) for case in cases]
        changes += tuple(stop for stop in stops if stop is not None)
        for id in invoice.subscriptions:
            clear = ClearPastDue(invoice.id, paid=paid)
            cleared[id] = (*cleared.get(id, ()), clear)
    decision = Decision(changes)
    if besides is not None:
        cleared.pop(besides, None)
    for id, commands in cleared.items():
        decision = yield from clear_debts(id, commands, context, so_far=decision)
    about = Ref(settled[0].kind, settled[0].after.id) if settled else None
    return join(decision, about=about)


def clear_debts(
    id: SubscriptionId,
    commands: Sequence[lifecycle.Command],
    context: Context,
    *,
    so_far: Decision,
) -> Flow[Decision]:
    """Decide that debts of a subscription are settled; then what was only drafted is invoiced.

    Commands that mean nothing to it any more, such as for a debt that it does not know, are left
    out. It is decided with what is decided `so_far`: drafts of several subscriptions use one
    balance, one after the other.
    """
    subscription = yield from Get(SUBSCRIPTION, id)
    known = [command for command in commands if _matters(command, subscription)]
    if not known:
        return so_far
    change = lifecycle.decide(subscription, *known)
    after = change.after
    assert isinstance(after, Subscription)
    was_unpaid = isinstance(subscription.collection, Unpaid)
    if not was_unpaid or not isinstance(after.collection, Current):
        return join(so_far, Decision((change,)), about=so_far.about)
    owner = left_by(so_far, (yield from Get(CUSTOMER, subscription.customer)))
    issued = yield from collection.issue_drafts(id, owner, context)
    return in_turn(so_far, join(Decision((change,)), issued))


def _matters(command: lifecycle.Command, subscription: Subscription) -> bool:
    if isinstance(command, Activate):
        return isinstance(subscription.contract, Incomplete)
    state = subscription.collection
    if isinstance(state, Current):
        return False
    return isinstance(command, ClearPastDue) and command.invoice in state.invoices
