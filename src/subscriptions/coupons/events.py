"""What happens to coupons and promotion codes, in the past tense."""

from __future__ import annotations

from typing import TypeAlias

from subscriptions.frozen import frozen
from subscriptions.ids import (
    CouponId,
    CustomerId,
    PromotionCodeId,
    RedemptionId,
    SubscriptionId,
)


@frozen
class CouponCreated:
    """A coupon can be redeemed from now on, or from the first day of its window."""

    coupon: CouponId
    name: str


@frozen
class CouponArchived:
    """A coupon can be redeemed no more; subscriptions that have it keep it."""

    coupon: CouponId


@frozen
class CouponRedeemed:
    """A customer redeemed a coupon for a subscription."""

    coupon: CouponId
    customer: CustomerId
    subscription: SubscriptionId
    redemption: RedemptionId
    promotion_code: PromotionCodeId | None


@frozen
class PromotionCodeCreated:
    """A coupon has a new code; `customer` is who alone may use it, if it is for one."""

    promotion_code: PromotionCodeId
    coupon: CouponId
    code: str
    customer: CustomerId | None


@frozen
class PromotionCodeRedeemed:
    """A code was used; who used it for what stands in the `CouponRedeemed` beside it."""

    promotion_code: PromotionCodeId
    coupon: CouponId
    redemption: RedemptionId


@frozen
class PromotionCodeDeactivated:
    """A code can be used no more; the coupon and its other codes stay as they are."""

    promotion_code: PromotionCodeId
    coupon: CouponId


Event: TypeAlias = (
    CouponCreated
    | CouponArchived
    | CouponRedeemed
    | PromotionCodeCreated
    | PromotionCodeRedeemed
    | PromotionCodeDeactivated
)
