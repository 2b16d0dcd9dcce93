"""The numbers that prices are made of: what is read, and the grain in which they are counted.

Decided here: every price, quantity and rate has at most 12 decimals, so that it is a whole number
of *picos* (10**-12) and the product of two is a whole number of 10**-24. All arithmetic of prices
is on those ints: exact, and without a common denominator to look for. Never here: rounding.
"""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Final

from subscriptions.errors import ValidationError
from subscriptions.money import read_decimal

MOST_PLACES: Final = 12
"""How many decimals a unit price and a quantity may have."""

PICO: Final = 10**MOST_PLACES
"""How many picos are one."""

COST: Final = PICO * PICO
"""How many units of a cost, the product of two numbers in picos, are one."""

# Enough for the product of the largest quantity and the largest price with all their decimals.
EXACT: Final = Context(prec=80)

MOST_QUANTITY: Final = 10**18
_MOST_PRICE: Final = 10**15
# A rate is divided by a hundred, which must leave no more than 12 decimals.
_MOST_RATE_PLACES: Final = MOST_PLACES - 2


def read_price(price: str | int | Decimal, name: str = "price") -> Decimal:
    """Read an amount in major units, of at least 0 and at most 10**15."""
    value = read_decimal(price, field=name, max_places=MOST_PLACES)
    if not 0 <= value <= _MOST_PRICE:
        raise ValidationError(name, price, "an amount of at least 0 and at most 10**15")
    return value


def read_quantity(quantity: str | int | Decimal, name: str = "quantity") -> Decimal:
    """Read a number of units, or a turnover, of at least 0 and at most 10**18."""
    value = read_decimal(quantity, field=name, max_places=MOST_PLACES)
    if not 0 <= value <= MOST_QUANTITY:
        raise ValidationError(name, quantity, "a number of at least 0 and at most 10**18")
    return value


def read_size(size: str | int | Decimal, name: str) -> Decimal:
    """Read a number of units above 0."""
    value = read_quantity(size, name)
    if not value:
        raise ValidationError(name, size, "a number above 0")
    return value


def read_rate(rate: str | int | Decimal) -> Decimal:
    """Read a rate in per cent, of at least 0 and at most 100, with up to 10 decimals."""
    value = read_decimal(rate, field="rate", max_places=_MOST_RATE_PLACES)
    if not 0 <= value <= 100:  # noqa: PLR2004 - per cent
        raise ValidationError("rate", rate, "per cent, at least 0 and at most 100")
    return value


def read_count(count: int, name: str) -> int:
    """Read a whole number of at least 0 and at most 10**18."""
    if type(count) is not int:
        raise TypeError(f"{name}: pass an int, never a {type(count).__name__}: {count!r}")
    if not 0 <= count <= MOST_QUANTITY:
        raise ValidationError(name, count, "a whole number of at least 0 and at most 10**18")
    return count


def in_picos(value: Decimal) -> int:
    """Return a number of at most 12 decimals in picos.

    >>> in_picos(Decimal("0.000000000001")), in_picos(Decimal(2))
    (1, 2000000000000)
    """
    return int(EXACT.scaleb(value, MOST_PLACES))


def from_picos(picos: int) -> Decimal:
    """Return a number of picos, written with no more decimals than it needs.

    >>> from_picos(1_500_000_000_000), from_picos(100 * PICO)
    (Decimal('1.5'), Decimal('100'))
    """
    whole, rest = divmod(picos, PICO)
    if not rest:
        return Decimal(whole)
    return EXACT.normalize(EXACT.scaleb(Decimal(picos), -MOST_PLACES))


def factor(rate: Decimal) -> Decimal:
    """Return a rate in per cent as what a turnover is multiplied by.

    >>> factor(Decimal("1.5"))
    Decimal('0.015')
    """
    return EXACT.scaleb(rate, -2)
