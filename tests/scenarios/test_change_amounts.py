"""What a change comes to with annual plans, taxes, coupons, tiers, currencies and zones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import Graduated, Money, OneOff, TaxRate, TaxRates, Tier, ValidationError, Volume
from subscriptions.alignment import DayOfMonth
from subscriptions.coupons import Forever, Periods
from subscriptions.customers import Address
from subscriptions.invoices import LineKind
from subscriptions.lifecycle import Subscription
from subscriptions.pricing import PriceModel
from subscriptions.proration import Proration
from subscriptions.taxes import TaxBehavior
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")


def charged_minor(shop: Shop, subscription: Subscription) -> int:
    """Return what all lines come to, of invoices and of what waits for one."""
    waiting = shop.subscription(subscription).pending
    pending = sum(c.amount_minor - sum(s.amount_minor for s in c.discounts) for c in waiting)
    lines = [line for invoice in shop.invoices() for line in invoice.lines]
    return pending + sum(line.amount_minor - line.discount_minor for line in lines)


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


# ---- annual plans: 365.00 a year, so 1.00 a day in 2027 ------------------------------------------


def test_a_larger_annual_plan_in_mid_year_keeps_the_year(shop: Shop) -> None:
    small = shop.price(eur("365.00"), every=YEARLY, name="Small")
    large = shop.price(eur("730.00"), every=YEARLY, name="Large")
    sub = shop.subscribe(shop.customer(), small)
    # 2 July is the 183rd day: 182 days are used, 183 are left.
    shop.time.advance(to=date(2027, 7, 2))
    shop.billing.subscriptions.change(sub.id, [large.id], proration=NOW)
    assert shop.lines(shop.invoices()[-1]) == ["credit Small -183.00 EUR", "debit Large 366.00 EUR"]
    shop.time.advance(to=date(2028, 1, 1))
    assert shop.totals() == ["365.00 EUR", "183.00 EUR", "730.00 EUR"]


def test_from_annual_to_monthly_the_rest_of_the_year_pays_for_months(shop: Shop) -> None:
    annual = shop.price(eur("365.00"), every=YEARLY, name="Annual")
    monthly = shop.price(eur("40.00"), name="Monthly")
    sub = shop.subscribe(shop.customer(), annual)
    shop.time.advance(to=date(2027, 7, 2))
    shop.billing.subscriptions.change(sub.id, [monthly.id])
    # A new period begins and is billed at once: 40.00 less 183.00 leaves 143.00 to his credit.
    changed = shop.invoices()[-1]
    assert shop.lines(changed) == ["credit Annual -183.00 EUR", "period Monthly 40.00 EUR"]
    assert (changed.total, changed.status) == (eur("-143.00"), "paid")
    assert shop.billing.customers.get(sub.customer).balance == (eur("143.00"),)
    # 143.00 pay for August, September and October, and 23.00 of November.
    shop.time.advance(to=date(2027, 11, 2))
    assert [str(each.balance_applied) for each in shop.invoices()[2:]] == [
        "40.00 EUR",
        "40.00 EUR",
        "40.00 EUR",
        "23.00 EUR",
    ]
    assert [payment.amount_minor for payment in shop.payments()] == [36500, 1700]


def test_from_monthly_to_annual_the_year_begins_with_the_change(spring: Shop) -> None:
    monthly = spring.price(eur("30.00"), name="Monthly")
    annual = spring.price(eur("300.00"), every=YEARLY, name="Annual")
    sub = spring.subscribe(spring.customer(), monthly)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [annual.id])
    (changed,) = spring.invoices()[1:]
    assert spring.lines(changed) == ["credit Monthly -15.00 EUR", "period Annual 300.00 EUR"]
    assert spring.periods()[-1] == "2027-04-16/2028-04-16"
    spring.time.expect().advance(to=date(2028, 4, 15))


def test_a_year_that_is_chosen_and_unchosen_on_one_day_costs_nothing(spring: Shop) -> None:
    monthly = spring.price(eur("30.00"), name="Monthly")
    annual = spring.price(eur("300.00"), every=YEARLY, name="Annual")
    sub = spring.subscribe(spring.customer(), monthly)
    spring.time.advance(to=date(2027, 4, 16))
    for price in (annual, monthly, annual, monthly):
        spring.billing.subscriptions.change(sub.id, [price.id])
    # Each begins a period with the 16th, and what it begins with is given back with the next.
    assert spring.totals() == [
        "30.00 EUR",
        "285.00 EUR",
        "-270.00 EUR",
        "270.00 EUR",
        "-270.00 EUR",
    ]
    # In the end he has a month from the 16th on, for 15.00, and 30.00 that he paid for April.
    spring.time.advance(to=date(2027, 5, 16))
    paid = sum(payment.amount_minor for payment in spring.payments())
    left = spring.billing.customers.get(sub.customer).credit_minor(sub.currency)
    assert paid - left == 3000 - 1500 + 3000 + 3000


def test_without_proration_another_interval_waits_until_what_is_paid_is_over(spring: Shop) -> None:
    monthly = spring.price(eur("30.00"), name="Monthly")
    annual = spring.price(eur("300.00"), every=YEARLY, name="Annual")
    sub = spring.subscribe(spring.customer(), monthly)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [annual.id], proration=Proration(mode="none"))
    assert spring.totals() == ["30.00 EUR"]
    spring.time.advance(to=MAY)
    assert spring.totals() == ["30.00 EUR", "300.00 EUR"]
    assert spring.periods()[-1] == "2027-05-01/2028-05-01"


# ---- tax -----------------------------------------------------------------------------------------


def test_a_credit_has_the_rate_of_what_was_charged_and_a_debit_that_of_the_day(
    open_a_shop: Opened,
) -> None:
    rates = {"DE": {date(2007, 1, 1): TaxRate("19"), date(2027, 7, 1): TaxRate("16")}}
    shop = open_a_shop(start=date(2027, 1, 1), taxes=TaxRates(rates))
    small = shop.price(eur("365.00"), every=YEARLY, name="Small")
    large = shop.price(eur("730.00"), every=YEARLY, name="Large")
    sub = shop.subscribe(shop.customer(), small)
    # On 1 October 92 days are left: 92.00 back, with 19 %; 184.00 more, with 16 %.
    shop.time.advance(to=date(2027, 10, 1))
    shop.billing.subscriptions.change(sub.id, [large.id], proration=NOW)
    invoice = shop.invoices()[-1]
    assert [(group.percent, group.base_minor, group.tax_minor) for group in invoice.taxes] == [
        (Decimal(19), -9200, -1748),
        (Decimal(16), 18400, 2944),
    ]
    assert invoice.total == eur("103.96")


def test_prices_with_their_tax_are_cut_with_it(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=APRIL, taxes=TaxRates({"DE": TaxRate("19")}))
    gross = TaxBehavior.INCLUSIVE
    basic = shop.price(eur("119.00"), name="Basic", tax_behavior=gross)
    pro = shop.price(eur("238.00"), name="Pro", tax_behavior=gross)
    sub = shop.subscribe(shop.customer(), basic)
    shop.time.advance(to=date(2027, 4, 16))
    shop.billing.subscriptions.change(sub.id, [pro.id], proration=NOW)
    invoice = shop.invoices()[-1]
    # Half of 119.00 back and half of 238.00 more, all with 19 % in it: 59.50 is 50.00 and 9.50.
    assert shop.lines(invoice) == ["credit Basic -59.50 EUR", "debit Pro 119.00 EUR"]
    assert (invoice.net, invoice.tax, invoice.total) == (eur("50.00"), eur("9.50"), eur("59.50"))


def test_what_changes_no_item_is_not_prorated(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=APRIL, taxes=TaxRates({"DE": TaxRate("19"), "FR": TaxRate("20")}))
    sub = shop.subscribe(shop.customer())
    shop.time.advance(to=date(2027, 4, 16))
    france = Address(country="FR")
    shop.billing.customers.update(sub.customer, metadata={"team": "blue"}, address=france)
    shop.billing.payment_methods.attach(sub.customer, token="tok_mastercard", default=True)
    shop.billing.subscriptions.set_collection_method(sub.id, "send_invoice")
    shop.billing.subscriptions.pause(sub.id, collect=False)
    shop.billing.invoices.create_one_off(sub.customer, [OneOff("Help", eur("5.00"))])
    shop.billing.subscriptions.cancel(sub.id)
    assert shop.pending(sub) == []
    lines = [line for invoice in shop.invoices() for line in invoice.lines]
    assert [(line.kind, line.amount_minor) for line in lines] == [
        (LineKind.PERIOD, 2900),
        (LineKind.ONE_OFF, 500),
    ]


# ---- coupons -------------------------------------------------------------------------------------


def test_what_was_taken_off_is_not_given_back(spring: Shop) -> None:
    ten, twenty = spring.price(eur("10.00"), name="Ten"), spring.price(eur("20.00"), name="Twenty")
    welcome = spring.billing.coupons.create("Welcome", amount_off=eur("5.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [ten.id, twenty.id], coupons=[welcome.id]
    )
    # 5.00 on 30.00: shares of 1.67 and 3.33.
    assert spring.lines(spring.only_invoice()) == ["period Ten 8.33 EUR", "period Twenty 16.67 EUR"]
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, remove=[ten.id])
    # Half of 8.33, of which round(4.165) = 4.17 is used.
    assert spring.pending(sub) == ["credit Ten -4.16 EUR"]


def test_stacked_coupons_count_for_the_new_plan_too(spring: Shop) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    amount = spring.billing.coupons.create("Five", amount_off=eur("5.00"))  # once
    percent = spring.billing.coupons.create("Tenth", percent_off=10, duration=Forever())
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [basic.id], coupons=[amount.id, percent.id]
    )
    # 30.00 − 5.00 = 25.00, less a tenth: 22.50.
    assert spring.totals() == ["22.50 EUR"]
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    # April at 60.00 would have been 55.00 · 0.9 = 49.50: half of each.
    assert spring.pending(sub) == ["credit Basic -11.25 EUR", "debit Pro 24.75 EUR"]
    # May: "once" is over, a tenth stays, and what was settled for April takes no part.
    spring.time.advance(to=MAY)
    assert spring.lines(spring.invoices()[-1])[2:] == ["period Pro 54.00 EUR"]
    assert spring.totals()[-1] == "67.50 EUR"


def test_a_coupon_that_is_redeemed_in_mid_period_does_not_change_the_period(spring: Shop) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    sub = spring.subscribe(spring.customer(), basic)
    half = spring.billing.coupons.create("Half", percent_off=50, duration=Forever())
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.coupons.redeem(half.id, subscription=sub.id)
    spring.billing.subscriptions.change(sub.id, [pro.id])
    assert spring.pending(sub) == ["credit Basic -15.00 EUR", "debit Pro 30.00 EUR"]
    spring.time.advance(to=MAY)
    assert spring.lines(spring.invoices()[-1])[2:] == ["period Pro 30.00 EUR"]


def test_a_percentage_is_one_of_the_new_price_too_however_small_the_old_one_was(
    spring: Shop,
) -> None:
    one = spring.price(eur("0.01"), name="Minute")
    half = spring.billing.coupons.create("Half", percent_off=50, duration=Forever())
    sub = spring.billing.subscriptions.create(spring.customer().id, [one.id], coupons=[half.id])
    # Half of a cent is a cent, so one minute is free.
    assert spring.totals() == ["0.00 EUR"]
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, quantities={one.id: 1000})
    # Half of 10.00 for half of April, and not nothing.
    assert spring.pending(sub) == ["debit Minute 2.50 EUR"]
    spring.billing.subscriptions.change(sub.id, quantities={one.id: 1})
    # It goes as it came.
    assert spring.pending(sub) == ["debit Minute 0.00 EUR"]


def test_what_is_added_on_the_first_day_of_a_billed_period_has_the_discounts_of_the_period(
    spring: Shop,
) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    half = spring.billing.coupons.create("Half", percent_off=50, duration=Periods(2))
    sub = spring.billing.subscriptions.create(spring.customer().id, [plan.id], coupons=[half.id])
    spring.billing.subscriptions.change(sub.id, add=[add_on.id])
    assert spring.pending(sub) == ["debit Add 5.00 EUR"]
    # April is one period for the coupon, and May the second.
    spring.time.advance(to=date(2027, 6, 1))
    assert spring.totals() == ["15.00 EUR", "25.00 EUR", "40.00 EUR"]


def test_what_is_removed_and_added_on_the_first_day_costs_nothing(spring: Shop) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    five = spring.billing.coupons.create("Five", amount_off=eur("5.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], coupons=[five.id]
    )
    spring.billing.subscriptions.change(sub.id, remove=[add_on.id])
    spring.billing.subscriptions.change(sub.id, add=[add_on.id])
    assert spring.pending(sub) == ["credit Add -8.75 EUR", "debit Add 8.75 EUR"]


def test_what_is_added_on_the_first_day_without_proration_costs_nothing_until_the_next_period(
    spring: Shop,
) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    sub = spring.subscribe(spring.customer(), plan)
    spring.billing.subscriptions.change(sub.id, add=[add_on.id], proration=Proration(mode="none"))
    spring.time.advance(to=MAY)
    assert spring.totals() == ["30.00 EUR", "40.00 EUR"]


@pytest.mark.parametrize("mode", ["next_invoice", "invoice_now"])
def test_an_amount_and_a_percentage_count_in_their_order_for_what_comes_back(
    spring: Shop, mode: str
) -> None:
    plan, add_on = spring.price(eur("30.00"), name="Plan"), spring.price(eur("10.00"), name="Add")
    five = spring.billing.coupons.create("Five", amount_off=eur("5.00"))
    half = spring.billing.coupons.create("Half", percent_off=50)
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], coupons=[five.id, half.id]
    )
    spring.time.advance(to=date(2027, 4, 16))
    policy = Proration(mode=mode)
    for _ in range(2):
        spring.billing.subscriptions.change(sub.id, remove=[add_on.id], proration=policy)
        spring.billing.subscriptions.change(sub.id, add=[add_on.id], proration=policy)
    # 10.00 − 1.25, less a half, is 4.38 for April, and 2.19 for the half of it: back and again.
    lines = [line for invoice in spring.invoices()[1:] for line in invoice.lines]
    charged = [line.amount_minor - line.discount_minor for line in lines]
    waiting = spring.subscription(sub).pending
    charged += [each.amount_minor - sum(s.amount_minor for s in each.discounts) for each in waiting]
    assert charged == ([-219, 219, -219, 219] if mode == "invoice_now" else [-219, 219])


@pytest.mark.parametrize("mode", ["next_invoice", "invoice_now"])
def test_what_came_instead_and_goes_again_leaves_the_discounts_as_they_were(
    spring: Shop, mode: str
) -> None:
    plan, one, two, other = (
        spring.price(eur(amount), name=name)
        for name, amount in (
            ("Plan", "30.00"),
            ("One", "9.99"),
            ("Two", "20.01"),
            ("Other", "5.55"),
        )
    )
    five = spring.billing.coupons.create("Five", amount_off=eur("5.01"))
    half = spring.billing.coupons.create("Half", percent_off=50)
    sub = spring.billing.subscriptions.create(
        spring.customer().id,
        [plan.id, one.id, (two.id, 1), (two.id, 3)],
        coupons=[five.id, half.id],
    )
    charged = charged_minor(spring, sub)
    spring.time.advance(to=date(2027, 4, 14))
    policy = Proration(mode=mode)
    change = spring.billing.subscriptions.change
    for gone in (["3", "2"], ["6", "7"]):
        for number in gone:
            change(sub.id, remove=[number], proration=policy)
        sub = change(sub.id, add=[other.id], proration=policy)
        change(sub.id, remove=[str(sub.items[-1].number)], proration=policy)
        change(sub.id, add=[two.id], proration=policy)
        sub = change(sub.id, add=[one.id], proration=policy)
        assert [each.price for each in sub.items] == [plan.id, two.id, two.id, one.id]
    assert charged_minor(spring, sub) == charged


def test_an_amount_off_is_not_had_twice_by_changing_removing_and_adding(spring: Shop) -> None:
    plan, other = spring.price(eur("7.30"), name="Plan"), spring.price(eur("9.30"), name="Other")
    five = spring.billing.coupons.create("Five", amount_off=eur("4.80"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [(plan.id, 1), (plan.id, 2)], coupons=[five.id]
    )
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, swap={"2": other.id}, quantities={"2": 1})
    once = spring.pending(sub)
    spring.billing.subscriptions.change(sub.id, remove=["2"])
    spring.billing.subscriptions.change(sub.id, add=[other.id])
    assert once[1:] == ["debit Other 3.05 EUR"]
    assert spring.pending(sub) == once


@pytest.mark.parametrize("unit", ["day", "second", "thirtieths"])
def test_what_is_removed_and_added_within_a_first_stub_costs_nothing(
    spring: Shop, unit: str
) -> None:
    plan, add_on = spring.price(eur("31.00"), name="Plan"), spring.price(eur("9.97"), name="Add")
    five = spring.billing.coupons.create("Five", amount_off=eur("5.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [plan.id, add_on.id], align=DayOfMonth(18), coupons=[five.id]
    )
    spring.time.advance(to=date(2027, 4, 6))
    policy = Proration(unit=unit)
    spring.billing.subscriptions.change(sub.id, remove=[add_on.id], proration=policy)
    spring.billing.subscriptions.change(sub.id, add=[add_on.id], proration=policy)
    credit, debit = spring.subscription(sub).pending
    assert credit.amount_minor + debit.amount_minor == sum(s.amount_minor for s in debit.discounts)


def test_a_coupon_of_april_does_not_come_along_into_may(spring: Shop) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    half = spring.billing.coupons.create("Half", percent_off=50)  # once
    sub = spring.billing.subscriptions.create(spring.customer().id, [basic.id], coupons=[half.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    spring.time.advance(to=date(2027, 5, 16))
    # April's 15.00 − 7.50 + 15.00, and all of May.
    assert spring.totals() == ["15.00 EUR", "67.50 EUR"]
    spring.billing.subscriptions.change(sub.id, [basic.id])
    # 15 of 31 days are used: 60.00 − 29.03 back, 30.00 − 14.52 more, with nothing taken off.
    assert spring.pending(sub) == ["credit Pro -30.97 EUR", "debit Basic 15.48 EUR"]


def test_a_period_in_which_nothing_was_taken_off_does_not_use_a_coupon_up(spring: Shop) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    coupon = spring.billing.coupons.create(
        "Half of Basic", percent_off=50, products=["Basic"], duration=Periods(2)
    )
    sub = spring.billing.subscriptions.create(spring.customer().id, [basic.id], coupons=[coupon.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, quantities={basic.id: 2})
    spring.billing.subscriptions.schedule(sub.id, [pro.id], on=MAY)
    spring.billing.subscriptions.schedule(sub.id, [(basic.id, 1)], on=date(2027, 6, 1))
    spring.time.advance(to=date(2027, 7, 1))
    # May has no Basic. What is settled in May for April, with April's discount, is no use of it.
    assert [spring.lines(each)[-1] for each in spring.invoices()] == [
        "period Basic 15.00 EUR",
        "period Pro 60.00 EUR",
        "period Basic 15.00 EUR",
        "period Basic 30.00 EUR",
    ]


def test_an_introductory_price_is_not_had_again_by_going_and_coming_back(spring: Shop) -> None:
    intro = spring.billing.catalog.add_price(
        "Intro", eur("30.00"), every=MONTHLY, introductory=[(2, eur("10.00"))]
    )
    pro = spring.price(eur("60.00"), name="Pro")
    sub = spring.subscribe(spring.customer(), intro)
    spring.time.advance(to=date(2027, 6, 16))
    assert spring.totals() == ["10.00 EUR", "10.00 EUR", "30.00 EUR"]
    spring.billing.subscriptions.change(sub.id, [pro.id])
    spring.billing.subscriptions.change(sub.id, [intro.id])
    spring.time.advance(to=date(2027, 7, 1))
    assert spring.totals()[-1] == "30.00 EUR"


# ---- tiers ---------------------------------------------------------------------------------------

TIERS = (Tier(up_to=10, unit="3.00"), Tier(unit="1.50"))


@pytest.mark.parametrize(
    ("model", "debit"),
    [
        (Graduated(TIERS), "16.50"),  # twelve seats: 10 · 3.00 + 2 · 1.50 = 33.00, half of it
        (Volume(TIERS), "9.00"),  # twelve seats: 12 · 1.50 = 18.00, half of it
    ],
)
def test_seats_in_tiers_are_cut_as_a_whole(spring: Shop, model: PriceModel, debit: str) -> None:
    seats = spring.billing.catalog.add_price("Seats", model, currency="EUR", every=MONTHLY)
    sub = spring.subscribe(spring.customer(), seats, quantity=8)  # 8 · 3.00 = 24.00
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, quantities={seats.id: 12})
    assert spring.pending(sub) == ["credit Seats -12.00 EUR", f"debit Seats {debit} EUR"]


# ---- what is charged once ------------------------------------------------------------------------


def test_setup_and_one_off_prices_stand_once_on_the_first_invoice(spring: Shop) -> None:
    add_price = spring.billing.catalog.add_price
    pro = add_price("Pro", eur("30.00"), every=MONTHLY, setup=eur("99.00"))
    training = add_price("Training", eur("250.00"))
    sub = spring.billing.subscriptions.create(spring.customer().id, [pro.id, (training.id, 2)])
    assert sorted(spring.lines(spring.only_invoice())) == [
        "one_off Training 500.00 EUR",
        "period Pro 30.00 EUR",
        "setup Pro 99.00 EUR",
    ]
    spring.time.advance(to=MAY)
    assert spring.totals() == ["629.00 EUR", "30.00 EUR"]
    assert len(spring.subscription(sub).items) == 1


def test_an_add_on_brings_its_setup_fee_along_and_a_one_off_price_is_refused(spring: Shop) -> None:
    sub = spring.subscribe(spring.customer(), spring.price(eur("30.00")))
    backup = spring.billing.catalog.add_price(
        "Backup", eur("6.00"), every=MONTHLY, setup=eur("20.00")
    )
    training = spring.billing.catalog.add_price("Training", eur("250.00"))
    spring.time.advance(to=date(2027, 4, 16))
    with pytest.raises(ValidationError, match="charged once"):
        spring.billing.subscriptions.change(sub.id, add=[training.id])
    spring.billing.subscriptions.change(sub.id, add=[backup.id], proration=NOW)
    # The fee is not cut: 20.00 and half of 6.00.
    assert spring.lines(spring.invoices()[-1]) == [
        "setup Backup 20.00 EUR",
        "debit Backup 3.00 EUR",
    ]
    # It is no part of what is given back.
    spring.billing.subscriptions.change(sub.id, remove=[backup.id], proration=NOW)
    assert spring.lines(spring.invoices()[-1]) == ["credit Backup -3.00 EUR"]


# ---- currencies and zones ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("currency", "small", "large", "credit", "debit"),
    [
        # On the 11th a third is used: 333 of 1000 yen and 667 of 2000.
        ("JPY", "1000", "2000", "-667", "1333"),
        # 3.333 of 10.000 dinars and 6.667 of 20.000.
        ("KWD", "10.000", "20.000", "-6.667", "13.333"),
    ],
)
def test_a_currency_is_cut_at_its_own_minor_unit(  # noqa: PLR0917 - one row of the table
    spring: Shop, currency: str, small: str, large: str, credit: str, debit: str
) -> None:
    basic = spring.price(Money.of(small, currency), name="Basic")
    pro = spring.price(Money.of(large, currency), name="Pro")
    sub = spring.subscribe(spring.customer(), basic)
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    assert spring.pending(sub) == [
        f"credit Basic {credit} {currency}",
        f"debit Pro {debit} {currency}",
    ]


@pytest.mark.parametrize(
    ("zone", "at", "left"),
    [
        # Half past eleven at night on the 15th, wherever that is: the 15th and 15 more are left.
        ("America/Los_Angeles", datetime(2027, 4, 16, 6, 30, tzinfo=UTC), 16),
        ("Asia/Tokyo", datetime(2027, 4, 15, 14, 30, tzinfo=UTC), 16),
        # An hour later it is the 16th there.
        ("America/Los_Angeles", datetime(2027, 4, 16, 7, 30, tzinfo=UTC), 15),
        ("Asia/Tokyo", datetime(2027, 4, 15, 15, 30, tzinfo=UTC), 15),
    ],
)
def test_the_day_of_a_change_is_the_customers(
    spring: Shop, zone: str, at: datetime, left: int
) -> None:
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    sub = spring.subscribe(spring.customer(zone=zone), basic, start=APRIL)
    spring.time.advance(to=at)
    spring.billing.subscriptions.change(sub.id, [pro.id])
    assert spring.pending(sub) == [f"credit Basic -{left}.00 EUR", f"debit Pro {2 * left}.00 EUR"]


def test_seconds_know_that_a_day_in_march_has_23_hours(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 2, 1))
    # March has 31 · 24 − 1 = 743 hours in Berlin; after the 28th there are three days of 24.
    basic, pro = shop.price(eur("743.00"), name="Basic"), shop.price(eur("1486.00"), name="Pro")
    sub = shop.subscribe(shop.customer(zone="Europe/Berlin"), basic, start=date(2027, 3, 1))
    shop.time.advance(to=datetime(2027, 3, 28, 22, tzinfo=UTC))
    shop.billing.subscriptions.change(sub.id, [pro.id], proration=Proration(unit="second"))
    assert shop.pending(sub) == ["credit Basic -72.00 EUR", "debit Pro 144.00 EUR"]
