"""Who may redeem a coupon, and what a redemption makes of the coupon and the code.

Nothing here reads a clock: `today`, in the seller's zone, and `at` are arguments.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias

from subscriptions.coupons.coupon import (
    COUPON,
    PROMOTION_CODE,
    REDEMPTION,
    AppliedCoupon,
    Coupon,
    PromotionCode,
    Redemption,
)
from subscriptions.coupons.events import (
    CouponArchived,
    CouponCreated,
    CouponRedeemed,
    PromotionCodeCreated,
    PromotionCodeDeactivated,
    PromotionCodeRedeemed,
)
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, ProductId, RedemptionId, SubscriptionId, derived_id
from subscriptions.money import Currency, Money
from subscriptions.records import evolve


class Limit(StrEnum):
    """Which limit refused: the `field` of a `CouponRefused`, for hosts to put into words."""

    ARCHIVED = "archived"
    """The coupon is no longer offered."""
    INACTIVE = "active"
    """The promotion code was deactivated."""
    TOO_EARLY = "redeem_from"
    """The window of the coupon or the code has not begun."""
    EXPIRED = "redeem_until"
    """The window of the coupon or the code is over."""
    USED_UP = "max_redemptions"
    """The coupon or the code was redeemed as often as it may be."""
    USED_BY_CUSTOMER = "max_per_customer"
    """The customer redeemed the coupon as often as one customer may."""
    NOT_FIRST_PURCHASE = "first_purchase_only"
    """The customer has bought, or has redeemed the coupon, before."""
    OTHER_CUSTOMER = "customer"
    """The promotion code is for another customer."""
    CURRENCY = "currency"
    """The coupon is not offered in the currency of the subscription."""
    PRODUCTS = "products"
    """The subscription has none of the products of the coupon."""
    MINIMUM = "minimum"
    """The subscription comes to less than the coupon asks for."""
    APPLIED = "applied"
    """The coupon stands on the subscription already."""
    NOT_COMBINABLE = "stackable"
    """This coupon, or one on the subscription, cannot stand beside another."""


class CouponRefused(ValidationError):
    """A coupon or promotion code cannot be redeemed here; `field` says by which limit."""


@frozen
class Buyer:
    """Who wants to redeem a coupon: how often before, and whether anything was bought so far.

    `has_bought` is whether there is a final invoice that is not void.
    """

    customer: CustomerId
    times_redeemed: int
    has_bought: bool


@frozen
class Basket:
    """What a coupon is to be redeemed for: a subscription, and the coupons that stand on it.

    `amount_minor` is what all its items come to for one period each, as priced.
    """

    subscription: SubscriptionId
    currency: Currency
    products: tuple[ProductId, ...]
    amount_minor: int
    applied: tuple[AppliedCoupon, ...] = ()


def create(coupon: Coupon) -> Change:
    """Decide to offer a coupon."""
    return created(COUPON, coupon, CouponCreated(coupon.id, coupon.name))


def archive(coupon: Coupon) -> Change:
    """Decide to offer a coupon no more; raises `InvalidTransition` if that is so already."""
    if coupon.archived:
        raise InvalidTransition(f"coupon {coupon.id}", coupon.status, "archive")
    after = evolve(coupon, archived=True, version=coupon.version + 1)
    return changed(COUPON, coupon, after, CouponArchived(coupon.id))


def add_code(coupon: Coupon, code: PromotionCode) -> Change:
    """Decide to give a coupon a code; raises `InvalidTransition` if the coupon is archived."""
    if coupon.archived:
        raise InvalidTransition(f"coupon {coupon.id}", coupon.status, "code")
    event = PromotionCodeCreated(code.id, coupon.id, code.code, code.customer)
    return created(PROMOTION_CODE, code, event)


def deactivate(code: PromotionCode) -> Change:
    """Decide to accept a code no more; raises `InvalidTransition` if that is so already."""
    if not code.active:
        raise InvalidTransition(f"promotion_code {code.id}", code.status, "deactivate_code")
    after = evolve(code, active=False, version=code.version + 1)
    return changed(PROMOTION_CODE, code, after, PromotionCodeDeactivated(code.id, code.coupon))


def check_offer(coupon: Coupon, code: PromotionCode | None, *, today: date) -> None:
    """Raise `CouponRefused` unless the coupon, and the code, can be redeemed today at all."""
    if coupon.archived:
        raise CouponRefused(Limit.ARCHIVED, coupon.id, "a coupon that is offered")
    if code is not None and not code.active:
        raise CouponRefused(Limit.INACTIVE, code.code, "a promotion code that is active")
    for each in (coupon,) if code is None else (code, coupon):
        if each.redeem_from is not None and today < each.redeem_from:
            raise CouponRefused(Limit.TOO_EARLY, today, f"{each.redeem_from} or later")
        if each.redeem_until is not None and today >= each.redeem_until:
            raise CouponRefused(Limit.EXPIRED, today, f"before {each.redeem_until}")
        if each.max_redemptions is not None and each.redeemed >= each.max_redemptions:
            raise CouponRefused(Limit.USED_UP, each.redeemed, f"below {each.max_redemptions}")


def check_buyer(coupon: Coupon, code: PromotionCode | None, buyer: Buyer) -> None:
    """Raise `CouponRefused` unless this customer may redeem the coupon, or the code."""
    customer, times = buyer.customer, buyer.times_redeemed
    if code is not None and code.customer not in (None, customer):
        raise CouponRefused(Limit.OTHER_CUSTOMER, customer, "the customer whom the code is for")
    if coupon.first_purchase_only and (buyer.has_bought or times):
        raise CouponRefused(
            Limit.NOT_FIRST_PURCHASE, customer, "a customer who has not bought anything yet"
        )
    if coupon.max_per_customer is not None and times >= coupon.max_per_customer:
        raise CouponRefused(
            Limit.USED_BY_CUSTOMER, times, f"below {coupon.max_per_customer} for each customer"
        )


def check_basket(coupon: Coupon, basket: Basket) -> None:
    """Raise `CouponRefused` unless the coupon fits the subscription and what stands on it."""
    currency, offered_in = basket.currency, coupon.offered_in
    if offered_in and currency not in offered_in:
        codes = " or ".join(each.code for each in offered_in)
        raise CouponRefused(Limit.CURRENCY, currency.code, codes)
    if coupon.products and not set(coupon.products) & set(basket.products):
        expected = f"one of {', '.join(coupon.products)}"
        raise CouponRefused(Limit.PRODUCTS, basket.products, expected)
    for minimum in coupon.minimum:
        if minimum.currency == currency and basket.amount_minor < minimum.minor:
            amount = Money(basket.amount_minor, currency)
            raise CouponRefused(Limit.MINIMUM, str(amount), f"at least {minimum}")
    for applied in basket.applied:
        if applied.coupon == coupon.id:
            raise CouponRefused(Limit.APPLIED, coupon.id, "a coupon that is not on it already")
        if not (applied.stackable and coupon.stackable):
            raise CouponRefused(
                Limit.NOT_COMBINABLE, coupon.name, f"no other coupon beside {applied.name!r}"
            )


@frozen
class Accepted:
    """The coupon would be accepted: it, and the promotion code if it was one."""

    coupon: Coupon
    code: PromotionCode | None


@frozen
class Refused:
    """The coupon would be refused: by which limit, at which value, and what would be right."""

    coupon: Coupon
    code: PromotionCode | None
    limit: Limit
    value: object
    expected: str


Verdict: TypeAlias = Accepted | Refused


def judge(
    coupon: Coupon,
    code: PromotionCode | None,
    *,
    today: date,
    buyer: Buyer | None = None,
    basket: Basket | None = None,
) -> Verdict:
    """Say whether a coupon would be accepted, and if not, by which limit it would be refused.

    Without a buyer or a basket their limits are not asked.
    """
    try:
        check_offer(coupon, code, today=today)
        if basket is not None:
            check_basket(coupon, basket)
        if buyer is not None:
            check_buyer(coupon, code, buyer)
    except CouponRefused as refused:
        return Refused(coupon, code, Limit(refused.field), refused.value, refused.expected)
    return Accepted(coupon, code)


def redeem(
    coupon: Coupon,
    code: PromotionCode | None,
    *,
    buyer: Buyer,
    basket: Basket,
    today: date,
    at: datetime,
) -> tuple[AppliedCoupon, tuple[Change, ...]]:
    """Decide that a customer redeems a coupon; returns what then stands on the subscription.

    The changes count it on the coupon and the code, and add the redemption; of two at once that
    both would be the last, one is refused, for it finds the count moved on.

    Raises `CouponRefused` by the first limit that is in the way.
    """
    check_offer(coupon, code, today=today)
    check_basket(coupon, basket)
    check_buyer(coupon, code, buyer)
    customer, ordinal = buyer.customer, buyer.times_redeemed + 1
    redemption = Redemption(
        RedemptionId(derived_id("red", coupon.tenant, coupon.id, customer, str(ordinal))),
        coupon.tenant,
        1,
        coupon.id,
        None if code is None else code.id,
        customer,
        basket.subscription,
        ordinal,
        at,
    )
    counted = evolve(coupon, redeemed=coupon.redeemed + 1, version=coupon.version + 1)
    event = CouponRedeemed(
        coupon.id, customer, basket.subscription, redemption.id, redemption.promotion_code
    )
    changes = (changed(COUPON, coupon, counted, event), created(REDEMPTION, redemption))
    if code is None:
        return coupon.applied(), changes
    used = evolve(code, redeemed=code.redeemed + 1, version=code.version + 1)
    on_code = PromotionCodeRedeemed(code.id, coupon.id, redemption.id)
    return coupon.applied(code.code), (*changes, changed(PROMOTION_CODE, code, used, on_code))
