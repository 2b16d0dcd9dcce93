"""Values: how days, amounts, intervals and the like are written in a file.

Each function returns what a cell says, or raises `ValidationError` with what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final

from subscriptions.billing_cycles import Interval
from subscriptions.errors import ValidationError
from subscriptions.money import Currency, Money, read_decimal
from subscriptions.taxes import TaxBehavior

_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_EXPECTED: Final = "a day such as 2027-01-31"
_DAY_OF_MONTH: Final = re.compile(r"[1-9]|[12][0-9]|3[01]")
_INTERVAL: Final = re.compile(r"(?:([1-9][0-9]{0,4}) ?)?(day|week|month|year)s?")
_ADVERBS: Final = {
    "daily": Interval.days(1),
    "weekly": Interval.weeks(1),
    "monthly": Interval.months(1),
    "quarterly": Interval.months(3),
    "yearly": Interval.years(1),
    "annually": Interval.years(1),
}
_UNITS: Final[dict[str, Callable[[int], Interval]]] = {
    "day": Interval.days,
    "week": Interval.weeks,
    "month": Interval.months,
    "year": Interval.years,
}


def text_of(value: object) -> str:
    """Return a text; a number or a list is none."""
    if not isinstance(value, str):
        raise ValidationError("value", value, "a text")
    return value


def day_of(value: object) -> date:
    """Return a day written as ISO 8601 has it: year, month, day, with hyphens."""
    if not isinstance(value, str) or not _ISO_DAY.fullmatch(value):
        raise ValidationError("day", value, _DAY_EXPECTED)
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValidationError("day", value, f"{_DAY_EXPECTED}; there is no such day") from None


def anchor_of(value: object) -> date | int:
    """Return a day, or a day of the month as an int."""
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and _DAY_OF_MONTH.fullmatch(text):
        return int(text)
    try:
        return day_of(text)
    except ValidationError:
        expected = f"{_DAY_EXPECTED}, or a day of the month, 1 to 31"
        raise ValidationError("anchor", value, expected) from None


def interval_of(value: object) -> Interval:
    """Return an interval, as people write it."""
    text = text_of(value).lower()
    if text in _ADVERBS:
        return _ADVERBS[text]
    match = _INTERVAL.fullmatch(text)
    if match is None:
        raise ValidationError("interval", value, "day, week, month or year, such as '3 months'")
    return _UNITS[match[2]](int(match[1] or 1))


def amount_of(value: object, currency: Currency | None) -> Money | None:
    """Return an amount that is exact in its currency; None while nobody knows the currency."""
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        raise ValidationError("amount", value, "a decimal number such as 29.00")
    if currency is None:
        read_decimal(value, field="amount")
        return None  # the currency is wrong, and that is noted
    amount = Money.of(value, currency)
    if amount.minor < 0:
        raise ValidationError("amount", value, "not negative")
    return amount


def quantity_of(value: object) -> int | Decimal:
    """Return a quantity above zero, an int if it is whole."""
    if not isinstance(value, str | int | Decimal) or isinstance(value, bool):
        raise ValidationError("quantity", value, "a number such as 3 or 2.5")
    number = read_decimal(value, field="quantity", max_places=12)
    if not 0 < number <= 10**12:
        raise ValidationError("quantity", value, "more than zero, at most 10**12")
    return int(number) if number == number.to_integral_value() else number


def behavior_of(value: object) -> TaxBehavior:
    """Return whether a price contains its tax."""
    try:
        return TaxBehavior(text_of(value).lower())
    except ValueError:
        raise ValidationError("tax_behavior", value, "'exclusive' or 'inclusive'") from None
