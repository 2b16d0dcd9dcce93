"""Products: what each entitles to, and which of them may be on one subscription."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from attrs import field

from subscriptions.errors import NotAvailable, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import ProductId
from subscriptions.pricing.numbers import read_quantity
from subscriptions.records import Column, ColumnType, Kind, Metadata, plain_text
from subscriptions.taxes import check_category


def _read_quota(quota: str | int | Decimal | None) -> Decimal | None:
    return None if quota is None else read_quantity(quota, "quota")


@frozen
class Entitlement:
    """A feature that a product gives, without limit or up to a quota in each billing period.

    `per_unit` gives the quota once for each unit of the item. `meter` is the key of the usage meter
    that uses the quota up; without one the feature is a switch, or a number that the host counts.

    Raises `ValidationError` for a negative quota, and for `per_unit` without a quota.
    """

    feature: str
    quota: Decimal | None = field(default=None, converter=_read_quota)
    per_unit: bool = False
    meter: str | None = None

    def __attrs_post_init__(self) -> None:
        plain_text("feature", self.feature, length_max=200)
        if self.meter is not None:
            plain_text("meter", self.meter, length_max=200)
        if not isinstance(self.per_unit, bool):
            raise ValidationError("per_unit", self.per_unit, "True or False")
        if self.per_unit and self.quota is None:
            raise ValidationError("per_unit", self.per_unit, "False where there is no quota")


@frozen
class Product:
    """Something that can be sold, under one name; its prices stand beside it.

    An add-on `requires` at least one of some products on the same subscription; a product may not
    be there together with one that it `excludes`. See `check_availability`. `tax_category` is the
    word under which the tax table has its rates; new prices take it over.
    """

    id: ProductId
    tenant: str
    version: int
    name: str
    archived: bool = False
    metadata: Metadata = Metadata()
    requires: tuple[ProductId, ...] = ()
    excludes: tuple[ProductId, ...] = ()
    entitlements: tuple[Entitlement, ...] = ()
    tax_category: str = "standard"

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)
        check_category("tax_category", self.tax_category)
        for name, products in (("requires", self.requires), ("excludes", self.excludes)):
            if self.id in products or len(set(products)) != len(products):
                raise ValidationError(name, products, "other products, each of them once")
        if self.excludes and set(self.requires) & set(self.excludes):
            raise ValidationError("excludes", self.excludes, "none of those that it requires")
        check_entitlements(self.entitlements)


PRODUCT = Kind(
    "product",
    Product,
    columns=(Column("name", ColumnType.TEXT, lambda p: p.name),),
    unique=(("name",),),
)


def check_availability(products: Sequence[Product], *, had: Sequence[Product] = ()) -> None:
    """Check that products may be on one subscription.

    Law: for each that requires others, one of those is there, and for each that excludes others,
    none. Which stands first, and whether one stands twice, does not matter. An add-on of an add-on
    asks for that one only, which then asks for its own. What was `had` before without what it
    requires, such as an add-on of something that was sold once, stays.

    Raises `NotAvailable` with the name of the product and the ids of what it requires or excludes.
    """
    lacking = {product.id for product in without_base(products)}
    alone = {product.id for product in without_base(had)}
    present = {product.id for product in products}
    for product in products:
        if product.id in lacking and product.id not in alone:
            raise NotAvailable(product.name, "requires", product.requires)
        clashing = tuple([other for other in product.excludes if other in present])
        if clashing:
            raise NotAvailable(product.name, "excludes", clashing)


def without_base(products: Sequence[Product]) -> tuple[Product, ...]:
    """Return the add-ons among products that come without any of those that they require."""
    present = {product.id for product in products}
    return tuple([each for each in products if each.requires and present.isdisjoint(each.requires)])


def check_entitlements(entitlements: Sequence[Entitlement]) -> None:
    """Raise `ValidationError` for a feature that is listed twice."""
    features = [each.feature for each in entitlements]
    if len(set(features)) != len(features):
        raise ValidationError("entitlements", features, "each feature once")
