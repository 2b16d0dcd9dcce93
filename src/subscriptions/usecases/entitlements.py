"""Entitlements: what a customer may use now, from all subscriptions for which he is served.

A quota is for a billing period: what counts against it is what was used in the present period of
the item that the meter belongs to. A beginning, and an end that is known, count from their days on,
whether a run came by or not; what else is due counts when it is done. Nothing is stopped here; the
host asks and acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from subscriptions import entitlements
from subscriptions.catalog import PRICE, PRODUCT, Price, Product
from subscriptions.customers import CUSTOMER
from subscriptions.entitlements import Allowance, Granted
from subscriptions.lifecycle import SUBSCRIPTION, Scheduled, Subscription
from subscriptions.records import evolve, plain_text
from subscriptions.usecases.flows import Context, Flow, Get, GetMany, Having, Question
from subscriptions.usecases.usage_so_far import used_now


def list_(customer: str, *, at: datetime | None = None) -> Question[tuple[Allowance, ...]]:
    """Return what a customer may use, feature by feature, with what is left of each quota.

    It comes from all his subscriptions that are served: in a trial, active, or past due; not from
    one that is over, is yet to begin, waits for its first payment, or is paused without service.
    Each item gives what its price says, or else its product; a metered price beside one that is
    not, of the same product on the same subscription, gives that no second time. Features that the
    host counts itself are as if nothing was used. Raises `NotFound` for an unknown customer.
    """

    def flow(context: Context) -> Flow[tuple[Allowance, ...]]:
        served = yield from _served(customer, context)
        given = yield from _given(served)
        usage = yield from _usage(served, given, context.at)
        return tuple(entitlements.allowance(given, feature, usage=usage) for feature in given)

    return Question(flow, at)


def check(
    customer: str, feature: str, *, counted: int | Decimal = 0, at: datetime | None = None
) -> Question[Allowance]:
    """Return whether a customer may use (more of) a feature, and how much of it is left.

    `counted` is what the host counted itself, such as the seats that are taken; what a meter of the
    feature counted in the present billing period is added. A feature that no subscription gives is
    not allowed, whether it is known or not.

    Raises `NotFound` for an unknown customer, `ValidationError` for a wrong value.
    """
    plain_text("feature", feature, length_max=200)

    def flow(context: Context) -> Flow[Allowance]:
        served = yield from _served(customer, context)
        given = yield from _given(served)
        asked = {name: grant for name, grant in given.items() if name == feature}
        usage = yield from _usage(served, asked, context.at)
        return entitlements.allowance(given, feature, usage=usage, counted=counted)

    return Question(flow, at)


def _served(customer: str, context: Context) -> Flow[tuple[Subscription, ...]]:
    yield from Get(CUSTOMER, customer)
    found = yield from Having(SUBSCRIPTION, "customer", customer)
    return tuple([each for each in found if _serves(each, context.today(each.zone))])


def _serves(sub: Subscription, today: date) -> bool:
    if sub.known_end is not None and sub.known_end <= today:
        return False
    if isinstance(sub.contract, Scheduled):
        return sub.contract.start <= today and sub.payment_window_hours is None
    return sub.served


def _given(served: tuple[Subscription, ...]) -> Flow[Mapping[str, Granted]]:
    ids = tuple(sorted({item.price for each in served for item in each.items}))
    prices: dict[str, Price] = {price.id: price for price in (yield from GetMany(PRICE, ids))}
    named = tuple(sorted({price.product for price in prices.values()}))
    found = yield from GetMany(PRODUCT, named)
    products: dict[str, Product] = {product.id: product for product in found}
    giving: list[tuple[Product, int | Decimal]] = []
    for each in served:
        licensed = {prices[item.price].product for item in each.items if item.meter is None}
        for item in each.items:
            price = prices[item.price]
            product, own = products[price.product], price.entitlements
            if own is not None:
                giving.append((evolve(product, entitlements=own), item.quantity))
            elif item.meter is None or price.product not in licensed:
                giving.append((product, item.quantity))
    return entitlements.granted(giving)


def _usage(
    served: tuple[Subscription, ...], given: Mapping[str, Granted], at: datetime
) -> Flow[Mapping[str, Decimal]]:
    wanted = {meter for grant in given.values() for meter in grant.meters}
    usage: dict[str, Decimal] = {}
    for subscription in served:
        # Of two items with one meter the first counts it: that is where usage is recorded.
        items = {item.meter: item for item in reversed(subscription.items) if item.meter in wanted}
        for meter, item in items.items():
            assert meter is not None
            used = yield from used_now(subscription, item, at)
            usage[meter] = usage.get(meter, Decimal(0)) + used
    return usage
