"""What the time of a metered item was before its open segment: the stretches that it remembers.

Only what is not told by the present cycle is remembered, so a plain item remembers nothing. What a
stretch means for usage is decided in `usage.segments`.
"""

from __future__ import annotations

from datetime import date, datetime

from subscriptions.billing_cycles import BillingCycle, Period, first_instant
from subscriptions.catalog import Price
from subscriptions.lifecycle.items import Item
from subscriptions.lifecycle.new_items import billed_from
from subscriptions.lifecycle.subscription import Scheduled, Subscription, Trialing
from subscriptions.records import evolve
from subscriptions.usage import History, Stretch, StretchKind, closed, whole_period


def open_since(item: Item, zone: str) -> datetime:
    """Return the instant since which an item is not billed: its open segment began then."""
    return item.since or first_instant(item.through, zone)


def is_cut(item: Item, at: datetime, zone: str) -> bool:
    """Return whether a change at an instant leaves a part of the open segment before it."""
    return at > open_since(item, zone)


def is_behind(item: Item, on: date, at: datetime, zone: str) -> bool:
    """Return whether an item was not billed in a pause that ends on a day, or at an instant of it.

    The instant matters for what is used: what was used before it is free.
    """
    return item.through < on if item.meter is None else is_cut(item, at, zone)


def keeps_segment(item: Item, price: Price, at: datetime, zone: str) -> bool:
    """Return whether an item goes over to a price of its meter before anything of it is over.

    Then all of the open segment is at that price, as a licensed item has it from its first day on.
    """
    return item.meter is not None and price.meter == item.meter and not is_cut(item, at, zone)


def is_free(item: Item, period: Period, zone: str) -> bool:
    """Return whether an open period of a metered item, or what is left of it, costs nothing."""
    begin, end = open_since(item, zone), first_instant(period.end, zone)
    return any(span.begin <= begin and end <= span.end for span in item.free)


def past_until(item: Item, until: datetime, kind: StretchKind, zone: str) -> tuple[Stretch, ...]:
    """Return what an item remembers when its open segment is over at an instant, in its own way.

    What costs nothing in time is free when it comes late.
    """
    since = open_since(item, zone)
    if kind is StretchKind.PART and is_free(item, item.next_period, zone):
        kind = StretchKind.GIFT
    return closed(item.past, item.cycle, since=since, until=max(since, until), kind=kind)


def past_of_cycle(item: Item, zone: str) -> tuple[Stretch, ...]:
    """Return what an item remembers when its periods are counted otherwise from now on."""
    since = open_since(item, zone)
    if item.meter is None or (item.past and item.past[-1].until == since):
        return item.past
    return (*item.past, Stretch(since, item.cycle))


def past_of_period(item: Item, period: Period, zone: str) -> tuple[Stretch, ...]:
    """Return what an item remembers when a period is billed: one that its cycle does not have."""
    is_whole = item.cycle.period_containing(period.start).end == period.end
    if is_whole and not is_free(item, period, zone):
        return item.past
    return past_until(item, first_instant(period.end, zone), StretchKind.PART, zone)


def absent_until(at: datetime, cycle: BillingCycle) -> tuple[Stretch, ...]:
    """Return what an item remembers that was not there before an instant."""
    return (Stretch(at, cycle, StretchKind.ABSENT),)


def trial_of(subscription: Subscription) -> Period | None:
    """Return the trial that a subscription is in, or is to begin with."""
    if not isinstance(subscription.contract, Scheduled | Trialing):
        return None
    start, until = subscription.start, billed_from(subscription.contract)
    return Period(start, until) if start is not None and start < until else None


def history_of(subscription: Subscription, item: Item) -> History:
    """Return the segments of a metered item; a trial that it is in is the open one."""
    zone, since, period = subscription.zone, open_since(item, subscription.zone), item.next_period
    start = subscription.start
    begin = since if start is None else first_instant(start, zone)
    trial = trial_of(subscription)
    if trial is not None:
        return History(begin, item.past, item.cycle, begin, trial, trial, zone)
    whole = whole_period(item.cycle, period.start)
    return History(begin, item.past, item.cycle, since, period, whole, zone)


def history_after_trial(subscription: Subscription, item: Item) -> History:
    """Return the segments of a metered item as if the trial that it is in were over, and owed."""
    since, period = open_since(item, subscription.zone), item.next_period
    return evolve(
        history_of(subscription, item),
        past=(Stretch(since, item.cycle, StretchKind.TRIAL),),
        since=since,
        open_period=period,
        whole=whole_period(item.cycle, period.start),
    )
