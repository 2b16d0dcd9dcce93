"""What was used so far: of the open periods, within a trial, and the levels that go on.

Nothing is recorded or billed here. What counts in which segment is decided in `usage.segments`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from subscriptions import usage
from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.catalog import PRICE, model_for
from subscriptions.decisions import Change
from subscriptions.errors import UnknownReference
from subscriptions.frozen import frozen
from subscriptions.ids import MeterId, PriceId, SubscriptionId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    Ended,
    Item,
    Subscription,
    billed_before,
    history_after_trial,
    history_of,
    is_free,
    trial_of,
)
from subscriptions.money import Money
from subscriptions.records import evolve
from subscriptions.usage import METER, History, Segment
from subscriptions.usecases.flows import Context, Flow, Get, GetMany, Question
from subscriptions.usecases.metering import (
    LateUsage,
    Measured,
    amount,
    carry_level,
    late_amount,
    measure,
    measure_again,
)

_DAY = timedelta(days=1)


@frozen
class UsageSummary:
    """What a subscription has used so far of one meter, and what comes with its next invoice.

    `quantity` and `amount` are those of the open `period` until now; `late` is what came for
    earlier periods since the last invoice, and costs `late_amount`. Amounts are those of the price,
    before discounts, minimum and tax. Of the amount, `billed_amount` was billed ahead already. In
    a trial of which the usage is free the period is the trial, and the amount is zero, as it is in
    a first stub that is free.

    At an instant in an earlier period it is that period until then, with what came late for it; its
    `billed_amount` is what of that is billed by now, and `late` is empty.
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

    That is in the period that `at` is in, by default the open one; a meter that it was not billed
    by at that time is left out. Nothing is open any more, and the answer is empty, when it has
    ended. Raises `NotFound` for an
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
            history = history_of(owner, item)
            if context.at >= history.since or trial_of(owner) is not None:
                summaries.append((yield from _summary(owner, item, context.at)))
            elif context.at >= history.begin:
                segment = history.segment_at(context.at)
                if segment is not None:
                    summaries.append((yield from _summary_of(owner, item, segment, context.at)))
        return tuple(summaries)

    return Question(flow, at)


def _summary(subscription: Subscription, item: Item, at: datetime) -> Flow[UsageSummary]:
    price = yield from Get(PRICE, item.price)
    model = model_for(price, item.billed)
    currency = subscription.currency
    history = history_of(subscription, item)
    in_trial = trial_of(subscription) is not None
    if in_trial and price.trial_usage_billed:
        history = history_after_trial(subscription, item)
    period = history.open_period
    free = is_free(item, period, subscription.zone)
    if in_trial and not price.trial_usage_billed:
        free = True
    measured = yield from _measured(subscription, item, history, at)
    extra = Money.zero(currency)
    for each in measured.late:
        known = model_for(price, billed_before(item, each.period))
        extra += late_amount(known, each, currency)
    return UsageSummary(
        subscription.id,
        item.number,
        measured.meter.id,
        price.id,
        period,
        history.since,
        measured.quantity,
        measured.count,
        Money.zero(currency) if free else amount(model, measured.on_time, currency),
        measured.late,
        extra,
        Money(item.usage_billed_minor, currency),
    )


def _summary_of(
    subscription: Subscription, item: Item, segment: Segment, at: datetime
) -> Flow[UsageSummary]:
    """Return what was used in an earlier segment, until an instant in it."""
    assert item.meter is not None
    meter = yield from Get(METER, item.meter)
    price = yield from Get(PRICE, item.price)
    currency, zone = subscription.currency, subscription.zone
    begin = local_date(segment.begin, zone)
    period = Period(begin, max(local_date(segment.end, zone), begin + _DAY))
    model = model_for(price, billed_before(item, segment.period))
    used = yield from measure_again(
        subscription=subscription.id,
        meter=meter,
        history=history_of(subscription, item),
        segment=segment,
        model=model,
        as_of=at,
    )
    nothing = Money.zero(currency)
    return UsageSummary(
        subscription.id,
        item.number,
        meter.id,
        price.id,
        period,
        segment.begin,
        used.every.quantity,
        used.every.count,
        nothing if segment.free else amount(model, used.every, currency),
        (),
        nothing,
        nothing if segment.free else amount(model, used.before, currency),
    )


def used_now(subscription: Subscription, item: Item, at: datetime) -> Flow[Decimal]:
    """Return what the meter of an item counted in the billing period that an instant is in.

    A trial counts as one period. What comes late for earlier periods does not count.
    """
    history, day = history_of(subscription, item), local_date(at, subscription.zone)
    if day >= history.open_period.end:
        # Nobody has billed yet, but the period is over.
        whole = usage.whole_period(item.cycle, day)
        since = max(history.end, first_instant(whole.start, subscription.zone))
        history = evolve(history, since=since, open_period=whole, whole=whole)
    measured = yield from _measured(subscription, item, history, at)
    return measured.quantity


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
        history = history_of(subscription, item)
        changes += yield from carry_level(
            subscription=subscription.id, meter=meter, history=history, until=until
        )
    return tuple(changes)


def owed_after_trial(subscription: Subscription) -> Flow[tuple[int, ...]]:
    """Return the items of which what was used in the trial is billed after it."""
    metered = [item for item in subscription.items if item.meter is not None]
    prices = yield from GetMany(PRICE, tuple([item.price for item in metered]))
    pairs = zip(metered, prices, strict=True)
    return tuple([item.number for item, price in pairs if price.trial_usage_billed])


def _measured(
    subscription: Subscription, item: Item, history: History, at: datetime
) -> Flow[Measured]:
    """Measure what was used until an instant, of the open segment."""
    assert item.meter is not None
    meter = yield from Get(METER, item.meter)
    price = yield from Get(PRICE, item.price)
    return (
        yield from measure(
            subscription=subscription.id,
            meter=meter,
            history=history,
            model=model_for(price, item.billed),
            as_of=max(history.since, at),
        )
    )
