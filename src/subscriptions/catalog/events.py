"""What happened to products and prices."""

from __future__ import annotations

from datetime import date

from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, PriceId, ProductId


@frozen
class ProductAdded:
    """A product is in the catalogue."""

    product: ProductId
    name: str


@frozen
class ProductArchived:
    """A product is no longer offered, nor any of its prices."""

    product: ProductId


@frozen
class PriceAdded:
    """A product can be bought at a price."""

    product: ProductId
    price: PriceId


@frozen
class PriceVersioned:
    """From a day on, another price is offered instead; subscriptions that have this one keep it."""

    product: ProductId
    price: PriceId
    superseded_by: PriceId
    on: date


@frozen
class PriceOverridden:
    """A customer has a price of his own instead of another."""

    product: ProductId
    price: PriceId
    overrides: PriceId
    customer: CustomerId


@frozen
class PriceArchived:
    """A price is no longer offered; subscriptions that have it keep it."""

    product: ProductId
    price: PriceId
