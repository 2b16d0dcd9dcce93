"""What commands make of a subscription: the events, where the state allows the command.

Nothing here reads a clock: `on` and `at` are arguments. What a change costs is decided in
`changing`, what a period costs in `charges`; the commands bring the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import assert_never

from subscriptions.billing_cycles import first_instant, local_date
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.lifecycle.applying import apply, is_of
from subscriptions.lifecycle.commands import (
    ALLOWED,
    Activate,
    AnnounceChange,
    AnswerSurvey,
    ApplyCoupon,
    AwaitPayment,
    Begin,
    BillPeriods,
    BillUsage,
    Cancel,
    ChangeItems,
    CheckUsage,
    ClearPastDue,
    Command,
    End,
    EndTrial,
    MarkPastDue,
    MarkUnpaid,
    MoveTrialEnd,
    PauseNow,
    Reactivate,
    RemoveCoupon,
    Resume,
    ScheduleChange,
    SetCatchUp,
    SetEnd,
    SetPayment,
    SkipPeriods,
    Transfer,
    UndoCancel,
    WithdrawChanges,
)
from subscriptions.lifecycle.events import (
    CancellationScheduled,
    CancellationWithdrawn,
    CatchUpSet,
    ChangeScheduled,
    CouponApplied,
    CouponRemoved,
    EndSet,
    Event,
    FirstPaymentAwaited,
    PeriodsSkipped,
    PlannedChangeAnnounced,
    ScheduledChangesWithdrawn,
    SubscriptionActivated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDebtWrittenOff,
    SubscriptionEnded,
    SubscriptionPastDue,
    SubscriptionPaused,
    SubscriptionPaymentSet,
    SubscriptionReactivated,
    SubscriptionRecovered,
    SubscriptionRenewed,
    SubscriptionResumed,
    SubscriptionStarted,
    SubscriptionTransferred,
    SubscriptionUnpaid,
    SurveyAnswered,
    TrialEnded,
    TrialEndMoved,
    TrialStarted,
    UsageBilled,
    UsageCheckScheduled,
)
from subscriptions.lifecycle.instead import instead_of
from subscriptions.lifecycle.items import Item
from subscriptions.lifecycle.subscription import (
    SUBSCRIPTION,
    Active,
    Current,
    Ended,
    Incomplete,
    PastDue,
    Scheduled,
    Subscription,
    Trialing,
)
from subscriptions.records import plain_text


def create(subscription: Subscription, *, start: date) -> Change:
    """Decide to make a contract; `subscription` is at version 1."""
    event = SubscriptionCreated(subscription.id, subscription.customer, start)
    return created(SUBSCRIPTION, subscription, event)


def decide(subscription: Subscription, *commands: Command) -> Change:
    """Decide what the commands, in order, make of the subscription.

    Raises `InvalidTransition` if the state does not allow one of them; then nothing happens.
    """
    after, events = carry_out(subscription, *commands)
    return changed(SUBSCRIPTION, subscription, after, *events)


def carry_out(
    subscription: Subscription, *commands: Command
) -> tuple[Subscription, tuple[object, ...]]:
    """Return what the commands, in order, make of the subscription, and the events that say so.

    Raises `InvalidTransition` if the state does not allow one of them.
    """
    after = subscription
    events: list[object] = []
    for command in commands:
        if type(command) not in ALLOWED[type(after.contract)]:
            raise refused(after, command)
        event = _event(after, command)
        after = apply(after, event)
        events.append(event)
    return after, tuple(events)


def end_of_paid_time(
    subscription: Subscription, *, at: datetime, items: Sequence[Item] = ()
) -> date:
    """Return the day on which a cancellation "at period end" takes effect.

    That is the end of the present periods, and of what is billed already; during a trial the day
    the trial ends; before the start, the start: what was paid for is given, and no further period
    begins. With `items` it is the end of theirs.
    """
    match subscription.contract:
        case Scheduled(start=start):
            return start
        case Trialing(until=until):
            return until
        case Active() | Incomplete():
            today = local_date(at, subscription.zone)
            return max(_end_of_period(item, today) for item in items or subscription.items)
        case Ended():
            raise refused(subscription, Cancel(local_date(at, subscription.zone)))
        case other:
            assert_never(other)


def _end_of_period(item: Item, today: date) -> date:
    # What is paid for ahead ends when it ends; else the period that today is in does.
    if not item.arrears and item.through > today:
        return item.through
    period = item.next_period
    return period.end if today < period.end else item.cycle.period_containing(today).end


def check_end(subscription: Subscription, *, at: datetime) -> None:
    """Raise `ValidationError` for an end before the subscription began."""
    contract = subscription.contract
    if isinstance(contract, Active) and at < first_instant(contract.since, subscription.zone):
        raise ValidationError("at", at, f"not before it began, on {contract.since}")


def refused(subscription: Subscription, command: Command) -> InvalidTransition:
    """Return the error for a command that the state does not allow."""
    return InvalidTransition(
        f"subscription {subscription.id}",
        subscription.status,
        type(command).__name__,
        instead_of(subscription, command),
    )


def _event(  # noqa: PLR0915 - one case each
    sub: Subscription, command: Command
) -> Event:
    id, customer = sub.id, sub.customer
    match command:
        case BillPeriods():
            return SubscriptionRenewed(
                id,
                customer,
                command.items,
                command.periods,
                command.amounts,
                command.invoice,
                command.debits,
                command.discounts,
                command.first_line,
            )
        case Begin():
            contract = sub.contract
            assert isinstance(contract, Scheduled)
            if contract.trial_until is not None:
                return TrialStarted(id, customer, contract.trial_until)
            return SubscriptionStarted(id, customer, contract.start)
        case EndTrial(billed=billed):
            contract = sub.contract
            assert isinstance(contract, Trialing)
            return TrialEnded(id, customer, contract.until, billed)
        case MoveTrialEnd(until=until):
            return TrialEndMoved(id, customer, until)
        case SkipPeriods(items=items, until=until):
            return PeriodsSkipped(id, customer, items, until)
        case BillUsage(items=items, billed=billed, invoice=invoice):
            return UsageBilled(id, customer, items, billed, invoice)
        case CheckUsage(at=at):
            return UsageCheckScheduled(id, customer, at)
        case ChangeItems():
            return SubscriptionChanged(
                id,
                customer,
                command.at,
                command.items,
                command.debits,
                command.pending,
                command.cause,
                command.invoice,
                command.planned,
                command.first_line,
                command.places,
            )
        case ScheduleChange(planned=planned):
            return ChangeScheduled(id, customer, planned)
        case AnnounceChange(planned=planned, before=before, after=after):
            if planned not in sub.schedule:
                raise refused(sub, command)
            return PlannedChangeAnnounced(id, customer, planned, before, after)
        case WithdrawChanges(cause=cause):
            if not any(is_of(each, cause) for each in sub.schedule):
                raise refused(sub, command)
            return ScheduledChangesWithdrawn(id, customer, cause)
        case ApplyCoupon(applied=applied):
            return CouponApplied(id, customer, applied)
        case RemoveCoupon(coupon=coupon):
            if all(each.coupon != coupon for each in sub.discounts):
                raise refused(sub, command)
            return CouponRemoved(id, customer, coupon)
        case AwaitPayment(invoice=invoice, until=until):
            return FirstPaymentAwaited(id, customer, invoice, until)
        case Activate():
            return SubscriptionActivated(id, customer)
        case PauseNow(pause=pause):
            if sub.pause is not None and not command.replaces:
                raise refused(sub, command)
            return SubscriptionPaused(id, customer, pause)
        case Resume(on=on, at=at):
            if sub.pause is None:
                raise refused(sub, command)
            return SubscriptionResumed(id, customer, on, at)
        case Cancel():
            plain_text("reason", command.reason, empty=True)
            return CancellationScheduled(
                id, customer, command.on, command.reason, command.settlement
            )
        case UndoCancel():
            if sub.cancellation is None:
                raise refused(sub, command)
            return CancellationWithdrawn(id, customer)
        case End():
            plain_text("reason", command.explanation, empty=True)
            return SubscriptionEnded(
                id,
                customer,
                command.at,
                command.reason,
                command.explanation,
                command.invoice,
                command.credited_from,
            )
        case Reactivate(items=items, on=on):
            return SubscriptionReactivated(id, customer, items, on)
        case Transfer(customer=to, zone=zone):
            return SubscriptionTransferred(id, customer, to, zone)
        case SetEnd(on=end):
            return EndSet(id, customer, end)
        case SetCatchUp(policy=policy, periods_max=periods_max):
            return CatchUpSet(id, customer, policy, periods_max)
        case SetPayment(payment_method=method, collection_method=how):
            return SubscriptionPaymentSet(id, customer, method, how)
        case AnswerSurvey(answer=answer, comment=comment):
            plain_text("answer", answer, length_max=200)
            plain_text("comment", comment, length_max=5000, empty=True)
            return SurveyAnswered(id, customer, answer, comment)
        case MarkPastDue(invoice=invoice):
            return SubscriptionPastDue(id, customer, invoice)
        case ClearPastDue(invoice=invoice, paid=paid):
            if isinstance(sub.collection, Current) or invoice not in sub.collection.invoices:
                raise refused(sub, command)
            left = len(sub.collection.invoices) - 1
            if paid:
                return SubscriptionRecovered(id, customer, invoice, left)
            return SubscriptionDebtWrittenOff(id, customer, invoice, left)
        case MarkUnpaid():
            if not isinstance(sub.collection, PastDue):
                raise refused(sub, command)
            return SubscriptionUnpaid(id, customer)
        case other:
            assert_never(other)
