"""Discounts: what they take off the lines of a document, and each line's share of it.

Decided here: the amount of a discount, the order in which several meet, and how each is split over
the lines. Never here: who may have a discount and for how long (that is in `coupons`), and the tax,
which comes after and is on what is left.

A discount is one amount on the document, rounded once, and is shared out by largest remainder. Each
line keeps its share, so that a later credit of the line is a part of what was really charged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal
from typing import TypeAlias, assert_never, cast

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.ids import CouponId, ProductId
from subscriptions.money import Currency, Money, allocate_minor, read_decimal, round_fraction

_MOST_PLACES = 10
# Enough for every percentage, whatever precision the host has set for itself.
_EXACT = Context(prec=40)


def _read_percent(percent: str | int | Decimal) -> Decimal:
    value = read_decimal(percent, field="percent", max_places=_MOST_PLACES)
    if not 0 < value <= 100:  # noqa: PLR2004 - per cent
        raise ValidationError("percent", percent, "above 0 and at most 100")
    # One spelling for each percentage: 10.0 and 10 are equal, and are stored as one text.
    shortest = _EXACT.normalize(value)
    return Decimal(int(shortest)) if shortest == int(shortest) else shortest


def one_for_each_currency(name: str, amounts: object) -> tuple[Money, ...]:
    """Read amounts of which one is picked by its currency: a `Money`, or several.

    Raises `ValidationError`, naming `name`, unless each is above zero and of a currency of its own.
    """
    given: object = (amounts,) if isinstance(amounts, Money) else amounts
    if not isinstance(given, Iterable):
        raise ValidationError(name, amounts, "a Money, or one for each currency")
    read: dict[Currency, Money] = {}
    for amount in cast("Iterable[object]", given):
        if not isinstance(amount, Money) or amount.minor <= 0:
            raise ValidationError(name, amount, "a Money above zero")
        if amount.currency in read:
            raise ValidationError(name, amount, "one amount for each currency")
        read[amount.currency] = amount
    return tuple(read.values())


def _read_amounts(amounts: Money | Iterable[Money]) -> tuple[Money, ...]:
    read = one_for_each_currency("amount", amounts)
    if not read:
        raise ValidationError("amount", amounts, "at least one Money")
    return read


@frozen
class PercentOff:
    """A part of what the lines come to, in per cent: above 0, at most 100, up to 10 decimals.

    Raises `ValidationError` for another value, `TypeError` for a float.

    >>> PercentOff("12.50")
    PercentOff(percent=Decimal('12.5'))
    """

    percent: Decimal = field(converter=_read_percent)


@frozen
class AmountOff:
    """A fixed amount, stated once for each currency in which it can be had; one may stand alone.

    Raises `ValidationError` unless there is one and each is above zero, of a currency of its own.

    >>> AmountOff((Money.of("5.00", "EUR"), Money.of("6.00", "USD"))).minor_in(Currency.of("USD"))
    600
    >>> AmountOff(Money.of("5.00", "EUR")).minor_in(Currency.of("USD"))
    0
    """

    amounts: tuple[Money, ...] = field(converter=_read_amounts)

    def minor_in(self, currency: Currency) -> int:
        """Return the amount in minor units of a currency; 0 if none is stated for it."""
        for amount in self.amounts:
            if amount.currency == currency:
                return amount.minor
        return 0


DiscountTerms: TypeAlias = PercentOff | AmountOff


@frozen
class Discount:
    """What a coupon takes off, and from the lines of which products; none named means all."""

    coupon: CouponId
    name: str
    terms: DiscountTerms
    products: tuple[ProductId, ...] = ()


@frozen
class Discountable:
    """What the discounts of one line depend on: its amount as priced, and what it sells.

    A line that sells no product of the catalogue is in the scope only of discounts on all lines.
    """

    amount_minor: int
    product: ProductId | None = None

    def __attrs_post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            kind = type(self.amount_minor).__name__
            raise TypeError(f"amount_minor: an int of minor units, not a {kind}")


@frozen
class DiscountShare:
    """What one line has of a discount, in minor units, above zero."""

    coupon: CouponId
    name: str
    amount_minor: int


def spread(
    lines: Sequence[Discountable], discounts: Sequence[Discount], currency: Currency
) -> tuple[tuple[DiscountShare, ...], ...]:
    """Share out discounts over lines; returns each line's shares, in the order of the discounts.

    Discounts chain: each is on what the earlier ones left. A percentage is taken of what is left of
    all lines in scope together and rounded once, half away from zero; an amount is at most what is
    left of them, and one that is not stated in `currency` gives nothing. Either is split in
    proportion to what is left of each line, by largest remainder, of equal remainders the earlier.

    Law: the shares of a discount add up to it, and no line goes below zero. Lines of zero and below
    take no part; shares of zero are left out.

    >>> EUR = Currency.of("EUR")
    >>> lines = [Discountable(1000), Discountable(2000)]
    >>> welcome = Discount(CouponId("welcome"), "Welcome", AmountOff(Money.of("5.00", "EUR")))
    >>> half = Discount(CouponId("half"), "Half price", PercentOff(50))
    >>> for shares in spread(lines, [welcome, half], EUR):
    ...     print([(share.name, share.amount_minor) for share in shares])
    [('Welcome', 167), ('Half price', 417)]
    [('Welcome', 333), ('Half price', 833)]
    """
    if not discounts:
        return ((),) * len(lines)
    left = [line.amount_minor for line in lines]
    shares: list[list[DiscountShare]] = [[] for _ in lines]
    for discount in discounts:
        scope = [
            i
            for i, line in enumerate(lines)
            if left[i] > 0 and covers(discount.products, line.product)
        ]
        weights = [left[i] for i in scope]
        amount_minor = _amount_minor(discount.terms, sum(weights), currency)
        if amount_minor == 0:
            continue
        for i, share_minor in zip(scope, allocate_minor(amount_minor, weights), strict=True):
            if share_minor:
                shares[i].append(DiscountShare(discount.coupon, discount.name, share_minor))
                left[i] -= share_minor
    return tuple([tuple(each) for each in shares])


def covers(products: Sequence[ProductId], product: ProductId | None) -> bool:
    """Return whether what is for some products, or with none named for all, is for this one."""
    return not products or product in products


def _amount_minor(terms: DiscountTerms, left_minor: int, currency: Currency) -> int:
    match terms:
        case PercentOff(percent=percent):
            numerator, denominator = percent.as_integer_ratio()
            return round_fraction(left_minor * numerator, denominator * 100)
        case AmountOff():
            return min(terms.minor_in(currency), left_minor)
        case other:
            assert_never(other)
