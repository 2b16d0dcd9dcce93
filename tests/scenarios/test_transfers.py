"""Customers who pay by themselves, and money that came in."""

from __future__ import annotations

from datetime import date

import pytest

from subscriptions import DunningPolicy, Duplicate, Money, OneOff, ValidationError
from subscriptions.balance import Cause
from subscriptions.dunning import DunningStarted, DunningStopped
from subscriptions.invoices import (
    InvoiceFinalized,
    InvoiceOverdue,
    InvoicePaid,
    InvoicePartlyPaid,
)
from subscriptions.lifecycle import PastDue, SubscriptionPastDue, SubscriptionRecovered
from subscriptions.payments import (
    Allocation,
    PaymentAllocated,
    PaymentPutOnBalance,
    PaymentSucceeded,
)
from tests.scenarios.shop import Shop, eur


def test_a_transfer_that_is_late_ends_dunning(shop: Shop) -> None:
    ada = shop.customer(token=None)
    sub = shop.subscribe(ada)
    shop.time.expect(InvoiceFinalized).advance(to=date(2027, 1, 15))
    shop.time.expect(InvoiceOverdue, DunningStarted, SubscriptionPastDue).advance(days=1)
    assert shop.subscription(sub).status == "past_due"
    shop.billing.payments.record(ada.id, eur("29.00"), reference="E2E-1")
    shop.time.expect(PaymentSucceeded, InvoicePaid, DunningStopped, SubscriptionRecovered).advance(
        days=10
    )
    assert shop.subscription(sub).status == "active"


def test_a_transfer_in_time_is_never_dunned(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    shop.time.advance(to=date(2027, 1, 15))
    shop.billing.payments.record(ada.id, eur("29.00"))
    happened = shop.time.expect(InvoicePaid).advance(to=date(2027, 1, 31))
    assert not [event for event in happened if isinstance(event, InvoiceOverdue)]


def test_two_parts_pay_an_invoice(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    shop.billing.payments.record(ada.id, eur("9.00"))
    invoice = shop.only_invoice()
    assert (invoice.status, invoice.paid, invoice.amount_due) == ("open", eur("9.00"), eur("20.00"))
    shop.billing.payments.record(ada.id, eur("20.00"))
    shop.time.expect(InvoicePartlyPaid, InvoicePaid).advance()
    assert shop.only_invoice().amount_due == eur("0.00")


def test_a_part_does_not_end_dunning(shop: Shop) -> None:
    ada = shop.customer(token=None)
    sub = shop.subscribe(ada)
    shop.time.advance(to=date(2027, 1, 17))
    shop.billing.payments.record(ada.id, eur("28.99"))
    assert shop.subscription(sub).status == "past_due"
    assert shop.billing.dunning.status(shop.only_invoice().id).status == "running"
    shop.billing.payments.record(ada.id, eur("0.01"))
    assert shop.subscription(sub).status == "active"


def test_what_is_paid_too_much_goes_to_the_balance(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    payment = shop.billing.payments.record(ada.id, eur("50.00"))
    assert payment.allocations == (Allocation(shop.only_invoice().id, 2900),)
    assert (payment.unallocated, payment.balanced) == (eur("0.00"), eur("21.00"))
    said = [
        (type(event.body), event.body.amount)
        for event in shop.billing.events.list(subject=payment.id)
        if isinstance(event.body, PaymentAllocated | PaymentPutOnBalance)
    ]
    assert said == [(PaymentAllocated, eur("29.00")), (PaymentPutOnBalance, eur("21.00"))]
    (entry,) = shop.billing.balance.entries(ada.id)
    assert (entry.cause, entry.amount, entry.payment) == (
        Cause.OVERPAYMENT,
        eur("21.00"),
        payment.id,
    )


def test_money_before_any_invoice_pays_the_first_one(shop: Shop) -> None:
    ada = shop.customer(token=None)
    payment = shop.billing.payments.record(ada.id, eur("50.00"))
    assert (payment.unallocated, payment.allocations) == (eur("0.00"), ())
    shop.subscribe(ada)
    assert shop.statuses() == ["paid"]
    assert shop.billing.customers.get(ada.id).balance == (eur("21.00"),)


def test_money_that_is_to_be_kept_waits(shop: Shop) -> None:
    ada = shop.customer(token=None)
    payment = shop.billing.payments.record(ada.id, eur("50.00"), keep=True)
    assert (payment.unallocated, payment.balanced) == (eur("50.00"), eur("0.00"))
    assert [each.id for each in shop.billing.payments.unallocated()] == [payment.id]


def test_one_transfer_pays_three_invoices_oldest_first(shop: Shop) -> None:
    ada = shop.customer(token=None)
    for amount in ("10.00", "20.00", "30.00"):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur(amount))])
        shop.time.advance(days=1)
    payment = shop.billing.payments.record(ada.id, eur("45.00"))
    first, second, third = shop.invoices()
    assert payment.allocations == (
        Allocation(first.id, 1000),
        Allocation(second.id, 2000),
        Allocation(third.id, 1500),
    )
    assert shop.statuses() == ["paid", "paid", "open"]
    assert third.amount_due == eur("15.00")


def test_a_debt_is_as_old_as_its_finalisation_not_as_its_draft(shop: Shop) -> None:
    ada = shop.customer(token=None)
    drafted = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    owed = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.time.advance(days=1)
    shop.billing.invoices.finalize(drafted.id)
    payment = shop.billing.payments.record(ada.id, eur("10.00"))
    assert payment.allocations == (Allocation(owed.id, 1000),)


def test_one_transfer_recovers_a_subscription_with_three_overdue_invoices(shop: Shop) -> None:
    shop.billing.dunning.set_policy(DunningPolicy(final_after_days=90))
    ada = shop.customer(token=None)
    sub = shop.subscribe(ada, shop.price(eur("10.00")), start=date(2026, 11, 1))
    shop.time.advance(to=date(2027, 1, 20))
    overdue = shop.invoices()
    collection = shop.subscription(sub).collection
    assert isinstance(collection, PastDue)
    assert sorted(collection.invoices) == sorted(each.id for each in overdue)
    assert len(overdue) == 3
    shop.billing.payments.record(ada.id, eur("30.00"))
    shop.time.expect(
        *[InvoicePaid] * 3,
        *[SubscriptionRecovered] * 3,
    ).advance()
    assert shop.subscription(sub).status == "active"
    assert {shop.billing.dunning.status(each.id).status for each in overdue} == {"stopped"}


def test_a_named_invoice_is_paid_before_older_ones(shop: Shop) -> None:
    ada = shop.customer(token=None)
    for _ in range(2):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.billing.payments.record(ada.id, eur("15.00"), invoice=shop.invoices()[1].id)
    assert shop.statuses() == ["open", "paid"]
    assert [payment.unallocated for payment in shop.payments()] == [eur("5.00")]


def test_a_bank_reference_is_recorded_once(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    shop.billing.payments.record(ada.id, eur("29.00"), reference="2027-01-05/4711")
    before = shop.events()
    with pytest.raises(Duplicate) as refused:
        shop.billing.payments.record(ada.id, eur("29.00"), reference="2027-01-05/4711")
    assert refused.value.key == "payment.gateway+reference"
    assert shop.events() == before
    assert len(shop.payments()) == 1


def test_money_in_another_currency_pays_nothing_here(shop: Shop) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    payment = shop.billing.payments.record(ada.id, Money.of("29.00", "USD"))
    assert payment.allocations == ()
    with pytest.raises(ValidationError) as refused:
        shop.billing.payments.record(
            ada.id, Money.of("29.00", "USD"), invoice=shop.only_invoice().id
        )
    assert refused.value.field == "amount"


def test_a_customer_with_a_bank_method_is_never_charged(shop: Shop) -> None:
    ada = shop.customer(token=None)
    method = shop.billing.payment_methods.attach(
        ada.id, "DE02120300000000202051", gateway="transfer"
    )
    assert not method.details.automatic
    shop.subscribe(ada)
    assert shop.statuses() == ["open"]
    assert shop.payments() == []


def test_a_card_attached_while_a_transfer_is_owed_pays_what_dunning_looks_after(
    shop: Shop,
) -> None:
    ada = shop.customer(token=None)
    shop.subscribe(ada)
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    assert shop.statuses() == ["open"], "it is not due yet, and he said he would transfer"
    shop.time.advance(to=date(2027, 1, 17))
    assert shop.statuses() == ["paid"], "the first retry finds the card"
