"""What a redemption must know: which coupon is meant, who redeems it, and what for.

These are reads and no decisions; who may redeem what is decided in `subscriptions.coupons`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from subscriptions import lifecycle
from subscriptions.catalog import PRICE, Price
from subscriptions.coupons import (
    COUPON,
    PROMOTION_CODE,
    REDEMPTION,
    Basket,
    Buyer,
    Coupon,
    PromotionCode,
    promotion_code,
)
from subscriptions.errors import NotFound, UnknownReference, ValidationError
from subscriptions.ids import CustomerId
from subscriptions.invoices import INVOICE, Draft, Void
from subscriptions.lifecycle import Subscription
from subscriptions.usecases.flows import Flow, Get, GetMany, Having, Maybe


def wanted_coupon(wanted: str) -> Flow[tuple[Coupon, PromotionCode | None]]:
    """Find a coupon by its id, or by a promotion code as a customer types it.

    Raises `UnknownReference` if it is neither.
    """
    coupon = yield from Maybe(COUPON, wanted)
    if coupon is not None:
        return coupon, None
    code = yield from _typed_code(wanted)
    if code is None:
        raise UnknownReference("coupon", wanted)
    return (yield from Get(COUPON, code.coupon)), code


def known_code(wanted: str) -> Flow[PromotionCode]:
    """Find a promotion code by its id or as it is typed; raises `NotFound` without one."""
    found = yield from Maybe(PROMOTION_CODE, wanted)
    if found is None:
        found = yield from _typed_code(wanted)
    if found is None:
        raise NotFound(PROMOTION_CODE.name, wanted)
    return found


def buyer_of(coupon: Coupon, customer: CustomerId) -> Flow[Buyer]:
    """Read what the limits of a coupon ask of a customer."""
    redeemed = yield from Having(REDEMPTION, "customer", customer)
    times = sum(1 for each in redeemed if each.coupon == coupon.id)
    if not coupon.first_purchase_only:
        return Buyer(customer, times, has_bought=False)  # nobody will ask
    found = yield from Having(INVOICE, "customer", customer)
    has_bought = any(not isinstance(each.state, Draft | Void) for each in found)
    return Buyer(customer, times, has_bought)


def basket_of(target: Subscription) -> Flow[Basket]:
    """Read what the limits of a coupon ask of a subscription that there is."""
    prices = yield from GetMany(PRICE, tuple([item.price for item in target.items]))
    quantities = [item.quantity for item in target.items]
    amount_minor = worth_minor(zip(prices, quantities, strict=True))
    products = tuple([price.product for price in prices])
    return Basket(target.id, target.currency, products, amount_minor, target.discounts)


def worth_minor(priced: Iterable[tuple[Price, int | Decimal]]) -> int:
    """Return what items come to for one period each, as priced: what a `minimum` is compared with.

    Each is a price and its quantity; what is charged every period costs its own minimum at least.
    Usage is not known beforehand and counts as nothing; introductory phases do not count, for they
    are discounts themselves.
    """
    return sum(
        lifecycle.period_minor(price, quantity, billed=None)
        for price, quantity in priced
        if price.meter is None
    )


def _typed_code(typed: str) -> Flow[PromotionCode | None]:
    try:
        code = promotion_code(typed)
    except ValidationError:
        return None  # what cannot be a code is one that does not exist
    found = yield from Having(PROMOTION_CODE, "code", code)
    return found[0] if found else None
