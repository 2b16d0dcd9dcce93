"""A product is found by its name; a price is never edited, only taken from the offer."""

from __future__ import annotations

import pytest
from attrs import evolve

from subscriptions.catalog import (
    PRICE,
    PRODUCT,
    PriceAdded,
    PriceArchived,
    ProductAdded,
    add_price,
    add_product,
    archive,
)
from subscriptions.errors import InvalidTransition, ValidationError
from subscriptions.testing.builders import a_price, a_product


def test_a_product_and_a_price_are_added_with_their_events() -> None:
    product, price = a_product(), a_price()
    assert add_product(product).events == (ProductAdded(product.id, product.name),)
    assert add_product(product).kind is PRODUCT
    assert add_price(price).events == (PriceAdded(price.product, price.id),)
    assert add_price(price).after == price


def test_an_archived_price_keeps_everything_but_its_offer() -> None:
    price = a_price()
    change = archive(price)
    assert change.after == evolve(price, archived=True, version=2)
    assert change.events == (PriceArchived(price.product, price.id),)


def test_a_price_is_archived_once() -> None:
    with pytest.raises(InvalidTransition) as caught:
        archive(a_price(archived=True))
    assert caught.value.record == "price price_pro"


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x00b", None, 5])
def test_a_name_is_a_plain_text(name: object) -> None:
    with pytest.raises(ValidationError):
        a_product(name=name)
    with pytest.raises(ValidationError):
        a_price(name=name)


def test_columns_hold_what_is_asked_for() -> None:
    product, price = a_product(), a_price()
    assert [column.get(product) for column in PRODUCT.columns] == [product.name]
    assert [column.get(price) for column in PRICE.columns] == ["prod_pro", "Pro", "EUR"]
