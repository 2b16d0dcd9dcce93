"""What type checkers know of the face of the library.

These tests are checked as well as run: `assert_type` is an error to mypy and pyright where the type
is another, and each `type: ignore` is one where what it ignores is allowed.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import assert_type

import pytest

from subscriptions import AsyncBilling, Billing, BillingCycle, Interval, Money, Period
from subscriptions.billing_cycles import local_date
from subscriptions.catalog import Price
from subscriptions.contract_terms import CancellationTerms
from subscriptions.coupons import Coupon
from subscriptions.customers import Customer
from subscriptions.engine.binding import Page
from subscriptions.engine.plans import Plan
from subscriptions.entitlements import Allowance
from subscriptions.errors import ValidationError
from subscriptions.invoices import Invoice, Line
from subscriptions.lifecycle import Contract, Item, Subscription
from subscriptions.proration import Prorated, Proration, between, position, prorate
from subscriptions.testing import TestClock
from subscriptions.usage import Meter, UsageEvent

START = date(2027, 1, 1)
NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def a_billing() -> tuple[Billing, Customer, Price]:
    billing = Billing(clock=TestClock(NOON))
    customer = billing.customers.create(name="Ada")
    price = billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=Interval.months(1))
    return billing, customer, price


def test_commands_return_the_records_that_they_are_about() -> None:
    billing, customer, price = a_billing()
    assert_type(customer, Customer)
    assert_type(price, Price)
    sub = billing.subscriptions.create(customer.id, [price.id, (price.id, 2)], start=START)
    assert_type(sub, Subscription)
    assert_type(sub.items, tuple[Item, ...])
    assert_type(sub.contract, Contract)
    assert_type(billing.subscriptions.pause(sub.id), Subscription)
    assert_type(billing.subscriptions.resume(sub.id), Subscription)
    assert_type(billing.subscriptions.cancellation_terms(sub.id), CancellationTerms)
    assert_type(billing.subscriptions.cancel(sub.id, when="period_end"), Subscription)
    assert_type(billing.coupons.create("Welcome", percent_off="10"), Coupon)
    assert_type(billing.entitlements.check(customer.id, "export"), Allowance)


def test_lists_give_pages_and_pages_give_records() -> None:
    billing, customer, price = a_billing()
    billing.subscriptions.create(customer.id, [price.id], start=START)
    page = billing.invoices.list(customer=customer.id)
    assert_type(page, Page[Invoice])
    for invoice in page:
        assert_type(invoice, Invoice)
        assert_type(invoice.total, Money)
        assert_type(invoice.period, Period | None)
        assert_type(invoice.lines, tuple[Line, ...])
    assert len(page) == 1


def test_a_preview_gives_a_plan_of_what_the_command_returns() -> None:
    billing, customer, price = a_billing()
    sub = billing.subscriptions.create(customer.id, [price.id], start=START)
    plan = billing.preview.subscriptions.change(sub.id, [(price.id, 3)])
    assert_type(plan, Plan[Subscription])
    assert_type(plan.about, Subscription)
    assert_type(billing.commit(plan), Subscription)


def test_usage_is_typed() -> None:
    billing, customer, _ = a_billing()
    assert_type(billing.usage.add_meter("calls"), Meter)
    calls = billing.catalog.add_price(
        "Calls", Money.of("0.01", "EUR"), every=Interval.months(1), meter="calls"
    )
    sub = billing.subscriptions.create(customer.id, [calls.id], start=START)
    event = billing.usage.record(sub.id, "calls", quantity=3, event_id="e1")
    assert_type(event, UsageEvent)


def test_the_asynchronous_driver_has_the_same_types() -> None:
    async def ask() -> None:
        billing = AsyncBilling(clock=TestClock(NOON))
        customer = await billing.customers.create(name="Ada")
        every = Interval.months(1)
        price = await billing.catalog.add_price("Pro", Money.of("29.00", "EUR"), every=every)
        sub = await billing.subscriptions.create(customer.id, [price.id], start=START)
        assert_type(sub, Subscription)
        assert_type(await billing.subscriptions.change(sub.id, [(price.id, 2)]), Subscription)
        assert_type(await billing.preview.subscriptions.cancel(sub.id), Plan[Subscription])
        async for invoice in await billing.invoices.list(customer=customer.id):
            assert_type(invoice, Invoice)

    asyncio.run(ask())


def test_pure_functions_are_typed() -> None:
    cycle = BillingCycle(anchor=START, every=Interval.months(1))
    assert_type(cycle.period(0), Period)
    assert_type(position(cycle, date(2027, 1, 11)), Fraction)
    assert_type(between(2900, Fraction(0), Fraction(1, 2)), int)
    price = Money.of("31.00", "EUR")
    assert_type(prorate(price, cycle.period(0), at=date(2027, 1, 11)), Prorated)
    assert_type(price.allocate([1, 1, 1]), tuple[Money, ...])
    assert_type(local_date(NOON, "UTC"), date)


def test_what_the_checkers_refuse_is_refused_at_run_time_too() -> None:
    billing, customer, price = a_billing()
    with pytest.raises(TypeError):
        Money.of(19.99, "EUR")  # type: ignore[arg-type]  # a float
    with pytest.raises(TypeError):
        billing.subscriptions.create(customer.id, [(price.id, 1.5)])  # type: ignore[list-item]  # a float
    with pytest.raises(ValidationError):
        billing.subscriptions.create(customer.id, [price.id], start="2027-01-01")  # type: ignore[arg-type]  # a text
    with pytest.raises(TypeError):
        billing.subscriptions.create(customer=customer.id, item=[price.id])  # type: ignore[call-arg]  # a slip
    with pytest.raises(ValidationError):
        Proration(mode="later")
