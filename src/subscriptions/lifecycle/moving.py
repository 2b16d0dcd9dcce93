"""Going over to another price at a renewal: when that is, what a period costs, what stays.

Decided here: the day on which an item is renewed, and what it is after it went over to another
price on such a day. Nothing is prorated, for nothing is cut: the period before was billed at the
old price, and the next one is billed at the new one. Never here: who goes over, and why.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from subscriptions.billing_cycles import BillingCycle, Interval, first_instant
from subscriptions.catalog import Price
from subscriptions.lifecycle.charges import period_minor
from subscriptions.lifecycle.items import Item, Planned
from subscriptions.lifecycle.stretches import absent_until
from subscriptions.lifecycle.subscription import Active, Subscription
from subscriptions.money import Money
from subscriptions.records import evolve


def renewal_day(item: Item, day: date) -> date:
    """Return the first day, on or after `day`, on which a period of an item begins.

    Law: it is on or after `day`, it begins a period that is not billed yet, and it is the first one
    that does.

    >>> from subscriptions.billing_cycles import BillingCycle, Interval
    >>> from subscriptions.ids import PriceId
    >>> cycle = BillingCycle(date(2027, 1, 31), Interval.months(1))
    >>> item = Item(PriceId("pro"), 1, cycle, through=date(2027, 2, 28))
    >>> renewal_day(item, date(2027, 1, 1)), renewal_day(item, date(2027, 3, 1))
    (datetime.date(2027, 2, 28), datetime.date(2027, 3, 31))
    """
    if day <= item.through:
        return item.through
    # A first period that is a stub ends where the cycle's own periods begin.
    end = item.next_period.end
    if day <= end:
        return end
    cycle = item.cycle
    index = cycle.index_of(day)
    start = cycle.start(index)
    return start if start == day else cycle.start(index + 1)


def cost_of_period(price: Price, quantity: int | Decimal, *, billed: int | None) -> Money | None:
    """Return what a whole period costs at a price, before discounts and without added tax.

    `billed` is how many periods were billed before it; None is for a period after all introductory
    ones. What a metered price will come to is not known: that is None.
    """
    if price.meter is not None:
        return None
    return Money(period_minor(price, quantity, billed=billed), price.currency)


def billed_before(item: Item, day: date, *, enough: int) -> int:
    """Return how many periods of an item are billed before one that begins on a day.

    It is not counted further than to `enough`.
    """
    count, left = item.billed, item
    while count < enough and left.next_period.start < day:
        left = evolve(left, through=left.next_period.end, next_end=None)
        count += 1
    return count


def costs_around(
    item: Item, old: Price, new: Price, *, on: date
) -> tuple[Money | None, Money | None]:
    """Return what the period that begins on a day costs at the old price, and at the new one.

    Both are for the quantity that the item has now.
    """
    enough = max(sum([phase.periods for phase in price.introductory]) for price in (old, new))
    billed = billed_before(item, on, enough=enough)
    return (
        cost_of_period(old, item.quantity, billed=billed),
        cost_of_period(new, item.quantity, billed=billed),
    )


def go_over(subscription: Subscription, number: int, price: Price) -> tuple[Item, ...]:
    """Return the items after one went over to a price with the same interval, at its renewal.

    Quantity, days and the count of billed periods stay, so that introductory phases are not begun
    anew. Raises `ValidationError` if there is no item of this number.
    """
    item = subscription.item(number)
    since, past = item.since, item.past
    if price.meter is None:
        since, past = None, ()
    elif item.meter != price.meter:
        since = first_instant(item.through, subscription.zone)
        past = absent_until(since, item.cycle)
    after = evolve(
        item,
        price=price.id,
        arrears=price.arrears,
        meter=price.meter,
        since=since,
        usage_billed_minor=0,
        past=past,
    )
    return tuple([after if each is item else each for each in subscription.items])


def moved_item(subscription: Subscription, planned: Planned) -> Item | None:
    """Return the item that a plan takes from one price to another; None if it no longer fits.

    It fits while the item is there and has the price that the plan was made for.
    """
    for edit in planned.items:
        for item in subscription.items:
            if item.number == edit.item and item.price == edit.instead_of:
                return item
    return None


def is_move(planned: Planned) -> bool:
    """Return whether a plan takes an item from one price to another, at a renewal."""
    return any(edit.instead_of is not None for edit in planned.items)


def waits_for_bill(subscription: Subscription, planned: Planned) -> bool:
    """Return whether a plan comes after the bills of its day.

    What is billed in arrears is billed at the old price for the period that ends with that day.
    """
    item = moved_item(subscription, planned) if is_move(planned) else None
    return item is not None and item.arrears and isinstance(subscription.contract, Active)


def later(day: date, interval: Interval) -> date:
    """Return the day that is one interval after another."""
    return BillingCycle(day, interval).start(1)


def earlier(day: date, interval: Interval) -> date:
    """Return the day that is one interval before another.

    Law: `later(earlier(day, interval), interval) <= day`.

    >>> earlier(date(2027, 3, 31), Interval.months(1))
    datetime.date(2027, 2, 28)
    """
    return BillingCycle(day, interval).period_before_anchor().start
