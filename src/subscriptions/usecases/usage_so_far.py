"""What was used so far: of the open periods, within a trial, and the levels that go on.

Nothing is recorded or billed here. What counts in which segment is decided in `usage.segments`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import assert_never

from subscriptions import usage
from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE, Price, model_for
from subscriptions.decisions import Change
from subscriptions.errors import UnknownReference
from subscriptions.frozen import frozen
from subscriptions.ids import MeterId, PriceId, SubscriptionId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Active,
    Contract,
    Ended,
    Incomplete,
    Item,
    Scheduled,
    Subscription,
    Trialing,
)
from subscriptions.money import Money
from subscriptions.usage import METER
from subscriptions.usecases.flows import Context, Flow, Get, Question
from subscriptions.usecases.metering import (
    LateUsage,
    Measured,
    amount,
    carry_level,
    late_amount,
    measure,
)


@frozen
class UsageSummary:
    """What a subscription has used so far of one meter, and what comes with its next invoice.

    `quantity` and `amount` are those of the open `period` until now; `late` is what came for
    earlier periods since the last invoice, and costs `late_amount`. Amounts are those of the price,
    before discounts, minimum and tax. Of the amount, `billed_amount` was billed ahead already. In
    a trial of which the usage is free the period is the trial, and the amount is zero.
    """

    subscription: SubscriptionId
    item: int
    meter: MeterId
    price: PriceId
    period: Period
    since: datetime
    quantity: Decimal
    count: int
    amount: Money
    late: tuple[LateUsage, ...]
    late_amount: Money
    billed_amount: Money


def summary(
    subscription: str, *, meter: str | None = None, at: datetime | None = None
) -> Question[tuple[UsageSummary, ...]]:
    """Return what a subscription has used so far of each of its meters, or of one.

    Nothing is open any more, and the answer is empty, when it has ended. Raises `NotFound` for an
    unknown subscription and `UnknownReference` for a meter that none of its prices bills.
    """

    def flow(context: Context) -> Flow[tuple[UsageSummary, ...]]:
        owner = yield from Get(SUBSCRIPTION, subscription)
        items = [item for item in owner.items if item.meter is not None]
        if meter is not None:
            items = [item for item in items if item.meter == meter]
            if not items:
                raise UnknownReference("meter", meter)
        if isinstance(owner.contract, Ended):
            return ()
        summaries: list[UsageSummary] = []
        for item in items:
            summaries += ((yield from _summary(owner, item, context.at)),)
        return tuple(summaries)

    return Question(flow, at)


def _summary(subscription: Subscription, item: Item, at: datetime) -> Flow[UsageSummary]:
    price = yield from Get(PRICE, item.price)
    model = model_for(price, item.billed)
    currency = subscription.currency
    trial = _free_trial(subscription, price)
    period = item.next_period if trial is None else trial
    since = begin_of(subscription, item) if trial is not None else since_of(subscription, item)
    measured = yield from _measured(subscription, item, period, since, at)
    extra = Money.zero(currency)
    for each in measured.late:
        extra += late_amount(model, each, currency)
    return UsageSummary(
        subscription.id,
        item.number,
        measured.meter.id,
        price.id,
        period,
        since,
        measured.quantity,
        measured.count,
        amount(model, measured.on_time, currency) if trial is None else Money.zero(currency),
        measured.late,
        extra,
        Money(item.usage_billed_minor, currency),
    )


def used_now(subscription: Subscription, item: Item, at: datetime) -> Flow[Decimal]:
    """Return what the meter of an item counted in the billing period that an instant is in.

    A trial counts as one period. What comes late for earlier periods does not count.
    """
    price = yield from Get(PRICE, item.price)
    zone, period, since = subscription.zone, item.next_period, since_of(subscription, item)
    trial = _trial(subscription)
    free = _free_trial(subscription, price)
    if free is not None:
        period, since = free, begin_of(subscription, item)
    elif local_date(at, zone) >= period.end:
        # Nobody has billed yet, but the period is over.
        end = first_instant(period.end, zone)
        period = usage.whole_period(item.cycle, local_date(at, zone))
        since = max(end, first_instant(period.start, zone))
    measured = yield from _measured(subscription, item, period, since, at)
    if trial is None:
        return measured.quantity
    return sum([each.every.quantity for each in measured.late], measured.quantity)


def carry_levels(
    subscription: Subscription, until: datetime, items: Iterable[Item] | None = None
) -> Flow[tuple[Change, ...]]:
    """Return what is to be committed when usage until an instant is free: its levels go on.

    That is for meters that weigh levels with time, of all items or of some: what a customer took in
    a trial, or had when a pause began, he still has after it.
    """
    changes: list[Change] = []
    for item in subscription.items if items is None else items:
        if item.meter is None:
            continue
        meter = yield from Get(METER, item.meter)
        price = yield from Get(PRICE, item.price)
        if _trial(subscription) is None:
            segments = _segments(subscription, item, until)
        elif price.trial_usage_billed:
            # Its invoice does it.
            continue
        else:
            segments = [(begin_of(subscription, item), until)]
        changes += yield from carry_level(
            subscription=subscription.id, meter=meter, segments=segments
        )
    return tuple(changes)


def _segments(
    subscription: Subscription, item: Item, until: datetime
) -> list[tuple[datetime, datetime]]:
    """Return the open segment of an item, and those that follow it until an instant."""
    segments: list[tuple[datetime, datetime]] = []
    begin, period = since_of(subscription, item), item.next_period
    while begin < until:
        end = first_instant(period.end, subscription.zone)
        segments.append((begin, min(end, until)))
        begin, period = end, usage.whole_period(item.cycle, period.end)
    return segments


def _measured(
    subscription: Subscription, item: Item, period: Period, since: datetime, at: datetime
) -> Flow[Measured]:
    """Measure what was used until an instant, of the segment that began at `since`.

    `period` is the last of it, and ends it.
    """
    assert item.meter is not None
    meter = yield from Get(METER, item.meter)
    price = yield from Get(PRICE, item.price)
    whole = usage.whole_period(item.cycle, period.start)
    return (
        yield from measure(
            subscription=subscription.id,
            meter=meter,
            zone=subscription.zone,
            since=since,
            until=max(since, first_instant(period.end, subscription.zone)),
            model=model_for(price, item.billed),
            period=period if period == _trial(subscription) else whole,
            as_of=max(since, at),
        )
    )


def _trial(subscription: Subscription) -> Period | None:
    """Return the trial that a subscription is in, or is to begin with."""
    start, until = subscription.start, billed_from(subscription.contract)
    in_trial = isinstance(subscription.contract, Scheduled | Trialing)
    return Period(start, until) if in_trial and start is not None and start < until else None


def _free_trial(subscription: Subscription, price: Price) -> Period | None:
    return None if price.trial_usage_billed else _trial(subscription)


def billed_from(contract: Contract) -> date:
    """Return the first day that is not a trial's."""
    match contract:
        case Trialing(until=until):
            return until
        case Scheduled(start=start, trial_until=until):
            return until or start
        case Incomplete(since=since) | Active(since=since):
            return since
        case Ended():
            raise AssertionError("usage of what has ended was refused before")
        case other:
            assert_never(other)


def begin_of(subscription: Subscription, item: Item) -> datetime:
    """Return the instant since which usage of an item is taken at all."""
    if subscription.start is None:
        return since_of(subscription, item)
    return first_instant(subscription.start, subscription.zone)


def since_of(subscription: Subscription, item: Item) -> datetime:
    """Return the instant at which the open segment of an item began: before it all is billed."""
    return item.since or first_instant(item.through, subscription.zone)
