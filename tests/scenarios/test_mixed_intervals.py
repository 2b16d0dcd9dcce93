"""Items of different intervals on one subscription, and changes of one that leave the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions import Interval
from subscriptions.invoices import InvoicePaid
from subscriptions.lifecycle import Subscription
from subscriptions.proration import Proration
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")
QUARTERLY = Interval.months(3)


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=APRIL)


def paid_until(shop: Shop, sub: Subscription) -> list[str]:
    """Return until when each item is billed."""
    return [str(item.through) for item in shop.subscription(sub).items]


def test_a_yearly_item_changes_and_the_monthly_one_goes_on(shop: Shop) -> None:
    seats = shop.price(eur("31.00"), name="Seats")
    small = shop.price(eur("365.00"), every=YEARLY, name="Small")
    large = shop.price(eur("730.00"), every=YEARLY, name="Large")
    sub = shop.billing.subscriptions.create(shop.customer().id, [seats.id, small.id])
    shop.time.advance(to=date(2027, 7, 2))
    shop.billing.subscriptions.change(sub.id, swap={small.id: large.id})
    # 182 days of the year are used, 183 are left; July's seats are paid and stay so.
    assert shop.pending(sub) == ["credit Small -183.00 EUR", "debit Large 366.00 EUR"]
    shop.time.expect(InvoicePaid).advance(to=date(2027, 8, 1))
    assert shop.totals()[-1] == "214.00 EUR"
    assert paid_until(shop, sub) == ["2027-09-01", "2028-01-01"]


def test_a_monthly_item_changes_at_the_end_of_its_month_and_not_of_the_year(spring: Shop) -> None:
    seats = spring.price(eur("30.00"), name="Seats")
    domain = spring.price(eur("365.00"), every=YEARLY, name="Domain")
    sub = spring.billing.subscriptions.create(spring.customer().id, [(seats.id, 5), domain.id])
    change = spring.billing.subscriptions.change
    change(sub.id, quantities={seats.id: 3}, when="period_end")
    assert [planned.on for planned in spring.subscription(sub).schedule] == [MAY]
    spring.billing.subscriptions.unschedule(sub.id)
    change(sub.id, quantities={seats.id: 3}, when="auto")
    assert [planned.on for planned in spring.subscription(sub).schedule] == [MAY]
    spring.billing.subscriptions.unschedule(sub.id)
    change(sub.id, remove=[domain.id], when="period_end")
    assert [planned.on for planned in spring.subscription(sub).schedule] == [date(2028, 4, 1)]
    spring.time.advance(to=MAY)
    assert spring.lines(spring.invoices()[-1]) == ["period Seats 150.00 EUR"]


def test_a_quarterly_add_on_shares_the_31st(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 1, 31))
    seats = shop.price(eur("31.00"), name="Seats")
    support = shop.price(eur("90.00"), every=QUARTERLY, name="Support")
    sub = shop.subscribe(shop.customer(), seats)
    shop.time.advance(to=date(2027, 2, 10))
    shop.billing.subscriptions.change(sub.id, add=[support.id])
    # Until 28 February 18 days: of the 90 from 30 November, in a cycle on the 31st.
    assert shop.pending(sub) == ["debit Support 18.00 EUR"]
    shop.time.advance(to=date(2027, 5, 31))
    assert shop.totals() == ["31.00 EUR", "139.00 EUR", "31.00 EUR", "31.00 EUR", "121.00 EUR"]
    assert shop.periods()[-2:] == ["2027-05-31/2027-06-30", "2027-05-31/2027-08-31"]


def test_a_monthly_add_on_beside_a_year_has_the_days_of_the_year(shop: Shop) -> None:
    domain = shop.price(eur("365.00"), every=YEARLY, name="Domain")
    seats = shop.price(eur("30.00"), name="Seats")
    sub = shop.subscribe(shop.customer(), domain)
    shop.time.advance(to=date(2027, 4, 16))
    shop.billing.subscriptions.change(sub.id, add=[(seats.id, 2)], proration=NOW)
    assert shop.lines(shop.invoices()[-1]) == ["debit Seats 30.00 EUR"]
    shop.time.advance(to=MAY)
    assert shop.lines(shop.invoices()[-1]) == ["period Seats 60.00 EUR"]
    shop.time.advance(to=date(2028, 1, 1))
    assert sorted(shop.lines(shop.invoices()[-1])) == [
        "period Domain 365.00 EUR",
        "period Seats 60.00 EUR",
    ]


def test_a_stub_of_an_add_on_is_itself_changed(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=APRIL)
    seats = shop.price(eur("30.00"), name="Seats")
    backup = shop.price(eur("60.00"), name="Backup")
    sub = shop.subscribe(shop.customer(), seats)
    shop.time.advance(to=date(2027, 4, 11))
    shop.billing.subscriptions.change(sub.id, add=[backup.id])
    shop.time.advance(to=date(2027, 4, 21))
    shop.billing.subscriptions.change(sub.id, quantities={backup.id: 3})
    # The stub of 20 days cost 40.00; half of it comes back, and three times that is charged.
    assert shop.pending(sub) == [
        "debit Backup 40.00 EUR",
        "credit Backup -20.00 EUR",
        "debit Backup 60.00 EUR",
    ]
    shop.time.advance(to=MAY)
    assert shop.totals() == ["30.00 EUR", "290.00 EUR"]


def test_one_of_two_items_goes_from_monthly_to_yearly(spring: Shop) -> None:
    seats = spring.price(eur("30.00"), name="Seats")
    backup = spring.price(eur("6.00"), name="Backup")
    backups = spring.price(eur("60.00"), every=YEARLY, name="Backup, yearly")
    sub = spring.billing.subscriptions.create(spring.customer().id, [seats.id, backup.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, swap={backup.id: backups.id})
    # A new year begins with the change and is billed at once, less half of April.
    assert spring.lines(spring.invoices()[-1]) == [
        "credit Backup -3.00 EUR",
        "period Backup, yearly 60.00 EUR",
    ]
    assert paid_until(spring, sub) == ["2027-05-01", "2028-04-16"]
    spring.time.advance(to=MAY)
    assert spring.totals() == ["36.00 EUR", "57.00 EUR", "30.00 EUR"]


def test_what_is_used_in_arrears_until_a_change_is_billed_at_its_own_price(spring: Shop) -> None:
    add_price = spring.billing.catalog.add_price
    seats = spring.price(eur("30.00"), name="Seats")
    hours = add_price("Hours", eur("60.00"), every=MONTHLY, arrears=True)
    more = add_price("More hours", eur("90.00"), every=MONTHLY, arrears=True)
    sub = spring.billing.subscriptions.create(spring.customer().id, [seats.id, hours.id])
    assert spring.totals() == ["30.00 EUR"]
    spring.time.advance(to=date(2027, 4, 11))
    spring.billing.subscriptions.change(sub.id, swap={hours.id: more.id})
    # A third of April at 60.00 is 20.00, two thirds at 90.00 are 60.00.
    spring.time.advance(to=MAY)
    assert sorted(spring.lines(spring.invoices()[-1])) == [
        "period Hours 20.00 EUR",
        "period More hours 60.00 EUR",
        "period Seats 30.00 EUR",
    ]


def test_weeks_beside_months_are_cut_at_their_own_days(spring: Shop) -> None:
    # 1 April 2027 is a Thursday, and so is the 15th.
    seats = spring.price(eur("30.00"), name="Seats")
    weekly = spring.price(eur("7.00"), every=Interval.weeks(1), name="Cleaning")
    sub = spring.billing.subscriptions.create(spring.customer().id, [seats.id, weekly.id])
    spring.time.advance(to=date(2027, 4, 17))
    spring.billing.subscriptions.change(sub.id, remove=[weekly.id])
    # The third week began on the 15th: five of seven days are left.
    assert spring.pending(sub) == ["credit Cleaning -5.00 EUR"]
    spring.time.advance(to=MAY)
    assert spring.totals() == ["37.00 EUR", "7.00 EUR", "7.00 EUR", "25.00 EUR"]


def test_both_items_change_at_once_and_each_keeps_its_period(spring: Shop) -> None:
    seats = spring.price(eur("30.00"), name="Seats")
    domain = spring.price(eur("366.00"), every=YEARLY, name="Domain")
    sub = spring.billing.subscriptions.create(spring.customer().id, [seats.id, domain.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, quantities={seats.id: 2, domain.id: 2})
    # 15 of 30 days; 351 of the 366 days until 1 April 2028, 1.00 each.
    assert spring.pending(sub) == [
        "credit Seats -15.00 EUR",
        "credit Domain -351.00 EUR",
        "debit Seats 30.00 EUR",
        "debit Domain 702.00 EUR",
    ]


def test_a_coupon_on_items_of_two_intervals_is_given_back_with_its_own_period(
    spring: Shop,
) -> None:
    seats = spring.price(eur("30.00"), name="Seats")
    domain = spring.price(eur("366.00"), every=YEARLY, name="Domain")
    half = spring.billing.coupons.create("Half", percent_off=50)
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [seats.id, domain.id], coupons=[half.id]
    )
    assert spring.totals() == ["198.00 EUR"]
    spring.time.advance(to=date(2027, 5, 16))
    # May's seats were charged in full, the year at half price: 321 of 366 days are left.
    spring.billing.subscriptions.change(sub.id, remove=[domain.id])
    assert spring.pending(sub) == ["credit Domain -160.50 EUR"]


def test_a_change_and_back_within_a_discounted_year_costs_nothing(spring: Shop) -> None:
    seats = spring.price(eur("30.00"), name="Seats")
    domain = spring.price(eur("366.00"), every=YEARLY, name="Domain")
    half = spring.billing.coupons.create("Half", percent_off=50)
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [seats.id, domain.id], coupons=[half.id]
    )
    spring.time.advance(to=date(2027, 5, 16))
    # 321 of 366 days at half of 366.00 are left; May's seats, at the whole price, change nothing.
    spring.billing.subscriptions.change(sub.id, quantities={domain.id: 2})
    assert spring.pending(sub) == ["credit Domain -160.50 EUR", "debit Domain 321.00 EUR"]
    spring.billing.subscriptions.change(sub.id, quantities={domain.id: 1})
    assert spring.pending(sub) == ["credit Domain -160.50 EUR", "debit Domain 160.50 EUR"]


def test_what_is_added_in_a_discounted_period_is_discounted_too(spring: Shop) -> None:
    seats, backup = (
        spring.price(eur("30.00"), name="Seats"),
        spring.price(eur("6.00"), name="Backup"),
    )
    half = spring.billing.coupons.create("Half", percent_off=50)
    sub = spring.billing.subscriptions.create(spring.customer().id, [seats.id], coupons=[half.id])
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, add=[backup.id])
    # 15 of 30 days of 6.00, at half price; from May on nothing is taken off.
    assert spring.pending(sub) == ["debit Backup 1.50 EUR"]
    spring.time.advance(to=MAY)
    assert spring.totals() == ["15.00 EUR", "37.50 EUR"]
    spring.time.advance(to=date(2027, 5, 16))
    spring.billing.subscriptions.change(sub.id, quantities={backup.id: 2})
    assert spring.pending(sub) == ["credit Backup -3.10 EUR", "debit Backup 6.19 EUR"]


def test_an_amount_off_two_intervals_keeps_its_shares_in_a_change_and_back(spring: Shop) -> None:
    seats = spring.price(eur("30.00"), name="Seats")
    domain = spring.price(eur("366.00"), every=YEARLY, name="Domain")
    five = spring.billing.coupons.create("Five", amount_off=eur("5.00"))
    sub = spring.billing.subscriptions.create(
        spring.customer().id, [seats.id, domain.id], coupons=[five.id]
    )
    # 5.00 on 396.00: 0.38 and 4.62.
    assert spring.totals() == ["391.00 EUR"]
    spring.billing.subscriptions.change(sub.id, quantities={domain.id: 2})
    spring.billing.subscriptions.change(sub.id, quantities={domain.id: 1})
    assert spring.pending(sub) == ["credit Domain -361.38 EUR", "debit Domain 361.38 EUR"]
