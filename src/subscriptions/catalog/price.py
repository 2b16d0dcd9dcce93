"""Prices: what one says of itself, and which version of it is on offer on a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from subscriptions.billing_cycles import Interval
from subscriptions.catalog.product import Entitlement, check_entitlements
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CustomerId, PriceId, ProductId
from subscriptions.money import MINOR_LIMIT, Currency
from subscriptions.pricing import PriceModel
from subscriptions.records import Column, ColumnType, Kind, plain_date, plain_text
from subscriptions.taxes import TaxBehavior, check_category


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
        check_entitlements(self.entitlements or ())
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
