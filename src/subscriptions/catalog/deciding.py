"""What becomes of products and prices: added, superseded, overridden for one customer, archived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from subscriptions.catalog.events import (
    PriceAdded,
    PriceArchived,
    PriceOverridden,
    PriceVersioned,
    ProductAdded,
    ProductArchived,
)
from subscriptions.catalog.price import PRICE, Price
from subscriptions.catalog.product import PRODUCT, Product
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.ids import CustomerId, PriceId
from subscriptions.pricing import PriceModel
from subscriptions.records import evolve


def add_product(product: Product) -> Change:
    """Decide to put a product into the catalogue."""
    return created(PRODUCT, product, ProductAdded(product.id, product.name))


def add_price(price: Price) -> Change:
    """Decide to offer a price."""
    return created(PRICE, price, PriceAdded(price.product, price.id))


def supersede(price: Price, successor: Price) -> tuple[Change, Change]:
    """Decide to offer another price instead, from the successor's first day on.

    Law: a version is superseded once, so that versions form a chain and each day has one of them.
    Raises `InvalidTransition` for a price that is superseded or archived already, and
    `ValidationError` for another product or currency, for a price of one customer (that is
    replaced by another `override`), and for a successor without a first day or with an earlier one
    than the price itself. One of the same day mends a mistake: the price is then never on offer.
    """
    if price.superseded_by is not None:
        state = f"superseded by {price.superseded_by}"
        raise InvalidTransition(f"price {price.id}", state, "new_version")
    if price.archived:
        raise InvalidTransition(f"price {price.id}", "archived", "new_version")
    if price.customer is not None:
        expected = "a price for all; one customer's is replaced by override()"
        raise ValidationError("price", price.id, expected)
    if (successor.product, successor.currency) != (price.product, price.currency):
        expected = f"of product {price.product} and in {price.currency}"
        raise ValidationError("price", successor.id, expected)
    day = successor.valid_from
    if day is None or (price.valid_from is not None and day < price.valid_from):
        raise ValidationError("valid_from", day, f"a day, not before {price.valid_from}")
    after = evolve(price, superseded_by=successor.id, superseded_on=day, version=price.version + 1)
    versioned = PriceVersioned(price.product, price.id, successor.id, day)
    return (
        changed(PRICE, price, after, versioned),
        add_price(evolve(successor, supersedes=price.id)),
    )


def override(
    price: Price,
    *,
    id: PriceId,
    customer: CustomerId,
    model: PriceModel | None,
    agreed: Mapping[str, object] = MappingProxyType({}),
) -> Change:
    """Decide that a customer has a price of his own instead of another.

    It is as the other but for the model and what else was `agreed`, given by the names of fields.
    With another model there are no introductory phases, unless they were agreed: the amount that
    was agreed is the amount. Raises `ValidationError` where the other is itself a customer's.
    """
    if price.customer is not None:
        raise ValidationError("price", price.id, "a price for all, not one customer's")
    if model is not None:
        agreed = {"model": model, "introductory": (), **agreed}
    private: Price = evolve(
        price,
        **agreed,  # type: ignore[arg-type]  # each was read as what it is
        id=id,
        version=1,
        archived=False,
        valid_from=None,
        supersedes=None,
        superseded_by=None,
        superseded_on=None,
        customer=customer,
        overrides=price.id,
    )
    event = PriceOverridden(price.product, id, price.id, customer)
    return created(PRICE, private, event)


def archive(price: Price) -> Change:
    """Decide to offer a price no longer; raises `InvalidTransition` if that is so already."""
    if price.archived:
        raise InvalidTransition(f"price {price.id}", "archived", "archive")
    after = evolve(price, archived=True, version=price.version + 1)
    return changed(PRICE, price, after, PriceArchived(price.product, price.id))


def archive_product(product: Product, prices: Sequence[Price]) -> tuple[Change, ...]:
    """Decide to offer a product no longer, and with it those of its prices that still are.

    Raises `InvalidTransition` if that is so already.
    """
    if product.archived:
        raise InvalidTransition(f"product {product.id}", "archived", "archive_product")
    after = evolve(product, archived=True, version=product.version + 1)
    gone = changed(PRODUCT, product, after, ProductArchived(product.id))
    return (gone, *(archive(price) for price in prices if not price.archived))
