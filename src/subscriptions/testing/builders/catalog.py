"""Builders: what is sold: products, prices, usage and coupons."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from subscriptions.billing_cycles import Interval, Period
from subscriptions.catalog import Price, Product
from subscriptions.coupons import Coupon, PromotionCode, Redemption
from subscriptions.discounts import PercentOff
from subscriptions.ids import (
    CouponId,
    CustomerId,
    MeterId,
    PriceId,
    ProductId,
    PromotionCodeId,
    RedemptionId,
    SubscriptionId,
)
from subscriptions.money import EUR
from subscriptions.pricing import PerUnit
from subscriptions.testing.builders.defaults import AT, SEGMENT, START, TENANT, changed
from subscriptions.usage import CarriedLevel, Meter, UsageEvent, level_id, usage_id


def a_product(id: str = "prod_pro", /, **changes: object) -> Product:
    """Return a product that is on offer."""
    return changed(Product(ProductId(id), TENANT, 1, f"Product {id}"), changes)


def a_price(id: str = "price_pro", /, **changes: object) -> Price:
    """Return a price of 29.00 EUR for each unit and month."""
    price = Price(
        PriceId(id),
        TENANT,
        1,
        ProductId("prod_pro"),
        "Pro",
        PerUnit(Decimal("29.00")),
        EUR,
        Interval.months(1),
    )
    return changed(price, changes)


def a_meter(id: str = "api_calls", /, **changes: object) -> Meter:
    """Return a meter that adds up quantities."""
    return changed(Meter(MeterId(id), TENANT, 1, "API calls"), changes)


def a_usage_event(event: str = "evt_1", /, **changes: object) -> UsageEvent:
    """Return an API call of Ada's subscription, in its first month; its id follows from `event`."""
    used = UsageEvent(
        usage_id(TENANT, event),
        TENANT,
        1,
        event,
        SubscriptionId("sub_ada"),
        MeterId("api_calls"),
        1,
        AT,
        AT,
        SEGMENT,
        SEGMENT,
        Period(START, date(2027, 2, 28)),
    )
    return changed(used, changes)


def a_carried_level(quantity: int | Decimal = 10, /, **changes: object) -> CarriedLevel:
    """Return the level with which the first month of Ada's subscription begins."""
    subscription, meter = SubscriptionId("sub_ada"), MeterId("storage")
    id = level_id(TENANT, subscription, meter, SEGMENT)
    level = CarriedLevel(id, TENANT, 1, subscription, meter, SEGMENT, Decimal(quantity))
    return changed(level, changes)


def a_coupon(id: str = "cpn_welcome", /, **changes: object) -> Coupon:
    """Return a coupon of 20 % off the first period, for everything and everybody."""
    return changed(Coupon(CouponId(id), TENANT, 1, "Welcome", PercentOff(20)), changes)


def a_promotion_code(id: str = "promo_welcome", /, **changes: object) -> PromotionCode:
    """Return a code of the coupon; what is typed follows from the id."""
    code = PromotionCode(PromotionCodeId(id), TENANT, 1, CouponId("cpn_welcome"), f"code-{id}")
    return changed(code, changes)


def a_redemption(id: str = "red_ada", /, **changes: object) -> Redemption:
    """Return Ada's first redemption of the coupon, for her subscription, by its code."""
    redemption = Redemption(
        RedemptionId(id),
        TENANT,
        1,
        CouponId("cpn_welcome"),
        PromotionCodeId("promo_welcome"),
        CustomerId("cus_ada"),
        SubscriptionId("sub_ada"),
        1,
        AT,
    )
    return changed(redemption, changes)
