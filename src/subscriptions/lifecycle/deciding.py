"""What commands make of a subscription: events, and the state that they fold into.

Nothing here reads a clock: `on` and `at` are arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import assert_never

from subscriptions.billing_cycles import first_instant, local_date
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import InvoiceId
from subscriptions.lifecycle.commands import (
    ALLOWED,
    Begin,
    BillPeriods,
    Cancel,
    ClearPastDue,
    Command,
    End,
    EndTrial,
    MarkPastDue,
    MarkUnpaid,
    UndoCancel,
)
from subscriptions.lifecycle.events import (
    CancellationScheduled,
    CancellationWithdrawn,
    Event,
    SubscriptionCreated,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionUnpaid,
    TrialEnded,
    TrialStarted,
)
from subscriptions.lifecycle.subscription import (
    SUBSCRIPTION,
    Active,
    Cancellation,
    Collection,
    Current,
    Ended,
    EndReason,
    Item,
    PastDue,
    Scheduled,
    Subscription,
    Trialing,
    Unpaid,
)
from subscriptions.records import evolve, plain_text


def create(subscription: Subscription, *, start: date) -> Change:
    """Decide to make a contract; `subscription` is at version 1."""
    event = SubscriptionCreated(subscription.id, subscription.customer, start)
    return created(SUBSCRIPTION, subscription, event)


def decide(subscription: Subscription, *commands: Command) -> Change:
    """Decide what the commands, in order, make of the subscription.

    Raises `InvalidTransition` if the state does not allow one of them; then nothing happens.
    """
    after = subscription
    events: list[object] = []
    for command in commands:
        if type(command) not in ALLOWED[type(after.contract)]:
            raise _refused(after, command)
        event = _event(after, command)
        after = apply(after, event)
        events.append(event)
    return changed(SUBSCRIPTION, subscription, after, *events)


def next_commands(subscription: Subscription, *, at: datetime) -> tuple[Command, ...]:
    """Return what is due at `at`, in order; nothing if it is not due yet."""
    contract, cancellation = subscription.contract, subscription.cancellation
    due_at, on = subscription.due_at, subscription.due_day
    if isinstance(contract, Ended) or due_at is None or on is None or due_at > at:
        return ()
    if cancellation is not None and cancellation.on <= on:
        return (End(due_at, EndReason.CANCELED),)
    match contract:
        case Scheduled(trial_until=None):
            return Begin(), BillPeriods(on)
        case Scheduled():
            return (Begin(),)
        case Trialing():
            return EndTrial(), BillPeriods(on)
        case Active():
            return (BillPeriods(on),)
        case other:
            assert_never(other)


def end_of_paid_time(subscription: Subscription, *, at: datetime) -> date:
    """Return the day on which a cancellation "at period end" takes effect.

    That is the end of the present periods, and of what is billed already; during a trial the day
    the trial ends; before the start, the start: what was paid for is given, and no further period
    begins.
    """
    match subscription.contract:
        case Scheduled(start=start):
            return start
        case Trialing(until=until):
            return until
        case Active():
            today = local_date(at, subscription.zone)
            return max(_end_of_period(item, today) for item in subscription.items)
        case Ended():
            raise _refused(subscription, Cancel(local_date(at, subscription.zone)))
        case other:
            assert_never(other)


def _end_of_period(item: Item, today: date) -> date:
    if item.billed_through > today:
        return item.billed_through
    return item.cycle.period_containing(today).end


def check_end(subscription: Subscription, *, at: datetime) -> None:
    """Raise `ValidationError` for an end before the subscription began."""
    contract = subscription.contract
    if isinstance(contract, Active) and at < first_instant(contract.since, subscription.zone):
        raise ValidationError("at", at, f"not before it began, on {contract.since}")


def _refused(subscription: Subscription, command: Command) -> InvalidTransition:
    return InvalidTransition(
        f"subscription {subscription.id}", subscription.status, type(command).__name__
    )


def _event(sub: Subscription, command: Command) -> Event:
    id, customer = sub.id, sub.customer
    match command:
        case BillPeriods(on=on):
            return _bill(sub, on)
        case Begin():
            contract = sub.contract
            assert isinstance(contract, Scheduled)
            if contract.trial_until is not None:
                return TrialStarted(id, customer, contract.trial_until)
            return SubscriptionStarted(id, customer, contract.start)
        case EndTrial():
            contract = sub.contract
            assert isinstance(contract, Trialing)
            return TrialEnded(id, customer, contract.until)
        case Cancel(on=on, reason=reason):
            plain_text("reason", reason, empty=True)
            return CancellationScheduled(id, customer, on, reason)
        case UndoCancel():
            if sub.cancellation is None:
                raise _refused(sub, command)
            return CancellationWithdrawn(id, customer)
        case End(at=at, reason=reason):
            return SubscriptionEnded(id, customer, at, reason)
        case MarkPastDue(invoice=invoice):
            return SubscriptionPastDue(id, customer, invoice)
        case ClearPastDue(invoice=invoice, paid=paid):
            if isinstance(sub.collection, Current) or invoice not in sub.collection.invoices:
                raise _refused(sub, command)
            left = len(sub.collection.invoices) - 1
            if paid:
                return SubscriptionRecovered(id, customer, invoice, left)
            return SubscriptionDebtWrittenOff(id, customer, invoice, left)
        case MarkUnpaid():
            if not isinstance(sub.collection, PastDue):
                raise _refused(sub, command)
            return SubscriptionUnpaid(id, customer)
        case other:
            assert_never(other)


def _bill(sub: Subscription, on: date) -> SubscriptionRenewed:
    due = [i for i, item in enumerate(sub.items) if item.billed_through <= on]
    if not due:
        raise _refused(sub, BillPeriods(on))
    return SubscriptionRenewed(
        sub.id, sub.customer, tuple(due), tuple(sub.items[i].next_period for i in due)
    )


def apply(sub: Subscription, event: Event) -> Subscription:
    """Return the state after an event: the only place where a subscription changes."""
    version = sub.version + 1
    match event:
        case SubscriptionRenewed(items=renewed):
            items = tuple(
                Item(item.price, item.quantity, item.cycle, item.next_index + 1)
                if i in renewed
                else item
                for i, item in enumerate(sub.items)
            )
            return evolve(sub, items=items, version=version)
        case SubscriptionStarted(on=on) | TrialEnded(on=on):
            return evolve(sub, contract=Active(on), version=version)
        case TrialStarted(until=until):
            return evolve(sub, contract=Trialing(until), version=version)
        case CancellationScheduled(on=on, reason=reason):
            return evolve(sub, cancellation=Cancellation(on, reason), version=version)
        case CancellationWithdrawn():
            return evolve(sub, cancellation=None, version=version)
        case SubscriptionEnded(at=at, reason=reason):
            return evolve(sub, contract=Ended(at, reason), cancellation=None, version=version)
        case SubscriptionPastDue(invoice=invoice):
            return evolve(sub, collection=_with(sub.collection, invoice), version=version)
        case SubscriptionRecovered(invoice=invoice) | SubscriptionDebtWrittenOff(invoice=invoice):
            return evolve(sub, collection=_without(sub.collection, invoice), version=version)
        case SubscriptionUnpaid():
            assert isinstance(sub.collection, PastDue)
            return evolve(sub, collection=Unpaid(sub.collection.invoices), version=version)
        case SubscriptionCreated():
            return sub
        case other:
            assert_never(other)


def _with(collection: Collection, invoice: InvoiceId) -> Collection:
    match collection:
        case Current():
            return PastDue((invoice,))
        case PastDue(invoices=invoices):
            return collection if invoice in invoices else PastDue((*invoices, invoice))
        case Unpaid(invoices=invoices):
            return collection if invoice in invoices else Unpaid((*invoices, invoice))
        case other:
            assert_never(other)


def _without(collection: Collection, invoice: InvoiceId) -> Collection:
    if isinstance(collection, Current):
        return collection
    left = tuple(each for each in collection.invoices if each != invoice)
    rebuilt: Callable[[tuple[InvoiceId, ...]], Collection] = type(collection)
    return rebuilt(left) if left else Current()
