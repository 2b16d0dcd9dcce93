"""Figures that other billing engines publish for changes, reproduced through `Billing`.

Each test names its source: the engine and the title of the page. Where the engines differ in a
convention, the option is chosen that says theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from subscriptions import BillingCycle, Interval
from subscriptions.alignment import DayOfMonth
from subscriptions.coupons import Forever
from subscriptions.errors import InvalidTransition
from subscriptions.proration import Proration
from tests.scenarios.in_dollars import NOW, amounts, billed, change, lines, offer, sell, usd
from tests.scenarios.shop import MONTHLY, YEARLY, Shop

Opened = Callable[..., Shop]


# ---- changes -------------------------------------------------------------------------------------


KB = date(2021, 9, 29)
PRICES = {"A": "30.00", "B": "60.00", "C": "90.00"}


@pytest.mark.parametrize(
    ("start", "at", "prices", "expected"),
    [
        # Stripe, "Prorations": halfway, −5 and +10
        (date(2027, 4, 1), date(2027, 4, 16), ("10.00", "20.00"), ["-5.00", "10.00", "5.00"]),
        # Autumn, "Proration": halfway from 20 to 50 is 15
        (date(2027, 4, 1), date(2027, 4, 16), ("20.00", "50.00"), ["-10.00", "25.00", "15.00"]),
        # Team Coby, "Proration explained": 18 of 30 days, up and down
        (date(2027, 4, 1), date(2027, 4, 13), ("99.00", "249.00"), ["-59.40", "149.40", "90.00"]),
        (date(2027, 4, 1), date(2027, 4, 13), ("249.00", "99.00"), ["-149.40", "59.40", "-90.00"]),
        # Nadles, "Upgrades and downgrades": 5 of 31 days
        (date(2027, 1, 1), date(2027, 1, 27), ("100.00", "300.00"), ["-16.13", "48.39", "32.26"]),
        (date(2027, 1, 1), date(2027, 1, 27), ("300.00", "100.00"), ["-48.39", "16.13", "-32.26"]),
        # 3scale billing, a change in the middle of a month: −100 and +150
        (date(2027, 4, 1), date(2027, 4, 16), ("200.00", "300.00"), ["-100.00", "150.00", "50.00"]),
        # and on the first day: −200 and +300
        (date(2027, 4, 1), date(2027, 4, 1), ("200.00", "300.00"), ["-200.00", "300.00", "100.00"]),
        # Kill Bill, "Catalog Examples", IMMEDIATE on the first day
        (KB, KB, ("500.00", "1000.00"), ["-500.00", "1000.00", "500.00"]),
        (KB, KB, ("500.00", "2000.00"), ["-500.00", "2000.00", "1500.00"]),
    ],
)
def test_a_change_credits_the_unused_part_and_debits_the_rest_at_the_new_price(
    open_a_shop: Opened, start: date, at: date, prices: tuple[str, str], expected: list[str]
) -> None:
    """Stripe, Autumn, Team Coby, Nadles, 3scale and Kill Bill, as each row says."""
    shop = open_a_shop(start=start)
    basic, pro = offer(shop, "Basic", prices[0]), offer(shop, "Pro", prices[1])
    sub = sell(shop, basic)
    if at > start:
        shop.time.advance(to=at)
    change(shop, sub, [pro.id], proration=NOW)
    changed = shop.invoices()[-1]
    credit, debit, total = expected
    assert lines(changed) == [f"credit {credit}", f"debit {debit}"]
    assert changed.total == usd(total)


def test_a_downgrade_lowers_the_next_invoice(open_a_shop: Opened) -> None:
    """Chargebee, "Proration", example 1: 60.00 to 30.00 on 21 April 2012."""
    shop = open_a_shop(start=date(2012, 4, 1))
    high, low = offer(shop, "High", "60.00"), offer(shop, "Low", "30.00")
    sub = sell(shop, high)
    shop.time.advance(to=date(2012, 4, 21))
    change(shop, sub, [low.id])
    shop.time.advance(to=date(2012, 6, 1))
    # 20 days used of 30: −20 for the rest, +10 for it at the new price: 30 − 10 in May
    assert lines(shop.invoices()[1]) == ["credit -20.00", "debit 10.00", "period 30.00"]
    assert amounts(shop) == ["60.00", "20.00", "30.00"]


def test_the_day_of_a_change_may_belong_to_the_old_quantity(open_a_shop: Opened) -> None:
    """Chargebee, "Proration", example 2: three units to two on 10 April 2013, 10 days used."""
    shop = open_a_shop(start=date(2013, 4, 1))
    seat = offer(shop, "Seat", "30.00")
    sub = sell(shop, (seat.id, 3))
    shop.time.advance(to=date(2013, 4, 10))
    old_day = Proration(change_day="old")
    shop.billing.subscriptions.change(sub.id, quantities={seat.id: 2}, proration=old_day)
    shop.time.advance(to=date(2013, 5, 1))
    # 90 · 20/30 back, 60 · 20/30 more: a credit of 20 on the renewal of 60
    assert lines(shop.invoices()[1]) == ["credit -60.00", "debit 40.00", "period 60.00"]
    assert amounts(shop) == ["90.00", "40.00"]


def test_fifteen_used_days_count_the_day_of_the_change(open_a_shop: Opened) -> None:
    """Samsung, "Subscription plan examples", INSTANT_PRORATED_CHARGE: 15.00 on 15 September."""
    shop = open_a_shop(start=date(2023, 9, 1))
    standard, premium = offer(shop, "Standard", "30.00"), offer(shop, "Premium", "60.00")
    sub = sell(shop, standard)
    shop.time.advance(to=date(2023, 9, 15))
    change(shop, sub, [premium.id], proration=Proration(mode="invoice_now", change_day="old"))
    # −15.00 for 15 of 30 days, and 30.00
    assert amounts(shop) == ["30.00", "15.00"]


def test_an_upgrade_waits_for_the_renewal(open_a_shop: Opened) -> None:
    """Baremetrics, "Proration charge fixes": 12.00 to 24.00 after a week of four, 33.00 next."""
    shop = open_a_shop(start=date(2027, 2, 1))
    small, large = offer(shop, "Small", "12.00"), offer(shop, "Large", "24.00")
    sub = sell(shop, small)
    shop.time.advance(to=date(2027, 2, 8))
    change(shop, sub, [large.id])
    shop.time.advance(to=date(2027, 3, 1))
    # −12 · 21/28 + 24 · 21/28 + 24
    assert lines(shop.invoices()[-1]) == ["credit -9.00", "debit 18.00", "period 24.00"]
    assert amounts(shop) == ["12.00", "33.00"]


def test_at_noon_of_the_middle_day_half_of_may_is_left(open_a_shop: Opened) -> None:
    """Stripe, "Prorations" (2013), by seconds: 10.00 from 1 May, 20.00 from its middle, 25.00."""
    shop = open_a_shop(start=date(2027, 5, 1))
    basic, pro = offer(shop, "Basic", "10.00"), offer(shop, "Pro", "20.00")
    sub = sell(shop, basic)
    shop.time.advance(to=datetime(2027, 5, 16, 12, tzinfo=UTC))
    change(shop, sub, [pro.id], proration=Proration(unit="second"))
    shop.time.advance(to=date(2027, 6, 1))
    # −5 + 10 + 20
    assert amounts(shop) == ["10.00", "25.00"]


def test_eleven_days_and_a_quarter_of_one_of_february_come_back(open_a_shop: Opened) -> None:
    """Stripe, an invoice object of 3 March 2017 in a gist: 10.00 to 14 March, −3.64.

    1488568488 to 1489449600 are 881,112 of 2,419,200 seconds.
    """
    shop = open_a_shop(start=date(2017, 2, 14))
    widgets, gadgets = offer(shop, "Widgets", "10.00"), offer(shop, "Gadgets", "100.00")
    sub = sell(shop, widgets)
    shop.time.advance(to=datetime.fromtimestamp(1488568488, UTC))
    change(shop, sub, [gadgets.id], proration=Proration(mode="invoice_now", unit="second"))
    assert lines(shop.invoices()[-1])[0] == "credit -3.64"


def test_what_was_never_debited_is_not_credited(open_a_shop: Opened) -> None:
    """Stripe, "Compare classic and flexible billing mode": up without, down with proration."""
    shop = open_a_shop(start=date(2027, 4, 1))
    basic, pro = offer(shop, "Basic", "10.00"), offer(shop, "Pro", "20.00")
    sub = sell(shop, basic)
    shop.time.advance(to=date(2027, 4, 11))
    change(shop, sub, [pro.id], proration=Proration(mode="none"))
    shop.time.advance(to=date(2027, 4, 21))
    change(shop, sub, [basic.id])
    shop.time.advance(to=date(2027, 5, 1))
    assert amounts(shop) == ["10.00", "10.00"]


def test_the_rest_of_may_costs_21_days_of_the_new_plan(open_a_shop: Opened) -> None:
    """Lago, "Upgrades & Downgrades" (2022): 40.00 · 21/31 = 27.10 from 11 May.

    That page takes off all of the 20.00 that May had cost. Here only the unused part comes back, as
    it does there by credit notes today: 20.00 · 21/31 = 13.55.
    """
    shop = open_a_shop(start=date(2022, 5, 1))
    standard, premium = offer(shop, "Standard", "20.00"), offer(shop, "Premium", "40.00")
    sub = sell(shop, standard)
    shop.time.advance(to=date(2022, 5, 11))
    change(shop, sub, [premium.id], proration=NOW)
    assert lines(shop.invoices()[-1]) == ["credit -13.55", "debit 27.10"]


def test_in_arrears_each_plan_costs_its_own_days(open_a_shop: Opened) -> None:
    """Lago, "Upgrades and downgrades": 100.00 to 200.00 on 15 January, in arrears."""
    shop = open_a_shop(start=date(2025, 1, 1))
    a = offer(shop, "A", "100.00", arrears=True)
    b = offer(shop, "B", "200.00", arrears=True)
    sub = sell(shop, a)
    shop.time.advance(to=date(2025, 1, 15))
    change(shop, sub, [b.id], proration=NOW)
    shop.time.advance(to=date(2025, 2, 1))
    # 100 · 14/31 and 200 · 17/31
    assert billed(shop) == ["2025-01-01/2025-01-15 45.16", "2025-01-15/2025-02-01 109.68"]


@pytest.mark.parametrize(
    ("amount", "every", "takes_effect"),
    [
        ("40.00", MONTHLY, "now"),
        ("15.00", MONTHLY, "later"),
        ("300.00", YEARLY, "now"),  # 25.00 a month
        ("180.00", YEARLY, "later"),  # 15.00 a month
    ],
)
def test_what_costs_more_a_month_is_an_upgrade_and_takes_effect_now(
    open_a_shop: Opened, amount: str, every: Interval, takes_effect: str
) -> None:
    """Lago, "Upgrades & Downgrades": from 20.00 a month."""
    shop = open_a_shop(start=date(2027, 4, 1))
    basic, other = offer(shop, "Basic", "20.00"), offer(shop, "Other", amount, every=every)
    sub = sell(shop, basic)
    shop.time.advance(to=date(2027, 4, 11))
    changed = change(shop, sub, [other.id], when="auto")
    assert [item.price for item in changed.items] == [
        other.id if takes_effect == "now" else basic.id
    ]


def test_at_the_end_of_the_term_a_change_gives_no_credit(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", END_OF_TERM: 500.00, then 100.00."""
    shop = open_a_shop(start=date(2021, 9, 29))
    sports, standard = offer(shop, "Sports", "500.00"), offer(shop, "Standard", "100.00")
    sub = sell(shop, sports)
    change(shop, sub, [standard.id], when="period_end")
    shop.time.advance(to=date(2021, 10, 29))
    assert billed(shop) == ["2021-09-29/2021-10-29 500.00", "2021-10-29/2021-11-29 100.00"]


def test_in_a_trial_a_change_takes_effect_at_once_and_is_billed_whole(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", change in TRIAL: there the new plan has none; 500.00."""
    shop = open_a_shop(start=date(2021, 9, 29))
    standard = offer(shop, "Standard", "100.00", trial=Interval.days(30))
    sports = offer(shop, "Sports", "500.00")
    sub = sell(shop, standard)
    change(shop, sub, [sports.id])
    shop.billing.subscriptions.end_trial(sub.id)
    shop.time.advance(to=date(2021, 10, 29))
    assert billed(shop) == ["2021-09-29/2021-10-29 500.00", "2021-10-29/2021-11-29 500.00"]


def test_a_cancellation_on_the_first_day_gives_back_everything(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", IMMEDIATE cancellation of an add-on: a credit of 15.00."""
    shop = open_a_shop(start=date(2021, 9, 29))
    sub = sell(shop, offer(shop, "RemoteControl", "15.00"))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert shop.billing.customers.get(sub.customer).balance == (usd("15.00"),)


def test_a_cancellation_at_the_end_of_the_term_gives_nothing_back(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", END_OF_TERM cancellation."""
    shop = open_a_shop(start=date(2021, 9, 29))
    sub = sell(shop, offer(shop, "Standard", "25.00"))
    shop.billing.subscriptions.cancel(sub.id)
    shop.time.advance(to=date(2021, 10, 29))
    assert amounts(shop) == ["25.00"]
    assert shop.subscription(sub).status == "canceled"
    assert shop.billing.customers.get(sub.customer).balance == ()


def test_an_amount_off_takes_no_more_off_a_period_than_its_amount(open_a_shop: Opened) -> None:
    """A of 30.00 with 6.00 off, and B of 60.00 from the middle of April on."""
    shop = open_a_shop(start=date(2027, 4, 1))
    a, b = offer(shop, "A", "30.00"), offer(shop, "B", "60.00")
    six = shop.billing.coupons.create("Six", amount_off=usd("6.00"), duration=Forever())
    sub = sell(shop, a, coupons=[six.id])
    shop.time.advance(to=date(2027, 4, 16))
    shop.billing.subscriptions.change(sub.id, add=[b.id], proration=NOW)
    # Half of April at 30 − 6 and half at 90 − 6: A has all of the 6.00, and B costs 30.00.
    assert sum(invoice.total_minor for invoice in shop.invoices()) == 5400


@pytest.mark.parametrize(
    ("every", "start", "at", "expected"),
    [
        # 15/30, 20/30 and 22/29 of a month come back; the year begins on the day of the change
        (MONTHLY, date(2025, 6, 1), date(2025, 6, 16), ["-50.00", "1000.00"]),
        (MONTHLY, date(2025, 6, 1), date(2025, 6, 11), ["-66.67", "1000.00"]),
        (MONTHLY, date(2024, 2, 18), date(2024, 2, 25), ["-75.86", "1000.00"]),
        # four fifths of a year, and five sixths of one of 366 days
        (YEARLY, date(2025, 6, 1), date(2025, 8, 13), ["-800.00", "100.00"]),
        (YEARLY, date(2024, 2, 18), date(2024, 4, 19), ["-833.33", "100.00"]),
    ],
)
def test_another_interval_begins_at_once_on_one_invoice_with_the_credit(
    open_a_shop: Opened, every: Interval, start: date, at: date, expected: list[str]
) -> None:
    """Polar, test suite, test_service_prorations: 100.00 a month to 1000.00 a year, and back."""
    shop = open_a_shop(start=start)
    monthly, yearly = offer(shop, "Months", "100.00"), offer(shop, "Years", "1000.00", every=YEARLY)
    old, new = (monthly, yearly) if every == MONTHLY else (yearly, monthly)
    ada, bob = shop.customer(), shop.customer(name="Bob")
    subs = [sell(shop, old, customer=each) for each in (ada, bob)]
    shop.time.advance(to=at)
    for customer, sub, mode in zip((ada, bob), subs, ("next_invoice", "invoice_now"), strict=True):
        change(shop, sub, [new.id], proration=Proration(mode=mode))
        _, changed = shop.invoices(customer)
        assert lines(changed) == [f"credit {expected[0]}", f"period {expected[1]}"]
        assert new.every is not None
        assert changed.lines[1].period == BillingCycle(at, new.every).period(0)


def test_while_nothing_is_invoiced_what_comes_back_does_not_wait_for_the_new_interval(
    open_a_shop: Opened,
) -> None:
    """Hand calculation: half a month comes back, and the year begins when it is invoiced again."""
    shop = open_a_shop(start=date(2025, 6, 1))
    month, year = offer(shop, "Months", "100.00"), offer(shop, "Years", "1000.00", every=YEARLY)
    sub = sell(shop, month)
    shop.time.advance(to=date(2025, 6, 16))
    shop.billing.subscriptions.pause(sub.id, collect=True, invoice=False)
    change(shop, sub, [year.id], proration=NOW)
    assert [lines(invoice) for invoice in shop.invoices()] == [["period 100.00"], ["credit -50.00"]]


# ---- versions of prices --------------------------------------------------------------------------


def test_a_new_price_is_for_new_subscriptions_only(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", price modified without affecting existing subscriptions."""
    shop = open_a_shop(start=date(2021, 1, 1))
    standard = offer(shop, "Standard", "30.00")
    ada, bob = shop.customer(), shop.customer(name="Bob")
    sell(shop, standard, customer=ada)
    new = shop.billing.catalog.new_version(standard.id, usd("60.00"), valid_from=date(2021, 1, 15))
    shop.time.advance(to=date(2021, 2, 1))
    with pytest.raises(InvalidTransition, match=new.id):
        sell(shop, standard, customer=bob)
    sell(shop, new, customer=bob)
    assert (amounts(shop, ada), amounts(shop, bob)) == (["30.00", "30.00"], ["60.00"])


def test_existing_subscriptions_follow_from_a_day_on(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", effectiveDateForExistingSubscriptions 1 March 2021."""
    shop = open_a_shop(start=date(2021, 1, 1))
    standard = offer(shop, "Standard", "30.00")
    sell(shop, standard)
    new = shop.billing.catalog.new_version(standard.id, usd("60.00"), valid_from=date(2021, 1, 15))
    shop.billing.catalog.migrate(standard.id, new.id, on=date(2021, 3, 1))
    shop.time.advance(to=date(2021, 3, 1))
    assert amounts(shop) == ["30.00", "30.00", "60.00"]


def test_a_retired_plan_is_sold_no_more_and_goes_on(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", plan retired."""
    shop = open_a_shop(start=date(2021, 1, 1))
    standard = offer(shop, "Standard", "30.00")
    sell(shop, standard)
    shop.billing.catalog.archive(standard.id)
    shop.time.advance(to=date(2021, 2, 1))
    with pytest.raises(InvalidTransition):
        sell(shop, standard, customer=shop.customer(name="Bob"))
    assert amounts(shop) == ["30.00", "30.00"]


def test_a_plan_of_the_future_is_not_yet_sold(open_a_shop: Opened) -> None:
    """Kill Bill, "Catalog Examples", plan added by a later version of the catalogue."""
    shop = open_a_shop(start=date(2021, 1, 1))
    yearly = offer(shop, "Yearly", "540.00", every=YEARLY, valid_from=date(2021, 1, 15))
    ada = shop.customer()
    with pytest.raises(InvalidTransition):
        sell(shop, yearly, customer=ada)
    shop.time.advance(to=date(2021, 2, 1))
    sell(shop, yearly, customer=ada)
    assert billed(shop) == ["2021-02-01/2022-02-01 540.00"]


# ---- what is counted, and amounts off ------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "used", "rest"),
    [
        ("second", "33.87", "66.13"),  # 100 · 10.5/31
        ("thirtieths", "33.33", "66.67"),  # 100 · 10/30
    ],
)
@pytest.mark.parametrize("what", ["change", "cancel"])
def test_in_arrears_a_period_is_cut_by_what_the_policy_counts(
    open_a_shop: Opened, unit: str, used: str, rest: str, what: str
) -> None:
    """Stripe prorates by seconds and Zuora by thirtieths, in advance and in arrears alike."""
    shop = open_a_shop(start=date(2018, 1, 15), proration=Proration(unit=unit))
    a, b = (offer(shop, name, "100.00", arrears=True) for name in ("A", "B"))
    sub = sell(shop, a)
    shop.time.advance(to=datetime(2018, 1, 25, 12, tzinfo=UTC))
    if what == "cancel":
        shop.billing.subscriptions.cancel(sub.id, when="now")
    else:
        change(shop, sub, [b.id])
    shop.time.advance(to=date(2018, 2, 15))
    expected = [used] if what == "cancel" else [used, rest]
    assert [line.split()[1] for line in billed(shop)] == expected


@pytest.mark.parametrize("back_and_forth", [1, 2, 5])
def test_in_arrears_changes_within_days_add_up_to_the_second(
    open_a_shop: Opened, back_and_forth: int
) -> None:
    """Hand calculation: prices that cost the same come to one period, however often they change."""
    shop = open_a_shop(start=date(2018, 1, 15), proration=Proration(unit="second"))
    a, b = (offer(shop, name, "100.00", arrears=True) for name in ("A", "B"))
    sub = sell(shop, a)
    moment = datetime(2018, 1, 15, 0, 0, 1, tzinfo=UTC)
    for _ in range(back_and_forth):
        for price in (b, a):
            shop.time.advance(to=moment)
            change(shop, sub, [price.id])
            moment += timedelta(days=2, hours=7, minutes=11, seconds=13)
    shop.time.advance(to=date(2018, 2, 15))
    (invoice,) = shop.invoices()
    assert invoice.total == usd("100.00")
    shop.time.advance(to=date(2018, 3, 15))
    assert shop.invoices()[-1].total == usd("100.00")


def test_in_arrears_a_pause_at_noon_is_paid_for_until_noon(open_a_shop: Opened) -> None:
    """Hand calculation: 100 · 10.5/31 before it, and from the day it goes on, 15/31."""
    shop = open_a_shop(start=date(2018, 1, 15), proration=Proration(unit="second"))
    sub = sell(shop, offer(shop, "A", "100.00", arrears=True))
    shop.time.advance(to=datetime(2018, 1, 25, 12, tzinfo=UTC))
    shop.billing.subscriptions.pause(sub.id, invoice=False)
    shop.time.advance(to=date(2018, 1, 31))
    shop.billing.subscriptions.resume(sub.id)
    shop.time.advance(to=date(2018, 2, 15))
    assert [line.split()[1] for line in billed(shop)] == ["33.87", "48.39"]


def test_a_first_stub_is_counted_in_thirtieths_where_the_policy_says_so(
    open_a_shop: Opened,
) -> None:
    """Zuora, "Calculate total amount with partial period proration": 146.67 to 14 February."""
    shop = open_a_shop(start=date(2018, 1, 1), proration=Proration(unit="thirtieths"))
    sell(shop, offer(shop, "Seat", "100.00"), align=DayOfMonth(15))
    shop.time.advance(to=date(2018, 2, 14))
    # 100 · 14/30 + 100
    assert amounts(shop) == ["46.67", "100.00"]


@pytest.mark.parametrize(
    ("first", "there", "back"),
    [
        ("AB", "A", "AB"),
        ("A", "AB", "A"),
        ("A", "C", "A"),
        ("AB", "C", "AB"),
    ],
)
def test_with_an_amount_off_a_change_and_its_opposite_at_one_instant_cost_nothing(
    open_a_shop: Opened, first: str, there: str, back: str
) -> None:
    """Hand calculation: what is given back and charged again is the same, whoever shares 6.00."""
    shop = open_a_shop(start=date(2027, 4, 1))
    prices = {name: offer(shop, name, amount) for name, amount in PRICES.items()}
    six = shop.billing.coupons.create("Six", amount_off=usd("6.00"), duration=Forever())
    sub = sell(shop, prices["A"], prices["B"], coupons=[six.id])

    def move(names: str) -> int:
        change(shop, sub, [prices[name].id for name in names])
        pending = shop.subscription(sub).pending
        return sum(
            charge.amount_minor - sum(share.amount_minor for share in charge.discounts)
            for charge in pending
        )

    shop.time.advance(to=date(2027, 4, 11))
    before = move(first) if first != "AB" else 0
    move(there)
    assert move(back) == before
