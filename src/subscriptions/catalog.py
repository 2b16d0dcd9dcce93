"""What is sold: products with what they entitle to, and their prices.

A price is never edited, so what a customer agreed to stays what he pays: a new version takes over
for those who come later, a price for one customer stands beside the price it replaces, and
archiving takes from the offer and leaves those who have it alone. Decided here: which version is on
offer on a day, which products may be on one subscription, and what a price must not say. Never
here: amounts, which are computed in `pricing`, or what a subscription is billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from attrs import field

from subscriptions.billing_cycles import Interval
from subscriptions.decisions import Change, changed, created
from subscriptions.errors import InvalidTransition, NotAvailable, ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, PriceId, ProductId
from subscriptions.money import MINOR_LIMIT, Currency
from subscriptions.pricing import PriceModel
from subscriptions.pricing.numbers import read_quantity
from subscriptions.records import (
    Column,
    ColumnType,
    Kind,
    Metadata,
    evolve,
    plain_date,
    plain_text,
)
from subscriptions.taxes import TaxBehavior, check_category


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
        _check_entitlements(self.entitlements)


@frozen
class Introductory:
    """Another price model for the first periods that are billed, or for the next ones after those.

    Raises `ValidationError` unless there is at least one period.
    """

    periods: int
    model: PriceModel

    def __attrs_post_init__(self) -> None:
        if type(self.periods) is not int or self.periods < 1:
            raise ValidationError("periods", self.periods, "a whole number of at least 1")
        if not isinstance(self.model, PriceModel):
            raise ValidationError("model", self.model, "a price model such as Flat('1.00')")


@frozen
class Price:
    """What a product costs: in one currency, every interval, or once (`every` is None).

    `name` is what an invoice line says. `model` turns a quantity into an amount, after the periods
    that are `introductory`. A price in `arrears` is billed when a period ends, others when it
    begins; one with a `meter` is for the usage of a period and so always in arrears, and
    `trial_usage_billed` says whether usage within a trial is billed too. `minimum_minor` is what a
    period costs at least, an introductory one too: without a meter it is a part of the price of the
    period, with one it is trued up when the period is over. `setup_minor` is billed once, with the
    first period. `trial` is the trial of new subscriptions that say nothing else. After
    `term_periods` the item ends; without, it goes on until it is cancelled.

    Versions: the price is on offer from `valid_from` up to, not including, `superseded_on`. A price
    of one `customer` is there instead of the price that it `overrides`. What is sold at it is
    taxed under the `tax_category`, by default its product's. It gives the `entitlements` of its
    product, or with a list of its own those instead.

    Raises `ValidationError` for what does not go together; the field is named.
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
    arrears: bool = False
    meter: str | None = None
    trial_usage_billed: bool = False
    minimum_minor: int = 0
    setup_minor: int = 0
    trial: Interval | None = None
    introductory: tuple[Introductory, ...] = ()
    term_periods: int | None = None
    valid_from: date | None = None
    supersedes: PriceId | None = None
    superseded_by: PriceId | None = None
    superseded_on: date | None = None
    customer: CustomerId | None = None
    overrides: PriceId | None = None
    tax_category: str = "standard"
    entitlements: tuple[Entitlement, ...] | None = None

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)
        check_category("tax_category", self.tax_category)
        _check_entitlements(self.entitlements or ())
        if self.every is None:
            _check_charged_once(self)
        if self.meter is not None:
            plain_text("meter", self.meter, length_max=200)
            if not self.arrears:
                raise ValidationError("arrears", self.arrears, "True, for a metered price")
        elif self.trial_usage_billed:
            raise ValidationError(
                "trial_usage_billed", self.trial_usage_billed, "False where there is no meter"
            )
        for name, minor in (("minimum", self.minimum_minor), ("setup", self.setup_minor)):
            if type(minor) is not int or not 0 <= minor <= MINOR_LIMIT:
                raise ValidationError(name, minor, "at least 0 and at most 2**63 - 1 minor units")
        if self.term_periods is not None:
            _check_term(self.term_periods, self.introductory)
        _check_versions(self)


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
        Column("customer", ColumnType.TEXT, lambda p: p.customer),
    ),
)


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


def model_for(price: Price, periods_billed: int) -> PriceModel:
    """Return the model for the next period, of an item of which so many periods are billed.

    >>> from subscriptions.money import EUR
    >>> from subscriptions.pricing import PerUnit
    >>> pro = Price(
    ...     PriceId("pro"), "", 1, ProductId("pro"), "Pro", PerUnit(29), EUR, Interval.months(1),
    ...     introductory=(Introductory(2, PerUnit(9)), Introductory(1, PerUnit(19))),
    ... )
    >>> [str(model_for(pro, billed).unit_price) for billed in range(5)]
    ['9', '9', '19', '29', '29']
    """
    if not price.introductory:
        return price.model
    phase = phase_for(price, periods_billed)
    return price.model if phase is None else price.introductory[phase].model


def phase_for(price: Price, periods_billed: int) -> int | None:
    """Return the place of the introductory phase that `model_for` takes; None for none of them."""
    left = periods_billed
    for place, phase in enumerate(price.introductory):
        if left < phase.periods:
            return place
        left -= phase.periods
    return None


def version_on(chain: Sequence[Price], day: date) -> Price | None:
    """Return the version of a price that is on offer on a day; None if that is before the first.

    `chain` are all versions, oldest first. Whether it is archived is not asked.
    """
    for price in reversed(chain):
        if price.valid_from is None or price.valid_from <= day:
            return price
    return None


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


def _check_entitlements(entitlements: Sequence[Entitlement]) -> None:
    features = [each.feature for each in entitlements]
    if len(set(features)) != len(features):
        raise ValidationError("entitlements", features, "each feature once")


def _check_charged_once(price: Price) -> None:
    """Refuse for a price without an interval what is about periods."""
    about_periods: dict[str, object] = {
        "arrears": price.arrears,
        "meter": price.meter,
        "minimum": price.minimum_minor,
        "setup": price.setup_minor,
        "trial": price.trial,
        "introductory": price.introductory,
        "term_periods": price.term_periods,
        "entitlements": price.entitlements,
    }
    for name, value in about_periods.items():
        if value:
            raise ValidationError(name, value, "nothing, for a price that is charged once")


def _check_term(term_periods: int, introductory: tuple[Introductory, ...]) -> None:
    if type(term_periods) is not int or term_periods < 1:
        raise ValidationError("term_periods", term_periods, "a whole number of at least 1")
    first = sum(phase.periods for phase in introductory)
    if first > term_periods:
        expected = f"at most the {term_periods} periods of the term"
        raise ValidationError("introductory", first, expected)


def _check_versions(price: Price) -> None:
    if price.valid_from is not None:
        plain_date("valid_from", price.valid_from)
    if (price.superseded_by is None) != (price.superseded_on is None):
        raise ValidationError("superseded_on", price.superseded_on, "the day of superseded_by")
    if (price.customer is None) != (price.overrides is None):
        raise ValidationError("overrides", price.overrides, "another price, for one customer")
    if price.customer is not None and (price.supersedes or price.superseded_by):
        raise ValidationError("supersedes", price.supersedes, "no versions of a customer's price")
