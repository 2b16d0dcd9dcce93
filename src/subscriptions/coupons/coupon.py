"""The coupon and its promotion codes as records: what is taken off, how long, which limits."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import TypeAlias, assert_never

from attrs import field

from subscriptions.discounts import (
    AmountOff,
    Discount,
    DiscountTerms,
    PercentOff,
    covers,
    one_for_each_currency,
)
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import (
    CouponId,
    CustomerId,
    ProductId,
    PromotionCodeId,
    RedemptionId,
    SubscriptionId,
)
from subscriptions.money import Currency, Money
from subscriptions.records import (
    Column,
    ColumnType,
    Kind,
    Metadata,
    evolve,
    plain_date,
    plain_text,
)

MOST_PERIODS = 1000
"""For how many periods a coupon may be stated to last; what is to last longer, lasts forever."""


@frozen
class Once:
    """For the first billed period of which it takes something off."""


@frozen
class Periods:
    """For the first `count` billed periods of which it takes something off."""

    count: int

    def __attrs_post_init__(self) -> None:
        if type(self.count) is not int or not 1 <= self.count <= MOST_PERIODS:
            raise ValidationError("periods", self.count, f"a whole number, 1 to {MOST_PERIODS}")


@frozen
class Forever:
    """For as long as the subscription runs."""


Duration: TypeAlias = Once | Periods | Forever


@frozen
class AppliedCoupon:
    """A coupon as it stands on a subscription: its terms frozen, so a renewal reads nothing more.

    `periods_left` is for how many more periods it counts; None is forever. `code` is the promotion
    code that was typed, if it was one.
    """

    coupon: CouponId
    name: str
    terms: DiscountTerms
    products: tuple[ProductId, ...] = ()
    periods_left: int | None = None
    stackable: bool = True
    code: str | None = None

    def __attrs_post_init__(self) -> None:
        left = self.periods_left
        if left is not None and (type(left) is not int or left < 1):
            raise ValidationError("periods_left", left, "a whole number of at least 1, or None")

    @property
    def discount(self) -> Discount:
        """What it takes off the lines of a document."""
        return Discount(self.coupon, self.name, self.terms, self.products)

    @property
    def is_percentage(self) -> bool:
        """Whether it takes off a part of what there is, and not an amount."""
        return isinstance(self.terms, PercentOff)

    def covers(self, product: ProductId | None) -> bool:
        """Return whether it is for a product."""
        return covers(self.products, product)

    def after_period(self) -> AppliedCoupon | None:
        """Count one billed period of which it took something off; None once it is used up.

        >>> from subscriptions.discounts import PercentOff
        >>> welcome = AppliedCoupon(CouponId("welcome"), "Welcome", PercentOff(20), periods_left=2)
        >>> left = welcome.after_period()
        >>> left.periods_left, left.after_period()
        (1, None)
        """
        if self.periods_left is None:
            return self
        if self.periods_left == 1:
            return None
        return evolve(self, periods_left=self.periods_left - 1)


def _once_each(values: Iterable[ProductId]) -> tuple[ProductId, ...]:
    if isinstance(values, str):
        raise ValidationError("products", values, "a list of product ids, not one text")
    return tuple(dict.fromkeys(values))


def _read_minimum(amounts: Money | Iterable[Money]) -> tuple[Money, ...]:
    return one_for_each_currency("minimum", amounts)


@frozen
class Coupon:
    """What is taken off, for how long and of which products; and who may have it, and when.

    Days are days in the seller's zone; `redeem_until` is the first on which it can be redeemed no
    more. The limits hold when it is redeemed: what stands on a subscription by then stays there.

    `minimum` is stated once for each currency, and so it limits the currencies as well. It is
    compared with what all items of the subscription come to for one period each, as priced, before
    discounts and before tax that is added.
    """

    id: CouponId
    tenant: str
    version: int
    name: str
    terms: DiscountTerms
    duration: Duration = Once()
    products: tuple[ProductId, ...] = field(default=(), converter=_once_each)
    currencies: tuple[Currency, ...] = ()
    redeem_from: date | None = None
    redeem_until: date | None = None
    max_redemptions: int | None = None
    max_per_customer: int | None = None
    first_purchase_only: bool = False
    minimum: tuple[Money, ...] = field(default=(), converter=_read_minimum)
    stackable: bool = True
    campaign: str = ""
    archived: bool = False
    redeemed: int = 0
    metadata: Metadata = Metadata()

    def __attrs_post_init__(self) -> None:
        plain_text("name", self.name, length_max=200)
        plain_text("campaign", self.campaign, length_max=200, empty=True)
        for product in self.products:
            plain_text("products", product)
        _check_window(self.redeem_from, self.redeem_until)
        _check_most("max_redemptions", self.max_redemptions)
        _check_most("max_per_customer", self.max_per_customer)
        stated = self._stated_currencies
        if stated and not self.offered_in:
            raise ValidationError("currencies", stated, "one currency that all limits allow")

    @property
    def _stated_currencies(self) -> list[tuple[Currency, ...]]:
        terms = self.terms.amounts if isinstance(self.terms, AmountOff) else ()
        stated = (
            self.currencies,
            tuple(amount.currency for amount in terms),
            tuple(amount.currency for amount in self.minimum),
        )
        return [currencies for currencies in stated if currencies]

    @property
    def offered_in(self) -> tuple[Currency, ...]:
        """The currencies in which it can be redeemed, by its terms and limits; none means all."""
        stated = self._stated_currencies
        first = stated[0] if stated else ()
        return tuple(each for each in first if all(each in others for others in stated))

    @property
    def status(self) -> str:
        """One word: offered or archived."""
        return "archived" if self.archived else "offered"

    def applied(self, code: str | None = None) -> AppliedCoupon:
        """Return it as it stands on a subscription from now on."""
        return AppliedCoupon(
            self.id,
            self.name,
            self.terms,
            self.products,
            _periods_left(self.duration),
            self.stackable,
            code,
        )


def _periods_left(duration: Duration) -> int | None:
    match duration:
        case Once():
            return 1
        case Periods(count=count):
            return count
        case Forever():
            return None
        case other:
            assert_never(other)


_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")


def promotion_code(typed: object) -> str:
    """Return a code as it is stored, in capitals: "welcome-10 " and "WELCOME-10" are one code.

    Raises `ValidationError` unless it has 1 to 50 letters A to Z, digits, hyphens and underscores,
    of which the first is a letter or a digit.

    >>> promotion_code("welcome-10")
    'WELCOME-10'
    """
    code = plain_text("code", typed).strip()
    # Only ASCII: the capital of some other letters is one of these, and two codes would be one.
    if not _CODE.fullmatch(code):
        raise ValidationError("code", typed, "1 to 50 letters A to Z, digits, '-' and '_'")
    return code.upper()


@frozen
class PromotionCode:
    """A code that a customer types to redeem a coupon; unique, and not sensitive to case.

    It has a window, a number of uses and perhaps a customer of its own; the coupon's limits hold
    besides.
    """

    id: PromotionCodeId
    tenant: str
    version: int
    coupon: CouponId
    code: str = field(converter=promotion_code)
    customer: CustomerId | None = None
    redeem_from: date | None = None
    redeem_until: date | None = None
    max_redemptions: int | None = None
    active: bool = True
    redeemed: int = 0
    metadata: Metadata = Metadata()

    def __attrs_post_init__(self) -> None:
        _check_window(self.redeem_from, self.redeem_until)
        _check_most("max_redemptions", self.max_redemptions)

    @property
    def status(self) -> str:
        """One word: active or inactive."""
        return "active" if self.active else "inactive"


@frozen
class Redemption:
    """That a customer redeemed a coupon for a subscription; it is only ever added.

    `ordinal` counts the redemptions of one coupon by one customer from 1. The id is derived from
    those three, so two at once cannot both be the customer's first.
    """

    id: RedemptionId
    tenant: str
    version: int
    coupon: CouponId
    promotion_code: PromotionCodeId | None
    customer: CustomerId
    subscription: SubscriptionId
    ordinal: int
    at: datetime


def _check_window(start: date | None, end: date | None) -> None:
    for name, day in (("redeem_from", start), ("redeem_until", end)):
        if day is not None:
            plain_date(name, day)
    if start is not None and end is not None and end <= start:
        raise ValidationError("redeem_until", end, f"after redeem_from, {start}")


def _check_most(name: str, most: int | None) -> None:
    if most is not None and (type(most) is not int or most < 1):
        raise ValidationError(name, most, "a whole number of at least 1, or None for no limit")


COUPON = Kind(
    "coupon",
    Coupon,
    columns=(
        Column("name", ColumnType.TEXT, lambda c: c.name),
        Column("campaign", ColumnType.TEXT, lambda c: c.campaign or None),
        Column("status", ColumnType.TEXT, lambda c: c.status),
        Column("redeemed", ColumnType.INTEGER, lambda c: c.redeemed, indexed=False),
    ),
)
PROMOTION_CODE = Kind(
    "promotion_code",
    PromotionCode,
    columns=(
        Column("code", ColumnType.TEXT, lambda c: c.code),
        Column("coupon", ColumnType.TEXT, lambda c: c.coupon),
        Column("customer", ColumnType.TEXT, lambda c: c.customer),
        Column("status", ColumnType.TEXT, lambda c: c.status),
        Column("redeemed", ColumnType.INTEGER, lambda c: c.redeemed, indexed=False),
    ),
    unique=(("code",),),
)
REDEMPTION = Kind(
    "redemption",
    Redemption,
    columns=(
        Column("coupon", ColumnType.TEXT, lambda r: r.coupon),
        Column("promotion_code", ColumnType.TEXT, lambda r: r.promotion_code),
        Column("customer", ColumnType.TEXT, lambda r: r.customer),
        Column("subscription", ColumnType.TEXT, lambda r: r.subscription),
        Column("at", ColumnType.INSTANT, lambda r: r.at, indexed=False),
    ),
)
