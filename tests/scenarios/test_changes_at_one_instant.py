"""What comes and goes at one instant: who comes back finds the place that was left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions import Money
from subscriptions.alignment import DayOfMonth
from subscriptions.coupons import Forever
from subscriptions.lifecycle import FirstStub, Subscription
from subscriptions.proration import Proration
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
AT_ONCE = Proration(mode="invoice_now")


def charged(shop: Shop, subscription: Subscription) -> Money:
    """Return what all lines come to, of invoices and of what waits for one."""
    lines = [line for invoice in shop.invoices() for line in invoice.lines]
    minor = sum(line.amount_minor - line.discount_minor for line in lines)
    for each in shop.subscription(subscription).pending:
        minor += each.amount_minor - sum(share.amount_minor for share in each.discounts)
    return Money(minor, subscription.currency)


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


@pytest.mark.parametrize("day", [6, 12])
@pytest.mark.parametrize("unit", ["day", "second", "thirtieths"])
def test_who_comes_back_to_a_stub_that_was_charged_in_full_has_it_in_full(
    spring: Shop, unit: str, day: int
) -> None:
    plan, add_on = spring.price(eur("31.00"), name="Plan"), spring.price(eur("12.00"), name="Add")
    spring.time.advance(to=date(2027, 4, 6))
    sub = spring.billing.subscriptions.create(
        spring.customer().id,
        [plan.id, add_on.id],
        align=DayOfMonth(18),
        first_stub=FirstStub.FULL,
    )
    assert charged(spring, sub) == eur("43.00")
    if day > 6:
        spring.time.advance(to=date(2027, 4, day))
    policy = Proration(unit=unit)
    change = spring.billing.subscriptions.change
    change(sub.id, remove=[add_on.id], proration=policy)
    change(sub.id, add=[add_on.id], proration=policy)
    assert charged(spring, sub) == eur("43.00")
    # And what it is changed to in the stub costs a part of the full price, as for who never went.
    change(sub.id, quantities={add_on.id: 2}, proration=policy)
    change(sub.id, quantities={add_on.id: 1}, proration=policy)
    assert charged(spring, sub) == eur("43.00")


def test_an_introductory_price_is_not_had_again_by_who_comes_back(spring: Shop) -> None:
    plan = spring.price(eur("30.00"), name="Plan")
    intro = spring.billing.catalog.add_price(
        "Intro", eur("30.00"), every=MONTHLY, introductory=[(2, eur("10.00"))]
    )
    sub = spring.billing.subscriptions.create(spring.customer().id, [plan.id, intro.id])
    spring.time.advance(to=date(2027, 6, 16))
    before = charged(spring, sub)
    spring.billing.subscriptions.change(sub.id, remove=[intro.id])
    spring.billing.subscriptions.change(sub.id, add=[(intro.id, 2)])
    spring.billing.subscriptions.change(sub.id, quantities={intro.id: 1})
    assert charged(spring, sub) == before
    spring.time.advance(to=date(2027, 7, 1))
    assert spring.lines(spring.invoices()[-1])[-2:] == [
        "period Plan 30.00 EUR",
        "period Intro 30.00 EUR",
    ]


def test_who_comes_back_pays_no_second_setup_fee(spring: Shop) -> None:
    plan = spring.price(eur("30.00"), name="Plan")
    add_on = spring.billing.catalog.add_price(
        "Add", eur("10.00"), every=MONTHLY, setup=eur("49.00")
    )
    sub = spring.billing.subscriptions.create(spring.customer().id, [plan.id, add_on.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, remove=[add_on.id])
    spring.billing.subscriptions.change(sub.id, add=[add_on.id])
    assert spring.pending(sub) == ["credit Add -5.00 EUR", "debit Add 5.00 EUR"]


def test_who_comes_back_has_the_year_that_was_paid(spring: Shop) -> None:
    monthly = spring.price(eur("30.00"), name="Monthly")
    yearly = spring.price(eur("365.00"), every=YEARLY, name="Yearly")
    sub = spring.billing.subscriptions.create(spring.customer().id, [monthly.id])
    spring.time.advance(to=date(2027, 4, 11))
    sub = spring.billing.subscriptions.change(sub.id, add=[yearly.id])
    spring.time.advance(to=date(2027, 6, 11))
    sub, before = spring.subscription(sub), charged(spring, sub)
    spring.billing.subscriptions.change(sub.id, quantities={yearly.id: 3})
    spring.billing.subscriptions.change(sub.id, remove=[yearly.id])
    again = spring.billing.subscriptions.change(sub.id, add=[(yearly.id, 3)])
    again = spring.billing.subscriptions.change(sub.id, quantities={yearly.id: 1})
    assert charged(spring, sub) == before
    assert [item.through for item in again.items] == [item.through for item in sub.items]


@pytest.mark.parametrize("policy", [Proration(), AT_ONCE], ids=["next_invoice", "invoice_now"])
def test_who_takes_a_place_has_its_discounts_until_the_one_who_left_it_comes_back(
    spring: Shop, policy: Proration
) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    other = spring.price(eur("20.00"), name="Other")
    four = spring.billing.coupons.create("Four", amount_off=eur("4.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], coupons=[four.id]
    )
    before = charged(spring, sub)
    spring.time.advance(to=date(2027, 4, 16))
    change = spring.billing.subscriptions.change
    # Half of April: 10.00 less its 1.00 goes, and 20.00 less that comes instead of it.
    change(sub.id, remove=[add_on.id], proration=policy)
    change(sub.id, add=[other.id], proration=policy)
    assert charged(spring, sub) == before + eur("5.00")
    # Now there is half of 30.00, 10.00 and 20.00, and 4.00 are off as they were.
    change(sub.id, add=[add_on.id], proration=policy)
    assert charged(spring, sub) == before + eur("10.00")
    change(sub.id, remove=[other.id], proration=policy)
    assert charged(spring, sub) == before


@pytest.mark.parametrize("policy", [Proration(), AT_ONCE], ids=["next_invoice", "invoice_now"])
def test_who_comes_before_another_goes_takes_the_place_if_that_is_what_it_was(
    spring: Shop, policy: Proration
) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    four = spring.billing.coupons.create("Four", amount_off=eur("4.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], coupons=[four.id]
    )
    before = charged(spring, sub)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, add=[add_on.id], proration=policy)
    assert charged(spring, sub) == before + eur("5.00")
    spring.billing.subscriptions.change(sub.id, remove=["2"], proration=policy)
    assert charged(spring, sub) == before


def test_who_has_come_is_not_charged_again_for_others_where_nothing_is_given_back(
    spring: Shop,
) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    four = spring.billing.coupons.create("Four", amount_off=eur("4.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], coupons=[four.id]
    )
    spring.time.advance(to=date(2027, 4, 16))
    lost = Proration(credit="none")
    spring.billing.subscriptions.change(sub.id, add=[add_on.id], proration=lost)
    spring.billing.subscriptions.change(sub.id, remove=["2"], proration=lost)
    assert spring.pending(sub) == ["debit Add 5.00 EUR"]


def test_at_another_instant_who_comes_is_new(spring: Shop) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    four = spring.billing.coupons.create("Four", amount_off=eur("4.00"))
    tenth = spring.billing.coupons.create("Tenth", percent_off=10, duration=Forever())
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], coupons=[four.id, tenth.id]
    )
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, remove=[add_on.id])
    spring.time.advance(to=date(2027, 4, 19))
    # The percentage counts for all of the period; the amount was given for it, and partly back.
    spring.billing.subscriptions.change(sub.id, add=[add_on.id])
    assert spring.pending(sub) == ["credit Add -4.05 EUR", "debit Add 3.60 EUR"]
