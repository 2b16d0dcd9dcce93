"""Proration: what part of a period costs.

Decided here: how a period's amount is cut at a day or an instant, so that the parts add up to it;
what is counted, days, seconds or thirtieths; and which choices a seller has. Never here: which
amounts are credited or debited when a subscription changes, the calendar itself, or a clock.

A period is cut by rounding where the cut is, not by rounding the pieces: the amount up to the cut
is rounded, and a piece is the difference of two cuts. So the pieces of any cutting add up.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeVar

from attrs import field

from subscriptions.billing_cycles import BillingCycle, Period, first_instant, local_date
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen
from subscriptions.money import Money, round_fraction


class ProrationUnit(StrEnum):
    """What is counted: the numerator and the denominator of the part that is used."""

    DAY = "day"
    """Local days. The day of a change belongs to what comes after it."""
    SECOND = "second"
    """Seconds between local midnights, so that a day of 23 or 25 hours counts as it is."""
    THIRTIETHS = "thirtieths"
    """Days of months that all have 30. Periods of days and weeks have no months to even out: there
    the days are counted."""


class Mode(StrEnum):
    """What becomes of the credits and debits of a change."""

    NONE = "none"
    """There are none: the change costs nothing until the next period."""
    NEXT_INVOICE = "next_invoice"
    """They wait for the next invoice."""
    INVOICE_NOW = "invoice_now"
    """They are invoiced at once."""


class Credit(StrEnum):
    """What a change gives back of what was charged before it."""

    UNUSED = "unused"
    """The part that is not used."""
    NONE = "none"
    """Nothing: only debits are made."""


class Cap(StrEnum):
    """What the credits on one line never exceed."""

    DEBITED = "debited"
    """What the line charged."""
    PAID = "paid"
    """What was really paid of it."""


class ChangeDay(StrEnum):
    """Whose the day of a change is, where days are counted; a second has one owner only."""

    NEW = "new"
    """The new configuration's: a change on a day counts from that day."""
    OLD = "old"
    """The old configuration's: a change on a day counts from the day after."""


_Choice = TypeVar("_Choice", bound=StrEnum)


def _choice(name: str, kind: type[_Choice], value: object) -> _Choice:
    # Two kinds have a "none", and a member of the one is no answer to the question of the other.
    if type(value) in {str, kind}:
        for member in kind:
            if member == value:
                return member
    texts = ", ".join(repr(member.value) for member in kind)
    raise ValidationError(name, value, f"a {kind.__name__}: {texts}")


def _mode(value: Mode | str) -> Mode:
    return _choice("mode", Mode, value)


def _unit(value: ProrationUnit | str) -> ProrationUnit:
    return _choice("unit", ProrationUnit, value)


def _credit(value: Credit | str) -> Credit:
    return _choice("credit", Credit, value)


def _cap(value: Cap | str) -> Cap:
    return _choice("cap", Cap, value)


def _change_day(value: ChangeDay | str) -> ChangeDay:
    return _choice("change_day", ChangeDay, value)


@frozen
class Proration:
    """How a change in the middle of a period is billed.

    Each choice is a member or its text. Raises `ValidationError`, which names the field, for
    anything else.

    >>> Proration(mode="invoice_now").mode
    <Mode.INVOICE_NOW: 'invoice_now'>
    """

    mode: Mode = field(default=Mode.NEXT_INVOICE, converter=_mode)
    unit: ProrationUnit = field(default=ProrationUnit.DAY, converter=_unit)
    credit: Credit = field(default=Credit.UNUSED, converter=_credit)
    cap: Cap = field(default=Cap.DEBITED, converter=_cap)
    change_day: ChangeDay = field(default=ChangeDay.NEW, converter=_change_day)

    def counts_from(self, at: date | datetime, *, zone: str = "UTC") -> date | datetime:
        """Return the moment from which a change at `at` counts, for `position` and `prorate`.

        Where seconds are counted, that is `at`; otherwise it is the local day, or the day after if
        the day of the change is the old configuration's.

        Raises `ValidationError` for what is neither a date nor an instant with a UTC offset, and
        for a day after the last of the calendar.

        >>> Proration(change_day=ChangeDay.OLD).counts_from(date(2026, 1, 10))
        datetime.date(2026, 1, 11)
        """
        if self.unit is ProrationUnit.SECOND:
            _check_moment("at", at)
            return at
        day = _local_day("at", at, zone)
        if self.change_day is ChangeDay.NEW:
            return day
        try:
            return day + _DAY
        except OverflowError:
            raise ValidationError("at", at, "a day before the last of the calendar") from None


DEFAULT: Final = Proration()
"""By days, credited for what is unused, on the next invoice."""


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
    cycle: BillingCycle | None = None,
) -> Prorated:
    """Cut the amount of a period in what is used before `at` and what is unused from then on.

    A date is the first instant of that day; an instant, counted in days, is the day it is in. Both
    ends are allowed: at the start nothing is used, at the end nothing is left. Fractions of a
    second are dropped. A negative amount is cut as the mirror of the positive one.

    Thirtieths need the cycle that the period is of, because 28 February to 31 March is a month only
    to an anchor on the 31st; days and seconds look at the period alone.

    Raises `ValidationError` for what is no `Money` or `Period`, an `at` outside the period, an
    instant without a UTC offset, an unknown zone, and thirtieths without a cycle or with one that
    the period is not of.

    >>> year_end = Period(date(2025, 12, 15), date(2026, 1, 15))
    >>> parts = prorate(Money.of("31.00", "EUR"), year_end, date(2026, 1, 10))
    >>> str(parts.used), str(parts.unused), parts.numerator, parts.denominator
    ('26.00 EUR', '5.00 EUR', 26, 31)
    """
    money: object = amount
    if not isinstance(money, Money):
        raise ValidationError("amount", money, "a Money, such as Money.of('31.00', 'EUR')")
    whole: object = period
    if not isinstance(whole, Period):
        raise ValidationError("period", whole, "a Period, such as Period(first, day_after_last)")
    minor, currency = amount.minor, amount.currency
    if unit is ProrationUnit.DAY:
        day = _day_within(period, at, zone)
        numerator = (day - period.start).days
        denominator = (period.end - period.start).days
    elif unit is ProrationUnit.SECOND:
        numerator, denominator = _seconds(period, at, zone)
    elif unit is ProrationUnit.THIRTIETHS:
        if cycle is None:
            raise ValidationError("cycle", cycle, "the cycle of the period, to count thirtieths")
        day = _day_within(period, at, zone)
        if period.start < cycle.anchor or cycle.period_containing(period.start) != period:
            raise ValidationError("cycle", cycle, f"a cycle that {period} is a period of")
        numerator, denominator = _thirtieths(cycle, period, day)
    else:
        raise ValidationError("unit", unit, "a ProrationUnit")
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


def position(
    cycle: BillingCycle,
    moment: date | datetime,
    *,
    unit: ProrationUnit = ProrationUnit.DAY,
    zone: str = "UTC",
) -> Fraction:
    """Return where a moment is in a cycle: the number of its period, and the part of it used.

    Law: `position(cycle, cycle.start(n))` is `n`, whatever is counted, and a later moment is never
    earlier; a later day is later where days are counted. What two positions of one cycle are apart
    is what `between` charges for. Where thirtieths are counted, the 30th and the 31st are one day,
    and a period is used up when it ends, not a day before.

    A date is the first instant of that day; an instant, counted in days or thirtieths, is the local
    day it is in. Fractions of a second are dropped.

    Raises `ValidationError` for a moment before the anchor or in a period that ends after the year
    9999, an instant without a UTC offset and an unknown zone.

    >>> from subscriptions.billing_cycles import Interval
    >>> cycle = BillingCycle(date(2025, 12, 15), Interval.months(1))
    >>> position(cycle, date(2026, 1, 10)), position(cycle, date(2026, 1, 15))
    (Fraction(26, 31), Fraction(1, 1))
    >>> position(cycle, date(2026, 1, 10), unit=ProrationUnit.THIRTIETHS)
    Fraction(5, 6)
    """
    if unit is ProrationUnit.DAY:
        day = _local_day("moment", moment, zone)
        n = _index(cycle, day, moment)
        period = cycle.period(n)
        used, whole = (day - period.start).days, (period.end - period.start).days
    elif unit is ProrationUnit.SECOND:
        n, used, whole = _second_in(cycle, moment, zone)
    elif unit is ProrationUnit.THIRTIETHS:
        day = _local_day("moment", moment, zone)
        n = _index(cycle, day, moment)
        used, whole = _thirtieths(cycle, cycle.period(n), day)
    else:
        raise ValidationError("unit", unit, "a ProrationUnit")
    return Fraction(n * whole + used, whole)


def between(whole_minor: int, begin: Fraction, end: Fraction) -> int:
    """Return what the way from one `position` to another costs, where a period costs `whole_minor`.

    Law: it is the amount up to the end less the amount up to the beginning, each rounded half away
    from zero. So `between(a, b) + between(b, c)` is `between(a, c)`, in whatever order they lie;
    `k` periods from a period's start are `k * whole_minor`; and a negative amount is the mirror.

    >>> between(3100, Fraction(26, 31), Fraction(1)), between(3100, Fraction(1), Fraction(4))
    (500, 9300)
    """
    until_end = round_fraction(whole_minor * end.numerator, end.denominator)
    return until_end - round_fraction(whole_minor * begin.numerator, begin.denominator)


_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_MONTH: Final = 30


def _thirtieths(cycle: BillingCycle, period: Period, day: date) -> tuple[int, int]:
    months = cycle.every.step_months
    if not months:
        return (day - period.start).days, period.days
    whole = _MONTH * months
    if day == period.end:
        return whole, whole
    start = period.start
    passed = (day.year - start.year) * 12 + day.month - start.month
    # The anchor's day and not the start's: to the 31st, February began its period on its 31st.
    used = passed * _MONTH + min(day.day, _MONTH) - min(cycle.anchor.day, _MONTH)
    # 28 February, to the 31st, comes before the period's first day, and 30 March is its last day,
    # though it counts as the 31st does.
    return max(0, min(used, whole - 1)), whole


def _second_in(cycle: BillingCycle, moment: date | datetime, zone: str) -> tuple[int, int, int]:
    day = _local_day("moment", moment, zone)
    if isinstance(moment, datetime):
        instant = moment
        # Clocks that went back over midnight show the day before again, in a day that has begun.
        if day < date.max and first_instant(day + _DAY, zone) <= instant:
            day += _DAY
    else:
        instant = first_instant(day, zone)
    n = _index(cycle, day, moment)
    period = cycle.period(n)
    start, end = first_instant(period.start, zone), first_instant(period.end, zone)
    # Apia skipped 30 December 2011: a period of that day alone ends when it starts.
    return n, (instant - start) // _SECOND, (end - start) // _SECOND or 1


def _index(cycle: BillingCycle, day: date, moment: date | datetime) -> int:
    if day < cycle.anchor:
        raise ValidationError("moment", moment, f"a moment on or after the anchor, {cycle.anchor}")
    return cycle.index_of(day)


def _day_within(period: Period, at: date | datetime, zone: str) -> date:
    day = _local_day("at", at, zone)
    if not period.start <= day <= period.end:
        raise _outside(at, period)
    return day


def _local_day(name: str, moment: date | datetime, zone: str) -> date:
    _check_moment(name, moment)
    return local_date(moment, zone) if isinstance(moment, datetime) else moment


def _check_moment(name: str, moment: object) -> None:
    if not isinstance(moment, date):
        raise ValidationError(name, moment, "a date or a datetime")
    if isinstance(moment, datetime) and moment.utcoffset() is None:
        raise ValidationError(name, moment, "a datetime with a UTC offset")


def _seconds(period: Period, at: date | datetime, zone: str) -> tuple[int, int]:
    _check_moment("at", at)
    start, end = first_instant(period.start, zone), first_instant(period.end, zone)
    moment = at if isinstance(at, datetime) else first_instant(at, zone)
    if not start <= moment <= end:
        raise _outside(at, period)
    if start == end:
        # Apia skipped 30 December 2011: a period of that day alone has no second to count.
        raise ValidationError("period", period, f"a period that has a second in {zone}")
    return (moment - start) // _SECOND, (end - start) // _SECOND


def _outside(at: date | datetime, period: Period) -> ValidationError:
    return ValidationError("at", at, f"a moment within {period}")
