"""Which periods are billed, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import Billing, Interval, Money, Seller
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.lifecycle import Phase, SubscriptionRenewed, SubscriptionStarted
from subscriptions.testing import TestClock
from tests.scenarios.shop import MONTHLY, YEARLY, Shop, eur

Opened = Callable[..., Shop]


def test_ten_lines_lead_to_a_first_paid_invoice() -> None:
    billing = Billing(clock=TestClock(date(2027, 1, 1)))
    pro = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    ada = billing.customers.create(name="Ada Lovelace", email="ada@example.com", country="DE")
    billing.payment_methods.attach(ada.id, token="tok_visa")
    sub = billing.subscriptions.create(ada.id, [pro.id], start=date(2027, 1, 31))
    report = billing.run(until=date(2027, 4, 30))
    assert [
        f"{invoice.number} {invoice.period} {invoice.total} {invoice.status}"
        for invoice in billing.invoices.list(customer=ada.id)
    ] == [
        "INV-2027-00001 2027-01-31/2027-02-28 29.00 EUR paid",
        "INV-2027-00002 2027-02-28/2027-03-31 29.00 EUR paid",
        "INV-2027-00003 2027-03-31/2027-04-30 29.00 EUR paid",
        "INV-2027-00004 2027-04-30/2027-05-31 29.00 EUR paid",
    ]
    assert (report.invoices, report.payments_succeeded, report.payments_failed) == (4, 4, 0)
    assert billing.subscriptions.get(sub.id).status == "active"


def test_a_month_end_anchor_goes_through_a_leap_february_and_comes_back(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2028, 1, 1))
    shop.subscribe(shop.customer(), start=date(2028, 1, 31))
    shop.time.expect(InvoicePaid, InvoicePaid, InvoicePaid, InvoicePaid).advance(
        to=date(2028, 5, 1)
    )
    assert shop.periods() == [
        "2028-01-31/2028-02-29",
        "2028-02-29/2028-03-31",
        "2028-03-31/2028-04-30",
        "2028-04-30/2028-05-31",
    ]
    assert [invoice.issued_on for invoice in shop.invoices()] == [
        date(2028, 1, 31),
        date(2028, 2, 29),
        date(2028, 3, 31),
        date(2028, 4, 30),
    ]


def test_a_year_from_29_february_ends_on_the_28th_until_there_is_a_29th_again(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2028, 2, 29))
    shop.subscribe(shop.customer(), shop.price(eur("290.00"), every=YEARLY))
    shop.time.expect(*[InvoicePaid] * 5).advance(to=date(2032, 3, 1))
    assert shop.periods() == [
        "2028-02-29/2029-02-28",
        "2029-02-28/2030-02-28",
        "2030-02-28/2031-02-28",
        "2031-02-28/2032-02-29",
        "2032-02-29/2033-02-28",
    ]


def test_a_week_is_seven_days_over_the_end_of_a_year(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2026, 12, 21))
    shop.subscribe(shop.customer(), shop.price(eur("7.00"), every=Interval.weeks(1)))
    shop.time.expect(InvoicePaid, InvoicePaid, InvoicePaid).advance(weeks=2)
    assert shop.periods() == [
        "2026-12-21/2026-12-28",
        "2026-12-28/2027-01-04",
        "2027-01-04/2027-01-11",
    ]


def test_two_items_of_different_intervals_are_billed_together_when_they_meet(shop: Shop) -> None:
    monthly = shop.price(eur("29.00"), name="Seats")
    quarterly = shop.price(eur("60.00"), every=Interval.months(3), name="Support")
    ada = shop.customer()
    sub = shop.billing.subscriptions.create(
        ada.id, [monthly.id, quarterly.id], start=date(2027, 1, 15)
    )
    shop.time.advance(to=date(2027, 4, 20))
    invoices = [[line.description for line in each.lines] for each in shop.invoices()]
    assert invoices == [["Seats", "Support"], ["Seats"], ["Seats"], ["Seats", "Support"]]
    assert [str(each.total) for each in shop.invoices()] == [
        "89.00 EUR",
        "29.00 EUR",
        "29.00 EUR",
        "89.00 EUR",
    ]
    first = shop.invoices()[0]
    assert str(first.period) == "2027-01-15/2027-04-15"
    assert [str(line.period) for line in first.lines] == [
        "2027-01-15/2027-02-15",
        "2027-01-15/2027-04-15",
    ]
    assert shop.subscription(sub).paid_through == date(2027, 7, 15)


def test_three_units_cost_three_times_the_price(shop: Shop) -> None:
    shop.subscribe(shop.customer(), shop.price(eur("9.99")), quantity=3)
    (line,) = shop.only_invoice().lines
    assert (line.quantity, line.unit_price, line.amount) == (3, Decimal("9.99"), eur("29.97"))


def test_half_a_unit_is_rounded_once_at_the_line(shop: Shop) -> None:
    shop.subscribe(shop.customer(), shop.price(eur("9.99")), quantity=Decimal("0.5"))
    assert shop.only_invoice().total == eur("5.00")


def test_a_backdated_start_is_billed_by_the_next_run_each_period_at_its_time(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada, start=date(2026, 10, 31))
    assert shop.periods() == []
    shop.time.expect(SubscriptionStarted, *[SubscriptionRenewed] * 3).advance()
    assert shop.periods() == [
        "2026-10-31/2026-11-30",
        "2026-11-30/2026-12-31",
        "2026-12-31/2027-01-31",
    ]
    assert shop.statuses() == ["paid", "paid", "paid"]
    issued = [invoice.issued_on for invoice in shop.invoices()]
    assert issued == [date(2026, 10, 31), date(2026, 11, 30), date(2026, 12, 31)]


def test_a_subscription_that_ran_elsewhere_is_billed_from_where_it_was_paid(shop: Shop) -> None:
    ada, pro = shop.customer(), shop.price()
    shop.billing.subscriptions.create(
        ada.id,
        [pro.id],
        start=date(2026, 8, 31),
        anchor=date(2026, 8, 31),
        paid_until=date(2027, 2, 28),
    )
    shop.time.expect().advance(to=date(2027, 2, 27))
    assert shop.invoices() == []
    shop.time.expect(InvoicePaid).advance(to=date(2027, 3, 1))
    assert shop.periods() == ["2027-02-28/2027-03-31"]


def test_what_ran_elsewhere_ran_before_it_came_here(shop: Shop) -> None:
    """Without a start it comes today; what is planned for days before that is due, too."""
    basic, pro = shop.price(eur("28.00"), name="Basic"), shop.price(eur("56.00"))
    sub = shop.billing.subscriptions.create(
        shop.customer().id,
        phases=[Phase((basic.id,), MONTHLY), Phase((pro.id,), Interval.months(3))],
        anchor=date(2026, 11, 1),
        paid_until=date(2026, 12, 1),
    )
    shop.time.advance(months=3)
    assert shop.subscription(sub).parked is None
    assert shop.subscription(sub).status == "expired"
    assert shop.periods() == [
        "2026-12-01/2027-01-01",
        "2027-01-01/2027-02-01",
        "2027-02-01/2027-03-01",
    ]
    assert shop.totals() == ["56.00 EUR"] * 3


def test_time_without_runs_is_caught_up_period_by_period(shop: Shop) -> None:
    shop.subscribe(shop.customer(), start=date(2027, 1, 31))
    # Nobody ran anything for half a year; then one run does it all, each on its day.
    shop.time.expect(*[InvoicePaid] * 6).advance(to=date(2027, 7, 1))
    assert [invoice.issued_on for invoice in shop.invoices()] == [
        date(2027, 1, 31),
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
        date(2027, 5, 31),
        date(2027, 6, 30),
    ]


BERLIN = Seller("Acme GmbH", zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "start", "due_at", "issued_on"),
    [
        # A day begins in the customer's zone; a document is dated in the seller's.
        ("Asia/Tokyo", date(2027, 3, 1), datetime(2027, 2, 28, 15, tzinfo=UTC), date(2027, 2, 28)),
        (
            "America/Los_Angeles",
            date(2027, 3, 1),
            datetime(2027, 3, 1, 8, tzinfo=UTC),
            date(2027, 3, 1),
        ),
        (None, date(2027, 3, 1), datetime(2027, 2, 28, 23, tzinfo=UTC), date(2027, 3, 1)),
        # Here the clocks skip midnight: the day begins with the first instant after the gap.
        (
            "Africa/Cairo",
            date(2026, 4, 24),
            datetime(2026, 4, 23, 22, tzinfo=UTC),
            date(2026, 4, 24),
        ),
        ("America/Havana", date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC), date(2026, 3, 8)),
        # Here midnight comes twice: the earlier one counts.
        (
            "America/Havana",
            date(2026, 11, 1),
            datetime(2026, 11, 1, 4, tzinfo=UTC),
            date(2026, 11, 1),
        ),
    ],
)
def test_a_day_begins_in_the_customers_zone_and_is_dated_in_the_sellers(
    open_a_shop: Opened, zone: str | None, start: date, due_at: datetime, issued_on: date
) -> None:
    shop = open_a_shop(start=date(2026, 1, 1), seller=BERLIN)
    shop.subscribe(shop.customer(zone=zone), start=start)
    shop.time.advance(to=due_at)
    shop.time.advance(days=2)
    invoice = shop.only_invoice()
    assert invoice.finalized_at == due_at
    assert invoice.issued_on == issued_on
    assert invoice.period is not None
    assert invoice.period.start == start


@pytest.mark.parametrize("zone", ["Africa/Cairo", "America/Havana", "Europe/Berlin"])
def test_a_change_of_the_clocks_moves_no_period(open_a_shop: Opened, zone: str) -> None:
    shop = open_a_shop(start=date(2026, 1, 1), seller=BERLIN)
    shop.subscribe(
        shop.customer(zone=zone), shop.price(every=Interval.days(1)), start=date(2026, 3, 1)
    )
    shop.time.advance(to=date(2026, 5, 10))
    starts = [line.period.start for i in shop.invoices() for line in i.lines if line.period]
    assert starts == [date.fromordinal(starts[0].toordinal() + n) for n in range(len(starts))]
    assert len(starts) == 71 - (zone == "America/Havana")


def test_a_zone_is_taken_when_a_subscription_is_made_and_stays(shop: Shop) -> None:
    ada = shop.customer(zone="Asia/Tokyo")
    sub = shop.subscribe(ada, start=date(2027, 2, 1))
    shop.billing.customers.update(ada.id, zone="America/Los_Angeles")
    shop.time.advance(to=date(2027, 2, 2))
    assert shop.subscription(sub).zone == "Asia/Tokyo"
    assert shop.only_invoice().finalized_at == datetime(2027, 1, 31, 15, tzinfo=UTC)


def test_a_new_price_leaves_those_who_have_the_old_one_alone(shop: Shop) -> None:
    ada, bob = shop.customer(), shop.customer(name="Bob")
    old = shop.price(eur("29.00"))
    shop.subscribe(ada, old)
    shop.billing.catalog.archive(old.id)
    shop.subscribe(bob, shop.price(eur("39.00")))
    shop.time.expect(*[InvoiceFinalized] * 4).advance(months=1)
    assert [str(i.total) for i in shop.invoices(ada)] == ["29.00 EUR", "29.00 EUR"]
    assert [str(i.total) for i in shop.invoices(bob)] == ["39.00 EUR", "39.00 EUR"]


def test_a_report_counts_the_days_on_which_something_was_due(shop: Shop) -> None:
    shop.subscribe(shop.customer(), start=date(2027, 1, 31))
    days: list[date] = []
    report = shop.billing.run(until=date(2027, 3, 31), progress=lambda day, _: days.append(day))
    assert days == [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31)]
    assert (report.days, report.invoices, report.ended) == (3, 3, 0)


def test_monthly_and_yearly_prices_of_one_product_stand_side_by_side(shop: Shop) -> None:
    monthly = shop.price(eur("29.00"), every=MONTHLY)
    yearly = shop.price(eur("290.00"), every=YEARLY)
    assert monthly.product == yearly.product
    assert [p.id for p in shop.billing.catalog.list(product=monthly.product)] == [
        monthly.id,
        yearly.id,
    ]
