"""Coupons and promotion codes: each limit, and what stands on a subscription in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from subscriptions import Duplicate, InvalidTransition, OneOff, Seller, UnknownReference
from subscriptions.coupons import (
    Accepted,
    AppliedCoupon,
    CouponRefused,
    Duration,
    Forever,
    Limit,
    Once,
    Periods,
    PromotionCode,
    Refused,
)
from subscriptions.customers import Customer
from subscriptions.discounts import AmountOff, PercentOff
from subscriptions.errors import NotFound, ValidationError
from subscriptions.lifecycle import Subscription
from subscriptions.money import Money
from tests.scenarios.shop import MONTHLY, Shop, eur

LATER = date(2027, 6, 1)


def agreed(shop: Shop, customer: Customer | None = None, amount: str = "29.00") -> Subscription:
    """Return a subscription that begins later: nothing of it is billed yet."""
    owner = customer or shop.customer()
    return shop.subscribe(owner, shop.price(eur(amount)), start=LATER)


def welcome(shop: Shop, **limits: object) -> PromotionCode:
    """Return the code WELCOME of a coupon of 20 % off, with limits."""
    coupon = shop.billing.coupons.create("Welcome", percent_off=20, **limits)  # type: ignore[arg-type]  # passed on
    return shop.billing.coupons.code(coupon.id, "WELCOME")


def refused_by(shop: Shop, subscription: Subscription, wanted: str = "WELCOME") -> Limit:
    """Redeem what is refused; a check says the same, and nothing is changed."""
    before = shop.events()
    with pytest.raises(CouponRefused) as refused:
        shop.billing.coupons.redeem(wanted, subscription=subscription.id)
    verdict = shop.billing.coupons.check(wanted, subscription=subscription.id)
    assert isinstance(verdict, Refused)
    assert (verdict.limit, verdict.expected) == (refused.value.field, refused.value.expected)
    assert shop.events() == before
    return verdict.limit


def redeem(shop: Shop, subscription: Subscription, wanted: str = "WELCOME") -> Subscription:
    verdict = shop.billing.coupons.check(wanted, subscription=subscription.id)
    assert isinstance(verdict, Accepted)
    return shop.billing.coupons.redeem(wanted, subscription=subscription.id)


# ---- coupons and codes -----------------------------------------------------------------------


def test_a_coupon_is_found_by_its_code_however_that_is_typed(shop: Shop) -> None:
    code = welcome(shop, campaign="Spring")
    for typed in ("WELCOME", "welcome", " Welcome ", code.id):
        assert shop.billing.coupons.get_code(typed) == code
    verdict = shop.billing.coupons.check("welcome")
    assert verdict == Accepted(shop.billing.coupons.get(code.coupon), code)
    assert shop.events(code.coupon) == ["coupon.created"]
    assert shop.events(code.id) == ["promotion_code.created"]


def test_a_code_is_one_coupons_only(shop: Shop) -> None:
    code = welcome(shop)
    other = shop.billing.coupons.create("Other", amount_off=eur("5.00"))
    with pytest.raises(Duplicate, match=r"promotion_code\.code 'WELCOME' is taken"):
        shop.billing.coupons.code(other.id, "welcome")
    assert list(shop.billing.coupons.codes()) == [code]


def test_coupons_and_codes_are_listed_by_what_is_asked(shop: Shop) -> None:
    verbs, ada = shop.billing.coupons, shop.customer()
    spring = verbs.create("Spring", percent_off=10, campaign="2027")
    autumn = verbs.create("Autumn", percent_off=10, campaign="2027")
    personal = verbs.code(spring.id, "FOR-ADA", customer=ada.id)
    public = verbs.deactivate_code(verbs.code(spring.id, "SPRING").code)
    autumn = verbs.archive(autumn.id)
    assert list(verbs.list(campaign="2027")) == [spring, autumn]
    assert list(verbs.list(name="Spring")) == [spring]
    assert list(verbs.list(status="archived")) == [autumn]
    assert list(verbs.codes(coupon=spring.id)) == [personal, public]
    assert list(verbs.codes(customer=ada.id)) == [personal]
    assert list(verbs.codes(status="inactive")) == [public]


@pytest.mark.parametrize("both", [True, False])
def test_a_coupon_takes_off_a_percentage_or_an_amount(shop: Shop, *, both: bool) -> None:
    percent, amount = (10, eur("5.00")) if both else (None, None)
    with pytest.raises(ValidationError, match="either percent_off or amount_off"):
        shop.billing.coupons.create("Welcome", percent_off=percent, amount_off=amount)


def test_an_amount_is_stated_for_each_currency(shop: Shop) -> None:
    amounts = (eur("5.00"), Money.of("6.00", "USD"))
    coupon = shop.billing.coupons.create("Welcome", amount_off=amounts, currencies=["EUR", "EUR"])
    assert coupon.terms == AmountOff(amounts)
    assert [currency.code for currency in coupon.offered_in] == ["EUR"]


@pytest.mark.parametrize(
    ("field", "slip"),
    [
        ("products", "Pro"),
        ("products", 5),
        ("products", [5]),
        ("currencies", "EUR"),
        ("currencies", ["€"]),
        ("duration", "once"),
        ("duration", 3),
        ("first_purchase_only", "yes"),
        ("stackable", 1),
        ("minimum", "10.00"),
    ],
)
def test_a_slip_is_refused_by_the_name_of_the_field(shop: Shop, field: str, slip: object) -> None:
    with pytest.raises(ValidationError) as refused:
        shop.billing.coupons.create("Welcome", percent_off=10, **{field: slip})  # type: ignore[arg-type]  # the slip
    assert refused.value.field in (field, "currency")
    assert shop.events() == []


def test_what_does_not_exist_is_named(shop: Shop) -> None:
    verbs, code = shop.billing.coupons, welcome(shop)
    for wanted in ("UNKNOWN", "no code at all", "cpn_unknown"):
        with pytest.raises(UnknownReference, match="coupon"):
            verbs.check(wanted)
        with pytest.raises(NotFound, match="promotion_code"):
            verbs.get_code(wanted)
    with pytest.raises(UnknownReference, match="coupon"):
        verbs.code("cpn_unknown", "NEW")
    with pytest.raises(UnknownReference, match="customer"):
        verbs.code(code.coupon, "NEW", customer="cus_unknown")
    with pytest.raises(UnknownReference, match="customer"):
        verbs.check("WELCOME", customer="cus_unknown")
    with pytest.raises(UnknownReference, match="products"):
        verbs.create("Welcome", percent_off=10, products=["Unicorn"])


# ---- the limits ------------------------------------------------------------------------------


def test_an_archived_coupon_is_not_redeemed_by_its_codes_either(shop: Shop) -> None:
    code, subscription = welcome(shop), agreed(shop)
    shop.billing.coupons.archive(code.coupon)
    assert refused_by(shop, subscription) is Limit.ARCHIVED
    assert refused_by(shop, subscription, code.coupon) is Limit.ARCHIVED
    with pytest.raises(InvalidTransition):
        shop.billing.coupons.code(code.coupon, "ANOTHER")


def test_a_deactivated_code_leaves_the_coupon_and_its_other_codes(shop: Shop) -> None:
    code, subscription = welcome(shop), agreed(shop)
    shop.billing.coupons.code(code.coupon, "HELLO")
    shop.billing.coupons.deactivate_code("welcome")
    assert refused_by(shop, subscription) is Limit.INACTIVE
    assert redeem(shop, subscription, "HELLO").discounts[0].code == "HELLO"


def test_a_window_opens_and_closes_at_midnight_where_the_seller_is(
    open_a_shop: Callable[..., Shop],
) -> None:
    # In Berlin it is 31 January already, and half an hour later 1 February.
    shop = open_a_shop(
        seller=Seller("Acme GmbH", zone="Europe/Berlin"),
        start=datetime(2027, 1, 30, 22, 30, tzinfo=UTC),
    )
    subscription = agreed(shop)
    welcome(shop, redeem_from=date(2027, 1, 31), redeem_until=date(2027, 2, 1))
    assert refused_by(shop, subscription) is Limit.TOO_EARLY
    shop.time.advance(hours=1)
    assert isinstance(shop.billing.coupons.check("WELCOME"), Accepted)
    shop.time.advance(days=1)
    assert refused_by(shop, subscription) is Limit.EXPIRED


def test_a_code_has_a_window_and_a_number_of_uses_of_its_own(shop: Shop) -> None:
    code, first, second = welcome(shop), agreed(shop), agreed(shop)
    verbs = shop.billing.coupons
    verbs.code(code.coupon, "SOON", redeem_from=date(2027, 2, 1))
    verbs.code(code.coupon, "PAST", redeem_until=date(2027, 1, 1))
    verbs.code(code.coupon, "ONE", max_redemptions=1)
    assert refused_by(shop, first, "SOON") is Limit.TOO_EARLY
    assert refused_by(shop, first, "PAST") is Limit.EXPIRED
    redeem(shop, first, "ONE")
    assert refused_by(shop, second, "ONE") is Limit.USED_UP
    assert verbs.get_code("ONE").redeemed == 1
    redeem(shop, second, "WELCOME")


def test_a_coupon_is_redeemed_as_often_as_all_customers_may(shop: Shop) -> None:
    code = welcome(shop, max_redemptions=2)
    redeem(shop, agreed(shop))
    redeem(shop, agreed(shop), code.coupon)
    assert refused_by(shop, agreed(shop)) is Limit.USED_UP
    assert shop.billing.coupons.get(code.coupon).redeemed == 2


def test_a_coupon_is_redeemed_as_often_as_one_customer_may(shop: Shop) -> None:
    ada = shop.customer()
    welcome(shop, max_per_customer=1)
    redeem(shop, agreed(shop, ada))
    assert refused_by(shop, agreed(shop, ada)) is Limit.USED_BY_CUSTOMER
    redeem(shop, agreed(shop, shop.customer(name="Grace Hopper")))


def test_of_many_at_once_no_more_redeem_a_coupon_than_may(shop: Shop) -> None:
    code = welcome(shop, max_redemptions=2)
    subscriptions = [agreed(shop) for _ in range(4)]

    def attempt(subscription: Subscription) -> bool:
        try:
            shop.billing.coupons.redeem("WELCOME", subscription=subscription.id)
        except CouponRefused:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, subscriptions)) == 2
    assert shop.billing.coupons.get(code.coupon).redeemed == 2
    assert len(list(shop.billing.coupons.redemptions(coupon=code.coupon))) == 2


def test_the_first_purchase_is_before_the_first_invoice(shop: Shop) -> None:
    welcome(shop, first_purchase_only=True)
    ada, grace = shop.customer(), shop.customer(name="Grace Hopper")
    verbs = shop.billing.coupons
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Setup", eur("10.00"))])
    assert refused_by(shop, agreed(shop, ada)) is Limit.NOT_FIRST_PURCHASE
    assert isinstance(verbs.check("WELCOME", customer=ada.id), Refused)
    assert isinstance(verbs.check("WELCOME", customer=grace.id), Accepted)
    redeem(shop, agreed(shop, grace))
    assert refused_by(shop, agreed(shop, grace)) is Limit.NOT_FIRST_PURCHASE


def test_an_invoice_that_was_void_or_a_draft_was_no_purchase(shop: Shop) -> None:
    welcome(shop, first_purchase_only=True)
    ada = shop.customer(token=None)
    lines = [OneOff("Setup", eur("10.00"))]
    mistake = shop.billing.invoices.create_one_off(ada.id, lines)
    shop.billing.invoices.void(mistake.id, reason="a mistake")
    shop.billing.invoices.create_one_off(ada.id, lines, finalize=False)
    redeem(shop, agreed(shop, ada))


def test_a_code_for_one_customer_is_for_nobody_else(shop: Shop) -> None:
    coupon = shop.billing.coupons.create("Sorry", amount_off=eur("10.00"))
    ada, grace = shop.customer(), shop.customer(name="Grace Hopper")
    shop.billing.coupons.code(coupon.id, "SORRY-ADA", customer=ada.id)
    assert refused_by(shop, agreed(shop, grace), "SORRY-ADA") is Limit.OTHER_CUSTOMER
    redeem(shop, agreed(shop, ada), "SORRY-ADA")


def test_an_amount_is_not_redeemed_in_another_currency(shop: Shop) -> None:
    coupon = shop.billing.coupons.create("Dollars", amount_off=Money.of("5.00", "USD"))
    assert refused_by(shop, agreed(shop), coupon.id) is Limit.CURRENCY


def test_a_coupon_for_a_product_needs_it_on_the_subscription(shop: Shop) -> None:
    pro = shop.price(name="Pro")
    shop.price(name="Seats")
    welcome(shop, products=["Seats"])
    coupon = shop.billing.coupons.create("Pro only", percent_off=10, products=[pro.product])
    subscription = shop.subscribe(shop.customer(), pro, start=LATER)
    assert refused_by(shop, subscription) is Limit.PRODUCTS
    assert redeem(shop, subscription, coupon.id).discounts[0].products == (pro.product,)


def test_the_minimum_is_what_all_items_come_to_for_one_period(shop: Shop) -> None:
    welcome(shop, minimum=eur("50.00"))
    pro, seats = shop.price(eur("29.00"), name="Pro"), shop.price(eur("7.00"), name="Seats")
    create = shop.billing.subscriptions.create
    small = create(shop.customer().id, [pro.id, (seats.id, 2)], start=LATER)
    large = create(shop.customer().id, [pro.id, (seats.id, 3)], start=LATER)
    assert refused_by(shop, small) is Limit.MINIMUM
    redeem(shop, large)


def test_a_coupon_that_stands_alone_is_beside_no_other(shop: Shop) -> None:
    subscription, verbs = agreed(shop), shop.billing.coupons
    welcome(shop)
    alone = verbs.create("Alone", percent_off=50, stackable=False)
    more = verbs.create("More", percent_off=5)
    redeem(shop, subscription)
    assert refused_by(shop, subscription, alone.id) is Limit.NOT_COMBINABLE
    standing = redeem(shop, subscription, more.id)
    assert [each.name for each in standing.discounts] == ["Welcome", "More"]
    other = agreed(shop)
    redeem(shop, other, alone.id)
    assert refused_by(shop, other, more.id) is Limit.NOT_COMBINABLE


def test_a_coupon_stands_on_a_subscription_once(shop: Shop) -> None:
    code, subscription = welcome(shop), agreed(shop)
    redeem(shop, subscription)
    assert refused_by(shop, subscription) is Limit.APPLIED
    assert refused_by(shop, subscription, code.coupon) is Limit.APPLIED


# ---- redeeming -------------------------------------------------------------------------------


@pytest.mark.parametrize(("duration", "left"), [(Periods(3), 3), (Forever(), None)])
def test_what_is_redeemed_stands_on_the_subscription(
    shop: Shop, duration: Periods | Forever, left: int | None
) -> None:
    code, subscription = welcome(shop, duration=duration), agreed(shop)
    after = shop.billing.coupons.redeem("welcome", subscription=subscription.id)
    assert after.discounts == (
        AppliedCoupon(code.coupon, "Welcome", PercentOff(20), (), left, code="WELCOME"),
    )
    (redemption,) = shop.billing.coupons.redemptions(subscription=subscription.id)
    assert (redemption.customer, redemption.coupon) == (subscription.customer, code.coupon)
    assert shop.events(code.coupon) == ["coupon.created", "coupon.redeemed"]
    assert shop.events(code.id) == ["promotion_code.created", "promotion_code.redeemed"]


def test_who_redeemed_what_is_listed_by_customer_coupon_and_code(shop: Shop) -> None:
    code, ada = welcome(shop), shop.customer()
    redeem(shop, agreed(shop, ada))
    redeem(shop, agreed(shop, shop.customer(name="Grace Hopper")), code.coupon)
    listed = shop.billing.coupons.redemptions
    first, second = listed(coupon=code.coupon)
    assert list(listed(customer=ada.id)) == [first]
    assert list(listed(promotion_code=code.id)) == [first]
    assert second.promotion_code is None


def test_a_redemption_that_is_repeated_with_its_key_counts_once(shop: Shop) -> None:
    code, subscription = welcome(shop), agreed(shop)
    for _ in range(2):
        shop.billing.coupons.redeem(
            "WELCOME", subscription=subscription.id, idempotency_key="checkout-1"
        )
    assert shop.billing.coupons.get(code.coupon).redeemed == 1


def test_a_redemption_that_is_rolled_back_does_not_count(shop: Shop) -> None:
    code, subscription = welcome(shop, max_redemptions=1), agreed(shop)

    def sign_up() -> None:
        with shop.billing.transaction():
            shop.billing.coupons.redeem("WELCOME", subscription=subscription.id)
            raise LookupError("the host changed its mind")

    with pytest.raises(LookupError, match="changed its mind"):
        sign_up()
    assert shop.billing.coupons.get(code.coupon).redeemed == 0
    redeem(shop, subscription)


def test_a_check_for_another_customer_than_the_subscriptions_is_a_slip(shop: Shop) -> None:
    welcome(shop)
    subscription, grace = agreed(shop), shop.customer(name="Grace Hopper")
    with pytest.raises(ValidationError, match="the customer of the subscription"):
        shop.billing.coupons.check("WELCOME", customer=grace.id, subscription=subscription.id)


@pytest.mark.parametrize("named", ["WELCOME", "welcome", "the coupon"])
def test_a_coupon_is_taken_off_by_its_id_or_code_and_stays_redeemed(shop: Shop, named: str) -> None:
    code, subscription = welcome(shop, max_per_customer=1), agreed(shop)
    redeem(shop, subscription)
    wanted = code.coupon if named == "the coupon" else named
    assert shop.billing.coupons.remove(subscription.id, wanted).discounts == ()
    assert shop.billing.coupons.get(code.coupon).redeemed == 1
    assert refused_by(shop, subscription) is Limit.USED_BY_CUSTOMER
    with pytest.raises(ValidationError, match="stands on the subscription"):
        shop.billing.coupons.remove(subscription.id, wanted)


def test_archiving_a_coupon_leaves_it_to_those_who_have_it(shop: Shop) -> None:
    code, subscription = welcome(shop), agreed(shop)
    standing = redeem(shop, subscription).discounts
    shop.billing.coupons.archive(code.coupon)
    assert shop.subscription(subscription).discounts == standing


def test_nothing_is_redeemed_for_a_subscription_that_has_ended(shop: Shop) -> None:
    code, subscription = welcome(shop), agreed(shop)
    shop.billing.subscriptions.cancel(subscription.id, when="now")
    with pytest.raises(InvalidTransition):
        shop.billing.coupons.redeem("WELCOME", subscription=subscription.id)
    assert shop.billing.coupons.get(code.coupon).redeemed == 0


# ---- for how many periods ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("off", "duration", "taken_off"),
    [
        ("50", Once(), [2000, 0, 0, 0]),
        ("50", Periods(3), [2000, 2000, 2000, 0]),
        (eur("5.00"), Periods(2), [500, 500, 0, 0]),
        (eur("50.00"), Forever(), [4000, 4000, 4000, 4000]),
    ],
)
@pytest.mark.parametrize("catch_up", ["each", "together"])
def test_a_coupon_counts_for_as_many_periods_on_one_invoice_as_on_several(
    shop: Shop, off: str | Money, duration: Duration, taken_off: list[int], catch_up: str
) -> None:
    percent, amount = (off, None) if isinstance(off, str) else (None, off)
    coupon = shop.billing.coupons.create(
        "Welcome", percent_off=percent, amount_off=amount, duration=duration
    )
    first, second = shop.price(eur("30.00"), name="A"), shop.price(eur("10.00"), name="B")
    sub = shop.billing.subscriptions.create(
        shop.customer().id,
        [first.id, second.id],
        start=date(2026, 10, 1),
        coupons=[coupon.id],
        catch_up=catch_up,
    )
    shop.billing.run()
    assert len(shop.invoices()) == (4 if catch_up == "each" else 1)
    found = Counter[str]()
    for invoice in shop.invoices():
        for line in invoice.lines:
            found[str(line.period)] += line.discount_minor
    assert list(found.values()) == taken_off
    # What is given back of the last period knows what was taken off it, and no more.
    shop.billing.subscriptions.change(sub.id, quantities={first.id: 2})
    shop.billing.subscriptions.change(sub.id, quantities={first.id: 1})
    pending = shop.subscription(sub).pending
    assert (
        sum(each.amount_minor - sum(s.amount_minor for s in each.discounts) for each in pending)
        == 0
    )


def test_a_coupon_that_took_something_off_a_setup_fee_has_counted(shop: Shop) -> None:
    once = shop.billing.coupons.create("Half", percent_off=50)
    price = shop.billing.catalog.add_price(
        "Pro", eur("30.00"), every=MONTHLY, setup=eur("20.00"), introductory=[(1, eur("0.00"))]
    )
    sub = shop.billing.subscriptions.create(shop.customer().id, [price.id], coupons=[once.id])
    assert shop.totals() == ["10.00 EUR"]
    assert shop.subscription(sub).discounts == ()
    shop.time.advance(to=date(2027, 2, 1))
    assert shop.totals() == ["10.00 EUR", "30.00 EUR"]


def test_what_replaces_a_product_has_the_percentage_that_its_period_has(shop: Shop) -> None:
    plan, seats = shop.price(eur("31.00"), name="Plan"), shop.price(eur("10.00"), name="Seats")
    team = shop.price(eur("62.00"), name="Team")
    half = shop.billing.coupons.create(
        "Half", percent_off=50, duration=Forever(), products=["Team", "Seats"]
    )
    sub = shop.billing.subscriptions.create(
        shop.customer().id, [plan.id, seats.id], coupons=[half.id]
    )
    assert shop.totals() == ["36.00 EUR"]
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, swap={plan.id: team.id})
    assert shop.pending(sub) == ["credit Plan -21.00 EUR", "debit Team 21.00 EUR"]
    # The plan is none of the coupon's, and costs again what it did.
    shop.billing.subscriptions.change(sub.id, swap={team.id: plan.id})
    assert shop.pending(sub) == ["credit Plan -21.00 EUR", "debit Plan 21.00 EUR"]


def test_a_percentage_counts_once_though_something_joins_what_is_billed_in_arrears(
    shop: Shop,
) -> None:
    late = shop.billing.catalog.add_price("Late", eur("31.00"), every=MONTHLY, arrears=True)
    ahead = shop.price(eur("62.00"), name="Ahead")
    half = shop.billing.coupons.create("Half", percent_off=50)
    sub = shop.billing.subscriptions.create(shop.customer().id, [late.id], coupons=[half.id])
    shop.time.advance(to=date(2027, 1, 11))
    # Nothing of January was billed by now, so no coupon has counted for it.
    shop.billing.subscriptions.change(sub.id, add=[ahead.id])
    assert shop.pending(sub) == ["debit Ahead 42.00 EUR"]
    shop.time.advance(to=date(2027, 3, 1))
    # It counts for 1 February, when January of the one and February of the other are due.
    assert shop.totals() == ["88.50 EUR", "93.00 EUR"]


def test_a_percentage_that_took_nothing_off_does_not_count_before_it_counts(shop: Shop) -> None:
    free, paid = shop.price(eur("0.00"), name="Free"), shop.price(eur("31.00"), name="Paid")
    half = shop.billing.coupons.create("Half", percent_off=50)
    sub = shop.billing.subscriptions.create(shop.customer().id, [free.id], coupons=[half.id])
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, [paid.id])
    assert shop.pending(sub) == ["debit Paid 21.00 EUR"]
    shop.time.advance(to=date(2027, 3, 1))
    assert shop.totals() == ["0.00 EUR", "36.50 EUR", "31.00 EUR"]
