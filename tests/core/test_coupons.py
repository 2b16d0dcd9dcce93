"""Coupons and promotion codes: what they say, who may redeem them, and what a redemption counts."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime
from typing import Any

import pytest
from attrs import evolve

from subscriptions import coupons
from subscriptions.coupons import (
    Accepted,
    AppliedCoupon,
    Basket,
    Buyer,
    Coupon,
    CouponArchived,
    CouponCreated,
    CouponRedeemed,
    CouponRefused,
    Duration,
    Forever,
    Limit,
    Once,
    Periods,
    PromotionCode,
    PromotionCodeCreated,
    PromotionCodeDeactivated,
    PromotionCodeRedeemed,
    Redemption,
    Refused,
)
from subscriptions.decisions import Change
from subscriptions.discounts import AmountOff, Discount, PercentOff
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CouponId, CustomerId, ProductId, PromotionCodeId, SubscriptionId
from subscriptions.money import EUR, JPY, USD, Money

AT = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
TODAY = date(2027, 1, 31)
TOMORROW = date(2027, 2, 1)
PRO, SEATS = ProductId("prod_pro"), ProductId("prod_seats")
ADA, GRACE = CustomerId("cus_ada"), CustomerId("cus_grace")
SUBSCRIPTION = SubscriptionId("sub_ada")
NEW = Buyer(ADA, 0, has_bought=False)
BASKET = Basket(SUBSCRIPTION, EUR, (PRO,), 2900)


def a_coupon(**changes: Any) -> Coupon:  # noqa: ANN401 - any field
    coupon = Coupon(CouponId("cpn_welcome"), "acme", 1, "Welcome", PercentOff(20))
    return evolve(coupon, **changes)


def a_code(**changes: Any) -> PromotionCode:  # noqa: ANN401 - any field
    code = PromotionCode(
        PromotionCodeId("promo_1"), "acme", 1, CouponId("cpn_welcome"), "welcome-20"
    )
    return evolve(code, **changes)


def applied(id: str = "cpn_other", **changes: Any) -> AppliedCoupon:  # noqa: ANN401 - any field
    return evolve(AppliedCoupon(CouponId(id), id.title(), PercentOff(10)), **changes)


def refusal(
    coupon: Coupon,
    code: PromotionCode | None = None,
    *,
    buyer: Buyer | None = NEW,
    basket: Basket | None = BASKET,
) -> Limit | None:
    verdict = coupons.judge(coupon, code, today=TODAY, buyer=buyer, basket=basket)
    return verdict.limit if isinstance(verdict, Refused) else None


# ---- what a coupon says ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("campaign", "\x00"),
        ("products", ("",)),
        ("products", "prod_pro"),
        ("redeem_from", AT),
        ("redeem_until", "2027-02-01"),
        ("max_redemptions", 0),
        ("max_redemptions", True),
        ("max_per_customer", 1.5),
        ("minimum", Money(0, EUR)),
        ("minimum", (Money(1, EUR), Money(2, EUR))),
    ],
)
def test_a_coupon_with_a_wrong_value_is_refused_by_the_name_of_the_field(
    field: str, value: object
) -> None:
    with pytest.raises(ValidationError) as refused:
        a_coupon(**{field: value})
    assert refused.value.field == field


@pytest.mark.parametrize("make", [a_coupon, a_code])
def test_a_window_has_at_least_one_day(make: Any) -> None:  # noqa: ANN401 - either of two
    assert make(redeem_from=TODAY, redeem_until=TOMORROW).redeem_until == TOMORROW
    with pytest.raises(ValidationError, match="after redeem_from"):
        make(redeem_from=TODAY, redeem_until=TODAY)


def test_a_product_that_is_named_twice_counts_once() -> None:
    assert a_coupon(products=[PRO, SEATS, PRO]).products == (PRO, SEATS)


@pytest.mark.parametrize("count", [0, -1, 1001, True, "3"])
def test_a_number_of_periods_is_1_to_1000(count: object) -> None:
    with pytest.raises(ValidationError, match="periods"):
        Periods(count)  # type: ignore[arg-type]  # what a caller without a type checker does


def test_the_currencies_are_those_that_terms_and_limits_allow_together() -> None:
    both = AmountOff((Money(500, EUR), Money(600, USD)))
    assert a_coupon().offered_in == ()
    assert a_coupon(terms=both).offered_in == (EUR, USD)
    assert a_coupon(terms=both, minimum=Money(2000, USD)).offered_in == (USD,)
    assert a_coupon(minimum=Money(2000, USD)).offered_in == (USD,)
    assert a_coupon(currencies=(JPY, EUR), terms=both).offered_in == (EUR,)


def test_a_coupon_that_no_currency_fits_is_refused() -> None:
    with pytest.raises(ValidationError, match="one currency that all limits allow"):
        a_coupon(currencies=(JPY,), minimum=Money(1, EUR))


@pytest.mark.parametrize("typed", ["welcome-20", "WELCOME-20", " Welcome-20 "])
def test_a_code_is_kept_in_capitals(typed: str) -> None:
    assert a_code(code=typed).code == "WELCOME-20"


# The capital of the dotless i is I, that of the ligature is FI: they would be other codes.
@pytest.mark.parametrize(
    "typed", ["", " ", "-A", "TWO WORDS", "\u0131", "\ufb01", "A" * 51, "Ä", "A\n1", 5]
)
def test_a_code_is_of_letters_and_digits_of_ascii(typed: object) -> None:
    with pytest.raises(ValidationError, match="code"):
        a_code(code=typed)


def test_a_code_may_be_used_at_least_once() -> None:
    with pytest.raises(ValidationError, match="max_redemptions"):
        a_code(max_redemptions=0)


# ---- what stands on a subscription -----------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "periods"), [(Once(), 1), (Periods(1), 1), (Periods(3), 3), (Periods(1000), 1000)]
)
def test_a_coupon_counts_for_as_many_periods_as_it_says(duration: Duration, periods: int) -> None:
    left: AppliedCoupon | None = a_coupon(duration=duration).applied()
    counted = 0
    while left is not None:
        counted += 1
        left = left.after_period()
    assert counted == periods


def test_a_coupon_that_is_forever_is_never_used_up() -> None:
    standing = a_coupon(duration=Forever()).applied()
    assert standing.after_period() == standing


def test_what_stands_on_a_subscription_is_what_the_coupon_said() -> None:
    coupon = a_coupon(products=(PRO,), stackable=False)
    standing = coupon.applied("WELCOME-20")
    assert standing == AppliedCoupon(
        coupon.id, "Welcome", PercentOff(20), (PRO,), 1, stackable=False, code="WELCOME-20"
    )
    assert standing.discount == Discount(coupon.id, "Welcome", PercentOff(20), (PRO,))


@pytest.mark.parametrize("left", [0, -1, True, "1"])
def test_what_stands_on_a_subscription_has_a_period_left(left: object) -> None:
    with pytest.raises(ValidationError, match="periods_left"):
        applied(periods_left=left)


# ---- who may redeem it -----------------------------------------------------------------------


def test_a_coupon_without_limits_is_for_everybody() -> None:
    assert refusal(a_coupon()) is None
    assert refusal(a_coupon(), a_code()) is None
    verdict = coupons.judge(a_coupon(), a_code(), today=TODAY)
    assert verdict == Accepted(a_coupon(), a_code())


def test_what_is_archived_or_deactivated_is_refused() -> None:
    assert refusal(a_coupon(archived=True)) is Limit.ARCHIVED
    assert refusal(a_coupon(), a_code(active=False)) is Limit.INACTIVE


@pytest.mark.parametrize("on_code", [False, True])
@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        ({"redeem_from": TODAY}, None),
        ({"redeem_from": TOMORROW}, Limit.TOO_EARLY),
        ({"redeem_until": TOMORROW}, None),
        ({"redeem_until": TODAY}, Limit.EXPIRED),
        ({"max_redemptions": 2, "redeemed": 1}, None),
        ({"max_redemptions": 2, "redeemed": 2}, Limit.USED_UP),
    ],
)
def test_the_window_and_the_number_of_uses_hold_on_coupon_and_code(
    limits: dict[str, Any], refused: Limit | None, *, on_code: bool
) -> None:
    coupon = a_coupon() if on_code else a_coupon(**limits)
    code = a_code(**limits) if on_code else a_code()
    assert refusal(coupon, code) is refused


def test_the_code_of_one_customer_is_for_nobody_else() -> None:
    assert refusal(a_coupon(), a_code(customer=ADA)) is None
    assert refusal(a_coupon(), a_code(customer=GRACE)) is Limit.OTHER_CUSTOMER


@pytest.mark.parametrize(("times", "refused"), [(1, None), (2, Limit.USED_BY_CUSTOMER)])
def test_a_customer_redeems_it_so_often_and_no_more(times: int, refused: Limit | None) -> None:
    buyer = Buyer(ADA, times, has_bought=True)
    assert refusal(a_coupon(max_per_customer=2), buyer=buyer) is refused
    assert refusal(a_coupon(), buyer=buyer) is None


@pytest.mark.parametrize("buyer", [Buyer(ADA, 0, has_bought=True), Buyer(ADA, 1, has_bought=False)])
def test_a_first_purchase_is_before_all_invoices_and_redemptions(buyer: Buyer) -> None:
    assert refusal(a_coupon(first_purchase_only=True), buyer=NEW) is None
    assert refusal(a_coupon(first_purchase_only=True), buyer=buyer) is Limit.NOT_FIRST_PURCHASE
    assert refusal(a_coupon(), buyer=buyer) is None


def test_it_is_refused_in_a_currency_that_it_does_not_state() -> None:
    in_usd = a_coupon(terms=AmountOff((Money(500, USD), Money(500, JPY))))
    assert refusal(in_usd) is Limit.CURRENCY
    assert refusal(in_usd, basket=evolve(BASKET, currency=USD)) is None
    with pytest.raises(CouponRefused, match="USD or JPY; got 'EUR'"):
        coupons.check_basket(in_usd, BASKET)


def test_it_is_refused_without_one_of_its_products() -> None:
    assert refusal(a_coupon(products=(SEATS, PRO))) is None
    assert refusal(a_coupon(products=(SEATS,))) is Limit.PRODUCTS


@pytest.mark.parametrize(
    ("minimum", "refused"),
    [(Money(2900, EUR), None), (Money(2901, EUR), Limit.MINIMUM), (Money(1, USD), Limit.CURRENCY)],
)
def test_it_is_refused_below_the_minimum(minimum: Money, refused: Limit | None) -> None:
    assert refusal(a_coupon(minimum=minimum)) is refused


def test_the_minimum_of_another_currency_is_not_asked() -> None:
    assert refusal(a_coupon(minimum=(Money(9_999_999, USD), Money(2900, EUR)))) is None


@pytest.mark.parametrize(
    ("stackable", "standing", "refused"),
    [
        (True, applied(), None),
        (False, applied(), Limit.NOT_COMBINABLE),
        (True, applied(stackable=False), Limit.NOT_COMBINABLE),
        (True, applied("cpn_welcome"), Limit.APPLIED),
    ],
)
def test_it_stands_beside_others_only_if_all_may(
    *, stackable: bool, standing: AppliedCoupon, refused: Limit | None
) -> None:
    basket = evolve(BASKET, applied=(standing,))
    assert refusal(a_coupon(stackable=stackable), basket=basket) is refused
    assert refusal(a_coupon(stackable=stackable), basket=BASKET) is None


def test_what_is_not_known_is_not_asked() -> None:
    strict = a_coupon(first_purchase_only=True, products=(SEATS,))
    bought = Buyer(ADA, 1, has_bought=True)
    assert refusal(strict, buyer=bought, basket=None) is Limit.NOT_FIRST_PURCHASE
    assert refusal(strict, buyer=None) is Limit.PRODUCTS
    assert refusal(strict, buyer=None, basket=None) is None


def test_a_refusal_says_what_would_be_right() -> None:
    verdict = coupons.judge(a_coupon(redeem_until=TODAY), None, today=TODAY)
    assert verdict == Refused(
        a_coupon(redeem_until=TODAY), None, Limit.EXPIRED, TODAY, "before 2027-01-31"
    )


def test_a_refusal_crosses_a_task_queue() -> None:
    with pytest.raises(CouponRefused) as raised:
        coupons.check_offer(a_coupon(archived=True), None, today=TODAY)
    again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - our own
    assert (type(again), str(again)) == (CouponRefused, str(raised.value))
    assert again.field == "archived"


# ---- what happens ----------------------------------------------------------------------------


def test_a_coupon_is_created_and_archived_once() -> None:
    made = coupons.create(a_coupon())
    gone = coupons.archive(a_coupon())
    assert made.events == (CouponCreated(CouponId("cpn_welcome"), "Welcome"),)
    assert gone.events == (CouponArchived(CouponId("cpn_welcome")),)
    assert isinstance(gone.after, Coupon)
    assert (a_coupon().status, gone.after.status) == ("offered", "archived")
    with pytest.raises(InvalidTransition, match="archive is not allowed in state archived"):
        coupons.archive(gone.after)


def test_a_code_is_created_for_a_coupon_on_offer_and_deactivated_once() -> None:
    code = a_code(customer=ADA)
    made = coupons.add_code(a_coupon(), code)
    gone = coupons.deactivate(code)
    assert made.events == (PromotionCodeCreated(code.id, code.coupon, "WELCOME-20", ADA),)
    assert gone.events == (PromotionCodeDeactivated(code.id, code.coupon),)
    assert isinstance(gone.after, PromotionCode)
    assert (code.status, gone.after.status) == ("active", "inactive")
    with pytest.raises(InvalidTransition, match="deactivate_code is not allowed"):
        coupons.deactivate(gone.after)
    with pytest.raises(InvalidTransition, match="code is not allowed in state archived"):
        coupons.add_code(a_coupon(archived=True), code)


def _redeem(
    coupon: Coupon, code: PromotionCode | None, buyer: Buyer = NEW
) -> tuple[AppliedCoupon, tuple[Change, ...]]:
    return coupons.redeem(coupon, code, buyer=buyer, basket=BASKET, today=TODAY, at=AT)


def test_a_redemption_by_id_counts_on_the_coupon() -> None:
    standing, (on_coupon, added) = _redeem(a_coupon(redeemed=4), None)
    redemption = added.after
    assert standing == a_coupon().applied()
    assert isinstance(on_coupon.after, Coupon)
    assert on_coupon.after.redeemed == 5
    assert isinstance(redemption, Redemption)
    assert (redemption.customer, redemption.subscription, redemption.at) == (ADA, SUBSCRIPTION, AT)
    assert (redemption.ordinal, redemption.promotion_code) == (1, None)
    expected = CouponRedeemed(a_coupon().id, ADA, SUBSCRIPTION, redemption.id, None)
    assert on_coupon.events == (expected,)


def test_a_redemption_by_code_counts_on_coupon_and_code() -> None:
    code = a_code(redeemed=1)
    standing, (on_coupon, added, on_code) = _redeem(a_coupon(), code)
    redemption = added.after
    assert standing == a_coupon().applied("WELCOME-20")
    assert isinstance(on_code.after, PromotionCode)
    assert on_code.after.redeemed == 2
    assert isinstance(redemption, Redemption)
    assert redemption.promotion_code == code.id
    assert on_code.events == (PromotionCodeRedeemed(code.id, code.coupon, redemption.id),)
    assert [type(event) for event in on_coupon.events] == [CouponRedeemed]


def test_two_redemptions_at_once_by_one_customer_are_one_record() -> None:
    def id_of(buyer: Buyer) -> str:
        return _redeem(a_coupon(), None, buyer)[1][1].after.id

    again = Buyer(ADA, 1, has_bought=False)
    assert id_of(NEW) == id_of(NEW)
    assert len({id_of(NEW), id_of(again), id_of(Buyer(GRACE, 0, has_bought=False))}) == 3


def test_a_redemption_that_is_refused_changes_nothing() -> None:
    with pytest.raises(CouponRefused, match="max_redemptions: below 1; got 1"):
        _redeem(a_coupon(max_redemptions=1, redeemed=1), None)
