"""Money: an integer of minor units and a currency, and the few ways in which it may be rounded.

Decided here: what may be done with an amount, and how it is shared out so that the shares add up;
in `currencies`, what a minor unit is; in `decimals`, how a number becomes whole minor units. Never
here: a binary float, a conversion between currencies, or a text for people.

Loops over many amounts work on plain ints (`allocate_minor`, `round_fraction`) and make `Money` at
the edges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Final, NoReturn, final

from subscriptions.errors import CurrencyMismatch, ValidationError
from subscriptions.frozen import frozen
from subscriptions.money.currencies import CHF, EUR, GBP, JPY, USD, Currency
from subscriptions.money.decimals import (
    Rounding,
    decimal_places,
    minor_to_decimal,
    minor_to_text,
    read_decimal,
    read_minor,
    round_decimal_to_minor,
    round_fraction,
)

__all__ = [
    "CHF",
    "EUR",
    "GBP",
    "JPY",
    "MINOR_LIMIT",
    "USD",
    "Currency",
    "Money",
    "Rounding",
    "allocate_minor",
    "decimal_places",
    "minor_to_decimal",
    "minor_to_text",
    "read_decimal",
    "read_minor",
    "round_decimal_to_minor",
    "round_fraction",
    "total",
]

# Nothing beyond this fits a BIGINT, and both signs must fit: -(-2**63) would not.
MINOR_LIMIT: Final = 2**63 - 1


@final
@frozen(init=False, repr=False)
class Money:
    """An amount in whole minor units of one currency; exact, hashable, ordered in its currency.

    `+`, `-`, `abs`, `*` by an int and comparison keep exactness. There is no division and no
    multiplication by a fraction: what is cut must add up again, so use `split` or `allocate`.

    Raises `ValidationError` beyond ±(2**63 − 1) minor units, `TypeError` for anything but an int.

    >>> Money(1999, EUR) == Money.of("19.99", "EUR")
    True
    >>> str(Money.of("29.00", "EUR") * 3)
    '87.00 EUR'
    """

    minor: int
    currency: Currency

    def __init__(self, minor: int, currency: Currency) -> None:
        if type(minor) is not int or type(currency) is not Currency:
            _refuse_parts(minor, currency)
        if not -MINOR_LIMIT <= minor <= MINOR_LIMIT:
            raise ValidationError("minor", minor, "at most 2**63 - 1 minor units either way")
        _set_minor(self, minor)
        _set_currency(self, currency)

    @classmethod
    def of(
        cls,
        amount: str | int | Decimal,
        currency: Currency | str,
        *,
        rounding: Rounding | None = None,
    ) -> Money:
        """Read an amount in major units: exactly, or rounded if a rounding is named.

        A text is plain decimal notation. Without `rounding` it may not have more decimals than the
        currency, not even zeros: whether "29.000" means 29 or 29000 depends on who typed it. A
        `Decimal` is taken by value, so a database's `Decimal("29.0000")` is 29.00.

        Raises `ValidationError` for more decimals, other notations, NaN and infinities;
        `TypeError` for floats and bools.

        >>> Money.of("29.00", "EUR")
        Money.of("29.00", "EUR")
        >>> Money.of("0.125", "EUR", rounding=Rounding.HALF_EVEN)
        Money.of("0.12", "EUR")
        """
        unit = Currency.of(currency)
        if rounding is not None:
            value = read_decimal(amount, field="amount")
            return cls(round_decimal_to_minor(value, unit.exponent, rounding), unit)
        return cls(read_minor(amount, unit.exponent), unit)

    @classmethod
    def zero(cls, currency: Currency | str) -> Money:
        """Return nothing of a currency: the start of a `sum`.

        >>> sum([Money.of(1, "EUR"), Money.of(2, "EUR")], Money.zero("EUR"))
        Money.of("3.00", "EUR")
        """
        return cls(0, Currency.of(currency))

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with exactly the currency's decimals.

        >>> Money(5, EUR).amount
        Decimal('0.05')
        """
        return minor_to_decimal(self.minor, self.currency.exponent)

    def split(self, parts: int) -> tuple[Money, ...]:
        """Share out in equal parts that add up to the amount; the earlier parts are the larger.

        A negative amount is split as the mirror of the positive one. Raises `ValidationError`
        unless `parts` is an int of at least 1.

        >>> [str(part) for part in Money.of("1.00", "EUR").split(3)]
        ['0.34 EUR', '0.33 EUR', '0.33 EUR']
        """
        if type(parts) is not int or parts < 1:
            raise ValidationError("parts", parts, "a whole number of at least 1")
        share, larger = divmod(abs(self.minor), parts)
        sign = -1 if self.minor < 0 else 1
        low = Money(sign * share, self.currency)
        if not larger:
            return (low,) * parts
        return (Money(sign * (share + 1), self.currency),) * larger + (low,) * (parts - larger)

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Share out in proportion to the weights; the shares add up to the amount.

        The law, the rounding and the errors are those of `allocate_minor`.

        >>> [str(part) for part in Money.of("-0.05", "EUR").allocate([1, 0, 1])]
        ['-0.03 EUR', '0.00 EUR', '-0.02 EUR']
        """
        currency = self.currency
        return tuple([Money(share, currency) for share in allocate_minor(self.minor, weights)])

    def __add__(self, other: Money) -> Money:
        if type(other) is not Money:
            return NotImplemented
        currency = self.currency
        if other.currency is not currency:
            raise CurrencyMismatch(currency.code, other.currency.code)
        return Money(self.minor + other.minor, currency)

    def __sub__(self, other: Money) -> Money:
        if type(other) is not Money:
            return NotImplemented
        currency = self.currency
        if other.currency is not currency:
            raise CurrencyMismatch(currency.code, other.currency.code)
        return Money(self.minor - other.minor, currency)

    def __mul__(self, times: int) -> Money:
        if type(times) is not int:
            kind = type(times).__name__
            raise TypeError(
                f"money is multiplied by an int only, not by {kind}: parts made with split() or "
                "allocate() add up to the whole, rounded products do not"
            )
        return Money(self.minor * times, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __pos__(self) -> Money:
        return self

    def __abs__(self) -> Money:
        return Money(abs(self.minor), self.currency)

    def __bool__(self) -> bool:
        return self.minor != 0

    def __lt__(self, other: Money) -> bool:
        if type(other) is not Money:
            return NotImplemented
        return self.minor < _same_currency(self, other).minor

    def __le__(self, other: Money) -> bool:
        if type(other) is not Money:
            return NotImplemented
        return self.minor <= _same_currency(self, other).minor

    def __gt__(self, other: Money) -> bool:
        if type(other) is not Money:
            return NotImplemented
        return self.minor > _same_currency(self, other).minor

    def __ge__(self, other: Money) -> bool:
        if type(other) is not Money:
            return NotImplemented
        return self.minor >= _same_currency(self, other).minor

    def __str__(self) -> str:
        return f"{minor_to_text(self.minor, self.currency.exponent)} {self.currency.code}"

    def __repr__(self) -> str:
        amount = minor_to_text(self.minor, self.currency.exponent)
        return f'Money.of("{amount}", "{self.currency.code}")'


def total(moneys: Iterable[Money], currency: Currency | str) -> Money:
    """Add up amounts of one currency; nothing adds up to zero of it.

    Raises `CurrencyMismatch` if one of them has another currency.

    >>> total([Money.of("1.10", "EUR"), Money.of("2.20", "EUR")], "EUR")
    Money.of("3.30", "EUR")
    """
    unit = Currency.of(currency)
    minor = 0
    for money in moneys:
        if money.currency is not unit:
            raise CurrencyMismatch(unit.code, money.currency.code)
        minor += money.minor
    return Money(minor, unit)


def allocate_minor(minor: int, weights: Sequence[int]) -> list[int]:
    """Share out minor units in proportion to the weights; the shares add up to `minor`.

    Largest remainder, ties to the earlier part: each share is its exact value rounded down or up,
    and a weight of zero gets zero. A negative sum is shared as the mirror of the positive one, so
    that a credit cancels the charge it reverses.

    Raises `ValidationError` if the weights are empty, all zero, negative or not ints.

    >>> allocate_minor(500, [10, 20])
    [167, 333]
    >>> allocate_minor(-500, [10, 20])
    [-167, -333]
    """
    if type(minor) is not int:
        raise TypeError(f"minor: an int, not a {type(minor).__name__}: {minor!r}")
    whole = 0
    for weight in weights:
        if type(weight) is not int or weight < 0:
            raise ValidationError("weights", weights, "whole numbers of at least 0")
        whole += weight
    if whole == 0:
        raise ValidationError("weights", weights, "at least one weight above 0")
    if len(weights) == 1:
        return [minor]
    size = abs(minor)
    shares = [size * weight // whole for weight in weights]
    missing = size - sum(shares)
    if missing:
        # The sort is stable, so of equal remainders the earlier comes first.
        order = sorted(range(len(weights)), key=lambda i: -(size * weights[i] % whole))
        for i in order[:missing]:
            shares[i] += 1
    return shares if minor >= 0 else [-share for share in shares]


def _refuse_parts(minor: object, currency: object) -> NoReturn:
    if type(minor) is not int:
        kind = type(minor).__name__
        raise TypeError(f"minor: an int of minor units, not a {kind}; Money.of reads 29.00")
    raise TypeError(f"currency: a Currency, not a {type(currency).__name__}; Money.of reads codes")


def _same_currency(left: Money, right: Money) -> Money:
    if right.currency is not left.currency:
        raise CurrencyMismatch(left.currency.code, right.currency.code)
    return right


# Frozen objects are filled through their slots. This is what attrs generates, less one lookup.
_set_minor: Callable[[Money, int], None] = Money.__dict__["minor"].__set__
_set_currency: Callable[[Money, Currency], None] = Money.__dict__["currency"].__set__
