"""A price of which a period costs at least so much, whatever is bought of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from subscriptions import OneOff
from subscriptions.alignment import DayOfMonth
from subscriptions.catalog import Price
from subscriptions.coupons import Forever
from subscriptions.invoices import LineKind
from subscriptions.lifecycle import Subscription
from subscriptions.proration import Proration
from tests.core.recomputing import recompute
from tests.core.telling import reckon
from tests.scenarios.shop import MONTHLY, Shop, eur

Opened = Callable[..., Shop]
FEBRUARY, NOW = date(2027, 2, 1), Proration(mode="invoice_now")
UNITS = pytest.mark.parametrize("unit", ["day", "second", "thirtieths"])


def seats(shop: Shop, *, arrears: bool = False) -> Price:
    """Return 10.00 for each seat, and at least 25.00 a month."""
    return shop.billing.catalog.add_price(
        "Seats", eur("10.00"), every=MONTHLY, minimum=eur("25.00"), arrears=arrears
    )


def charged(shop: Shop, subscription: Subscription) -> int:
    """Return what all lines come to, of invoices and of what waits for one."""
    waiting = shop.subscription(subscription).pending
    pending = sum(c.amount_minor - sum(s.amount_minor for s in c.discounts) for c in waiting)
    lines = [line for invoice in shop.invoices() for line in invoice.lines]
    return pending + sum(line.amount_minor - line.discount_minor for line in lines)


# ---- a whole period ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quantity", "amount", "unit_price"),
    [(1, "25.00", None), (2, "25.00", None), (3, "30.00", "10.00")],
)
def test_a_period_is_one_line_that_costs_at_least_the_minimum(
    shop: Shop, quantity: int, amount: str, unit_price: str | None
) -> None:
    shop.subscribe(shop.customer(), seats(shop), quantity=quantity)
    (line,) = shop.only_invoice().lines
    assert (line.kind, line.quantity, line.amount) == (LineKind.PERIOD, quantity, eur(amount))
    # Quantity times price must be the amount of a line: below the minimum no price is printed.
    assert (None if line.unit_price is None else str(line.unit_price)) == unit_price


def test_who_reaches_the_minimum_exactly_sees_what_a_unit_costs(shop: Shop) -> None:
    price = shop.billing.catalog.add_price(
        "Seats", eur("10.00"), every=MONTHLY, minimum=eur("20.00")
    )
    shop.subscribe(shop.customer(), price, quantity=2)
    (line,) = shop.only_invoice().lines
    assert (str(line.unit_price), line.amount) == ("10.00", eur("20.00"))


def test_the_minimum_holds_in_the_first_periods_too(shop: Shop) -> None:
    price = shop.billing.catalog.add_price(
        "Seats",
        eur("30.00"),
        every=MONTHLY,
        minimum=eur("25.00"),
        introductory=[(1, eur("5.00")), (1, eur("26.00"))],
    )
    shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 3, 1))
    assert shop.totals() == ["25.00 EUR", "26.00 EUR", "30.00 EUR"]


def test_in_arrears_the_month_that_is_over_costs_at_least_the_minimum(shop: Shop) -> None:
    shop.subscribe(shop.customer(), seats(shop, arrears=True))
    shop.time.advance(to=FEBRUARY)
    assert shop.lines(shop.only_invoice()) == ["period Seats 25.00 EUR"]
    assert shop.periods() == ["2027-01-01/2027-02-01"]


# ---- stubs ---------------------------------------------------------------------------------------


def test_a_first_stub_costs_its_part_of_the_minimum(open_a_shop: Opened) -> None:
    shop = open_a_shop(start=date(2027, 1, 22))
    price = seats(shop)
    shop.billing.subscriptions.create(shop.customer().id, [price.id], align=DayOfMonth(1))
    # 10 of 31 days of 25.00.
    assert shop.lines(shop.only_invoice()) == ["period Seats 8.06 EUR"]
    shop.time.advance(to=FEBRUARY)
    assert shop.totals() == ["8.06 EUR", "25.00 EUR"]


def test_a_change_within_a_first_stub_goes_on_from_its_part_of_the_minimum(
    open_a_shop: Opened,
) -> None:
    shop = open_a_shop(start=date(2027, 1, 12))
    price = seats(shop)
    sub = shop.billing.subscriptions.create(shop.customer().id, [price.id], align=DayOfMonth(1))
    # 20 of 31 days of 25.00; half of it is left, and half of 20 of 31 days of 40.00 comes instead.
    assert shop.totals() == ["16.13 EUR"]
    shop.time.advance(to=date(2027, 1, 22))
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 4})
    assert shop.pending(sub) == ["credit Seats -8.06 EUR", "debit Seats 12.90 EUR"]


# ---- changes -------------------------------------------------------------------------------------


def test_more_seats_in_mid_month_give_the_minimum_back_for_the_rest(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 4}, proration=NOW)
    # 10 of 31 days of 25.00 are 8.06, and 21 of 31 days of 40.00 are 27.10.
    assert shop.lines(shop.invoices()[-1]) == ["credit Seats -16.94 EUR", "debit Seats 27.10 EUR"]
    assert charged(shop, sub) == 806 + 2710
    shop.time.advance(to=FEBRUARY)
    assert shop.totals() == ["25.00 EUR", "10.16 EUR", "40.00 EUR"]


def test_fewer_seats_than_the_minimum_pays_for_cost_the_minimum(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price, quantity=4)
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 1})
    # 21 of 31 days: of 40.00 back, and of 25.00, not of 10.00, instead.
    assert shop.pending(sub) == ["credit Seats -27.10 EUR", "debit Seats 16.94 EUR"]
    shop.time.advance(to=FEBRUARY)
    assert shop.totals() == ["40.00 EUR", "14.84 EUR"]


def test_another_seat_below_the_minimum_costs_nothing(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 2})
    assert charged(shop, sub) == 2500


@UNITS
def test_a_change_and_a_change_back_cost_nothing(shop: Shop, unit: str) -> None:
    price, policy = seats(shop), Proration(unit=unit)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=datetime(2027, 1, 11, 7, 13, 5, tzinfo=UTC))
    for quantity in (4, 1, 3, 2, 1):
        shop.billing.subscriptions.change(sub.id, quantities={price.id: quantity}, proration=policy)
    assert charged(shop, sub) == 2500


@pytest.mark.parametrize(
    ("unit", "credit", "debit"),
    [
        ("day", "-12.90", "20.65"),  # 16 of 31 days
        ("second", "-12.50", "20.00"),  # half of the month, to the second
        ("thirtieths", "-12.50", "20.00"),  # 15 of 30
    ],
)
def test_the_minimum_is_cut_as_every_price_is(
    shop: Shop, unit: str, credit: str, debit: str
) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=datetime(2027, 1, 16, 12, tzinfo=UTC))
    shop.billing.subscriptions.change(
        sub.id, quantities={price.id: 4}, proration=Proration(unit=unit)
    )
    assert shop.pending(sub) == [f"credit Seats {credit} EUR", f"debit Seats {debit} EUR"]


def test_what_is_added_in_mid_month_has_its_part_of_the_minimum(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), shop.price(eur("31.00")))
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, add=[price.id])
    assert shop.pending(sub) == ["debit Seats 16.94 EUR"]
    shop.billing.subscriptions.change(sub.id, remove=[price.id])
    assert shop.pending(sub) == []


def test_another_plan_gives_the_minimum_of_the_old_one_back(shop: Shop) -> None:
    price, plan = seats(shop), shop.price(eur("31.00"), name="Plan")
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, swap={price.id: plan.id})
    assert shop.pending(sub) == ["credit Seats -16.94 EUR", "debit Plan 21.00 EUR"]
    shop.billing.subscriptions.change(sub.id, swap={plan.id: price.id})
    assert charged(shop, sub) == 2500


@pytest.mark.parametrize(
    ("unit", "first", "second"),
    [
        ("day", "8.06", "27.10"),  # 10 of 31 days of 25.00, and 21 of 40.00
        ("second", "8.47", "26.45"),  # 10.5 of 31 days, and 20.5
        ("thirtieths", "8.33", "26.67"),
    ],
)
def test_in_arrears_each_part_of_the_month_has_its_part_of_the_minimum(
    shop: Shop, unit: str, first: str, second: str
) -> None:
    price = seats(shop, arrears=True)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=datetime(2027, 1, 11, 12, tzinfo=UTC))
    shop.billing.subscriptions.change(
        sub.id, quantities={price.id: 4}, proration=Proration(unit=unit)
    )
    assert shop.pending(sub) == [f"period Seats {first} EUR"]
    assert shop.subscription(sub).pending[0].quantity == 1


def test_in_arrears_an_hour_is_an_hour_of_the_minimum(shop: Shop) -> None:
    price = seats(shop, arrears=True)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=datetime(2027, 1, 1, 12, tzinfo=UTC))
    policy = Proration(unit="second")
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 4}, proration=policy)
    # Half of the first of 31 days.
    assert shop.pending(sub) == ["period Seats 0.40 EUR"]


# ---- upgrades and downgrades ---------------------------------------------------------------------


def test_only_what_costs_more_than_the_minimum_is_an_upgrade(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 11))
    # Two seats cost what one does: that waits for the next month, and three do not.
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 2}, when="auto")
    assert shop.subscription(sub).items[0].quantity == 1
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 3}, when="auto")
    assert shop.subscription(sub).items[0].quantity == 3


# ---- ends, moves, and other owners ---------------------------------------------------------------


def test_a_cancellation_with_a_credit_gives_the_rest_of_the_minimum_back(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), seats(shop))
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    assert shop.lines(shop.invoices()[-1]) == ["credit Seats -16.94 EUR"]
    assert shop.billing.customers.get(sub.customer).balance == (eur("16.94"),)


def test_what_ends_in_arrears_owes_its_part_of_the_minimum(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), seats(shop, arrears=True))
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.cancel(sub.id, when="now")
    assert shop.lines(shop.only_invoice()) == ["period Seats 8.06 EUR"]


def test_a_later_billing_date_costs_the_days_in_between_of_the_minimum(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), seats(shop))
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 2, 15), proration=NOW)
    # 14 of 28 days of 25.00.
    assert shop.lines(shop.invoices()[-1]) == ["debit Seats 12.50 EUR"]
    shop.time.advance(to=date(2027, 2, 15))
    assert shop.totals() == ["25.00 EUR", "12.50 EUR", "25.00 EUR"]


def test_an_earlier_billing_date_gives_the_days_of_the_minimum_back(shop: Shop) -> None:
    sub = shop.subscribe(shop.customer(), seats(shop))
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.set_next_billing(sub.id, on=date(2027, 1, 21), proration=NOW)
    # 11 of 31 days.
    assert shop.lines(shop.invoices()[-1]) == ["credit Seats -8.87 EUR"]


def test_who_takes_it_over_goes_on_from_the_minimum_that_was_charged(shop: Shop) -> None:
    price, bob = seats(shop), shop.customer(name="Bob")
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.transfer(sub.id, to=bob.id)
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 4})
    assert shop.pending(sub) == ["credit Seats -16.94 EUR", "debit Seats 27.10 EUR"]
    shop.time.advance(to=FEBRUARY)
    assert shop.totals(bob) == ["50.16 EUR"]


# ---- coupons -------------------------------------------------------------------------------------


def test_a_percentage_is_one_of_the_minimum(shop: Shop) -> None:
    price = seats(shop)
    half = shop.billing.coupons.create("Half", percent_off=50, duration=Forever())
    sub = shop.billing.subscriptions.create(shop.customer().id, [price.id], coupons=[half.id])
    assert shop.totals() == ["12.50 EUR"]
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 4})
    # 21 of 31 days of 12.50 back, and of 20.00 instead.
    assert shop.pending(sub) == ["credit Seats -8.47 EUR", "debit Seats 13.55 EUR"]
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 1})
    assert charged(shop, sub) == 1250


def test_what_a_coupon_asks_for_at_least_is_reached_by_the_minimum(shop: Shop) -> None:
    price = seats(shop)
    coupon = shop.billing.coupons.create(
        "Welcome", amount_off=eur("5.00"), duration=Forever(), minimum=eur("25.00")
    )
    shop.billing.subscriptions.create(shop.customer().id, [price.id], coupons=[coupon.id])
    assert shop.totals() == ["20.00 EUR"]


# ---- what is told --------------------------------------------------------------------------------


def test_a_preview_shows_what_is_then_charged(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price)
    shop.time.advance(to=date(2027, 1, 11))
    plan = shop.billing.preview.subscriptions.change(
        sub.id, quantities={price.id: 4}, proration=NOW
    )
    assert plan.total == eur("10.16")
    shop.billing.commit(plan)
    assert shop.totals() == ["25.00 EUR", "10.16 EUR"]


def test_what_recurs_each_month_is_at_least_the_minimum(shop: Shop) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price)
    assert shop.billing.reports.mrr() == {"EUR": eur("25.00")}
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 4})
    assert shop.billing.reports.mrr() == {"EUR": eur("40.00")}


def told(shop: Shop, language: str) -> list[str]:
    """Return the arithmetic of all lines in words, after it was done again."""
    sentences: list[str] = []
    for invoice in shop.invoices():
        explained = shop.billing.invoices.explain(invoice.id, language=language)
        for line, each in zip(invoice.lines, explained, strict=True):
            recompute(line, each.explanation)
            if language == "en":
                assert reckon(each.sentence) * 100 == line.amount_minor - line.discount_minor
            sentences.append(each.sentence.replace("\xa0", " ").replace("\u202f", " "))
    return sentences


@pytest.mark.parametrize(
    ("language", "whole", "cut"),
    [
        ("en", "2 × €10.00 = €20.00, at least €25.00.", "(€10.00, at least €25.00)"),
        ("de", "2 × 10,00 € = 20,00 €, mindestens 25,00 €.", "(10,00 €, mindestens 25,00 €)"),
        ("fr", "2 × 10,00 € = 20,00 €, au minimum 25,00 €.", "(10,00 €, au minimum 25,00 €)"),
        ("es", "2 × 10,00 € = 20,00 €, como mínimo 25,00 €.", "(10,00 €, como mínimo 25,00 €)"),
        ("it", "2 × 10,00 € = 20,00 €, almeno 25,00 €.", "(10,00 €, almeno 25,00 €)"),
        ("nl", "2 × € 10,00 = € 20,00, minimaal € 25,00.", "(€ 10,00, minimaal € 25,00)"),
        ("pl", "2 × 10,00 € = 20,00 €, co najmniej 25,00 €.", "(10,00 €, co najmniej 25,00 €)"),
    ],
)
def test_a_sentence_says_that_it_is_the_minimum(
    shop: Shop, language: str, whole: str, cut: str
) -> None:
    price = seats(shop)
    sub = shop.subscribe(shop.customer(), price, quantity=2)
    shop.time.advance(to=date(2027, 1, 11))
    shop.billing.subscriptions.change(sub.id, quantities={price.id: 1}, proration=NOW)
    first, _, debit = told(shop, language)
    assert first.endswith(f": {whole}")
    assert cut in debit


def test_a_discount_is_taken_off_the_minimum_and_the_tax_comes_last(shop: Shop) -> None:
    price = seats(shop)
    welcome = shop.billing.coupons.create("Welcome", amount_off=eur("5.00"))
    shop.billing.subscriptions.create(shop.customer().id, [price.id], coupons=[welcome.id])
    (sentence,) = told(shop, "en")
    assert sentence.endswith(": €10.00, at least €25.00, less €5.00 (Welcome) = €20.00.")


def test_what_is_sold_once_has_no_minimum(shop: Shop) -> None:
    work = OneOff("Work", eur("10.00"))
    shop.billing.invoices.create_one_off(shop.customer().id, [work])
    assert told(shop, "en") == ["Work: €10.00."]
