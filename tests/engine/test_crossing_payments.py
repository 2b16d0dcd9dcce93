"""Money that comes by another way while an attempt is under way: nobody pays twice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from subscriptions import DomainError, OneOff
from subscriptions.gateways.fake import FakeGateway
from subscriptions.invoices import InvoiceOverdue
from subscriptions.payments import Outcome, PaymentFailed
from tests.engine.worker import invoice_once, later, open_with_a_worker
from tests.scenarios.shop import Shop, audit, eur

Trouble = Callable[[FakeGateway], None]

# What keeps an attempt open: it backs off, nobody knows, or the customer is asked.
OPEN: dict[str, Trouble] = {
    "intended": lambda gateway: gateway.refuse_connection_next(),
    "unknown": lambda gateway: gateway.time_out_next(executed=False),
    "requires_action": lambda gateway: gateway.require_action_next(),
}


def _with_an_open_attempt(status: str) -> Shop:
    shop = open_with_a_worker()
    ada = shop.customer()
    OPEN[status](shop.gateway)
    shop.subscribe(ada)
    (payment,) = shop.payments()
    assert payment.status == status
    return shop


def _transfer(shop: Shop, amount: str) -> None:
    invoice = shop.only_invoice()
    shop.billing.payments.record(invoice.customer, eur(amount), invoice=invoice.id)


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("pause", [timedelta(minutes=6), timedelta(days=2)])
def test_what_was_paid_by_transfer_is_not_charged_afterwards(status: str, pause: timedelta) -> None:
    shop = _with_an_open_attempt(status)
    _transfer(shop, "29.00")
    shop.clock.now += pause
    shop.billing.run()
    for _ in range(10):
        later(shop, days=1)
    assert shop.gateway.succeeded_minor(shop.only_invoice().id) == 0
    assert shop.statuses() == ["paid"]
    assert [payment.status for payment in shop.payments()] == ["void", "succeeded"]
    assert audit(shop) == []


def test_a_customer_who_acts_after_the_transfer_finds_the_attempt_void() -> None:
    shop = _with_an_open_attempt("requires_action")
    attempt = shop.payments()[0]
    _transfer(shop, "29.00")
    later(shop, minutes=6)
    with pytest.raises(DomainError):
        shop.gateway.complete_action(attempt.id)
    assert shop.gateway.succeeded_minor(shop.only_invoice().id) == 0


def test_a_charge_that_was_taken_before_the_transfer_came_is_kept_as_unallocated_money() -> None:
    shop = open_with_a_worker()
    shop.gateway.time_out_next(executed=True)
    shop.subscribe(shop.customer())
    _transfer(shop, "29.00")
    for _ in range(3):
        later(shop, days=1)
    charged, transferred = shop.payments()
    assert (charged.status, charged.unallocated) == ("succeeded", eur("29.00"))
    assert (transferred.status, transferred.unallocated) == ("succeeded", eur("0.00"))
    assert len(shop.gateway.charges) == 1
    assert audit(shop) == []


def test_an_invoice_that_is_paid_in_the_transaction_that_makes_it_is_not_charged() -> None:
    shop = open_with_a_worker()
    ada = shop.customer()
    with shop.billing.transaction():
        invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("5.00"))])
        shop.billing.payments.record(ada.id, eur("5.00"), invoice=invoice.id)
    for _ in range(3):
        later(shop, days=1)
    assert shop.gateway.charges == ()
    assert shop.statuses() == ["paid"]
    assert audit(shop) == []


def test_a_subscription_that_is_paid_in_the_transaction_that_makes_it_is_not_charged() -> None:
    shop = open_with_a_worker()
    ada = shop.customer()
    price = shop.price()
    with shop.billing.transaction():
        shop.subscribe(ada, price)
        shop.billing.payments.record(ada.id, eur("29.00"))
    later(shop, days=2)
    assert shop.gateway.charges == ()
    assert shop.statuses() == ["paid"]


@pytest.mark.parametrize("status", OPEN)
def test_after_a_part_payment_the_rest_is_charged_and_no_more(status: str) -> None:
    shop = _with_an_open_attempt(status)
    _transfer(shop, "9.00")
    for _ in range(10):
        later(shop, days=1)
    invoice = shop.only_invoice()
    taken = [each.amount for each in shop.gateway.charges if each.outcome is Outcome.SUCCEEDED]
    assert taken == [eur("20.00")]
    assert (invoice.status, invoice.amount_due) == ("paid", eur("0.00"))
    assert [payment.status for payment in shop.payments()] == ["void", "succeeded", "succeeded"]
    assert audit(shop) == []


@pytest.mark.parametrize("status", OPEN)
@pytest.mark.parametrize("amount", ["9.00", "29.00"])
def test_an_attempt_that_is_voided_is_no_failed_payment(status: str, amount: str) -> None:
    shop = _with_an_open_attempt(status)
    _transfer(shop, amount)
    for _ in range(10):
        later(shop, days=1)
    happened = [type(event.body) for event in shop.billing.events.list(limit=1000)]
    assert PaymentFailed not in happened
    assert InvoiceOverdue not in happened
    assert shop.billing.dunning.list().total == 0


@pytest.mark.parametrize("status", OPEN)
def test_what_is_written_off_while_an_attempt_is_open_is_not_charged(status: str) -> None:
    shop = _with_an_open_attempt(status)
    shop.billing.invoices.mark_uncollectible(shop.only_invoice().id, reason="hopeless")
    for _ in range(10):
        later(shop, days=1)
    assert shop.gateway.succeeded_minor(shop.only_invoice().id) == 0
    assert shop.statuses() == ["uncollectible"]
    assert audit(shop) == []


def test_an_attempt_that_a_batch_decides_anew_knows_the_decline_before_it() -> None:
    shop = open_with_a_worker()
    ada = shop.customer()
    shop.gateway.time_out_next(executed=False)
    absent = invoice_once(shop, ada, "5.00")
    shop.gateway.time_out_next(executed=True, code="lost_card")
    refused = invoice_once(shop, ada, "6.00")
    (first, second) = sorted(shop.payments(), key=lambda payment: payment.id)
    assert (first.invoice, second.invoice) == (refused.id, absent.id), "in the order of a batch"
    # Both are unknown until the window is over; then both are answered in one batch.
    for _ in range(5):
        later(shop, days=2)
    assert shop.billing.payment_methods.list()[0].status == "refused"
    assert [payment.status for payment in shop.payments(refused)] == ["declined"]
    assert [payment.status for payment in shop.payments(absent)] == ["void"]
    assert [each.outcome for each in shop.gateway.charges] == [Outcome.DECLINED_HARD]
    assert audit(shop) == []
