"""Figures that other billing engines publish for whole invoices, reproduced through `Billing`.

Each test names its source: the engine and the title of the page. Where the engines differ in a
convention, the option is chosen that says theirs. What a price or a part of a period costs by
itself is in `test_figures_of_other_engines`, and what a change costs in
`test_changes_of_other_engines`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import (
    Graduated,
    Interval,
    OneOff,
    Package,
    PerUnit,
    TaxRate,
    TaxRates,
    Tier,
    Volume,
)
from subscriptions.alignment import Calendar, DayOfMonth, DayOfWeek, Weekday
from subscriptions.coupons import Forever, Periods
from subscriptions.lifecycle import Subscription
from subscriptions.pricing import PriceModel, Stairstep, Step
from subscriptions.proration import Proration
from subscriptions.taxes import TaxBehavior
from tests.scenarios.in_dollars import NOW, amounts, billed, lines, metered, offer, sell, usd
from tests.scenarios.shop import MONTHLY, YEARLY, Shop

Opened = Callable[..., Shop]


# ---- in advance, in arrears, phases --------------------------------------------------------------


def test_in_advance_a_month_is_billed_when_it_begins(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", IN_ADVANCE."""
    shop = open_a_shop(start=date(2021, 9, 17))
    sell(shop, offer(shop, "Standard", "24.95"))
    shop.time.advance(to=date(2021, 10, 17))
    assert billed(shop) == ["2021-09-17/2021-10-17 24.95", "2021-10-17/2021-11-17 24.95"]


def test_in_arrears_a_month_is_billed_when_it_is_over(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", IN_ARREAR."""
    shop = open_a_shop(start=date(2021, 9, 17))
    sell(shop, offer(shop, "Standard", "24.95", arrears=True))
    shop.time.advance(to=date(2021, 10, 16))
    assert billed(shop) == []
    shop.time.advance(to=date(2021, 10, 17))
    assert billed(shop) == ["2021-09-17/2021-10-17 24.95"]


def test_a_fixed_term_of_six_weeks_is_billed_six_times(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", FIXEDTERM of 6 weeks: nothing is due on 29 October.

    The page shows a charge on 15 October as the last one, which is the sixth.
    """
    shop = open_a_shop(start=date(2021, 9, 10))
    weekly = offer(shop, "Weekly", "24.95", every=Interval.weeks(1), term_periods=6)
    sub = sell(shop, weekly)
    shop.time.advance(to=date(2021, 10, 15))
    assert billed(shop)[-1] == "2021-10-15/2021-10-22 24.95"
    shop.time.advance(to=date(2021, 10, 29))
    assert len(shop.invoices()) == 6
    assert shop.subscription(sub).status == "expired"


def test_after_a_trial_months_are_counted_from_its_end(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", TRIAL of 10 days."""
    shop = open_a_shop(start=date(2021, 9, 10))
    sell(shop, offer(shop, "Standard", "24.95", trial=Interval.days(10)))
    shop.time.advance(to=date(2022, 1, 20))
    assert billed(shop)[0] == "2021-09-20/2021-10-20 24.95"
    assert billed(shop)[-1] == "2022-01-20/2022-02-20 24.95"


def test_a_fixed_price_is_added_to_the_first_month_only(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", fixed and recurring price."""
    shop = open_a_shop(start=date(2021, 9, 13))
    sell(shop, offer(shop, "Standard", "24.95", setup=usd("50.00")))
    shop.time.advance(to=date(2021, 10, 13))
    assert amounts(shop) == ["74.95", "24.95"]  # 50.00 + 24.95


def test_a_discount_phase_of_three_months(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", DISCOUNT and EVERGREEN."""
    shop = open_a_shop(start=date(2021, 9, 15))
    sell(shop, offer(shop, "Standard", "24.95", introductory=[(3, usd("4.95"))]))
    shop.time.advance(to=date(2021, 12, 15))
    assert amounts(shop) == ["4.95", "4.95", "4.95", "24.95"]


def test_a_month_and_a_year_meet_on_one_invoice(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", monthly plan and annual plan: 299.95 after a year."""
    shop = open_a_shop(start=date(2021, 9, 17))
    monthly = offer(shop, "Monthly", "24.95")
    annual = offer(shop, "Annual", "275.00", every=YEARLY)
    sell(shop, monthly, annual)
    shop.time.advance(to=date(2022, 9, 17))
    # 24.95 + 275
    assert amounts(shop) == ["299.95", *["24.95"] * 11, "299.95"]


# ---- billing days --------------------------------------------------------------------------------


def test_a_first_stub_runs_to_the_billing_day(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", account with BCD 25."""
    shop = open_a_shop(start=date(2021, 9, 16))
    sell(shop, offer(shop, "Standard", "24.95"), align=DayOfMonth(25))
    shop.time.advance(to=date(2021, 9, 25))
    # 24.95 · 9/31, of 25 August to 25 September
    assert billed(shop) == ["2021-09-16/2021-09-25 7.24", "2021-09-25/2021-10-25 24.95"]


def test_the_first_subscription_sets_the_day_of_the_account(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", account with no BCD and two subscriptions."""
    shop = open_a_shop(start=date(2021, 9, 17))
    standard, ada = offer(shop, "Standard", "24.95"), shop.customer()
    sell(shop, standard, customer=ada, align="customer")
    shop.time.advance(to=date(2021, 9, 25))
    sell(shop, standard, customer=ada, align="customer")
    shop.time.advance(to=date(2021, 10, 17))
    # 24.95 · 22/30, of 17 September to 17 October; then both
    assert sorted(billed(shop)) == [
        "2021-09-17/2021-10-17 24.95",
        "2021-09-25/2021-10-17 18.30",
        "2021-10-17/2021-11-17 24.95",
        "2021-10-17/2021-11-17 24.95",
    ]


def test_two_subscriptions_of_an_account_with_a_billing_day(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", account with BCD 25, started on the 17th and the 30th."""
    shop = open_a_shop(start=date(2021, 9, 17))
    standard, ada = offer(shop, "Standard", "24.95"), shop.customer()
    sell(shop, standard, customer=ada, align=DayOfMonth(25))
    sell(shop, standard, customer=ada, align=DayOfMonth(25), start=date(2021, 9, 30))
    shop.time.advance(to=date(2021, 10, 25))
    # 24.95 · 8/31 and 24.95 · 25/30
    assert billed(shop)[:3] == [
        "2021-09-17/2021-09-25 6.44",
        "2021-09-25/2021-10-25 24.95",
        "2021-09-30/2021-10-25 20.79",
    ]
    assert billed(shop)[3:] == ["2021-10-25/2021-11-25 24.95"] * 2


def test_an_addon_is_aligned_with_its_base(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", bundle billing alignment."""
    shop = open_a_shop(start=date(2021, 9, 20))
    base, addon = offer(shop, "Standard", "24.95"), offer(shop, "RemoteControl", "17.95")
    sub = sell(shop, base)
    shop.time.advance(to=date(2021, 9, 30))
    shop.billing.subscriptions.change(sub.id, add=[addon.id], proration=NOW)
    shop.time.advance(to=date(2021, 10, 20))
    # 17.95 · 20/30; then 24.95 + 17.95
    assert amounts(shop) == ["24.95", "11.97", "42.90"]


def test_a_month_and_a_part_of_january(open_a_shop: Opened) -> None:
    """Zuora, "Calculate total amount with partial period proration": 145.16 to 14 February."""
    shop = open_a_shop(start=date(2018, 1, 1))
    sell(shop, offer(shop, "Seat", "100.00"), align=DayOfMonth(15))
    shop.time.advance(to=date(2018, 2, 14))
    # 100 · 14/31 + 100
    assert amounts(shop) == ["45.16", "100.00"]


def test_five_weeks_and_two_days(open_a_shop: Opened) -> None:
    """Zuora, "Calculate total amount with partial period proration": Wednesdays, 528.57."""
    shop = open_a_shop(start=date(2018, 1, 1))
    weekly = offer(shop, "Weekly", "100.00", every=Interval.weeks(1))
    sell(shop, weekly, align=DayOfWeek(Weekday.WEDNESDAY))
    shop.time.advance(to=date(2018, 1, 31))
    # 100 · 2/7 for 1 and 2 January, then the Wednesdays 3, 10, 17, 24 and 31
    assert amounts(shop) == ["28.57", *["100.00"] * 5]


def test_quarters_around_another_billing_day(open_a_shop: Opened) -> None:
    """Zuora, "Change BCD after subscription activation": 600.32 for half a year."""
    shop = open_a_shop(start=date(2020, 7, 1))
    quarterly = offer(shop, "Storage", "300.00", every=Interval.months(3))
    sub = sell(shop, quarterly, align=DayOfMonth(10))
    shop.time.advance(to=date(2020, 10, 10))
    shop.billing.subscriptions.cancel(sub.id, when=date(2021, 1, 1), settlement="credit")
    shop.time.advance(to=date(2021, 1, 1))
    # 300 · 9/91; 300; 300, of which 9/92 come back: 29.67 + 300 + 270.65
    assert amounts(shop)[:3] == ["29.67", "300.00", "300.00"]
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 60032


def test_a_calendar_month_begun_on_the_15th_costs_17_days(open_a_shop: Opened) -> None:
    """Zuora, "Usage charge proration": 31.00 for January, from the 15th."""
    shop = open_a_shop(start=date(2023, 1, 15))
    sell(shop, offer(shop, "Standard", "31.00"), align=Calendar())
    # 31 · 17/31
    assert amounts(shop) == ["17.00"]


def test_until_the_anchor_a_stub_may_be_free(open_a_shop: Opened) -> None:
    """Stripe, "Set the subscription billing renewal date": proration behaviour none."""
    shop = open_a_shop(start=date(2021, 9, 16))
    sell(shop, offer(shop, "Standard", "24.95"), align=DayOfMonth(25), first_stub="free")
    shop.time.advance(to=date(2021, 9, 25))
    assert billed(shop) == ["2021-09-25/2021-10-25 24.95"]


@pytest.mark.parametrize(
    ("to", "line"), [(date(2022, 8, 15), "debit 5.00"), (date(2022, 8, 5), "credit -5.00")]
)
def test_another_billing_date_charges_or_credits_the_days_between(
    open_a_shop: Opened, to: date, line: str
) -> None:
    """Chargebee, "If I change the next billing date/time, on what basis …".

    Later: price by the days of the period that would follow, times the days more. Earlier: price by
    the days of the present term, times the days less. Both have 31 days here.
    """
    shop = open_a_shop(start=date(2022, 7, 10))
    sub = sell(shop, offer(shop, "Standard", "31.00"))
    shop.time.advance(to=date(2022, 7, 20))
    shop.billing.subscriptions.set_next_billing(sub.id, on=to, proration=NOW)
    assert lines(shop.invoices()[-1]) == [line]


# ---- usage ---------------------------------------------------------------------------------------


def use(shop: Shop, sub: Subscription, quantity: int, when: datetime, meter: str) -> None:
    shop.billing.usage.record(
        sub.id, meter, event_id=f"{meter}-{when}", quantity=quantity, occurred_at=when
    )


WATER = (Tier(up_to=1000, unit="1.50"), Tier(unit="2.00"))


@pytest.mark.parametrize(
    ("model", "first", "second"),
    [
        (Graduated(WATER), "630.00", "1930.00"),  # 30 + 400 · 1.50; 30 + 1000 · 1.50 + 200 · 2
        (Volume(WATER), "630.00", "2430.00"),  # 30 + 1200 · 2
        # 30 + 750; 30 + 500
        (Stairstep([Step(up_to=1000, price="750"), Step(price="500")]), "780.00", "530.00"),
    ],
    ids=["all tiers", "top tier", "capacity"],
)
def test_a_base_fee_and_usage_in_arrears(
    open_a_shop: Opened, model: PriceModel, first: str, second: str
) -> None:
    """Kill Bill, "Catalog Examples", usage billing: 30.00, 400 litres and then 1200."""
    shop = open_a_shop(start=date(2021, 9, 29))
    shop.billing.usage.add_meter("litres")
    sub = sell(shop, offer(shop, "Base", "30.00", arrears=True), metered(shop, "litres", model))
    shop.time.advance(to=date(2021, 10, 2))
    use(shop, sub, 400, datetime(2021, 10, 1, tzinfo=UTC), "litres")
    shop.time.advance(to=date(2021, 11, 2))
    use(shop, sub, 1200, datetime(2021, 11, 1, tzinfo=UTC), "litres")
    shop.time.advance(to=date(2021, 11, 29))
    assert amounts(shop) == [first, second]


def test_chocolate_in_advance_and_videos_in_arrears(open_a_shop: Opened) -> None:
    """Kill Bill, "Usage: consumable in arrear": 30.00 ahead, 13 videos afterwards."""
    shop = open_a_shop(start=date(2014, 3, 13))
    shop.billing.usage.add_meter("videos")
    videos = Graduated([Tier(up_to=5, unit="2"), Tier(unit="1")])
    sub = sell(shop, offer(shop, "Chocolate", "30.00"), metered(shop, "videos", videos))
    shop.time.advance(to=date(2014, 3, 15))
    use(shop, sub, 13, datetime(2014, 3, 14, tzinfo=UTC), "videos")
    shop.time.advance(to=date(2014, 4, 13))
    # 5 · 2 + 8 · 1
    assert sorted(billed(shop)) == [
        "2014-03-13/2014-04-13 18.00",
        "2014-03-13/2014-04-13 30.00",
        "2014-04-13/2014-05-13 30.00",
    ]


def test_a_level_is_weighted_with_the_seconds_it_was_held(open_a_shop: Opened) -> None:
    """Lago, "Weighted sum": 20 GB for a day and 30 GB for 15 days of March 2022.

    There the second event adds 10 GB; here each event says the level.
    """
    shop = open_a_shop(start=date(2022, 3, 1))
    shop.billing.usage.add_meter("gb", aggregation="time_weighted")
    sub = sell(shop, metered(shop, "gb", PerUnit("100.00")))
    shop.time.advance(to=date(2022, 3, 18))
    use(shop, sub, 20, datetime(2022, 3, 16, tzinfo=UTC), "gb")
    use(shop, sub, 30, datetime(2022, 3, 17, tzinfo=UTC), "gb")
    shop.time.advance(to=date(2022, 4, 1))
    # (20 · 86,400 + 30 · 1,296,000) / 2,678,400 = 15.1612903226
    (line,) = shop.only_invoice().lines
    assert round(Decimal(line.quantity or 0), 10) == Decimal("15.1612903226")
    assert line.amount == usd("1516.13")


@pytest.mark.parametrize(
    ("aggregation", "quantities", "units"),
    [("sum", (20, 10), 30), ("last", (5, 7, 6), 6), ("max", (5, 7, 6), 7)],
)
def test_what_the_events_of_a_month_come_to(
    open_a_shop: Opened, aggregation: str, quantities: tuple[int, ...], units: int
) -> None:
    """Lago, "SUM" (20 and 10 requests) and "LATEST aggregation" (5, 7 and 6 GB)."""
    shop = open_a_shop(start=date(2022, 3, 1))
    shop.billing.usage.add_meter("gb", aggregation=aggregation)
    sub = sell(shop, metered(shop, "gb", PerUnit("1.00")))
    shop.time.advance(to=date(2022, 3, 20))
    for day, quantity in enumerate(quantities, 10):
        use(shop, sub, quantity, datetime(2022, 3, day, tzinfo=UTC), "gb")
    shop.time.advance(to=date(2022, 4, 1))
    assert shop.only_invoice().total == usd(f"{units}.00")


@pytest.mark.parametrize(
    ("used", "expected"),
    [(80_000, ["usage 800.00", "true_up 200.00"]), (130_000, ["usage 1300.00"])],
)
def test_a_minimum_of_a_thousand_a_month(
    open_a_shop: Opened, used: int, expected: list[str]
) -> None:
    """Lago, "Negotiated contract billing": 800.00 of usage below the minimum, 1300.00 above."""
    shop = open_a_shop(start=date(2025, 3, 1))
    shop.billing.usage.add_meter("calls")
    sub = sell(shop, metered(shop, "calls", PerUnit("0.01"), minimum=usd("1000.00")))
    shop.time.advance(to=date(2025, 3, 11))
    use(shop, sub, used, datetime(2025, 3, 10, tzinfo=UTC), "calls")
    shop.time.advance(to=date(2025, 4, 1))
    assert lines(shop.only_invoice()) == expected


def test_rented_minutes_are_billed_by_started_hours(open_a_shop: Opened) -> None:
    """Stripe, "Transform quantities": 150 minutes are 3 hours at 10.00."""
    shop = open_a_shop(start=date(2025, 3, 1))
    shop.billing.usage.add_meter("minutes")
    sub = sell(shop, metered(shop, "minutes", Package(size=60, price="10.00")))
    for day, minutes in ((3, 100), (9, 50)):
        shop.time.advance(to=date(2025, 3, day + 1))
        use(shop, sub, minutes, datetime(2025, 3, day, tzinfo=UTC), "minutes")
    shop.time.advance(to=date(2025, 4, 1))
    assert amounts(shop) == ["30.00"]


# ---- coupons, tax, balance -----------------------------------------------------------------------


def test_coupon_then_tax_then_credit(open_a_shop: Opened) -> None:
    """Flexprice, "Invoice Calculation Order": 70.78 to pay of usage of 80.00 and a fee of 20.00."""
    shop = open_a_shop(start=date(2025, 3, 1), taxes=TaxRates({"US": TaxRate("8.25")}))
    shop.billing.usage.add_meter("calls")
    calls = metered(shop, "calls", PerUnit("0.01"))
    fee = offer(shop, "Fee", "20.00", arrears=True)
    ada = shop.customer(country="US")
    quarter = shop.billing.coupons.create("Calls", percent_off=25, products=[calls.product])
    ten = shop.billing.coupons.create("Ten", amount_off=usd("10.00"))
    sub = sell(shop, calls, fee, customer=ada, coupons=[quarter.id, ten.id])
    shop.billing.balance.adjust(ada.id, usd("5.00"), reason="Wallet")
    shop.time.advance(to=date(2025, 3, 11))
    use(shop, sub, 8000, datetime(2025, 3, 10, tzinfo=UTC), "calls")
    shop.time.advance(to=date(2025, 4, 1))
    invoice = shop.only_invoice()
    # 80 − 20 + 20 − 10 = 70; 70 · 8.25 % = 5.775; 75.78 − 5
    assert (invoice.net, invoice.tax) == (usd("70.00"), usd("5.78"))
    assert (invoice.total, invoice.balance_applied) == (usd("75.78"), usd("5.00"))
    assert shop.payments()[-1].amount_minor == 7078


@pytest.mark.parametrize(
    ("every", "price", "duration", "expected"),
    [
        (MONTHLY, "10.00", Periods(4), ["5.00"] * 4 + ["10.00"]),
        (YEARLY, "100.00", Periods(1), ["50.00", "100.00"]),
        (MONTHLY, "10.00", Forever(), ["5.00"] * 5),
    ],
)
def test_a_coupon_counts_for_its_periods(
    open_a_shop: Opened,
    every: Interval,
    price: str,
    duration: Periods | Forever,
    expected: list[str],
) -> None:
    """Stripe, "Coupons", duration in months: four of a monthly plan, the whole of a first year."""
    shop = open_a_shop(start=date(2025, 1, 1))
    half = shop.billing.coupons.create("Half", percent_off=50, duration=duration)
    sell(shop, offer(shop, "Plan", price, every=every), coupons=[half.id])
    shop.time.advance(to=date(2025, 5, 1) if every == MONTHLY else date(2026, 1, 1))
    assert amounts(shop) == expected


def test_what_was_paid_half_is_given_back_half(open_a_shop: Opened) -> None:
    """Stripe, mailing list api-discuss (2022): a seat of 100.00 a year, sold once at half price.

    The credit after half a year is 25.00, as there. There the debit for two seats is 100.00; here a
    coupon that counted for the year counts for what is debited of the year, so that changing back
    costs nothing.
    """
    shop = open_a_shop(start=date(2021, 1, 1))
    seat = offer(shop, "Seat", "100.00", every=YEARLY)
    half = shop.billing.coupons.create("Half", percent_off=50)
    sub = sell(shop, (seat.id, 1), coupons=[half.id])
    shop.time.advance(to=datetime(2021, 7, 2, 12, tzinfo=UTC))
    by_seconds = Proration(mode="invoice_now", unit="second")
    shop.billing.subscriptions.change(sub.id, quantities={seat.id: 2}, proration=by_seconds)
    assert lines(shop.invoices()[-1]) == ["credit -25.00", "debit 50.00"]


def test_a_gross_price_keeps_its_total_whichever_part_is_rounded_first(
    open_a_shop: Opened,
) -> None:
    """Zuora, tax calculation of inclusive prices: 2.99 with 4 % is 2.88 and 0.11."""
    shop = open_a_shop(start=date(2025, 1, 1), taxes=TaxRates({"US": TaxRate("4")}))
    ada = shop.customer(country="US")
    line = OneOff("Song", usd("2.99"), tax_behavior=TaxBehavior.INCLUSIVE)
    invoice = shop.billing.invoices.create_one_off(ada.id, [line])
    # 2.99 / 1.04 = 2.875
    assert (invoice.net, invoice.tax, invoice.total) == (usd("2.88"), usd("0.11"), usd("2.99"))


def test_a_credit_of_20_leaves_80_of_100(open_a_shop: Opened) -> None:
    """Kill Bill, "Invoice Examples", account credit: a charge of 100.00 that is not paid yet."""
    shop = open_a_shop(start=date(2021, 9, 29))
    ada = shop.customer(None)
    shop.billing.balance.adjust(ada.id, usd("20.00"), reason="Sorry")
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", usd("100.00"))])
    assert (invoice.total, invoice.balance_applied) == (usd("100.00"), usd("20.00"))
    assert invoice.amount_due == usd("80.00")
    assert shop.billing.customers.get(ada.id).balance == ()
