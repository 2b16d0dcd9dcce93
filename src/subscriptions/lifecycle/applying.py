"""What events make of a subscription: the state that they fold into.

`deciding` says which events a command makes; replaying those of a subscription gives its state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import assert_never

from subscriptions.billing_cycles import BillingCycle, first_instant
from subscriptions.ids import InvoiceId, PriceId
from subscriptions.lifecycle.charges import after_period
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
from subscriptions.lifecycle.items import Debit, FirstStub, Item, Planned
from subscriptions.lifecycle.new_items import counted_from, with_stub
from subscriptions.lifecycle.stretches import is_behind, open_since, past_of_period, past_until
from subscriptions.lifecycle.subscription import (
    Active,
    Cancellation,
    Collection,
    Current,
    Ended,
    Incomplete,
    PastDue,
    Subscription,
    Survey,
    Trialing,
    Unpaid,
)
from subscriptions.records import evolve
from subscriptions.usage import Stretch, StretchKind


def apply(  # noqa: PLR0915 - one case each
    sub: Subscription, event: Event
) -> Subscription:
    """Return the state after an event: the only place where a subscription changes."""
    version = sub.version + 1
    match event:
        case SubscriptionRenewed():
            return _renewed(sub, event)
        case SubscriptionStarted(on=on):
            return evolve(sub, contract=Active(on), version=version)
        case TrialEnded(on=on, billed=billed):
            items = tuple(_after_trial(item, sub.zone, billed) for item in sub.items)
            return evolve(sub, contract=Active(on), items=items, version=version)
        case TrialStarted(until=until):
            return evolve(sub, contract=Trialing(until), version=version)
        case TrialEndMoved(until=until):
            return _with_trial_until(sub, until)
        case PeriodsSkipped(items=skipped, until=until):
            items = _billed_from(sub, until, skipped, first_instant(until, sub.zone))
            return evolve(sub, items=items, version=version)
        case UsageBilled(items=numbers, billed=billed):
            sums = {number: each.minor for number, each in zip(numbers, billed, strict=True)}
            items = tuple(
                evolve(item, usage_billed_minor=sums.get(item.number, item.usage_billed_minor))
                for item in sub.items
            )
            return evolve(sub, items=items, usage_check_at=None, version=version)
        case UsageCheckScheduled(at=at):
            return evolve(sub, usage_check_at=at, version=version)
        case SubscriptionChanged():
            return _changed(sub, event)
        case ChangeScheduled(planned=planned):
            schedule = sorted((*sub.schedule, planned), key=lambda each: each.on)
            return evolve(sub, schedule=tuple(schedule), version=version)
        case PlannedChangeAnnounced(planned=planned):
            place = sub.schedule.index(planned)
            told = evolve(planned, announce_on=None)
            schedule = [*sub.schedule[:place], told, *sub.schedule[place + 1 :]]
            return evolve(sub, schedule=tuple(schedule), version=version)
        case ScheduledChangesWithdrawn(cause=cause):
            left = tuple(each for each in sub.schedule if not is_of(each, cause))
            return evolve(sub, schedule=left, version=version)
        case CouponApplied(applied=applied):
            return evolve(sub, discounts=(*sub.discounts, applied), version=version)
        case CouponRemoved(coupon=coupon):
            kept = tuple(each for each in sub.discounts if each.coupon != coupon)
            return evolve(sub, discounts=kept, version=version)
        case FirstPaymentAwaited(invoice=invoice, until=at):
            assert isinstance(sub.contract, Active | Incomplete)
            contract = Incomplete(sub.contract.since, invoice, at)
            return evolve(sub, contract=contract, version=version)
        case SubscriptionActivated():
            assert isinstance(sub.contract, Incomplete)
            return evolve(sub, contract=Active(sub.contract.since), version=version)
        case SubscriptionPaused(pause=pause):
            return evolve(sub, pause=pause, version=version)
        case SubscriptionResumed(on=on, at=at):
            return _resumed(sub, on, at or first_instant(on, sub.zone))
        case CancellationScheduled():
            cancellation = Cancellation(event.on, event.reason, event.settlement)
            return evolve(sub, cancellation=cancellation, version=version)
        case CancellationWithdrawn():
            return evolve(sub, cancellation=None, version=version)
        case SubscriptionEnded(at=at, reason=reason, credited_from=day):
            items = sub.items
            if day is not None:
                items = tuple(evolve(each, through=min(each.through, day)) for each in items)
            return evolve(
                sub,
                contract=Ended(at, reason),
                items=items,
                debits=(),
                places=(),
                cancellation=None,
                pending=(),
                schedule=(),
                usage_check_at=None,
                version=version,
            )
        case SubscriptionReactivated(items=items, on=on):
            return evolve(
                sub,
                contract=Active(on),
                items=items,
                pause=None,
                ends_on=None,
                last_item=_last_item(sub, items),
                version=version,
            )
        case SubscriptionTransferred(to=to, zone=zone):
            # What the one before paid by is not the new one's.
            return evolve(sub, customer=to, zone=zone, payment_method=None, version=version)
        case EndSet(on=end):
            return evolve(sub, ends_on=end, version=version)
        case CatchUpSet(policy=policy, periods_max=periods_max):
            return evolve(sub, catch_up=policy, catch_up_max=periods_max, version=version)
        case SubscriptionPaymentSet(payment_method=method, collection_method=how):
            return evolve(sub, payment_method=method, collection_method=how, version=version)
        case SurveyAnswered(answer=answer, comment=comment):
            return evolve(sub, survey=Survey(answer, comment), version=version)
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


def _renewed(sub: Subscription, event: SubscriptionRenewed) -> Subscription:
    items = list(sub.items)
    billed = zip(event.items, event.periods, event.amounts, strict=True)
    for number, period, amount_minor in billed:
        place = 0 if items[0].number == number else _place(items, number)
        item = items[place]
        items[place] = Item(
            item.price,
            item.quantity,
            item.cycle,
            period.end,
            number,
            item.billed + 1,
            item.arrears,
            item.meter,
            None if item.meter is None else first_instant(period.end, sub.zone),
            last_minor=amount_minor,
            had=item.had,
            free=item.free,
            past=item.past if item.meter is None else past_of_period(item, period, sub.zone),
            # A stub that was charged in full is what a change within it is measured by.
            first_stub=item.first_stub if item.billed == 0 else FirstStub.PRORATED,
        )
    # What is over can be credited no more. A period ends, at the latest, when the next is billed.
    today = min(event.periods).start
    kept = [each for each in sub.debits if each.whole.end > today]
    debits = (*kept, *event.debits) if kept else event.debits
    discounts = after_period(sub.discounts, event.discounts)
    invoice = event.invoice
    return evolve(
        sub,
        items=tuple(items),
        debits=debits
        if invoice is None or not sub.pending
        else on_invoice(debits, invoice, event.first_line),
        pending=sub.pending if invoice is None else (),
        discounts=discounts,
        version=sub.version + 1,
    )


def _place(items: Sequence[Item], number: int) -> int:
    return [item.number for item in items].index(number)


def on_invoice(debits: Iterable[Debit], invoice: InvoiceId, first_line: int) -> tuple[Debit, ...]:
    """Return the debits after what was pending went on an invoice, from a line on."""
    return tuple(
        [
            evolve(each, invoice=invoice, line=first_line + each.line)
            if each.invoice is None
            else each
            for each in debits
        ]
    )


def _changed(sub: Subscription, event: SubscriptionChanged) -> Subscription:
    debits, pending = event.debits, event.pending
    if event.invoice is not None:
        debits, pending = on_invoice(debits, event.invoice, event.first_line), ()
    return evolve(
        sub,
        items=event.items,
        debits=debits,
        places=event.places,
        pending=pending,
        schedule=_without_first(sub.schedule, event.cause) if event.planned else sub.schedule,
        last_item=_last_item(sub, event.items),
        gone=_gone(sub, event.items),
        version=sub.version + 1,
    )


def _gone(sub: Subscription, items: Iterable[Item]) -> tuple[PriceId, ...]:
    """Return the prices that a subscription has had, with those of items that go."""
    numbers = {item.number for item in items}
    removed = [item for item in sub.items if item.number not in numbers]
    if not removed:
        return sub.gone
    prices = [item.price for item in removed]
    prices += [had.price for item in removed for had in item.had]
    return tuple(dict.fromkeys([*sub.gone, *prices]))


def _last_item(sub: Subscription, items: Iterable[Item]) -> int:
    return max(sub.last_item, *[item.number for item in items])


def _without_first(schedule: tuple[Planned, ...], cause: str) -> tuple[Planned, ...]:
    """Leave out the first of a cause: what bills in arrears goes over after the bills of its day.

    So a planned change of another cause may be carried out before it.
    """
    first = next(
        (place for place, each in enumerate(schedule) if each.cause == cause), len(schedule)
    )
    return (*schedule[:first], *schedule[first + 1 :])


def is_of(planned: Planned, cause: str | None) -> bool:
    """Return whether something planned has a cause; any has, where none is asked for."""
    return cause is None or planned.cause == cause


def _with_trial_until(sub: Subscription, until: date) -> Subscription:
    """Count from the new end of the trial what was counted from the old one.

    A fixed term and phases are as long as they were, so what ends or follows them moves along.
    """
    contract = sub.contract
    assert isinstance(contract, Trialing)
    items = tuple(_first_billed(item, contract.until, until, sub.zone) for item in sub.items)

    def moved(day: date) -> date:
        for before, after in zip(sub.items, items, strict=True):
            index = before.cycle.index_of(day)
            if before.cycle.start(index) == day:
                count = index - _first_whole(before.cycle, contract.until)
                return after.cycle.start(_first_whole(after.cycle, until) + count)
        return day + (until - contract.until)

    schedule = [
        evolve(each, on=moved(each.on)) if each.cause in _FOLLOWS_TRIAL else each
        for each in sub.schedule
    ]
    return evolve(
        sub,
        contract=Trialing(until),
        items=items,
        ends_on=None if sub.ends_on is None else moved(sub.ends_on),
        schedule=tuple(sorted(schedule, key=lambda each: each.on)),
        version=sub.version + 1,
    )


def _first_billed(item: Item, before: date, first: date, zone: str) -> Item:
    """Return an item of which nothing is billed, once its first billed day is another one."""
    cycle, next_end = counted_from(item, before, first)
    after = evolve(item, cycle=cycle, through=first, next_end=next_end, free=())
    return with_stub(after, item.first_stub, zone)


def _after_trial(item: Item, zone: str, billed: Sequence[int]) -> Item:
    """Return an item of which the trial is over: what was used in it is free or owed."""
    if item.meter is None:
        return item
    kind = StretchKind.TRIAL if item.number in billed else StretchKind.FREE
    return evolve(item, past=(Stretch(open_since(item, zone), item.cycle, kind),))


_FOLLOWS_TRIAL = frozenset({"phase", "term"})


def _first_whole(cycle: BillingCycle, day: date) -> int:
    """Return the index of the first period that begins on a day or after it."""
    index = cycle.index_of(day)
    return index if cycle.start(index) == day else index + 1


def _resumed(sub: Subscription, on: date, at: datetime) -> Subscription:
    items = sub.items
    if sub.pause is not None and not sub.pause.invoice:
        late = [item.number for item in items if is_behind(item, on, at, sub.zone)]
        items = _billed_from(sub, on, late, at)
    return evolve(sub, pause=None, items=items, version=sub.version + 1)


def _billed_from(
    sub: Subscription, day: date, numbers: Iterable[int], since: datetime
) -> tuple[Item, ...]:
    """Return the items such that these are billed from a day on: a stub, if it is in a period.

    What is used is billed since an instant of that day.
    """
    moved = set(numbers)
    items: list[Item] = []
    for item in sub.items:
        if item.number not in moved:
            items.append(item)
            continue
        after = evolve(
            item,
            through=day,
            next_end=None if item.next_end is None or item.next_end <= day else item.next_end,
            since=None,
            usage_billed_minor=0,
        )
        if item.meter is not None:
            past = past_until(item, since, StretchKind.FREE, sub.zone)
            after = evolve(after, since=since, past=past)
        items.append(after)
    return tuple(items)


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
