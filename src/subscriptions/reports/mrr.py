"""Monthly recurring revenue: what running subscriptions bring in a month, without tax.

The definition, in full:

- What counts is what a running subscription is billed for each of its recurring items: quantity
  times price, and at least its minimum, without tax. Prices that contain tax count without it, at
  the rate of the day.
- Usage does not recur: a metered item counts with the minimum that is billed whatever is used.
- It is brought to a month as an exact fraction: a year is 12 months, a week 12/52 of one, so that
  weekly amounts count 52/12 fold, and *n* days count 365/12/n fold.
- Scheduled subscriptions and trials count nothing yet, ended ones nothing any more, and so do those
  whose debt was given up and that go on unpaid, for their invoices stay drafts. Past due ones
  count. A pending cancellation counts until it takes effect.
- Amounts of one currency are added up exactly and rounded once, half away from zero. Nothing is
  converted.

A subscription counts with the items that it has now: for a day of the past that is what it had
then, unless they were changed in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import assert_never

from subscriptions.billing_cycles import Interval, local_date
from subscriptions.catalog import Price
from subscriptions.lifecycle import (
    Active,
    Ended,
    Incomplete,
    Item,
    Scheduled,
    Subscription,
    Trialing,
    Unpaid,
    period_minor,
)
from subscriptions.money import Currency, Money, round_fraction
from subscriptions.taxes import TaxBehavior, TaxRate, sum_of_ratios


def mrr(
    subscriptions: Iterable[Subscription],
    prices: Mapping[str, Price],
    *,
    on: date,
    rates_of: Callable[[Subscription, Price], Sequence[TaxRate]],
) -> dict[str, Money]:
    """Return the monthly recurring revenue of each currency on a day, by the definition above.

    `rates_of` gives the tax rates of a subscription's price, and is asked only where it contains
    tax.
    Currencies stand in alphabetical order; one that brings nothing is left out.
    """
    exact: dict[Currency, Fraction] = {}
    for subscription in subscriptions:
        if not runs(subscription, on=on):
            continue
        for item in subscription.items:
            amount = _net_each_month(item, prices[item.price], subscription, rates_of)
            currency = subscription.currency
            exact[currency] = exact.get(currency, Fraction(0)) + amount
    return {
        currency.code: _rounded(exact[currency], currency)
        for currency in sorted(exact, key=lambda currency: currency.code)
        if exact[currency]
    }


def runs(subscription: Subscription, *, on: date) -> bool:
    """Return whether a subscription is running, and not on trial, on a day in its zone."""
    if isinstance(subscription.collection, Unpaid):
        return False
    if subscription.pause is not None and not subscription.pause.invoice:
        return False
    cancellation = subscription.cancellation
    if cancellation is not None and cancellation.on <= on:
        return False
    match subscription.contract:
        case Scheduled() | Incomplete() | Trialing():
            return False
        case Active(since=since):
            return since <= on
        case Ended(at=at):
            began = subscription.start or min(item.cycle.anchor for item in subscription.items)
            return began <= on < local_date(at, subscription.zone)
        case other:
            assert_never(other)


def months_in(interval: Interval) -> Fraction:
    """Return how many months an interval is: exactly for months and years, by the year for others.

    >>> from subscriptions.billing_cycles import Interval
    >>> months_in(Interval.years(1)), months_in(Interval.weeks(2)), months_in(Interval.days(30))
    (Fraction(12, 1), Fraction(6, 13), Fraction(72, 73))
    """
    if interval.step_months:
        return Fraction(interval.step_months)
    if interval.step_days % 7 == 0:
        return Fraction(12 * (interval.step_days // 7), 52)
    return Fraction(12 * interval.step_days, 365)


def _net_each_month(
    item: Item,
    price: Price,
    subscription: Subscription,
    rates_of: Callable[[Subscription, Price], Sequence[TaxRate]],
) -> Fraction:
    if price.every is None:
        return Fraction(0)
    metered = price.meter is not None
    minor = price.minimum_minor if metered else period_minor(price, item.quantity, billed=None)
    amount = Fraction(minor, 10**price.currency.exponent) / months_in(price.every)
    if price.tax_behavior is TaxBehavior.INCLUSIVE:
        up, down = sum_of_ratios(rates_of(subscription, price))
        amount = amount * down / (down + up)
    return amount


def _rounded(amount: Fraction, currency: Currency) -> Money:
    minor = amount * 10**currency.exponent
    return Money(round_fraction(minor.numerator, minor.denominator), currency)
