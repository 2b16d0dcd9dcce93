"""What the time of a metered item was before its open segment: the stretches that it remembers.

Only what is not told by the present cycle is remembered, so a plain item remembers nothing. What a
stretch means for usage is decided in `usage.segments`.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.catalog import Price
from subscriptions.lifecycle.items import Free, Item
from subscriptions.lifecycle.new_items import billed_from
from subscriptions.lifecycle.subscription import Scheduled, Subscription, Trialing
from subscriptions.records import evolve
from subscriptions.usage import History, Stretch, StretchKind, closed, whole_period

_MICROSECOND: Final = timedelta(microseconds=1)


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


def free_until(item: Item, moved: Item, zone: str) -> Item:
    """Return an item whose open period ends on another day, in time of which some is free.

    What is free ends with its stub, or with the period if that ends earlier: what is then is billed
    as a period of its own.
    """
    until = min(item.next_period.end, moved.next_period.end)
    if not is_free(item, item.next_period, zone):
        return moved
    end = first_instant(until, zone)
    return evolve(moved, next_end=until, free=tuple([_cut(each, end) for each in item.free]))


def _cut(span: Free, end: datetime) -> Free:
    return evolve(span, end=min(span.end, end))


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


def with_ahead(
    subscription: Subscription,
    item: Item,
    past: tuple[Stretch, ...],
    *,
    now: datetime | None,
    ends_on: date,
) -> tuple[Stretch, ...]:
    """Return what an item remembers of where usage is recorded, when its open period ends anew.

    Usage was recorded until `now`. Only if a command counts from an instant before that, something
    may be after the end: in this period, wherever that is recorded, or in the ones that would have
    followed it.
    """
    zone = subscription.zone
    since = open_since(item, zone)
    begin = max(since, first_instant(item.next_period.end, zone))
    if now is None or now < min(begin, first_instant(ends_on, zone)):
        return past
    ahead = [*history_of(subscription, item).recorded_in(since), since]
    while begin <= now:
        ahead.append(begin)
        begin = first_instant(whole_period(item.cycle, local_date(begin, zone)).end, zone)
    last = past[-1]
    return (*past[:-1], evolve(last, ahead=tuple(dict.fromkeys([*last.ahead, *ahead]))))


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


def history_after_trial(
    subscription: Subscription, item: Item, *, ended_at: datetime | None = None
) -> History:
    """Return the segments of a metered item as if the trial that it is in were over, and owed.

    It is over with its last day, or has `ended_at` an instant.
    """
    history = history_of(subscription, item)
    since, period = open_since(item, subscription.zone), item.next_period
    if ended_at is not None:
        # What was used at the very instant of the start was used, though it ended then.
        since = max(ended_at, history.begin + _MICROSECOND)
    return evolve(
        history,
        past=(Stretch(since, item.cycle, StretchKind.TRIAL),),
        since=since,
        open_period=period,
        whole=whole_period(item.cycle, period.start),
    )
