"""Customers with one invoice a day, and subscriptions that go to another customer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from subscriptions import Money, UnknownReference, ValidationError
from subscriptions.customers import Customer, Grouping
from subscriptions.invoices import InvoiceFinalized, InvoicePaid, LineRef
from subscriptions.lifecycle import Subscription, SubscriptionPastDue
from subscriptions.payments import PaymentFailed
from subscriptions.proration import Proration
from tests.scenarios.shop import GOOD, YEARLY, Shop, audit, eur

Opened = Callable[..., Shop]
APRIL, MAY = date(2027, 4, 1), date(2027, 5, 1)
NOW = Proration(mode="invoice_now")


@pytest.fixture
def spring(open_a_shop: Opened) -> Shop:
    return open_a_shop(start=date(2027, 3, 31))


def grouped(shop: Shop, token: str = GOOD) -> Customer:
    """Return a customer who has one invoice a day."""
    ada = shop.customer(token)
    return shop.billing.customers.update(ada.id, grouping="day")


def five(shop: Shop, customer: Customer) -> list[Subscription]:
    """Let a customer have five plans of 30.00 from 1 April on."""
    basic = shop.price(eur("30.00"), name="Basic")
    return [shop.subscribe(customer, basic, start=APRIL) for _ in range(5)]


def test_five_subscriptions_of_one_customer_are_on_one_invoice(spring: Shop) -> None:
    ada = grouped(spring)
    subs = five(spring, ada)
    spring.time.expect(InvoiceFinalized, InvoicePaid).advance(to=APRIL)
    invoice = spring.only_invoice()
    assert (invoice.total, invoice.subscription) == (eur("150.00"), None)
    assert invoice.subscriptions == tuple(sub.id for sub in subs)
    assert len(spring.payments()) == 1


def test_what_changes_cost_comes_on_the_customers_next_invoice(spring: Shop) -> None:
    ada = grouped(spring)
    subs = five(spring, ada)
    pro = spring.price(eur("60.00"), name="Pro")
    for day, sub in enumerate(subs, 11):
        spring.time.advance(to=date(2027, 4, day))
        spring.billing.subscriptions.change(sub.id, [pro.id])
    # With the 11th 20 days are left, with the 15th 16: each is 1.00 a day more.
    spring.time.expect(InvoiceFinalized, InvoicePaid).advance(to=MAY)
    april, may = spring.invoices()
    assert may.total == eur("390.00")  # 5 · 60.00 + 20 + 19 + 18 + 17 + 16
    assert spring.lines(may)[:3] == [
        "credit Basic -20.00 EUR",
        "debit Pro 40.00 EUR",
        "period Pro 60.00 EUR",
    ]
    # Each credit names the line of its own subscription on the first invoice.
    given = [line.credits for line in may.lines if line.credits is not None]
    assert given == [LineRef(april.id, place) for place in range(5)]
    # What was charged on the grouped invoice is credited from it again.
    basic = april.lines[0].price
    assert basic is not None
    spring.billing.subscriptions.change(subs[2].id, [basic])
    (credit,) = [x for x in spring.subscription(subs[2]).pending if x.credits is not None]
    assert credit.credits is not None
    assert may.lines[credit.credits.line].subscription == subs[2].id
    assert may.lines[credit.credits.line].amount == eur("60.00")


def test_planned_changes_of_one_day_are_on_one_invoice_of_that_day(spring: Shop) -> None:
    ada = grouped(spring)
    subs = five(spring, ada)
    pro = spring.price(eur("60.00"), name="Pro")
    for sub in subs:
        spring.billing.subscriptions.schedule(sub.id, [pro.id], on=date(2027, 4, 16), proration=NOW)
    spring.time.advance(to=APRIL)
    spring.time.expect(InvoiceFinalized, InvoicePaid).advance(to=date(2027, 4, 30))
    # Five times half of 30.00 back and half of 60.00 more.
    assert spring.totals() == ["150.00 EUR", "75.00 EUR"]


def test_changes_by_hand_on_one_day_are_final_one_after_the_other(spring: Shop) -> None:
    ada = grouped(spring)
    first, second, *_ = five(spring, ada)
    pro = spring.price(eur("60.00"), name="Pro")
    spring.time.advance(to=date(2027, 4, 16))
    for sub in (first, second):
        spring.billing.subscriptions.change(sub.id, [pro.id], proration=NOW)
    assert spring.totals() == ["150.00 EUR", "15.00 EUR", "15.00 EUR"]
    assert spring.statuses() == ["paid", "paid", "paid"]


def test_changes_of_one_transaction_are_on_one_invoice(spring: Shop) -> None:
    ada = grouped(spring)
    first, second, *_ = five(spring, ada)
    pro = spring.price(eur("60.00"), name="Pro")
    spring.time.advance(to=date(2027, 4, 16))
    with spring.billing.transaction():
        for sub in (first, second):
            spring.billing.subscriptions.change(sub.id, [pro.id], proration=NOW)
    assert spring.totals() == ["150.00 EUR", "30.00 EUR"]
    assert spring.statuses() == ["paid", "paid"]


def test_a_change_that_is_invoiced_at_once_and_begins_a_period_is_on_one_invoice(
    spring: Shop,
) -> None:
    yearly = spring.price(eur("365.00"), every=YEARLY, name="Year")
    monthly = spring.price(eur("30.00"), name="Basic")
    by_hand = spring.subscribe(grouped(spring), monthly, start=APRIL)
    planned = spring.subscribe(grouped(spring), monthly, start=APRIL)
    change = spring.billing.subscriptions.change
    change(planned.id, [yearly.id], when=date(2027, 4, 16), proration=NOW)
    spring.time.advance(to=date(2027, 4, 16))
    change(by_hand.id, [yearly.id], proration=NOW)
    for sub in (by_hand, planned):
        _, invoice = spring.invoices(spring.billing.customers.get(sub.customer))
        assert spring.lines(invoice) == ["credit Basic -15.00 EUR", "period Year 365.00 EUR"]
        assert invoice.status == "paid"
        # A change of mind finds the line of the year on the invoice of both.
        change(sub.id, [monthly.id], proration=NOW)
        credited = [line.credits for line in spring.invoices()[-1].lines if line.credits]
        assert credited == [LineRef(invoice.id, 1)]
    assert audit(spring) == []


def test_two_changes_that_are_planned_for_one_day_are_on_one_invoice(spring: Shop) -> None:
    ada = grouped(spring)
    basic, extra = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="X")
    sub = spring.subscribe(ada, basic, start=APRIL)
    other = spring.subscribe(ada, basic, start=APRIL)
    for each in (sub, other):
        for price in (basic, extra):
            spring.billing.subscriptions.schedule(
                each.id, add=[price.id], on=date(2027, 4, 16), proration=NOW
            )
    spring.time.advance(to=date(2027, 4, 16))
    both = ["debit Basic 15.00 EUR", "debit X 30.00 EUR"]
    assert spring.lines(spring.invoices()[-1]) == [*both, *both]
    assert spring.totals() == ["60.00 EUR", "90.00 EUR"]
    assert audit(spring) == []


def test_two_currencies_are_two_invoices_a_day(spring: Shop) -> None:
    ada = grouped(spring)
    euros = spring.price(eur("30.00"), name="Basic")
    yen = spring.price(Money.of("3000", "JPY"), name="Basic")
    for price in (euros, yen, euros, yen):
        spring.subscribe(ada, price, start=APRIL)
    spring.time.expect(InvoicePaid, InvoicePaid).advance(to=APRIL)
    assert sorted(spring.totals()) == ["60.00 EUR", "6000 JPY"]


def test_a_grouped_invoice_that_is_not_paid_makes_all_its_subscriptions_past_due(
    spring: Shop,
) -> None:
    subs = five(spring, grouped(spring, "tok_insufficient_funds"))
    spring.time.expect(PaymentFailed, *[SubscriptionPastDue] * 5).advance(to=APRIL)
    assert {spring.subscription(sub).status for sub in subs} == {"past_due"}
    spring.billing.payment_methods.attach(subs[0].customer, "tok_visa", default=True)
    assert {spring.subscription(sub).status for sub in subs} == {"active"}


def test_another_grouping_counts_from_the_next_invoice_on(spring: Shop) -> None:
    ada = grouped(spring)
    five(spring, ada)
    spring.time.advance(to=APRIL)
    spring.billing.customers.update(ada.id, grouping=Grouping.EACH)
    spring.time.advance(to=MAY)
    assert spring.totals() == ["150.00 EUR", *["30.00 EUR"] * 5]
    with pytest.raises(ValidationError, match="grouping: 'each' or 'day'"):
        spring.billing.customers.update(ada.id, grouping="month")


def test_a_balance_pays_for_all_that_is_on_one_invoice(spring: Shop) -> None:
    ada = grouped(spring)
    first, second, *_ = five(spring, ada)
    spring.time.advance(to=date(2027, 4, 16))
    for sub in (first, second):
        spring.billing.subscriptions.cancel(sub.id, when="now", settlement="credit")
    # Twice 15.00 given back; the three that go on cost 90.00.
    assert spring.billing.customers.get(ada.id).balance == (eur("30.00"),)
    spring.time.advance(to=MAY)
    may = spring.invoices()[-1]
    assert (may.total, may.balance_applied) == (eur("90.00"), eur("30.00"))
    assert spring.payments()[-1].amount_minor == 6000


# ---- transfer ------------------------------------------------------------------------------------


def test_a_transferred_subscription_is_billed_to_the_other_from_then_on(spring: Shop) -> None:
    ada, bob = spring.customer(), spring.customer(name="Bob")
    basic, pro = spring.price(eur("30.00"), name="Basic"), spring.price(eur("60.00"), name="Pro")
    sub = spring.subscribe(ada, basic, start=APRIL)
    spring.time.advance(to=date(2027, 4, 16))
    spring.billing.subscriptions.change(sub.id, [pro.id])
    spring.billing.subscriptions.transfer(sub.id, to=bob.id)
    spring.time.expect(InvoicePaid).advance(to=MAY)
    # What is pending belongs to days that Bob has: 30.00 less 15.00, and May.
    assert spring.totals(ada) == ["30.00 EUR"]
    assert spring.totals(bob) == ["75.00 EUR"]
    (april,) = spring.invoices(ada)
    assert april.party is not None
    assert april.party.name == "Ada Lovelace"


def test_what_is_owed_stays_with_who_owes_it(spring: Shop) -> None:
    ada, bob = spring.customer("tok_insufficient_funds"), spring.customer(name="Bob")
    sub = spring.subscribe(ada, spring.price(eur("30.00")), start=APRIL)
    spring.time.expect(PaymentFailed).advance(to=APRIL)
    spring.billing.subscriptions.transfer(sub.id, to=bob.id)
    spring.billing.payments.record(ada.id, eur("30.00"))
    assert spring.subscription(sub).status == "active"
    spring.time.expect(InvoicePaid).advance()
    spring.time.expect(InvoicePaid).advance(to=MAY)
    assert spring.statuses(ada) == ["paid"]
    assert spring.statuses(bob) == ["paid"]


def test_a_transfer_into_another_zone_moves_no_period(spring: Shop) -> None:
    ada = spring.customer()
    tokyo = spring.customer(name="Ren", zone="Asia/Tokyo")
    sub = spring.subscribe(ada, spring.price(eur("30.00")), start=APRIL)
    spring.time.advance(to=APRIL)
    moved = spring.billing.subscriptions.transfer(sub.id, to=tokyo.id)
    assert (moved.zone, moved.due_day) == ("UTC", MAY)


def test_a_transfer_names_another_customer_who_exists(spring: Shop) -> None:
    ada = spring.customer()
    sub = spring.subscribe(ada, start=APRIL)
    transfer = spring.billing.subscriptions.transfer
    with pytest.raises(ValidationError, match="another customer"):
        transfer(sub.id, to=ada.id)
    with pytest.raises(UnknownReference, match="'nobody'"):
        transfer(sub.id, to="nobody")
