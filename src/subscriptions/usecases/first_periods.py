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
    items = [item for each in earlier for item in each.items]
    had = {item.price for item in items} | {had.price for item in items for had in item.had}
    had |= {price for each in earlier for price in each.gone}
    products = {price.product for price in (yield from GetMany(PRICE, tuple(sorted(had))))}
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
    ask: Asked,
    recurring: Sequence[tuple[Price, int | Decimal]],
    first: date,
    owner: Customer,
    zone: str,
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
        item = lifecycle.new_item(
            wanted,
            price,
            aligned.cycle,
            number,
            through=first,
            next_end=aligned.stub_end(first),
        )
        items.append(lifecycle.with_stub(item, ask.first_stub, zone))
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


def end_of_phases(ask: Asked, first: date) -> date | None:
    """Return the day on which the last phase is over; None if it is endless."""
    on = first
    for phase in ask.phases:
        if phase.lasts is None:
            return None
        on = BillingCycle(on, phase.lasts).start(1)
    return on


def check_backlog(subscription: Subscription, today: date, catch_up_max: int) -> None:
    """Refuse a start so long ago that it would bill a flood: a slip in a year costs thousands."""
    if subscription.catch_up is CatchUp.SKIP:
        return
    for item in subscription.items:
        missed = item.due_by(today)
        if missed > catch_up_max:
            expected = f"at most {catch_up_max} periods ago, not {missed}; else raise catch_up_max"
            raise ValidationError("start", item.through, expected)
