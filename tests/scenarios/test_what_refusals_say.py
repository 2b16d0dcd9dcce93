"""An error says what would be right, or what to do instead, not only that it was wrong."""

from __future__ import annotations

import pytest

from subscriptions import OneOff, ValidationError
from subscriptions.errors import NotSupported
from tests.scenarios.shop import Shop, eur


def test_a_refund_of_what_is_gone_says_where_it_went(shop: Shop) -> None:
    customer = shop.customer("tok_visa")
    invoice = shop.billing.invoices.create_one_off(customer.id, [OneOff("Work", eur("50.00"))])
    (payment,) = shop.payments(invoice)
    payments = shop.billing.payments
    payments.refund(payment.id, eur("20.00"), reason="half")
    payments.record_dispute(payment.id, eur("30.00"), reason="fraudulent")
    told = "at most 0.00 EUR, for of 50.00 EUR are 20.00 EUR given back and 30.00 EUR disputed"
    with pytest.raises(ValidationError, match=told):
        payments.refund(payment.id, reason="all")
    with pytest.raises(ValidationError, match=told):
        payments.record_dispute(payment.id, eur("1.00"), reason="again")


def test_a_transfer_that_cannot_be_refunded_says_who_pays_it_back(shop: Shop) -> None:
    payment = shop.billing.payments.record(shop.customer(None).id, eur("5.00"))
    with pytest.raises(NotSupported, match="by hand") as caught:
        shop.billing.payments.refund(payment.id, reason="twice")
    assert (caught.value.gateway, caught.value.protocol) == ("transfer", "Refunds")


def test_holding_an_amount_without_a_method_says_how_to_get_one(shop: Shop) -> None:
    with pytest.raises(ValidationError, match=r"payment_methods\.attach"):
        shop.billing.payments.authorize(shop.customer(None).id, eur("5.00"))


def test_an_invoice_that_was_credited_in_full_has_nothing_left_to_credit(shop: Shop) -> None:
    work = [OneOff("Work", eur("50.00"))]
    invoice = shop.billing.invoices.create_one_off(shop.customer(None).id, work)
    shop.billing.credit_notes.create(invoice.id, reason="all")
    for amount in (None, eur("1.00")):
        with pytest.raises(ValidationError, match="something is left to credit") as caught:
            shop.billing.credit_notes.create(invoice.id, amount=amount, reason="again")
        assert (caught.value.field, caught.value.value) == ("invoice", invoice.number)


def test_a_statement_with_columns_of_a_bank_says_what_describes_them(shop: Shop) -> None:
    with pytest.raises(ValidationError, match=r"'booked_on'.*CsvFormat"):
        shop.billing.payments.import_statement("Buchungstag;Betrag\n08.01.2027;1,00\n")
