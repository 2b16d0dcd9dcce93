"""Coupons and promotion codes: what they give, for how long, and who may redeem them.

A *coupon* says what is taken off and its limits. A *promotion code* is what a customer types to
redeem it. A *redemption* is the fact that this happened; by then the terms stand on the
subscription as an `AppliedCoupon`, and nothing that becomes of the coupon later changes them.

What a discount amounts to is decided in `discounts`. Nothing here reads a clock.
"""

from subscriptions.coupons.coupon import (
    COUPON,
    MOST_PERIODS,
    PROMOTION_CODE,
    REDEMPTION,
    AppliedCoupon,
    Coupon,
    Duration,
    Forever,
    Once,
    Periods,
    PromotionCode,
    Redemption,
    promotion_code,
)
from subscriptions.coupons.deciding import (
    Accepted,
    Basket,
    Buyer,
    CouponRefused,
    Limit,
    Refused,
    Verdict,
    add_code,
    archive,
    check_basket,
    check_buyer,
    check_offer,
    create,
    deactivate,
    judge,
    redeem,
)
from subscriptions.coupons.events import (
    CouponArchived,
    CouponCreated,
    CouponRedeemed,
    Event,
    PromotionCodeCreated,
    PromotionCodeDeactivated,
    PromotionCodeRedeemed,
)

__all__ = [
    "COUPON",
    "MOST_PERIODS",
    "PROMOTION_CODE",
    "REDEMPTION",
    "Accepted",
    "AppliedCoupon",
    "Basket",
    "Buyer",
    "Coupon",
    "CouponArchived",
    "CouponCreated",
    "CouponRedeemed",
    "CouponRefused",
    "Duration",
    "Event",
    "Forever",
    "Limit",
    "Once",
    "Periods",
    "PromotionCode",
    "PromotionCodeCreated",
    "PromotionCodeDeactivated",
    "PromotionCodeRedeemed",
    "Redemption",
    "Refused",
    "Verdict",
    "add_code",
    "archive",
    "check_basket",
    "check_buyer",
    "check_offer",
    "create",
    "deactivate",
    "judge",
    "promotion_code",
    "redeem",
]
