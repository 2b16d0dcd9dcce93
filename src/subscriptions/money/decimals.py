"""Decimals: how numbers from outside become whole minor units, and how those are written.

Decided here: which notations are read, and the two ways in which a half is rounded. Never here: a
binary float, and the host's own decimal context, whose precision must not change a bill.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from subscriptions.errors import ValidationError

_WHOLE_DIGITS: Final = 30
_DECIMAL_EXPECTED: Final = 'a plain decimal number such as "29.00"'

# "29.00" and "-0.5"; never "1e5", " 1", "+1", "1_000", ".5", "NaN" or digits of other scripts.
_PLAIN_DECIMAL: Final = re.compile(r"(-?)([0-9]{1,30})(?:\.([0-9]{1,30}))?")

# Wide enough for every product this library makes, whatever precision the host has set for itself.
_WIDE: Final = Context(prec=100, traps=[InvalidOperation])


class Rounding(StrEnum):
    """How a half becomes a whole minor unit; stored with the document that used it."""

    HALF_UP = "half_up"
    """Half away from zero: 1.5 → 2, −1.5 → −2."""
    HALF_EVEN = "half_even"
    """Half to the even neighbour: 1.5 → 2, 2.5 → 2."""


def round_fraction(numerator: int, denominator: int, rounding: Rounding = Rounding.HALF_UP) -> int:
    """Round a fraction to the nearest whole number; `rounding` says what becomes of a half.

    Rounding a negative is the mirror of rounding the positive. Raises `ValidationError` unless the
    denominator is at least 1.

    >>> round_fraction(3, 2), round_fraction(-3, 2), round_fraction(5, 2, Rounding.HALF_EVEN)
    (2, -2, 2)
    """
    if denominator < 1:
        raise ValidationError("denominator", denominator, "a whole number of at least 1")
    if type(numerator) is not int:
        raise TypeError(f"numerator: an int, not a {type(numerator).__name__}: {numerator!r}")
    if numerator < 0:
        return -round_fraction(-numerator, denominator, rounding)
    if rounding is Rounding.HALF_UP:
        return (2 * numerator + denominator) // (2 * denominator)
    if rounding is not Rounding.HALF_EVEN:
        # "half_up" is equal to the member but is not it, and must not round another way unseen.
        raise ValidationError("rounding", rounding, "a Rounding")
    whole, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and whole % 2 == 1):
        return whole + 1
    return whole


def round_decimal_to_minor(
    value: Decimal, exponent: int, rounding: Rounding = Rounding.HALF_UP
) -> int:
    """Round an amount in major units to whole minor units of `exponent` decimals, in one step.

    Raises `ValidationError` for NaN, infinities and values of more than 30 whole digits.

    >>> round_decimal_to_minor(Decimal("-0.015"), 2)
    -2
    """
    if not value.is_finite() or value.adjusted() >= _WHOLE_DIGITS:
        raise ValidationError("value", value, _DECIMAL_EXPECTED)
    step = Decimal((0, (1,), -exponent))
    return int(_WIDE.scaleb(value.quantize(step, _DECIMAL_MODES[rounding], _WIDE), exponent))


def read_decimal(
    value: str | int | Decimal, *, field: str = "value", max_places: int | None = None
) -> Decimal:
    """Read an exact number from outside: plain decimal notation, an int or a finite `Decimal`.

    Raises `ValidationError`, naming `field`, for other notations, NaN, infinities, more than 30
    whole digits and more than `max_places` decimals that are not zero; `TypeError` for floats and
    bools, which are never exact amounts.

    >>> read_decimal("4.99", field="unit_price", max_places=12)
    Decimal('4.99')
    """
    if isinstance(value, (bool, float)):
        raise TypeError(_not_exact(field, value))
    if isinstance(value, str):
        if _PLAIN_DECIMAL.fullmatch(value) is None:
            raise ValidationError(field, value, _DECIMAL_EXPECTED)
        number = Decimal(value)
    elif isinstance(value, (int, Decimal)):
        number = Decimal(value)
    else:
        raise TypeError(_not_exact(field, value))
    if not number.is_finite() or number.adjusted() >= _WHOLE_DIGITS:
        raise ValidationError(field, value, _DECIMAL_EXPECTED)
    if max_places is not None and decimal_places(number) > max_places:
        raise ValidationError(field, value, f"at most {max_places} decimal places")
    return number


def decimal_places(value: Decimal) -> int:
    """Count the decimals that a finite number needs: none for 100, two for 1.2500.

    >>> decimal_places(Decimal("1.2500")), decimal_places(Decimal("1E+2"))
    (2, 0)
    """
    _, digits, exponent = value.as_tuple()
    places = -int(exponent)
    for digit in reversed(digits):
        if digit or places <= 0:
            break
        places -= 1
    return max(places, 0) if value else 0


def read_minor(amount: str | int | Decimal, exponent: int) -> int:
    """Read an amount in major units as whole minor units of `exponent` decimals, exactly.

    A text may not have more decimals than that, a `Decimal` none that are not zero; otherwise the
    errors are those of `read_decimal`.

    >>> read_minor("29.00", 2), read_minor(Decimal("29.0000"), 2)
    (2900, 2900)
    """
    if isinstance(amount, str):
        match = _PLAIN_DECIMAL.fullmatch(amount)
        if match is None:
            raise ValidationError("amount", amount, _DECIMAL_EXPECTED)
        sign, whole, decimals = match.groups(default="")
        if len(decimals) > exponent:
            raise _too_fine(amount, exponent)
        minor = int(whole + decimals.ljust(exponent, "0"))
        return -minor if sign else minor
    value = read_decimal(amount, field="amount")
    if decimal_places(value) > exponent:
        raise _too_fine(amount, exponent)
    return round_decimal_to_minor(value, exponent)


def minor_to_decimal(minor: int, exponent: int) -> Decimal:
    """Return minor units as an amount in major units, with exactly `exponent` decimals.

    >>> minor_to_decimal(2900, 2)
    Decimal('29.00')
    """
    return _WIDE.scaleb(Decimal(minor), -exponent)


def minor_to_text(minor: int, exponent: int) -> str:
    """Write minor units in plain decimal notation, as `read_minor` reads it.

    >>> minor_to_text(-5, 2), minor_to_text(5, 0)
    ('-0.05', '5')
    """
    sign = "-" if minor < 0 else ""
    if exponent == 0:
        return f"{sign}{abs(minor)}"
    whole, decimals = divmod(abs(minor), 10**exponent)
    return f"{sign}{whole}.{decimals:0{exponent}d}"


def _too_fine(amount: object, exponent: int) -> ValidationError:
    expected = f"at most {exponent} decimals, or a rounding"
    return ValidationError("amount", amount, expected)


def _not_exact(field: str, value: object) -> str:
    return f"{field}: pass a str, an int or a Decimal, never a {type(value).__name__}: {value!r}"


_DECIMAL_MODES: Final = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
}
