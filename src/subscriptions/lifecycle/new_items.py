"""New items, and new prices of items: how their periods are counted, what is free, setup fees."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import assert_never

from subscriptions.alignment import shared
from subscriptions.billing_cycles import BillingCycle, first_instant
from subscriptions.catalog import Price
from subscriptions.invoices import Charge, LineKind
from subscriptions.lifecycle.items import FirstStub, Free, Had, Item, WantedItem
from subscriptions.lifecycle.subscription import (
    Active,
    Contract,
    Ended,
    Incomplete,
    Scheduled,
    Subscription,
    Trialing,
)
from subscriptions.records import evolve
from subscriptions.taxes import TaxTreatment
from subscriptions.usage import Stretch


def new_item(
    wanted: WantedItem,
    price: Price,
    cycle: BillingCycle,
    number: int,
    *,
    through: date,
    next_end: date | None = None,
    since: datetime | None = None,
    first_stub: FirstStub = FirstStub.PRORATED,
    past: tuple[Stretch, ...] = (),
) -> Item:
    """Return an item of a price of which nothing is billed yet."""
    return Item(
        wanted.price,
        wanted.quantity,
        cycle,
        through,
        number,
        arrears=price.arrears,
        meter=price.meter,
        since=since,
        next_end=next_end,
        first_stub=first_stub,
        past=past,
    )


def with_stub(item: Item, first_stub: FirstStub, zone: str) -> Item:
    """Return an item of which nothing is billed with what was agreed of its first period, if short.

    Where that is free, it is billed from the end of the stub on, and so is what is used.
    """
    period = item.next_period
    if period == item.cycle.period_containing(period.start):
        return item
    item = evolve(item, first_stub=first_stub)
    if first_stub is not FirstStub.FREE:
        return item
    if item.meter is None:
        return evolve(item, through=period.end, next_end=None)
    # Levels that are taken in the stub go on after it, so it is measured, and costs nothing.
    span = Free(first_instant(period.start, zone), first_instant(period.end, zone))
    return evolve(item, free=(span,))


def billed_from(contract: Contract) -> date:
    """Return the first day that is not a trial's; raises `AssertionError` for what has ended."""
    match contract:
        case Trialing(until=until):
            return until
        case Scheduled(start=start, trial_until=until):
            return until or start
        case Incomplete(since=since) | Active(since=since):
            return since
        case Ended():
            raise AssertionError("nothing is billed of what has ended")
        case other:
            assert_never(other)


def joined(beside: Item, start: date, price: Price) -> tuple[BillingCycle, date | None]:
    """Return how the periods of a price that joins an item are counted, and the first end."""
    assert price.every is not None
    aligned = shared(beside.cycle, start, price.every)
    return aligned.cycle, aligned.stub_end(start)


def reaching_back(cycle: BillingCycle, day: date) -> BillingCycle:
    """Return a cycle with the same boundaries, anchored early enough to have a day."""
    return cycle if cycle.anchor <= day else shared(cycle, day, cycle.every).cycle


def counted_from(item: Item, before: date, first: date) -> tuple[BillingCycle, date | None]:
    """Return how an item is counted whose first billed day is another one, and its first end.

    Where periods were counted from that day they still are. Where its first period was to be longer
    than the interval, it still is.
    """
    cycle = item.cycle
    if cycle.anchor == before:
        return BillingCycle(first, cycle.every), None
    # A stub that is free is over when the item is billed.
    end = item.through if item.through > before else item.next_period.end
    if end <= cycle.period_containing(before).end:
        return reaching_back(cycle, first), None
    aligned = shared(cycle, first, cycle.every, long_stub=True)
    return aligned.cycle, aligned.stub_end(first)


def counted(before: Item, after: Item, *, in_period: bool) -> Item:
    """Return an item with another price that knows how many periods it has had at it.

    `in_period` says that the rest of a billed period is charged at it: that is one, too, unless
    it was counted when the item had the price before, in the same period.
    """
    if after.price == before.price:
        return evolve(
            after,
            billed=before.billed,
            last_minor=before.last_minor,
            had=before.had,
            free=before.free,
        )
    earlier = next((each for each in before.had if each.price == after.price), None)
    billed = 0 if earlier is None else earlier.billed
    if in_period and (earlier is None or earlier.through != before.through):
        billed += 1
    others = tuple(each for each in before.had if each.price not in {after.price, before.price})
    had = (*others, Had(before.price, before.billed, before.through))
    return evolve(after, billed=billed, last_minor=before.last_minor, had=had, free=before.free)


def setup_charge(
    item: Item, price: Price, subscription: Subscription, treatment: TaxTreatment
) -> Charge:
    """Return the setup fee of a price: once, with the next invoice."""
    return Charge(
        price.name,
        price.setup_minor,
        treatment.rate,
        price.tax_behavior,
        unit_price=Decimal(price.setup_minor).scaleb(-subscription.currency.exponent),
        price=item.price,
        kind=LineKind.SETUP,
        product=price.product,
        subscription=subscription.id,
        item=item.number,
        more_rates=treatment.more_rates,
        tax_flag=treatment.flag,
    )
