"""What invoices say: net, tax, total, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from subscriptions import Address, Money, Seller, TaxRate, TaxRates
from subscriptions.invoices import InvoiceFinalized, InvoicePaid
from subscriptions.taxes import TaxBehavior, TaxCategory
from tests.scenarios.shop import Shop, eur

Opened = Callable[..., Shop]

VAT = TaxRates(
    {
        "DE": {date(2007, 1, 1): TaxRate("19"), date(2027, 2, 1): TaxRate("21")},
        "FR": TaxRate("20"),
    },
    default=TaxRate(0, TaxCategory.OUTSIDE_SCOPE, "Not subject to VAT"),
)


def test_an_exclusive_price_gets_its_tax_added(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    shop.subscribe(shop.customer())
    invoice = shop.only_invoice()
    assert (invoice.net, invoice.tax, invoice.total) == (eur("29.00"), eur("5.51"), eur("34.51"))
    assert shop.gateway.succeeded_minor(invoice.id) == 3451


def test_an_inclusive_price_keeps_its_gross(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    price = shop.price(eur("29.99"), tax_behavior=TaxBehavior.INCLUSIVE)
    shop.subscribe(shop.customer(), price, quantity=3)
    invoice = shop.only_invoice()
    assert invoice.total == eur("89.97")
    assert (invoice.net, invoice.tax) == (eur("75.61"), eur("14.36"))


def test_each_country_has_its_rate(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    pro = shop.price(eur("100.00"))
    totals = {}
    for country in ("DE", "FR", "US"):
        customer = shop.customer(country=country)
        shop.subscribe(customer, pro)
        invoice = shop.only_invoice(customer)
        (group,) = invoice.taxes
        totals[country] = (group.category.value, group.percent, str(invoice.total))
    assert totals == {
        "DE": ("S", Decimal(19), "119.00 EUR"),
        "FR": ("S", Decimal(20), "120.00 EUR"),
        "US": ("O", Decimal(0), "100.00 EUR"),
    }


def test_the_rate_is_that_of_the_day_on_which_the_period_begins(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    shop.subscribe(shop.customer(), shop.price(eur("100.00")), start=date(2027, 1, 31))
    shop.time.expect(InvoicePaid, InvoicePaid).advance(to=date(2027, 3, 1))
    assert [str(invoice.total) for invoice in shop.invoices()] == ["119.00 EUR", "121.00 EUR"]


def test_an_invoice_of_zero_is_paid_at_once_and_nobody_is_charged(shop: Shop) -> None:
    shop.subscribe(shop.customer(), shop.price(eur("0.00"), name="Free"))
    shop.time.expect(InvoiceFinalized, InvoicePaid).advance()
    assert shop.statuses() == ["paid"]
    assert shop.payments() == []
    assert shop.gateway.charges == ()


def test_a_currency_without_minor_units_has_none(shop: Shop) -> None:
    shop.subscribe(shop.customer(), shop.price(Money.of("2980", "JPY")), quantity=Decimal("0.5"))
    invoice = shop.only_invoice()
    assert str(invoice.total) == "1490 JPY"
    assert shop.gateway.succeeded_minor(invoice.id) == 1490


def test_what_is_changed_later_does_not_reach_a_final_invoice(open_a_shop: Opened) -> None:
    shop = open_a_shop(seller=Seller("Acme GmbH", address=Address(city="Berlin", country="DE")))
    ada = shop.customer()
    shop.subscribe(ada)
    before = shop.only_invoice()
    shop.billing.customers.update(ada.id, name="Ada King", address=Address(country="GB"))
    after = shop.only_invoice()
    assert after == before
    assert after.party is not None
    assert (after.party.name, after.party.address.country) == ("Ada Lovelace", "DE")
    shop.time.expect(InvoiceFinalized, InvoiceFinalized).advance(months=1)
    renewed = shop.invoices()[1].party
    assert renewed is not None
    assert (renewed.name, renewed.address.country) == ("Ada King", "GB")


def test_one_subscription_has_lines_with_and_without_tax_in_the_price(open_a_shop: Opened) -> None:
    shop = open_a_shop(taxes=VAT)
    net = shop.price(eur("10.00"), name="Net")
    gross = shop.price(eur("11.90"), name="Gross", tax_behavior=TaxBehavior.INCLUSIVE)
    shop.billing.subscriptions.create(shop.customer().id, [net.id, gross.id])
    invoice = shop.only_invoice()
    assert [line.net for line in invoice.lines] == [eur("10.00"), eur("10.00")]
    assert (invoice.net, invoice.tax, invoice.total) == (eur("20.00"), eur("3.80"), eur("23.80"))
