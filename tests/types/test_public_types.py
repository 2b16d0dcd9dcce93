"""What type checkers know of the face of the library.

These tests are checked as well as run: `assert_type` is an error to mypy and pyright where the type
is another, and each `type: ignore` is one where what it ignores is allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import assert_type

import pytest

from subscriptions import AsyncBilling, Billing, BillingCycle, Interval, Money, OneOff, Period
from subscriptions.balance import BalanceEntry
from subscriptions.billing_cycles import local_date
from subscriptions.catalog import Price
from subscriptions.contract_terms import CancellationTerms
from subscriptions.coupons import Coupon
from subscriptions.credit_notes import CreditNote
from subscriptions.customers import Customer
from subscriptions.disputes import Dispute
from subscriptions.engine.binding import Page
from subscriptions.engine.plans import Plan
from subscriptions.engine.receiving import Receipt
from subscriptions.entitlements import Allowance
from subscriptions.errors import ValidationError
from subscriptions.gateways.fake import FakeGateway
from subscriptions.grants import Grant, GrantEntry
from subscriptions.inbox import Inbound
from subscriptions.invoices import ChainBreak, Invoice, Line
from subscriptions.lifecycle import Contract, Item, Subscription
from subscriptions.payments import Payment
from subscriptions.pending_items import PendingItem
from subscriptions.pro_forma import ProForma
from subscriptions.proration import Prorated, Proration, between, position, prorate
from subscriptions.refunds import Refund
from subscriptions.reports.audit import Audit
from subscriptions.reports.ledger import Account, Ledger
from subscriptions.reports.numbers import NumberFinding
from subscriptions.reports.tax import TaxReport
from subscriptions.review import ReviewItem
from subscriptions.statements import BankLine, Proposal, StatementLine
from subscriptions.testing import TestClock
from subscriptions.usage import Meter, UsageEvent
from subscriptions.usecases.documents import ExplainedLine
from subscriptions.usecases.payment_history import Attempt
from subscriptions.usecases.statements import StatementReport, Unmatched

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


def a_sale(billing: Billing, customer: Customer, amount: str = "100.00") -> Invoice:
    work = OneOff("Work", Money.of(amount, "EUR"))
    return billing.invoices.create_one_off(customer.id, [work], collection_method="send_invoice")


def test_invoices_and_credit_notes_are_typed() -> None:
    billing, customer, price = a_billing()
    invoice = a_sale(billing, customer)
    assert_type(invoice.number, str | None)
    work = OneOff("Work", Money.of("1.00", "EUR"))
    assert_type(billing.invoices.add_pending_item(customer.id, work), PendingItem)
    assert_type(billing.invoices.pending_items(), Page[PendingItem])
    assert_type(billing.invoices.invoice_pending_items(customer.id), Invoice)
    assert_type(billing.invoices.pro_forma(customer.id, [work]), ProForma)
    assert_type(billing.invoices.text(invoice.id), str)
    assert_type(billing.invoices.explain(invoice.id), tuple[ExplainedLine, ...])
    assert_type(billing.invoices.verify(invoice.id), tuple[ChainBreak, ...])
    plan = billing.preview.credit_notes.create(invoice.id, reason="late")
    assert_type(plan, Plan[CreditNote])
    assert_type(billing.commit(plan), CreditNote)
    assert_type(billing.credit_notes.list(invoice=invoice.id), Page[CreditNote])
    wrong = a_sale(billing, customer)
    assert_type(billing.invoices.void(wrong.id, reason="twice"), Invoice)
    assert_type(billing.invoices.regenerate(wrong.id), Invoice)
    sub = billing.subscriptions.create(customer.id, [price.id], start=START)
    upcoming = billing.invoices.upcoming(sub.id)
    assert upcoming is not None
    assert_type(upcoming.total, Money)


def test_payments_are_typed() -> None:
    billing, customer, _ = a_billing()
    billing.payment_methods.attach(customer.id, "tok_visa")
    eur = Money.of("10.00", "EUR")
    payments = billing.payments
    held = payments.authorize(customer.id, eur)
    assert_type(held, Payment)
    assert_type(payments.capture(held.id), Payment)
    assert_type(payments.release(payments.authorize(customer.id, eur).id), Payment)
    assert_type(payments.refund(held.id, eur, reason="late"), Refund)
    assert_type(payments.refunds(payment=held.id), Page[Refund])
    first, second = a_sale(billing, customer), a_sale(billing, customer)
    paid = payments.record(customer.id, eur, to={first.id: eur})
    assert_type(paid, Payment)
    assert_type(payments.history(first.id), tuple[Attempt, ...])
    assert_type(payments.deallocate(paid.id, first.id), Payment)
    assert_type(payments.allocate(paid.id, {second.id: eur}), Payment)
    dispute = payments.record_dispute(paid.id, eur, reason="unknown")
    assert_type(dispute, Dispute)
    assert_type(payments.close_dispute(dispute.id, "won"), Dispute)
    assert_type(payments.disputes(), Page[Dispute])
    assert_type(payments.review(), Page[ReviewItem])
    report = payments.import_statement([StatementLine(START, eur, text="who?")])
    assert_type(report, StatementReport)
    assert_type(payments.unmatched(), tuple[Unmatched, ...])
    (waiting,) = report.waiting
    assert_type(payments.proposals(waiting), tuple[Proposal, ...])
    assert_type(payments.assign(waiting, customer.id), BankLine)
    assert_type(payments.bank_lines(), Page[BankLine])


def test_balances_and_grants_are_typed() -> None:
    billing, customer, _ = a_billing()
    eur = Money.of("10.00", "EUR")
    assert_type(billing.balance.adjust(customer.id, eur, reason="late"), BalanceEntry)
    assert_type(billing.balance.entries(customer.id), Page[BalanceEntry])
    grant = billing.balance.grant(customer.id, eur)
    assert_type(grant, Grant)
    assert_type(billing.balance.grants(), Page[Grant])
    assert_type(billing.balance.grant_entries(grant=grant.id), Page[GrantEntry])
    assert_type(billing.balance.void_grant(grant.id, reason="twice"), Grant)


def test_webhooks_are_typed() -> None:
    gateway = FakeGateway(clock=lambda: NOON)
    secrets = {"card": [gateway.webhook_secret]}
    billing = Billing(gateways={"card": gateway}, webhook_secrets=secrets, clock=TestClock(NOON))
    customer = billing.customers.create(name="Ada")
    billing.payment_methods.attach(customer.id, "tok_sepa_debit")
    work = OneOff("Work", Money.of("10.00", "EUR"))
    billing.invoices.create_one_off(customer.id, [work])
    message = gateway.webhooks()[0]
    receipt = billing.webhooks.receive("card", message.raw, message.headers)
    assert_type(receipt, Receipt)
    assert_type(billing.webhooks.get(receipt.id), Inbound)
    assert_type(billing.webhooks.list(), Page[Inbound])


def test_reports_are_typed() -> None:
    billing, customer, _ = a_billing()
    a_sale(billing, customer)
    assert_type(billing.reports.audit(), Audit)
    ledger = billing.reports.ledger()
    assert_type(ledger, Ledger)
    assert_type(ledger.sum(Account.RECEIVABLE), Money)
    assert_type(billing.reports.numbers(), tuple[NumberFinding, ...])
    assert_type(billing.reports.tax(Period(START, date(2027, 4, 1))), TaxReport)
    assert_type(billing.reports.mrr(), Mapping[str, Money])


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
        eur = Money.of("5.00", "EUR")
        assert_type(await billing.payments.record(customer.id, eur), Payment)
        assert_type(await billing.payments.import_statement([]), StatementReport)
        assert_type(await billing.balance.grant(customer.id, eur), Grant)
        assert_type(await billing.reports.audit(), Audit)

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
