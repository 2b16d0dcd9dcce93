"""Proration: what part of a period costs.

Decided here: how a period's amount is cut at a day or an instant, so that the parts add up to it,
and what is counted, days or seconds. Never here: which amounts are credited or debited when a
subscription changes, the calendar itself, or a clock.

A period is cut by rounding where the cut is, not by rounding the pieces: the amount up to the cut
is rounded, and a piece is the difference of two cuts. So the pieces of any cutting add up.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from attrs import frozen

from subscriptions.billing_cycles import Period, first_instant, local_date
from subscriptions.errors import ValidationError
from subscriptions.money import Money, round_fraction


class ProrationUnit(StrEnum):
    """What is counted: the numerator and the denominator of the part that is used."""

    DAY = "day"
    """Local days. The day of a change belongs to what comes after it."""
    SECOND = "second"
    """Seconds between local midnights, so that a day of 23 or 25 hours counts as it is."""


@frozen
class Prorated:
    """An amount in two parts, before and from a moment of its period, and the count behind them.

    Law: `used + unused` is the amount. `used` is `numerator / denominator` of it, rounded half away
    from zero; `unused` is the rest.
    """

    used: Money
    unused: Money
    numerator: int
    """How many units lie before the moment."""
    denominator: int
    """How many units the period has."""
    unit: ProrationUnit


def prorate(
    amount: Money,
    period: Period,
    at: date | datetime,
    *,
    unit: ProrationUnit = ProrationUnit.DAY,
    zone: str = "UTC",
) -> Prorated:
    """Cut the amount of a period in what is used before `at` and what is unused from then on.

    A date is the first instant of that day; an instant, counted in days, is the day it is in. Both
    ends are allowed: at the start nothing is used, at the end nothing is left. Fractions of a
    second are dropped. A negative amount is cut as the mirror of the positive one.

    Raises `ValidationError` for an `at` outside the period, an instant without a UTC offset and an
    unknown zone.

    >>> year_end = Period(date(2025, 12, 15), date(2026, 1, 15))
    >>> parts = prorate(Money.of("31.00", "EUR"), year_end, date(2026, 1, 10))
    >>> str(parts.used), str(parts.unused), parts.numerator, parts.denominator
    ('26.00 EUR', '5.00 EUR', 26, 31)
    """
    if not isinstance(at, date):
        raise ValidationError("at", at, "a date or a datetime")
    if unit is ProrationUnit.DAY:
        day = local_date(at, zone) if isinstance(at, datetime) else at
        if not period.start <= day <= period.end:
            raise _outside(at, period)
        numerator = (day - period.start).days
        denominator = (period.end - period.start).days
    elif unit is ProrationUnit.SECOND:
        numerator, denominator = _seconds(period, at, zone)
    else:
        raise ValidationError("unit", unit, "a ProrationUnit")
    minor, currency = amount.minor, amount.currency
    used = prorate_minor(minor, numerator, denominator)
    return Prorated(
        Money(used, currency), Money(minor - used, currency), numerator, denominator, unit
    )


def prorate_minor(minor: int, numerator: int, denominator: int) -> int:
    """Return the used part in minor units; the unused one is `minor` less it.

    Half away from zero, which for two parts is the largest remainder with ties to the earlier.

    >>> prorate_minor(3100, 26, 31)
    2600
    """
    return round_fraction(minor * numerator, denominator)


def stub(amount: Money, *, part: Period, of: Period) -> Money:
    """Return what a part of a period costs, by days: a first stub, or the days between two changes.

    Law: the stubs of parts that together make up the period add up to its amount, and the stub from
    a day to the end is what `prorate` calls unused on that day.

    Raises `ValidationError` unless the part lies within the period.

    >>> whole = Period(date(2025, 12, 15), date(2026, 1, 15))
    >>> stub(Money.of("31.00", "EUR"), part=Period(date(2026, 1, 10), date(2026, 1, 15)), of=whole)
    Money.of("5.00", "EUR")
    """
    if not (of.start <= part.start and part.end <= of.end):
        raise ValidationError("part", part, f"a part of {of}")
    minor, days = amount.minor, of.days
    until_end = prorate_minor(minor, (part.end - of.start).days, days)
    until_start = prorate_minor(minor, (part.start - of.start).days, days)
    return Money(until_end - until_start, amount.currency)


def _seconds(period: Period, at: date | datetime, zone: str) -> tuple[int, int]:
    start, end = first_instant(period.start, zone), first_instant(period.end, zone)
    if isinstance(at, datetime):
        if at.utcoffset() is None:
            raise ValidationError("at", at, "a datetime with a UTC offset")
        moment = at
    else:
        moment = first_instant(at, zone)
    if not start <= moment <= end:
        raise _outside(at, period)
    if start == end:
        # Apia skipped 30 December 2011: a period of that day alone has no second to count.
        raise ValidationError("period", period, f"a period that has a second in {zone}")
    return int((moment - start).total_seconds()), int((end - start).total_seconds())


def _outside(at: date | datetime, period: Period) -> ValidationError:
    return ValidationError("at", at, f"a moment within {period}")
