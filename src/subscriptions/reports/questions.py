"""The questions that reports answer: which records they read, and what becomes of those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from subscriptions.catalog import PRICE, Price
from subscriptions.customers import CUSTOMER, Customer
from subscriptions.lifecycle import SUBSCRIPTION, Subscription
from subscriptions.money import Money
from subscriptions.records import plain_date
from subscriptions.reports import mrr as definition
from subscriptions.taxes import TaxBehavior, TaxRate
from subscriptions.usecases.flows import Context, Flow, GetMany, Having, Question

_COUNTED = ("active", "past_due", "canceled")


def mrr(on: date | None = None, *, at: datetime | None = None) -> Question[Mapping[str, Money]]:
    """Return the monthly recurring revenue of each currency, without tax.

    `on` is the day that is asked about, by default today in the seller's zone. What counts is
    defined in `subscriptions.reports.mrr`. Raises `ValidationError` for anything but a date, and
    for a country without a tax rate where a price contains tax.
    """
    if on is not None:
        plain_date("on", on)

    def flow(context: Context) -> Flow[Mapping[str, Money]]:
        day = on or context.today()
        subscriptions: list[Subscription] = []
        for status in _COUNTED:
            found = yield from Having(SUBSCRIPTION, "status", status)
            subscriptions += [each for each in found if definition.runs(each, on=day)]
        ids = dict.fromkeys(item.price for each in subscriptions for item in each.items)
        listed = yield from GetMany(PRICE, tuple(ids))
        prices: dict[str, Price] = {price.id: price for price in listed}
        owners = yield from _owners_with_tax_inside(subscriptions, prices)

        def rates_of(subscription: Subscription, price: Price) -> Sequence[TaxRate]:
            owner = owners[subscription.customer]
            return context.tax_for(owner, day, price.tax_category).rates

        return definition.mrr(subscriptions, prices, on=day, rates_of=rates_of)

    return Question(flow, at)


def _owners_with_tax_inside(
    subscriptions: list[Subscription], prices: Mapping[str, Price]
) -> Flow[dict[str, Customer]]:
    wanted = dict.fromkeys(
        each.customer
        for each in subscriptions
        if any(prices[item.price].tax_behavior is TaxBehavior.INCLUSIVE for item in each.items)
    )
    found = yield from GetMany(CUSTOMER, tuple(wanted))
    return {customer.id: customer for customer in found}
