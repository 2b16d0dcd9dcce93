"""Invoices as documents: one-off ones, drafts, void ones, and their numbers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from subscriptions import InvalidTransition, OneOff, Reset, Seller, Series, TaxRate, TaxRates
from subscriptions.invoices import (
    InvoiceDrafted,
    InvoiceFinalized,
    InvoicePaid,
    InvoiceVoided,
    Void,
    verify_chain,
)
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]


def test_a_one_off_invoice_is_numbered_and_charged_at_once(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=TaxRates({"DE": TaxRate("19")}))
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(
        ada.id,
        [OneOff("Training", eur("100.00"), Decimal("1.5")), OneOff("Discount", eur("-50.00"))],
    )
    assert [str(line.net) for line in invoice.lines] == ["150.00 EUR", "-50.00 EUR"]
    assert (invoice.status, invoice.total) == ("paid", eur("119.00"))
    assert invoice.period is None
    shop.time.expect(InvoiceFinalized, InvoicePaid).advance()


def test_a_draft_has_no_number_is_not_owed_and_waits(shop: Shop) -> None:
    ada = shop.customer()
    draft = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    assert (draft.status, draft.number, draft.amount_due) == ("draft", None, eur("0.00"))
    shop.time.expect(InvoiceDrafted).advance(months=2)
    assert shop.gateway.charges == ()
    final = shop.billing.invoices.finalize(draft.id)
    assert (final.status, final.number, final.issued_on) == (
        "paid",
        "INV-2027-00001",
        date(2027, 3, 1),
    )


def test_a_draft_gets_the_terms_of_who_pays_it_when_it_is_final(shop: Shop) -> None:
    ada = shop.customer(token=None)
    draft = shop.billing.invoices.create_one_off(
        ada.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    shop.billing.payment_methods.attach(ada.id, "tok_visa")
    final = shop.billing.invoices.finalize(draft.id)
    assert (final.status, final.due_on) == ("paid", date(2027, 1, 1))


def test_a_final_invoice_is_not_finalized_again(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.finalize(invoice.id)


def test_a_void_invoice_keeps_its_number_and_is_not_collected(shop: Shop) -> None:
    ada = shop.customer(token=None)
    for _ in range(3):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    second = shop.invoices()[1]
    void = shop.billing.invoices.void(second.id, reason="entered twice")
    assert void.state == Void(shop.time.now, "entered twice")
    assert void.amount_due == eur("0.00")
    shop.time.expect(InvoiceVoided).advance()
    assert [each.number for each in shop.invoices()] == [
        "INV-2027-00001",
        "INV-2027-00002",
        "INV-2027-00003",
    ]
    payment = shop.billing.payments.record(ada.id, eur("30.00"))
    assert [part.invoice for part in payment.allocations] == [
        shop.invoices()[0].id,
        shop.invoices()[2].id,
    ]


def test_a_paid_invoice_cannot_be_voided(shop: Shop) -> None:
    ada = shop.customer()
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    for command in (shop.billing.invoices.void, shop.billing.invoices.mark_uncollectible):
        with pytest.raises(InvalidTransition):
            command(invoice.id, reason="changed my mind")
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.pay(invoice.id)


def test_a_partly_paid_invoice_cannot_be_voided(shop: Shop) -> None:
    ada = shop.customer(token=None)
    invoice = shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.billing.payments.record(ada.id, eur("1.00"))
    with pytest.raises(InvalidTransition):
        shop.billing.invoices.void(invoice.id, reason="a mistake")


def test_numbers_begin_again_with_the_sellers_new_year(open_a_shop: Opened) -> None:
    # In Berlin it is already 2028 when it is still 2027 in UTC.
    shop = open_a_shop(
        start=datetime(2027, 12, 31, 22, 0, tzinfo=UTC),
        seller=Seller("Acme GmbH", zone="Europe/Berlin"),
    )
    ada = shop.customer()
    for _ in range(4):
        shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
        shop.time.advance(minutes=30)
    assert [(each.number, each.issued_on) for each in shop.invoices()] == [
        ("INV-2027-00001", date(2027, 12, 31)),
        ("INV-2027-00002", date(2027, 12, 31)),
        ("INV-2028-00001", date(2028, 1, 1)),
        ("INV-2028-00002", date(2028, 1, 1)),
    ]


def test_numbers_rise_with_finalization_though_a_command_names_an_earlier_time(
    shop: Shop,
) -> None:
    ada = shop.customer(token=None)
    create, line = shop.billing.invoices.create_one_off, [OneOff("Work", eur("10.00"))]
    shop.time.advance(to=date(2028, 1, 2))
    create(ada.id, line)
    late = create(ada.id, line, at=datetime(2027, 12, 30, tzinfo=UTC))
    assert late.number == "INV-2028-00002", "not one of 2027 after one of 2028"
    assert late.issued_on == date(2028, 1, 2)


def test_a_month_of_numbers_with_a_prefix_of_the_sellers_own(open_a_shop: Opened) -> None:
    shop = open_a_shop(
        seller=Seller(
            "Acme GmbH",
            invoice_numbers=Series(
                "{prefix}{year}/{month}-{counter:03}", reset=Reset.MONTHLY, prefix="RE"
            ),
            customer_numbers=Series("K{counter:05}", last_counter=411, last_on=date(2026, 12, 1)),
        )
    )
    ada = shop.customer()
    assert ada.number == "K00412"
    shop.subscribe(ada)
    shop.billing.invoices.create_one_off(ada.id, [OneOff("Work", eur("10.00"))])
    shop.time.advance(months=2)
    assert [each.number for each in shop.invoices()] == [
        "RE2027/01-001",
        "RE2027/01-002",
        "RE2027/02-001",
        "RE2027/03-001",
    ]


def test_a_number_given_by_hand_is_skipped_by_the_range(shop: Shop) -> None:
    shop.billing.customers.create(name="Bob", number="000002")
    numbers = [shop.customer().number for _ in range(3)]
    assert numbers == ["000001", "000003", "000004"]


def test_the_chain_of_documents_goes_on_over_drafts_voids_and_years(shop: Shop) -> None:
    ada = shop.customer()
    shop.subscribe(ada)
    bob = shop.customer(token=None, name="Bob")
    draft = shop.billing.invoices.create_one_off(
        bob.id, [OneOff("Work", eur("10.00"))], finalize=False
    )
    void = shop.billing.invoices.create_one_off(bob.id, [OneOff("Work", eur("10.00"))])
    shop.billing.invoices.void(void.id, reason="a mistake")
    shop.time.advance(months=13)
    shop.billing.invoices.finalize(draft.id)
    final = sorted(shop.invoices(), key=lambda each: each.number or "")
    assert len(final) == 16
    assert final[-1].number == "INV-2028-00003"
    assert list(verify_chain(final)) == []
    assert shop.billing.invoices.verify() == ()
