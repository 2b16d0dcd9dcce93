"""Where the periods of a new subscription begin, and where it ends by itself: trial, stub, term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from subscriptions import lifecycle
from subscriptions.alignment import Aligned as Placed
from subscriptions.alignment import Alignment, align, shared
from subscriptions.billing_cycles import BillingCycle, Interval
from subscriptions.catalog import PRICE, Price
from subscriptions.customers import Customer
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import PriceId
from subscriptions.lifecycle import (
    SUBSCRIPTION,
    CatchUp,
    FirstStub,
    Item,
    Phase,
    Subscription,
    WantedItem,
)
from subscriptions.usecases.flows import Flow, GetMany, Having

CUSTOMER_ANCHOR = "customer"
"""Count periods from the day that all subscriptions of the customer share."""

Aligned: TypeAlias = Alignment | str


@frozen
class Asked:
    """What was asked for: `days` are the days that were named, by the names of the arguments."""

    wanted: tuple[tuple[str, int | Decimal], ...]
    days: Mapping[str, date]
    align: Aligned
    first_stub: FirstStub
    long_stub: bool
    phases: tuple[Phase, ...]


def default_trial(prices: Sequence[Price], begin: date, owner: Customer) -> Flow[date | None]:
    """Return the end of the longest trial of the prices, if the customer has not had it before."""
    trials = [price for price in prices if price.trial is not None]
    if not trials:
        return None
    earlier = yield from Having(SUBSCRIPTION, "customer", owner.id)
    had = tuple(sorted({item.price for each in earlier for item in each.items}))
    products = {price.product for price in (yield from GetMany(PRICE, had))}
    ends = [
        BillingCycle(begin, price.trial).start(1)
        for price in trials
        if price.trial is not None and price.product not in products
    ]
    return max(ends) if ends else None


def first_day(begin: date, trial: date | None, days: Mapping[str, date]) -> date:
    """Return the first day that is billed; raises `ValidationError` for days that clash."""
    paid_until, anchor = days.get("paid_until"), days.get("anchor")
    if trial is not None and paid_until is not None:
        raise ValidationError("trial_until", trial, "no trial where something is paid")
    if trial is not None and trial <= begin:
        raise ValidationError("trial_until", trial, f"after the start, {begin}")
    first = trial or begin
    if anchor is not None and paid_until is None and anchor != first:
        raise ValidationError(
            "anchor", anchor, f"the first billed day, {first}; for another day use align"
        )
    return anchor or paid_until or first


def first_items(
    ask: Asked, recurring: Sequence[tuple[Price, int | Decimal]], first: date, owner: Customer
) -> tuple[Item, ...]:
    """Return the items, each with its periods and its stub, or none billed before `paid_until`."""
    items: list[Item] = []
    paid_until = ask.days.get("paid_until")
    for number, (price, quantity) in enumerate(recurring, 1):
        assert price.every is not None
        wanted = WantedItem(PriceId(price.id), quantity)
        if paid_until is not None:
            cycle = _cycle_paid(price.every, first, paid_until)
            items.append(lifecycle.new_item(wanted, price, cycle, number, through=paid_until))
            continue
        aligned = _aligned(ask, first, price.every, owner)
        cycle = aligned.cycle
        through, next_end = first, aligned.stub_end(first)
        is_stub = next_end is not None or cycle.period_containing(first).start != first
        if is_stub and ask.first_stub is FirstStub.FREE:
            through, next_end = aligned.first_end, None
        items.append(
            lifecycle.new_item(
                wanted,
                price,
                cycle,
                number,
                through=through,
                next_end=next_end,
                first_stub=ask.first_stub if is_stub else FirstStub.PRORATED,
            )
        )
    return tuple(items)


def _aligned(ask: Asked, first: date, every: Interval, owner: Customer) -> Placed:
    if ask.align == CUSTOMER_ANCHOR:
        anchor = owner.billing_anchor or first
        unit = Interval.months(1) if every.step_months else Interval.days(every.step_days)
        return shared(BillingCycle(anchor, unit), first, every, long_stub=ask.long_stub)
    if isinstance(ask.align, str):
        raise ValidationError("align", ask.align, "an alignment such as Calendar(), or 'customer'")
    return align(ask.align, first, every, long_stub=ask.long_stub)


def _cycle_paid(every: Interval, counted_from: date, paid_until: date) -> BillingCycle:
    cycle = BillingCycle(counted_from, every)
    around = cycle.period_containing(paid_until)
    if around.start != paid_until:
        raise ValidationError(
            "paid_until", paid_until, f"the first day of a period: {around.start} or {around.end}"
        )
    return cycle


def end_of_all(
    ask: Asked, items: Sequence[Item], prices: Sequence[Price], first: date
) -> date | None:
    """Return the day on which the last phase, or the longest of the fixed terms, is over."""
    if ask.phases:
        on = first
        for phase in ask.phases:
            if phase.lasts is None:
                return None
            on = BillingCycle(on, phase.lasts).start(1)
        return on
    ends = ends_of_terms(items, prices)
    return max(ends.values()) if len(ends) == len(items) else None


def ends_of_terms(items: Sequence[Item], prices: Sequence[Price]) -> dict[int, date]:
    """Return the day on which the fixed term of each item is over, for those that have one."""
    return {
        item.number: _end_of_term(item, price.term_periods)
        for item, price in zip(items, prices, strict=True)
        if price.term_periods is not None
    }


def _end_of_term(item: Item, periods: int) -> date:
    """Return the day after so many whole periods; a stub before them does not count."""
    start = item.next_period.end if _begins_with_stub(item) else item.through
    return item.cycle.start(item.cycle.index_of(start) + periods)


def _begins_with_stub(item: Item) -> bool:
    period = item.next_period
    return period != item.cycle.period_containing(period.start)


def check_backlog(subscription: Subscription, today: date, catch_up_max: int) -> None:
    """Refuse a start so long ago that it would bill a flood: a slip in a year costs thousands."""
    for item in subscription.items:
        if item.due_day > today or subscription.catch_up is CatchUp.SKIP:
            continue
        cycle = item.cycle
        missed = cycle.index_of(today) + 1 - cycle.index_of(item.through)
        if missed > catch_up_max:
            expected = f"at most {catch_up_max} periods ago, not {missed}; else raise catch_up_max"
            raise ValidationError("start", item.through, expected)
