"""Debits that fail late: while the banks are at work on them, and long after they had succeeded."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from subscriptions import DunningPolicy, MarkUnpaid, Money, OneOff, Reminder, Retries
from subscriptions.disputes import SEPA_RETURNS, DebitReturned, Next
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import SubscriptionPastDue
from subscriptions.payments import Payment
from tests.scenarios.shop import Shop, eur

# Dates of a debit that takes five days, as `tok_sepa_debit` does, for the bill of 1 January.
BILLED, SETTLED = date(2027, 1, 1), date(2027, 1, 6)


def patient(shop: Shop) -> None:
    """Let dunning take its time, so that nothing ends in the meantime."""
    policy = DunningPolicy(Retries.after_days(1, 3), [Reminder(0)], MarkUnpaid(), 60)
    shop.billing.dunning.set_policy(policy)


def returned(shop: Shop, payment: Payment, code: str, amount: Money | None = None) -> None:
    """Let a debit come back at the bank, and let the gateway tell."""
    shop.gateway.at(shop.clock.now)
    shop.gateway.return_debit(payment.id, code, amount)
    shop.deliver_webhooks()


def paid_by_debit(shop: Shop) -> tuple[Invoice, Payment]:
    """Let a month be paid by a debit that takes its days, and then some more of them pass."""
    shop.subscribe(shop.customer("tok_sepa_debit"))
    shop.time.advance(to=date(2027, 1, 20))
    invoice = shop.only_invoice()
    (payment,) = shop.payments(invoice)
    assert (invoice.status, payment.status) == ("paid", "succeeded")
    shop.gateway.webhooks()
    return invoice, payment


def now(shop: Shop, invoice: Invoice) -> Invoice:
    return shop.billing.invoices.get(invoice.id)


def charges(shop: Shop) -> list[date]:
    """Return the days on which the gateway was charged."""
    return [charge.created_at.date() for charge in shop.gateway.charges]


# ---- while the banks are at work ---------------------------------------------------------------


def test_service_goes_on_while_a_debit_is_under_way_and_is_past_due_only_when_it_failed(
    shop: Shop,
) -> None:
    patient(shop)
    sub = shop.subscribe(shop.customer("tok_sepa_debit_returned"))
    shop.time.advance(to=SETTLED - timedelta(days=1))
    assert shop.subscription(sub).status == "active"
    assert shop.payments()[0].status == "processing"
    assert list(shop.billing.dunning.list()) == []
    shop.time.advance(to=SETTLED + timedelta(days=1))
    assert shop.payments()[0].status == "declined"
    assert shop.subscription(sub).status == "past_due"
    when = {
        event.at.date()
        for event in shop.billing.events.list(limit=1000)
        if isinstance(event.body, SubscriptionPastDue)
    }
    assert when == {SETTLED}


def test_a_message_of_the_failure_comes_before_the_daily_question(shop: Shop) -> None:
    patient(shop)
    sub = shop.subscribe(shop.customer("tok_sepa_debit"))
    (payment,) = shop.payments()
    shop.gateway.settle(payment.id, succeed=False, code="account_closed")
    shop.deliver_webhooks()
    assert shop.subscription(sub).status == "past_due"
    (method,) = shop.billing.payment_methods.list()
    assert method.status == "refused"


# ---- after it had succeeded --------------------------------------------------------------------


def test_a_debit_without_cover_is_owed_again_and_tried_again_after_a_week(shop: Shop) -> None:
    patient(shop)
    invoice, payment = paid_by_debit(shop)
    returned(shop, payment, "AM04")
    there = now(shop, invoice)
    assert (there.status, there.amount_due, there.disputed) == ("open", eur("29.00"), ())
    assert shop.billing.subscriptions.list()[0].status == "past_due"
    (event,) = [
        event.body
        for event in shop.billing.events.list(limit=1000)
        if isinstance(event.body, DebitReturned)
    ]
    assert (event.reason, event.amount) == ("AM04", eur("29.00"))
    shop.time.advance(to=date(2027, 1, 26))
    assert charges(shop) == [BILLED]
    shop.time.advance(to=date(2027, 1, 28))
    assert charges(shop) == [BILLED, date(2027, 1, 27)]
    shop.time.advance(to=date(2027, 1, 31))
    assert now(shop, invoice).collecting is not None, "it takes its days again"
    shop.time.advance(to=date(2027, 2, 2))
    assert now(shop, invoice).status == "paid"
    assert shop.billing.subscriptions.list()[0].status == "active"
    assert shop.gateway.kept_minor(payment.id) == 0


def test_a_debit_that_always_comes_back_is_tried_as_often_as_its_code_says(shop: Shop) -> None:
    patient(shop)
    ada = shop.customer("tok_sepa_debit")
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    for _ in range(4):
        shop.time.advance(days=20)
        payment = shop.payments(invoice)[-1]
        if payment.status == "succeeded" and not payment.disputed:
            returned(shop, payment, "AM04")
    shop.time.advance(days=40)
    tries = SEPA_RETURNS["AM04"].tries
    assert len(charges(shop)) == 1 + tries
    there = now(shop, invoice)
    assert there.amount_due == eur("50.00")
    assert there.disputed, "now it is for a person"
    assert there.reopened == 1 + tries


def test_after_a_refusal_without_reason_there_is_one_more_try(shop: Shop) -> None:
    patient(shop)
    invoice, payment = paid_by_debit(shop)
    returned(shop, payment, "MS03")
    shop.time.advance(to=date(2027, 2, 3))
    again = shop.payments(invoice)[-1]
    assert (again.status, len(shop.payments(invoice))) == ("succeeded", 2)
    returned(shop, again, "MS03")
    shop.time.advance(days=30)
    assert len(shop.payments(invoice)) == 2
    assert now(shop, invoice).disputed == (again.id,)


@pytest.mark.parametrize("code", ["AC01", "AC04", "MD01"])
def test_an_account_that_will_not_do_is_refused_and_a_new_one_is_charged_at_once(
    shop: Shop, code: str
) -> None:
    patient(shop)
    invoice, payment = paid_by_debit(shop)
    returned(shop, payment, code)
    (method,) = shop.billing.payment_methods.list()
    assert method.status == "refused"
    shop.time.advance(days=5)
    assert charges(shop) == [BILLED], "there is nothing to try it with"
    shop.billing.payment_methods.attach(invoice.customer, "tok_visa")
    assert now(shop, invoice).status == "paid"
    assert shop.billing.subscriptions.list()[0].status == "active"


@pytest.mark.parametrize("code", ["MD06", "AM05", "XX99"])
def test_what_a_person_must_clear_is_charged_by_nothing(shop: Shop, code: str) -> None:
    patient(shop)
    invoice, payment = paid_by_debit(shop)
    returned(shop, payment, code)
    assert now(shop, invoice).disputed == (payment.id,)
    assert [item.matter.value for item in shop.billing.payments.review()] == ["dispute"]
    shop.billing.payment_methods.attach(invoice.customer, "tok_visa", default=True)
    shop.time.advance(days=10)
    assert charges(shop) == [BILLED]
    shop.billing.invoices.pay(invoice.id)
    assert now(shop, invoice).status == "paid"


def test_a_part_of_a_debit_may_come_back(shop: Shop) -> None:
    patient(shop)
    invoice, payment = paid_by_debit(shop)
    returned(shop, payment, "AM04", eur("9.00"))
    there = now(shop, invoice)
    assert (there.paid, there.amount_due) == (eur("20.00"), eur("9.00"))
    shop.time.advance(to=date(2027, 1, 28))
    assert shop.gateway.charges[-1].amount == eur("9.00")


def test_a_debit_that_was_not_authorised_comes_back_after_thirteen_months(shop: Shop) -> None:
    """The subscription is over by then, and its first invoice is owed again."""
    patient(shop)
    invoice, payment = paid_by_debit(shop)
    sub = shop.billing.subscriptions.list()[0]
    shop.billing.subscriptions.cancel(sub.id, when="now")
    shop.time.advance(to=date(2028, 1, 31))
    returned(shop, payment, "MD01")
    there = now(shop, invoice)
    assert (there.status, there.amount_due) == ("open", eur("29.00"))
    assert shop.billing.dunning.status(invoice.id).status == "running"
    assert shop.subscription(sub).status == "canceled"


def test_a_transfer_that_is_recalled_is_recorded_by_hand(shop: Shop) -> None:
    ada = shop.customer(None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("50.00"))])
    payment = shop.billing.payments.record(ada.id, eur("50.00"), reference="bank-1")
    made = shop.billing.payments.record_return(payment.id, "MS03", reference="bank-2")
    assert (made.kind, made.status, made.reason) == ("return", "lost", "MS03")
    assert now(shop, invoice).amount_due == eur("50.00")
    shop.billing.payments.record(ada.id, eur("50.00"), reference="bank-3")
    assert now(shop, invoice).status == "paid"


def test_a_return_of_a_debit_that_is_still_under_way_waits_for_the_word_on_the_debit(
    shop: Shop,
) -> None:
    """A gateway that says both leaves the debit declined, and nothing is taken twice."""
    patient(shop)
    shop.subscribe(shop.customer("tok_sepa_debit"))
    (payment,) = shop.payments()
    shop.gateway.settle(payment.id)
    (_, success) = shop.gateway.webhooks()
    shop.gateway.return_debit(payment.id, "AM04")
    shop.deliver_webhooks()
    assert shop.payments()[0].status == "processing"
    assert shop.only_invoice().status == "open"
    shop.billing.webhooks.receive("card", success.raw, success.headers)
    assert shop.payments()[0].disputed == eur("29.00")
    assert shop.only_invoice().dunning


def test_every_code_that_is_tried_again_is_tried_and_no_other(shop: Shop) -> None:
    """The table and what is done agree, code by code: what is charged after 30 days."""
    patient(shop)
    tried: dict[str, bool] = {}
    invoices: dict[str, Invoice] = {}
    for code in SEPA_RETURNS:
        ada = shop.customer()
        invoices[code] = shop.billing.invoices.create_one_off(
            ada.id, [OneOff("Work", eur("50.00"))]
        )
        (payment,) = shop.payments(invoices[code])
        returned(shop, payment, code)
    shop.time.advance(days=30)
    for code, invoice in invoices.items():
        tried[code] = len(shop.payments(invoice)) > 1
    assert tried == {code: rule.next is Next.RETRY for code, rule in SEPA_RETURNS.items()}
