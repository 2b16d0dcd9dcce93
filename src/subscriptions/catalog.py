"""What is sold: products and their prices.

A price is never edited, so what a customer agreed to stays what he pays; archiving takes it from
the offer and leaves those who have it alone. Amounts are computed in `pricing`, not here.
"""

from __future__ import annotations

from attrs import frozen

from subscriptions.billing_cycles import Interval
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition
from subscriptions.ids import PriceId, ProductId
from subscriptions.money import Currency
from subscriptions.pricing import PriceModel
from subscriptions.records import Column, ColumnType, Kind, Metadata, evolve, plain_text
from subscriptions.taxes import TaxBehavior


@frozen
class Product:
    """Something that can be sold, under one name; its prices stand beside it."""

    id: ProductId
    tenant: str
    version: int
    name: str
    archived: bool = False
    metadata: Metadata = Metadata()

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)


@frozen
class Price:
    """What a product costs: in one currency, every interval, or once (`every` is None).

    `name` is what an invoice line says. `model` turns a quantity into an amount.
    """

    id: PriceId
    tenant: str
    version: int
    product: ProductId
    name: str
    model: PriceModel
    currency: Currency
    every: Interval | None
    tax_behavior: TaxBehavior = TaxBehavior.EXCLUSIVE
    archived: bool = False

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)


PRODUCT = Kind(
    "product",
    Product,
    columns=(Column("name", ColumnType.TEXT, lambda p: p.name),),
    unique=(("name",),),
)
PRICE = Kind(
    "price",
    Price,
    columns=(
        Column("product", ColumnType.TEXT, lambda p: p.product),
        Column("name", ColumnType.TEXT, lambda p: p.name),
        Column("currency", ColumnType.TEXT, lambda p: p.currency.code, indexed=False),
    ),
)


@frozen
class ProductAdded:
    """A product is in the catalogue."""

    product: ProductId
    name: str


@frozen
class PriceAdded:
    """A product can be bought at a price."""

    product: ProductId
    price: PriceId


@frozen
class PriceArchived:
    """A price is no longer offered; subscriptions that have it keep it."""

    product: ProductId
    price: PriceId


def add_product(product: Product) -> Change:
    """Decide to put a product into the catalogue."""
    return created(PRODUCT, product, ProductAdded(product.id, product.name))


def add_price(price: Price) -> Change:
    """Decide to offer a price."""
    return created(PRICE, price, PriceAdded(price.product, price.id))


def archive(price: Price) -> Change:
    """Decide to offer a price no longer; raises `InvalidTransition` if that is so already."""
    if price.archived:
        raise InvalidTransition(f"price {price.id}", "archived", "archive")
    after = evolve(price, archived=True, version=price.version + 1)
    return changed(PRICE, price, after, PriceArchived(price.product, price.id))
