"""From a quantity to money: the one place where a price is rounded, and rounded once.

Every model has a `cost`: what a quantity in picos costs, exactly, as a whole number of 10**-24.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from subscriptions.money import Currency, Money, Rounding, round_fraction
from subscriptions.pricing.numbers import COST, MOST_QUANTITY, PICO, in_picos, read_quantity
from subscriptions.pricing.turnover import Events

if TYPE_CHECKING:
    from subscriptions.pricing.models import PriceModel


def amount(
    model: PriceModel,
    quantity: int | Decimal,
    currency: Currency | str,
    *,
    events: Events | None = None,
    rounding: Rounding = Rounding.HALF_UP,
) -> Money:
    """Return what a quantity costs under a model, rounded once to the currency's minor unit.

    `events` says what a turnover is made of: how many events, or the amount of each, which must add
    up to the quantity. Only percentages look at it.

    Raises `ValidationError` for a negative quantity, one of more than 12 decimals or above 10**18,
    for events that do not fit the quantity or are not enough for the model, and for an amount
    beyond the limit of `Money`; `TypeError` for a float.

    >>> from subscriptions.pricing import PerUnit
    >>> amount(PerUnit("4.99"), 3, "EUR")
    Money.of("14.97", "EUR")
    """
    unit = Currency.of(currency)
    return Money(amount_minor(model, quantity, unit.exponent, rounding, events=events), unit)


def amount_minor(
    model: PriceModel,
    quantity: int | Decimal,
    exponent: int,
    rounding: Rounding = Rounding.HALF_UP,
    *,
    events: Events | None = None,
) -> int:
    """Return what a quantity costs in minor units of `exponent` decimals: `amount` for hot loops.

    The errors are those of `amount`, but for the limit of `Money`.

    >>> amount_minor(PerUnit("4.99"), 3, 2)
    1497
    """
    if type(quantity) is int and 0 <= quantity <= MOST_QUANTITY:
        units = quantity * PICO
    else:
        units = in_picos(read_quantity(quantity))
    return round_fraction(model.cost(units, events) * 10**exponent, COST, rounding)


def exact_amount(
    model: PriceModel, quantity: int | Decimal, *, events: Events | None = None
) -> Fraction:
    """Return what a quantity costs before the rounding, in major units, for further arithmetic.

    The errors are those of `amount`, but for the limit of `Money`.

    >>> exact_amount(PerUnit("0.0005"), 1010)
    Fraction(101, 200)
    """
    return Fraction(model.cost(in_picos(read_quantity(quantity)), events), COST)
