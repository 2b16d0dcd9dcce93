"""Examples: products, prices of every model, usage and coupons."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from subscriptions import catalog, coupons, usage
from subscriptions.billing_cycles import Interval
from subscriptions.discounts import AmountOff
from subscriptions.ids import PriceId, ProductId
from subscriptions.money import CHF, EUR, JPY, USD, Money
from subscriptions.pricing import (
    Flat,
    FreeUnits,
    Graduated,
    GraduatedPercentage,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    RateTier,
    Stairstep,
    Step,
    Tier,
    Volume,
)
from subscriptions.records import Metadata
from subscriptions.taxes import TaxBehavior
from subscriptions.testing.builders import (
    START,
    a_carried_level,
    a_coupon,
    a_meter,
    a_price,
    a_product,
    a_promotion_code,
    a_redemption,
    a_usage_event,
)
from subscriptions.testing.examples.example import CUSTOMER, LATER, Example


def of_catalog() -> Iterator[Example]:
    """Yield examples of products and prices."""
    yield Example("product", catalog.PRODUCT, a_product())
    gone = a_product("prod_old", archived=True, metadata=Metadata({"until": "2026"}))
    yield Example("product.archived", catalog.PRODUCT, gone)
    addon = a_product(
        "prod_addon",
        requires=(ProductId("prod_pro"), ProductId("prod_old")),
        excludes=(ProductId("prod_basic"),),
        entitlements=(
            catalog.Entitlement("priority support"),
            catalog.Entitlement("seats", 1, per_unit=True),
            catalog.Entitlement("storage", Decimal("0.5"), meter="gigabytes"),
        ),
    )
    yield Example("product.addon", catalog.PRODUCT, addon)
    priced = {
        "per_unit": a_price("price_per_unit", model=PerUnit(Decimal("0.000000000001"))),
        "flat": a_price("price_flat", model=Flat(Decimal("29.00"))),
        "daily": a_price("price_daily", every=Interval.days(30), currency=USD),
        "weekly": a_price("price_weekly", every=Interval.weeks(2), currency=JPY),
        "yearly": a_price("price_yearly", every=Interval.years(1), currency=CHF),
        "once": a_price("price_once", every=None, tax_behavior=TaxBehavior.INCLUSIVE),
        "archived": a_price("price_archived", archived=True, version=2),
        "metered": a_price(
            "price_metered", arrears=True, meter="api calls", trial_usage_billed=True
        ),
        "terms": a_price(
            "price_terms",
            minimum_minor=10000,
            setup_minor=4900,
            trial=Interval.days(14),
            introductory=(
                catalog.Introductory(3, PerUnit(Decimal("9.00"))),
                catalog.Introductory(1, Flat(Decimal("19.00"))),
            ),
            term_periods=24,
            entitlements=(catalog.Entitlement("seats", 10), catalog.Entitlement("export")),
        ),
        "bare": a_price("price_bare", entitlements=()),
        "superseded": a_price(
            "price_superseded",
            version=2,
            superseded_by=PriceId("price_versioned"),
            superseded_on=START,
        ),
        "versioned": a_price(
            "price_versioned", valid_from=START, supersedes=PriceId("price_superseded")
        ),
        "overriding": a_price(
            "price_overriding", customer=CUSTOMER, overrides=PriceId("price_pro")
        ),
    }
    for name, price in priced.items():
        yield Example(f"price.{name}", catalog.PRICE, price)
    for name, model in _price_models().items():
        yield Example(f"price.{name}", catalog.PRICE, a_price(f"price_{name}", model=model))


def of_usage() -> Iterator[Example]:
    """Yield examples of meters and usage."""
    made = {
        "sum": a_meter(),
        "count": a_meter("logins", aggregation=usage.Aggregation.COUNT),
        "max": a_meter("peak", aggregation=usage.Aggregation.MAX),
        "last": a_meter("seats", aggregation=usage.Aggregation.LAST),
        "time_weighted": a_meter("storage", aggregation=usage.Aggregation.TIME_WEIGHTED),
        "full": a_meter(
            "users",
            name="Active users",
            aggregation=usage.Aggregation.UNIQUE,
            counted_property="user",
            filters=(usage.Filter("plan", ("pro", "team")), usage.Filter("region", ("eu",))),
            rounding=usage.QuantityRounding(usage.RoundingMode.UP, 10),
        ),
    }
    for mode in usage.RoundingMode:
        rounding = usage.QuantityRounding(mode, "0.01")
        made[f"round_{mode}"] = a_meter(f"round {mode}", rounding=rounding)
    for name, meter in made.items():
        yield Example(f"meter.{name}", usage.METER, meter)
    late = a_usage_event(
        "evt/2",
        quantity=Decimal("-0.000000000001"),
        recorded_at=LATER,
        billed_with=datetime(2027, 2, 28, tzinfo=UTC),
        properties=Metadata({"user": "ada", "region": "eu"}),
    )
    yield Example("usage", usage.USAGE, a_usage_event())
    yield Example("usage.late", usage.USAGE, late)
    yield Example("usage_level", usage.LEVEL, a_carried_level(Decimal("12.5"), version=2))


def of_coupons() -> Iterator[Example]:
    """Yield examples of coupons, codes and redemptions."""
    full = a_coupon(
        "cpn_full",
        version=4,
        terms=AmountOff((Money.of("5.00", "EUR"), Money.of("600", "JPY"))),
        duration=coupons.Periods(3),
        products=(ProductId("prod_pro"),),
        currencies=(EUR,),
        redeem_from=START,
        redeem_until=date(2027, 3, 1),
        max_redemptions=100,
        max_per_customer=1,
        first_purchase_only=True,
        minimum=Money.of("20.00", "EUR"),
        stackable=False,
        campaign="Spring 2027",
        archived=True,
        redeemed=2,
        metadata=Metadata({"affiliate": "grace"}),
    )
    forever = a_coupon("cpn_forever", duration=coupons.Forever())
    for name, coupon in {"once": a_coupon(), "full": full, "forever": forever}.items():
        yield Example(f"coupon.{name}", coupons.COUPON, coupon)
    private = a_promotion_code(
        "promo_private",
        version=3,
        customer=CUSTOMER,
        redeem_from=START,
        redeem_until=date(2027, 3, 1),
        max_redemptions=1,
        active=False,
        redeemed=1,
        metadata=Metadata({"sent": "by post"}),
    )
    yield Example("promotion_code", coupons.PROMOTION_CODE, a_promotion_code())
    yield Example("promotion_code.private", coupons.PROMOTION_CODE, private)
    yield Example("redemption", coupons.REDEMPTION, a_redemption())
    by_id = a_redemption("red_by_id", promotion_code=None, ordinal=2)
    yield Example("redemption.by_id", coupons.REDEMPTION, by_id)


def _price_models() -> dict[str, PriceModel]:
    tiers = (
        Tier(up_to=10, unit="1.00"),
        Tier(up_to=Decimal("100.5"), unit="0.50", flat="3.00"),
        Tier(unit="0.000000000001"),
    )
    graduated = Graduated(tiers)
    return {
        "graduated": graduated,
        "graduated_without_zero": Graduated(tiers, bill_zero=False),
        "volume": Volume(tiers),
        "stairstep": Stairstep((Step(up_to=10, price="9.00"), Step(price="49.00"))),
        "package": Package(size=100, price="5.00", free=100),
        "percentage": Percentage("1.5", fixed="0.30"),
        "percentage_full": Percentage(
            "2.9000000001",
            fixed="0.30",
            free_amount="1000.00",
            free_events=3,
            minimum="0.50",
            maximum="25.00",
        ),
        "graduated_percentage": GraduatedPercentage(
            (RateTier(up_to=1000, rate="2.9", flat="5.00"), RateTier(rate="2"))
        ),
        "free_units": FreeUnits(1000, graduated),
    }
