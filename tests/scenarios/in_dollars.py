"""A shop that sells in dollars: offers, sales and changes, and what its invoices say."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from subscriptions import Currency, Interval, Money
from subscriptions.catalog import Price
from subscriptions.customers import Customer
from subscriptions.invoices import Invoice
from subscriptions.lifecycle import Subscription
from subscriptions.pricing import PriceModel
from subscriptions.proration import Proration
from tests.scenarios.shop import MONTHLY, Shop

USD = Currency.of("USD")
NOW = Proration(mode="invoice_now")


def usd(amount: str) -> Money:
    return Money.of(amount, "USD")


def costs(model: PriceModel, quantity: int | Decimal) -> str:
    return str(model.amount(quantity, USD).amount)


def offer(
    shop: Shop, name: str, amount: str, *, every: Interval = MONTHLY, **more: object
) -> Price:
    return shop.billing.catalog.add_price(
        name,
        usd(amount),
        every=every,
        **more,  # type: ignore[arg-type]  # passed on
    )


def metered(shop: Shop, key: str, model: PriceModel, **more: object) -> Price:
    return shop.billing.catalog.add_price(
        key,
        model,
        currency="USD",
        every=MONTHLY,
        meter=key,
        **more,  # type: ignore[arg-type]  # passed on
    )


def sell(
    shop: Shop,
    *prices: Price | tuple[str, int],
    customer: Customer | None = None,
    **more: object,
) -> Subscription:
    buyer = customer or shop.customer()
    wanted = [price.id if isinstance(price, Price) else price for price in prices]
    return shop.billing.subscriptions.create(
        buyer.id,
        wanted,
        **more,  # type: ignore[arg-type]  # passed on
    )


def change(shop: Shop, sub: Subscription, new: Iterable[str], **more: object) -> Subscription:
    return shop.billing.subscriptions.change(
        sub.id,
        new,
        **more,  # type: ignore[arg-type]  # passed on
    )


def amounts(shop: Shop, customer: Customer | None = None) -> list[str]:
    return [str(invoice.total.amount) for invoice in shop.invoices(customer)]


def lines(invoice: Invoice) -> list[str]:
    return [f"{line.kind} {(line.amount - line.discount).amount}" for line in invoice.lines]


def billed(shop: Shop) -> list[str]:
    return [
        f"{line.period} {line.amount.amount}"
        for invoice in shop.invoices()
        for line in invoice.lines
    ]
