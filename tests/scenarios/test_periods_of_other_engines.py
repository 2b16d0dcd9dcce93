"""What other billing engines expect of periods in their own test suites, through `Billing`.

Each test names its source: the engine and its test. Only dates and amounts are taken from there.
Where the engines differ in a convention, the option is chosen that says theirs; where ours is
another on purpose, the test says both figures.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import Interval
from subscriptions.alignment import Calendar, DayOfMonth
from subscriptions.billing_cycles import BillingCycle
from subscriptions.proration import Proration
from tests.scenarios.in_dollars import NOW, amounts, billed, change, lines, offer, sell, usd
from tests.scenarios.shop import MONTHLY, YEARLY, Shop

Opened = Callable[..., Shop]
QUARTERLY = Interval.months(3)


# ---- stubs at both ends --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "days", "billing_day", "expected"),
    [
        # 14/31 + 1 + 12/28 of a month
        (MONTHLY, ("2011-01-01", "2011-02-27"), 15, ["451.61", "1000.00", "428.57"]),
        # 14/92 + 1 + 12/91 of a quarter
        (QUARTERLY, ("2011-01-01", "2011-04-27"), 15, ["152.17", "1000.00", "131.87"]),
        # 14/365 + 1 + 12/366 of a year
        (YEARLY, ("2011-01-01", "2012-01-27"), 15, ["38.36", "1000.00", "32.79"]),
        # 1 + 8/366 of a year
        (YEARLY, ("2010-06-17", "2011-06-25"), 17, ["1000.00", "21.86"]),
        # 3 + 2/31 of a month
        (MONTHLY, ("2010-12-15", "2011-03-17"), 15, [*["1000.00"] * 3, "64.52"]),
        # 7/31 + 1 + 3/31 of a month
        (MONTHLY, ("2011-01-31", "2011-03-10"), 7, ["225.81", "1000.00", "96.77"]),
    ],
)
def test_a_stub_at_each_end_costs_its_days_in_the_days_of_the_period_it_is_cut_from(
    open_a_shop: Opened,
    every: Interval,
    days: tuple[str, str],
    billing_day: int,
    expected: list[str],
) -> None:
    """Kill Bill, TestDoubleProRation, TestTrailingProRation and TestProRation, in advance."""
    start, end = map(date.fromisoformat, days)
    shop = open_a_shop(start=start)
    plan = offer(shop, "Plan", "1000.00", every=every)
    sub = sell(shop, plan, align=DayOfMonth(billing_day))
    shop.billing.subscriptions.cancel(sub.id, when=end, settlement="credit")
    shop.time.advance(to=end)
    assert amounts(shop) == expected
    assert shop.subscription(sub).status == "canceled"


def test_half_a_february_of_29_days_costs_14_of_them(open_a_shop: Opened) -> None:
    """Kill Bill, TestProRation, testSinglePlan_LeapYearFebruaryProRation: 14/29.

    There the period is billed once its end is known; here the rest of it is given back.
    """
    shop = open_a_shop(start=date(2012, 2, 1))
    sub = sell(shop, offer(shop, "Plan", "1000.00"))
    shop.billing.subscriptions.cancel(sub.id, when=date(2012, 2, 15), settlement="credit")
    shop.time.advance(to=date(2012, 2, 15))
    # 1000 · 14/29 is 482.76
    assert amounts(shop) == ["1000.00", "-517.24"]


def test_a_stub_and_a_month_on_the_way_to_october(open_a_shop: Opened) -> None:
    """Kill Bill, TestDefaultInvoiceGenerator, a leading stub: 10.00 · (1 + 14/31)."""
    shop = open_a_shop(start=date(2011, 9, 1))
    sell(shop, offer(shop, "Plan", "10.00"), align=DayOfMonth(15))
    shop.time.advance(to=date(2011, 10, 3))
    assert billed(shop) == ["2011-09-01/2011-09-15 4.52", "2011-09-15/2011-10-15 10.00"]


def test_thirty_days_are_no_month(open_a_shop: Opened) -> None:
    """Kill Bill, TestDefaultInvoiceGenerator, testWithSingleThirtyDaysEvent."""
    shop = open_a_shop(start=date(2011, 9, 1))
    sell(shop, offer(shop, "Plan", "10.00", every=Interval.days(30)))
    shop.time.advance(to=date(2011, 10, 3))
    assert billed(shop) == ["2011-09-01/2011-10-01 10.00", "2011-10-01/2011-10-31 10.00"]


def test_phases_that_change_with_the_month(open_a_shop: Opened) -> None:
    """Kill Bill, TestDefaultInvoiceGenerator, testOnePlan_ThreeMonthlyPhases_ChangeEOT: 75.00."""
    shop = open_a_shop(start=date(2011, 9, 1))
    plan = offer(shop, "Plan", "30.00", introductory=[(1, usd("5.00")), (1, usd("10.00"))])
    sell(shop, plan)
    shop.time.advance(to=date(2011, 12, 3))
    assert amounts(shop) == ["5.00", "10.00", "30.00", "30.00"]


@pytest.mark.parametrize(
    ("zone", "at", "first"),
    [
        ("America/Denver", datetime(2023, 6, 16, 5, tzinfo=UTC), "2023-06-15/2023-06-19 4.00"),
        ("America/Halifax", datetime(2023, 6, 16, 5, tzinfo=UTC), "2023-06-16/2023-06-19 3.00"),
        ("Europe/Paris", datetime(2023, 6, 16, 20, tzinfo=UTC), "2023-06-16/2023-06-19 3.00"),
        ("Asia/Karachi", datetime(2023, 6, 16, 20, tzinfo=UTC), "2023-06-17/2023-06-19 2.00"),
    ],
)
def test_the_rest_of_a_week_has_the_days_of_the_customers_zone(
    open_a_shop: Opened, zone: str, at: datetime, first: str
) -> None:
    """Lago, invoices_spec: 7.00 for a week from Monday to Monday."""
    shop = open_a_shop(start=at)
    weekly = offer(shop, "Week", "7.00", every=Interval.weeks(1))
    sell(shop, weekly, customer=shop.customer(zone=zone), align=Calendar())
    assert billed(shop) == [first]


def test_the_end_of_the_month_is_looked_at_again_and_again(open_a_shop: Opened) -> None:
    """Lago, billing_boundaries_spec: in arrears from 31 January 2024, in advance from the 30th."""
    shop = open_a_shop(start=date(2024, 1, 30))
    sell(shop, offer(shop, "Ahead", "10.00"))
    shop.time.advance(to=date(2024, 1, 31))
    sell(shop, offer(shop, "After", "20.00", arrears=True), customer=shop.customer(name="Bob"))
    shop.time.advance(to=date(2024, 4, 30))
    assert [line for line in billed(shop) if line.endswith(" 10.00")] == [
        "2024-01-30/2024-02-29 10.00",
        "2024-02-29/2024-03-30 10.00",
        "2024-03-30/2024-04-30 10.00",
        "2024-04-30/2024-05-30 10.00",
    ]
    assert [line for line in billed(shop) if line.endswith(" 20.00")] == [
        "2024-01-31/2024-02-29 20.00",
        "2024-02-29/2024-03-31 20.00",
        "2024-03-31/2024-04-30 20.00",
    ]


# ---- months of thirty days -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "day", "stub"),
    [
        (date(2023, 5, 15), 23, "5.32"),  # 8/30
        (date(2023, 6, 15), 23, "5.32"),
        (date(2023, 5, 23), 15, "14.63"),  # 22/30, though it is 23 days of 31
        (date(2023, 6, 23), 15, "14.63"),
    ],
)
def test_with_thirty_days_a_month_a_first_stub_costs_the_same_in_may_and_june(
    open_a_shop: Opened, start: date, day: int, stub: str
) -> None:
    """Kill Bill, TestInvoiceFixedProration, leading: 19.95 with proration.fixed.days of 30."""
    shop = open_a_shop(start=start, proration=Proration(unit="thirtieths"))
    sell(shop, offer(shop, "Pistol", "19.95"), align=DayOfMonth(day))
    assert amounts(shop) == [stub]


@pytest.mark.parametrize(
    ("start", "end", "back"),
    [
        (date(2023, 4, 23), date(2023, 5, 15), "-5.32"),
        (date(2023, 5, 23), date(2023, 6, 15), "-5.32"),
        (date(2023, 5, 15), date(2023, 5, 23), "-14.63"),
        (date(2023, 6, 15), date(2023, 6, 23), "-14.63"),
    ],
)
def test_with_thirty_days_a_month_what_comes_back_is_what_a_first_stub_costs(
    open_a_shop: Opened, start: date, end: date, back: str
) -> None:
    """Kill Bill, TestInvoiceFixedProration, trailing."""
    shop = open_a_shop(start=start, proration=Proration(unit="thirtieths"))
    sub = sell(shop, offer(shop, "Pistol", "19.95"))
    shop.billing.subscriptions.cancel(sub.id, when=end, settlement="credit")
    shop.time.advance(to=end)
    assert amounts(shop) == ["19.95", back]


# ---- another billing day -------------------------------------------------------------------------


def test_a_billing_day_chosen_in_the_trial_makes_a_stub_at_its_end(open_a_shop: Opened) -> None:
    """Kill Bill, TestWithBCDUpdate, testBCDChangeInTrial: 249.95 · 14/30 is 116.64."""
    shop = open_a_shop(start=date(2016, 4, 1))
    shotgun = offer(shop, "Shotgun", "249.95")
    sell(shop, shotgun, trial_until=date(2016, 5, 1), align=DayOfMonth(15))
    shop.time.advance(to=date(2016, 5, 15))
    assert billed(shop) == ["2016-05-01/2016-05-15 116.64", "2016-05-15/2016-06-15 249.95"]


@pytest.mark.parametrize(
    ("amount", "every", "days", "ours"),
    [
        # 249.95 · 26/31, and 2399.95 · 9/365, as there
        ("249.95", MONTHLY, ("2016-06-15", "2016-08-10"), "209.64"),
        ("2399.95", YEARLY, ("2016-05-01", "2017-05-10"), "59.18"),
        # 14/30 of the month that would have followed; there 14/31, 112.88
        ("249.95", MONTHLY, ("2016-05-01", "2016-06-15"), "116.64"),
        # 9/30 of it; there 9/31, 174.18
        ("599.95", MONTHLY, ("2016-05-01", "2016-06-10"), "179.99"),
    ],
)
def test_a_later_billing_day_costs_the_days_until_then(
    open_a_shop: Opened, amount: str, every: Interval, days: tuple[str, str], ours: str
) -> None:
    """Kill Bill, TestWithBCDUpdate.

    There the days are counted in the period that ends on the new day, here in the one that would
    have followed, as at Chargebee: it makes a difference where months differ.
    """
    start, to = map(date.fromisoformat, days)
    shop = open_a_shop(start=start)
    sub = sell(shop, offer(shop, "Shotgun", amount, every=every))
    shop.time.advance(days=5)
    shop.billing.subscriptions.set_next_billing(sub.id, on=to, proration=NOW)
    end = BillingCycle(start, every).start(1)
    assert billed(shop)[1:] == [f"{end}/{to} {ours}"]
    shop.time.advance(to=to)
    assert amounts(shop)[-1] == amount


# ---- in arrears ----------------------------------------------------------------------------------


def test_in_arrears_an_addon_costs_the_days_until_it_is_cancelled(open_a_shop: Opened) -> None:
    """Kill Bill, TestInArrearChangeCancel, testCancelAddOnWithoutChange: 900.00 · 9/31."""
    shop = open_a_shop(start=date(2023, 8, 11))
    sub = sell(shop, offer(shop, "Addon", "900.00", arrears=True))
    shop.time.advance(to=date(2023, 8, 20))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert billed(shop) == ["2023-08-11/2023-08-20 261.29"]


def test_in_arrears_each_addon_costs_its_own_days(open_a_shop: Opened) -> None:
    """Kill Bill, TestInArrearChangeCancel, testCancelAddOnAfterChangePlan: 900.00 · 4/31."""
    shop = open_a_shop(start=date(2023, 8, 11))
    one = offer(shop, "Addon", "900.00", arrears=True)
    two = offer(shop, "Addon 2", "300.00", arrears=True)
    sub = sell(shop, one)
    shop.time.advance(to=date(2023, 8, 15))
    change(shop, sub, [two.id], proration=NOW)
    shop.time.advance(to=date(2023, 8, 20))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    # 300 · 5/31
    assert billed(shop) == ["2023-08-11/2023-08-15 116.13", "2023-08-15/2023-08-20 48.39"]


def test_in_arrears_an_addon_of_the_last_day_is_billed_with_the_others(
    open_a_shop: Opened,
) -> None:
    """Kill Bill, TestInArrearChangeCancel, testCreateSubOnLastDayAndAddNewAddon: 300.00 · 1/31."""
    shop = open_a_shop(start=date(2025, 3, 31))
    base, one, two = (
        offer(shop, name, amount, arrears=True)
        for name, amount in (("Base", "1000.00"), ("Addon", "900.00"), ("Addon 2", "300.00"))
    )
    sub = sell(shop, base, one)
    shop.time.advance(to=date(2025, 5, 30))
    shop.billing.subscriptions.change(sub.id, add=[two.id])
    shop.time.advance(to=date(2025, 5, 31))
    assert billed(shop) == [
        "2025-03-31/2025-04-30 1000.00",
        "2025-03-31/2025-04-30 900.00",
        "2025-04-30/2025-05-31 1000.00",
        "2025-04-30/2025-05-31 900.00",
        "2025-05-30/2025-05-31 9.68",
    ]


@pytest.mark.parametrize("begun", ["changed", "aligned"])
def test_a_day_of_a_quarter_costs_the_same_however_the_quarter_was_cut(
    open_a_shop: Opened, begun: str
) -> None:
    """Lago, upgrade_proration_spec: 910.00 for 91 days, 20 May to 20 June.

    There the day of the end is used too, 32 of them; with `change_day` "old" so it is here.
    """
    old_day = Proration(mode="invoice_now", change_day="old")
    shop = open_a_shop(
        start=date(2024, 1, 15) if begun == "changed" else date(2024, 5, 20), proration=old_day
    )
    dear = offer(shop, "Dear", "910.00", every=QUARTERLY, arrears=True)
    if begun == "changed":
        cheap = offer(shop, "Cheap", "455.00", every=QUARTERLY, arrears=True)
        sub = sell(shop, cheap)
        shop.time.advance(to=date(2024, 5, 20))
        change(shop, sub, [dear.id], proration=NOW)
    else:
        sub = sell(shop, dear, align=Calendar())
    shop.time.advance(to=date(2024, 6, 20))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert shop.invoices()[-1].total == usd("320.00")


# ---- changes -------------------------------------------------------------------------------------


def test_what_was_taken_off_a_line_is_not_given_back_again(open_a_shop: Opened) -> None:
    """Kill Bill, TestIntegrationInvoiceWithRepairLogic, after an adjustment of 10.00.

    249.95 · 30/31 is 241.89, of which 239.95 are left; 9.95 · 30/31 is 9.63.
    """
    shop = open_a_shop(start=date(2012, 5, 1))
    shotgun, blowdart = offer(shop, "Shotgun", "249.95"), offer(shop, "Blowdart", "9.95")
    sub = sell(shop, shotgun)
    shop.time.advance(to=date(2012, 5, 2))
    first = shop.only_invoice()
    shop.billing.credit_notes.create(first.id, lines={0: usd("10.00")}, reason="Sorry")
    change(shop, sub, [blowdart.id], proration=NOW)
    assert lines(shop.invoices()[-1]) == ["credit -239.95", "debit 9.63"]
    assert amounts(shop) == ["249.95", "-230.32"]


def test_two_changes_in_two_days_and_the_credit_of_the_first(open_a_shop: Opened) -> None:
    """Kill Bill, TestIntegrationInvoiceWithRepairLogic, testMultiplePartialRepairs."""
    shop = open_a_shop(start=date(2012, 5, 1))
    rifle, blowdart, pistol = (
        offer(shop, name, amount)
        for name, amount in (("Rifle", "599.95"), ("Blowdart", "9.95"), ("Pistol", "29.95"))
    )
    sub = sell(shop, rifle)
    shop.time.advance(to=date(2012, 5, 7))
    change(shop, sub, [blowdart.id], proration=NOW)
    shop.time.advance(to=date(2012, 5, 8))
    change(shop, sub, [pistol.id], proration=NOW)
    shop.time.advance(to=date(2012, 6, 8))
    # 25/31 back and on; then 24/31
    assert [lines(invoice) for invoice in shop.invoices()] == [
        ["period 599.95"],
        ["credit -483.83", "debit 8.02"],
        ["credit -7.70", "debit 23.19"],
        ["period 29.95"],
    ]
    used = [str(invoice.balance_applied.amount) for invoice in shop.invoices()]
    # 475.81 to his credit, of which the next two are paid
    assert used == ["0.00", "-475.81", "15.49", "29.95"]


def test_more_of_them_from_the_next_period_on(open_a_shop: Opened) -> None:
    """Kill Bill, TestWithQuantityUpdate: seven knives at 29.95, then ten."""
    shop = open_a_shop(start=date(2022, 11, 27))
    knife = offer(shop, "Knife", "29.95")
    sub = sell(shop, (knife.id, 7))
    shop.time.advance(to=date(2022, 12, 12))
    shop.billing.subscriptions.change(sub.id, quantities={knife.id: 10}, when=date(2022, 12, 27))
    shop.time.advance(to=date(2022, 12, 27))
    assert billed(shop) == ["2022-11-27/2022-12-27 209.65", "2022-12-27/2023-01-27 299.50"]


@pytest.mark.parametrize(
    ("prices", "every", "days", "expected"),
    [
        (("100", "300"), MONTHLY, ("2025-06-01", "2025-06-16"), ["-50.00", "150.00"]),
        (("100", "300"), MONTHLY, ("2025-06-01", "2025-06-11"), ["-66.67", "200.00"]),
        # 22/29, over a 29 February
        (("100", "300"), MONTHLY, ("2024-02-18", "2024-02-25"), ["-75.86", "227.59"]),
        # 304/365, 166/366 and 166/365 of a year
        (("1000", "3000"), YEARLY, ("2024-08-01", "2024-10-01"), ["-832.88", "2498.63"]),
        (("1000", "3000"), YEARLY, ("2024-02-18", "2024-09-05"), ["-453.55", "1360.66"]),
        (("1000", "3000"), YEARLY, ("2023-02-18", "2023-09-05"), ["-454.79", "1364.38"]),
    ],
)
def test_an_upgrade_is_prorated_by_the_days_of_its_month_or_year(
    open_a_shop: Opened,
    prices: tuple[str, str],
    every: Interval,
    days: tuple[str, str],
    expected: list[str],
) -> None:
    """Polar, test suite, test_service_prorations, test_upgrade_base_cases."""
    start, at = map(date.fromisoformat, days)
    shop = open_a_shop(start=start)
    basic, pro = (offer(shop, amount, amount, every=every) for amount in prices)
    sub = sell(shop, basic)
    shop.time.advance(to=at)
    change(shop, sub, [pro.id], proration=NOW)
    credit, debit = expected
    assert lines(shop.invoices()[-1]) == [f"credit {credit}", f"debit {debit}"]


def test_from_a_month_to_a_year_the_last_day_comes_back(open_a_shop: Opened) -> None:
    """Lago, upgrade_spec: 10.00 a month from 29 June, 120.00 a year on 28 September: 10.00 · 1/31.

    There the year goes on counting from 29 June, and 275 of its 366 days cost 90.16; here, as at
    Stripe and Polar, it begins with the change and is billed whole.
    """
    shop = open_a_shop(start=date(2023, 6, 29))
    month, year = offer(shop, "Month", "10.00"), offer(shop, "Year", "120.00", every=YEARLY)
    sub = sell(shop, month)
    shop.time.advance(to=date(2023, 9, 28))
    change(shop, sub, [year.id], proration=NOW)
    assert lines(shop.invoices()[-1]) == ["credit -0.32", "period 120.00"]
    assert billed(shop)[-1] == "2023-09-28/2024-09-28 120.00"


@pytest.mark.parametrize("mode", ["invoice_now", "next_invoice"])
def test_three_upgrades_in_a_month(open_a_shop: Opened, mode: str) -> None:
    """Polar, test_service_prorations, several updates: with 80 %, 60 % and 40 % of June left."""
    shop = open_a_shop(start=date(2025, 6, 1))
    prices = [offer(shop, f"Plan {n}", f"{n}00.00") for n in range(1, 5)]
    sub = sell(shop, prices[0])
    for day, price in zip((7, 13, 19), prices[1:], strict=True):
        shop.time.advance(to=date(2025, 6, day))
        change(shop, sub, [price.id], proration=Proration(mode=mode))
    shop.time.advance(to=date(2025, 7, 1))
    assert [line for invoice in shop.invoices() for line in lines(invoice)] == [
        "period 100.00",
        *("credit -80.00", "debit 160.00"),
        *("credit -120.00", "debit 180.00"),
        *("credit -120.00", "debit 160.00"),
        "period 400.00",
    ]


@pytest.mark.parametrize(
    ("trial_until", "rest"),
    # 50,000 · 17/31, and 12/30 of the month in which a trial of 45 days ends
    [(date(2024, 3, 15), "27419.35"), (date(2024, 4, 19), "20000.00")],
)
def test_in_calendar_months_the_rest_of_the_month_is_billed_after_a_trial(
    open_a_shop: Opened, trial_until: date, rest: str
) -> None:
    """Lago, free_trial_billing_spec: 50,000.00 a month, from 5 March 2024."""
    shop = open_a_shop(start=date(2024, 3, 5))
    sell(shop, offer(shop, "Plan", "50000.00"), trial_until=trial_until, align=Calendar())
    shop.time.advance(to=trial_until)
    assert amounts(shop) == [rest]
