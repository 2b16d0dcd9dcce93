"""Prices: what a quantity costs under a price model.

Decided here: how each model turns a quantity into an amount, exactly, and then into money in one
rounding at the end. Never here: which currency a price has (the catalogue says that), discounts,
tax, or the part of a period that is billed.

A model is a value without a currency: `PerUnit("4.99")` is 4.99 of whichever major unit it meets.
A further model is one more class in the union `PriceModel` and one more case in `amount_minor` and
`explain`, which the type checkers ask for.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final, TypeAlias, assert_never

from attrs import field, frozen

from subscriptions.errors import ValidationError
from subscriptions.money import Currency, Money, Rounding, read_decimal, round_fraction

MOST_PLACES: Final = 12
"""How many decimals a unit price and a quantity may have."""

_MOST_PRICE: Final = 10**15
_MOST_QUANTITY: Final = 10**18
# Enough for the product of the largest quantity and the largest price with all their decimals.
_EXACT: Final = Context(prec=80)


def _read_price(price: str | int | Decimal) -> Decimal:
    value = read_decimal(price, field="price", max_places=MOST_PLACES)
    if not 0 <= value <= _MOST_PRICE:
        raise ValidationError("price", price, "an amount of at least 0 and at most 10**15")
    return value


@frozen
class Flat:
    """One amount for the period, whatever the quantity: for 0, 1 and 1000 units alike.

    The amount is a str, int or `Decimal` in major units, at least 0, with up to 12 decimals.
    Raises `ValidationError` for others and `TypeError` for floats.

    >>> Flat("29.00").amount(3, "EUR")
    Money.of("29.00", "EUR")
    """

    price: Decimal = field(converter=_read_price)
    ratio: tuple[int, int] = field(init=False, eq=False, repr=False)
    """The price as a fraction of ints, for loops."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "ratio", self.price.as_integer_ratio())

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the quantity costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, rounding=rounding)


@frozen
class PerUnit:
    """A price for each unit: quantity times unit price, rounded once.

    The unit price is a str, int or `Decimal` in major units, at least 0, with up to 12 decimals.
    Raises `ValidationError` for others and `TypeError` for floats.

    >>> PerUnit("0.0005").amount(1010, "EUR")
    Money.of("0.51", "EUR")
    """

    unit_price: Decimal = field(converter=_read_price)
    ratio: tuple[int, int] = field(init=False, eq=False, repr=False)
    """The price as a fraction of ints, for loops."""

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "ratio", self.unit_price.as_integer_ratio())

    def amount(
        self,
        quantity: int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding = Rounding.HALF_UP,
    ) -> Money:
        """Return what the quantity costs, with the law and the errors of `amount`."""
        return amount(self, quantity, currency, rounding=rounding)


PriceModel: TypeAlias = Flat | PerUnit


def amount(
    model: PriceModel,
    quantity: int | Decimal,
    currency: Currency | str,
    *,
    rounding: Rounding = Rounding.HALF_UP,
) -> Money:
    """Return what a quantity costs under a model, rounded once to the currency's minor unit.

    Raises `ValidationError` for a negative quantity, one of more than 12 decimals or above 10**18,
    and for an amount beyond the limit of `Money`; `TypeError` for a float.

    >>> amount(PerUnit("4.99"), 3, "EUR")
    Money.of("14.97", "EUR")
    """
    unit = Currency.of(currency)
    return Money(amount_minor(model, quantity, unit.exponent, rounding), unit)


def amount_minor(
    model: PriceModel,
    quantity: int | Decimal,
    exponent: int,
    rounding: Rounding = Rounding.HALF_UP,
) -> int:
    """Return what a quantity costs in minor units of `exponent` decimals: `amount` for hot loops.

    The errors are those of `amount`, but for the limit of `Money`.

    >>> amount_minor(PerUnit("4.99"), 3, 2)
    1497
    """
    if type(quantity) is int and 0 <= quantity <= _MOST_QUANTITY:
        units, part = quantity, 1
    else:
        units, part = _read_quantity(quantity).as_integer_ratio()
    match model:
        case PerUnit():
            price, each = model.ratio
        case Flat():
            price, each = model.ratio
            units = part = 1
        case _:
            assert_never(model)
    return round_fraction(price * units * 10**exponent, each * part, rounding)


@frozen
class PricePart:
    """One line of the arithmetic behind an amount, before the rounding.

    `quantity × unit_price = amount`, exactly; the parts of one price add up to the amount that is
    then rounded once.
    """

    quantity: Decimal
    unit_price: Decimal
    amount: Decimal


def explain(model: PriceModel, quantity: int | Decimal) -> tuple[PricePart, ...]:
    """Return the arithmetic of a price as parts whose exact sum is what `amount` rounds.

    The errors are those of `amount`.

    >>> explain(PerUnit("0.0005"), 1010)[0].amount
    Decimal('0.5050')
    """
    units = _read_quantity(quantity)
    match model:
        case PerUnit():
            return (_part(units, model.unit_price),)
        case Flat():
            return (_part(Decimal(1), model.price),)
        case _:
            assert_never(model)


def _part(quantity: Decimal, unit_price: Decimal) -> PricePart:
    # Not `quantity * unit_price`: that would round to whatever precision the host has set.
    return PricePart(quantity, unit_price, _EXACT.multiply(quantity, unit_price))


def _read_quantity(quantity: int | Decimal) -> Decimal:
    value = read_decimal(quantity, field="quantity", max_places=MOST_PLACES)
    if not 0 <= value <= _MOST_QUANTITY:
        raise ValidationError("quantity", quantity, "a number of at least 0 and at most 10**18")
    return value
