"""Billing cycles: which days a period covers, and at which instant a day begins in a zone.

Decided here: that period *n* is a function of the anchor and *n*, what a month does that is too
short for the anchor's day, and where a local midnight is that the clocks skip or repeat. Never
here: stepping from the end of the period before, which would turn 31 Jan, 28 Feb into 28 Mar for
ever; a clock; money.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import field

from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen


@frozen(order=True, repr=False)
class Period:
    """The days from `start` up to, not including, `end`: half-open and never empty.

    Periods touch when the end of one is the start of the next. Raises `ValidationError` if `end` is
    not after `start`, and for a datetime, which is a `date` to Python but an instant to a bill.

    >>> january = Period(date(2024, 1, 1), date(2024, 2, 1))
    >>> january.days, date(2024, 1, 31) in january, date(2024, 2, 1) in january
    (31, True, False)
    """

    start: date
    end: date

    def __attrs_post_init__(self) -> None:
        _check_day("start", self.start)
        _check_day("end", self.end)
        if self.end <= self.start:
            raise ValidationError("end", self.end, f"a day after the start, {self.start}")

    @property
    def days(self) -> int:
        """How many days the period has; at least one."""
        return (self.end - self.start).days

    def __contains__(self, day: date) -> bool:
        _check_day("day", day)
        return self.start <= day < self.end

    def split_at(self, day: date) -> tuple[Period, Period]:
        """Cut in two periods that touch at `day`, which is the first day of the second.

        Raises `ValidationError` unless both would have at least one day.

        >>> Period(date(2024, 1, 1), date(2024, 2, 1)).split_at(date(2024, 1, 11))
        (Period(2024-01-01, 2024-01-11), Period(2024-01-11, 2024-02-01))
        """
        _check_day("day", day)
        if not self.start < day < self.end:
            raise ValidationError("day", day, f"a day after {self.start} and before {self.end}")
        return Period(self.start, day), Period(day, self.end)

    def __str__(self) -> str:
        return f"{self.start}/{self.end}"  # ISO 8601's notation of an interval

    def __repr__(self) -> str:
        return f"Period({self.start}, {self.end})"


class IntervalUnit(StrEnum):
    """What an interval counts. Quarters and half-years are months."""

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"
    YEARS = "years"


# A century. A longer one is a typing error, and its second period would leave the calendar.
_MOST: Final = {
    IntervalUnit.DAYS: 36_525,
    IntervalUnit.WEEKS: 5_217,
    IntervalUnit.MONTHS: 1_200,
    IntervalUnit.YEARS: 100,
}
_MONTHS_EACH: Final = {IntervalUnit.MONTHS: 1, IntervalUnit.YEARS: 12}
_DAYS_EACH: Final = {IntervalUnit.DAYS: 1, IntervalUnit.WEEKS: 7}


@frozen(repr=False)
class Interval:
    """How long a period is: a count of days, weeks, months or years.

    Twelve months and one year make the same periods, but are two intervals: a price says which.
    Raises `ValidationError` unless the count is at least 1 and at most a century.

    >>> Interval.months(3)
    Interval.months(3)
    >>> str(Interval.years(1)), str(Interval.weeks(2))
    ('1 year', '2 weeks')
    """

    unit: IntervalUnit
    count: int
    step_months: int = field(init=False, eq=False)
    """The months that the calendar adds for one interval; zero where it adds days."""
    step_days: int = field(init=False, eq=False)
    """The days that the calendar adds for one interval; zero where it adds months."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.unit, IntervalUnit):
            raise ValidationError("unit", self.unit, "an IntervalUnit")
        most = _MOST[self.unit]
        if type(self.count) is not int or not 1 <= self.count <= most:
            raise ValidationError(
                "count", self.count, f"a whole number of {self.unit}, 1 to {most}"
            )
        months = _MONTHS_EACH.get(self.unit, 0) * self.count
        object.__setattr__(self, "step_months", months)
        object.__setattr__(self, "step_days", _DAYS_EACH.get(self.unit, 0) * self.count)

    @classmethod
    def days(cls, count: int) -> Interval:
        """Return an interval of so many days."""
        return cls(IntervalUnit.DAYS, count)

    @classmethod
    def weeks(cls, count: int) -> Interval:
        """Return an interval of so many weeks."""
        return cls(IntervalUnit.WEEKS, count)

    @classmethod
    def months(cls, count: int) -> Interval:
        """Return an interval of so many calendar months."""
        return cls(IntervalUnit.MONTHS, count)

    @classmethod
    def years(cls, count: int) -> Interval:
        """Return an interval of so many calendar years."""
        return cls(IntervalUnit.YEARS, count)

    def __str__(self) -> str:
        return (
            f"1 {self.unit.removesuffix('s')}" if self.count == 1 else f"{self.count} {self.unit}"
        )

    def __repr__(self) -> str:
        return f"Interval.{self.unit}({self.count})"


@frozen
class BillingCycle:
    """The endless row of periods that begins at an anchor day.

    Law: `start(n)` is the anchor plus n intervals, whatever came before. A month that is too short
    gives its last day, and the next one looks at the anchor again: 31 Jan, 28 Feb, 31 Mar. Periods
    touch, are never empty and are counted from 0, which starts at the anchor.

    >>> cycle = BillingCycle(anchor=date(2024, 1, 31), every=Interval.months(1))
    >>> cycle.period(0), cycle.period(1)
    (Period(2024-01-31, 2024-02-29), Period(2024-02-29, 2024-03-31))
    """

    anchor: date
    every: Interval

    def __attrs_post_init__(self) -> None:
        _check_day("anchor", self.anchor)
        if not isinstance(self.every, Interval):
            raise ValidationError("every", self.every, "an Interval")

    def period(self, n: int) -> Period:
        """Return period `n`; the same question gives the same object while it is remembered.

        Raises `ValidationError` if `n` is negative or the period would end after the year 9999.
        """
        if type(n) is not int or n < 0:
            raise ValidationError("n", n, "a whole number of at least 0")
        every = self.every
        return _period(self.anchor, every.step_months, every.step_days, n)

    def start(self, n: int) -> date:
        """Return the first day of period `n`, with the errors of `period`.

        >>> BillingCycle(date(2024, 2, 29), Interval.years(1)).start(4)
        datetime.date(2028, 2, 29)
        """
        if type(n) is not int or n < 0:
            raise ValidationError("n", n, "a whole number of at least 0")
        return _start(self.anchor, self.every.step_months, self.every.step_days, n)

    def index_of(self, day: date) -> int:
        """Return which period a day is in.

        Raises `ValidationError` for a day before the anchor, and for a datetime: only a zone says
        which day an instant is in, see `local_date`.

        >>> BillingCycle(date(2024, 1, 31), Interval.months(1)).index_of(date(2024, 3, 30))
        1
        """
        _check_day("day", day)
        return _index_of(self.anchor, self.every.step_months, self.every.step_days, day)

    def period_containing(self, day: date) -> Period:
        """Return the period that a day is in, with the errors of `index_of` and `period`.

        >>> BillingCycle(date(2024, 1, 31), Interval.months(1)).period_containing(date(2024, 3, 1))
        Period(2024-02-29, 2024-03-31)
        """
        every = self.every
        _check_day("day", day)
        return _containing(self.anchor, every.step_months, every.step_days, day)

    def periods(self, *, until: date, first: int = 0) -> Iterator[Period]:
        """Iterate over the periods that start before `until`, in order, from number `first` on.

        The last one may therefore end after `until`; an `until` on or before the anchor gives none.

        >>> cycle = BillingCycle(date(2024, 1, 31), Interval.months(1))
        >>> [period.days for period in cycle.periods(until=date(2024, 3, 31))]
        [29, 31]
        """
        _check_day("until", until)
        if type(first) is not int or first < 0:
            raise ValidationError("first", first, "a whole number of at least 0")
        stop = self.index_of(until - _DAY) + 1 if until > self.anchor else 0
        return map(self.period, range(first, stop))

    def period_before_anchor(self) -> Period:
        """Return the period that would have ended at the anchor: what a first stub is a part of.

        >>> BillingCycle(date(2026, 1, 15), Interval.months(1)).period_before_anchor()
        Period(2025-12-15, 2026-01-15)
        """
        return _period(self.anchor, self.every.step_months, self.every.step_days, -1)


def first_instant(day: date, zone: str) -> datetime:
    """Return the instant, in UTC, at which a day begins in a zone: its local midnight.

    A midnight that the clocks skip is the first instant after the gap; one that happens twice is
    the earlier. A day that a zone skipped whole begins, and ends, with the next day.

    Raises `ValidationError` for an unknown zone, for a datetime, and where UTC leaves the calendar.

    >>> first_instant(date(2026, 1, 1), "Europe/Berlin")
    datetime.datetime(2025, 12, 31, 23, 0, tzinfo=datetime.timezone.utc)
    >>> first_instant(date(2026, 4, 24), "Africa/Cairo")  # 00:00 does not exist: 01:00 local
    datetime.datetime(2026, 4, 23, 22, 0, tzinfo=datetime.timezone.utc)
    """
    return _first_instant(day, zone)


def local_date(instant: datetime, zone: str) -> date:
    """Return the day that an instant is in, in a zone.

    Raises `ValidationError` for an unknown zone and for a datetime without an offset.

    >>> local_date(datetime(2025, 12, 31, 23, 0, tzinfo=UTC), "Europe/Berlin")
    datetime.date(2026, 1, 1)
    """
    _check_instant("instant", instant)
    # Only in UTC are equal instants one: in an hour that comes twice two of them are equal.
    day_of = _known_date if instant.tzinfo is UTC else _local_date
    return day_of(instant, zone)


def _local_date(instant: datetime, zone: str) -> date:
    try:
        return instant.astimezone(zone_info(zone)).date()
    except OverflowError:
        raise ValidationError("instant", instant, _IN_CALENDAR) from None


# A run asks for the day of one instant for each record.
_known_date = lru_cache(maxsize=1024)(_local_date)


@lru_cache(maxsize=1024)
def zone_info(zone: str) -> ZoneInfo:
    """Return the rules of a zone by its IANA name; raises `ValidationError` for an unknown one."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        # ValueError for "../etc", OSError for "Europe", which is a folder.
        raise ValidationError("zone", zone, 'an IANA zone such as "Europe/Berlin"') from None


_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)
_IN_CALENDAR: Final = "a time within the years 1 to 9999"
_FEBRUARY: Final = 2
_MONTH_DAYS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


# A billing run asks for few distinct periods: everyone who is due today shares an anchor day.
@lru_cache(maxsize=16_384)
def _period(anchor: date, months: int, days: int, n: int) -> Period:
    return Period(_start(anchor, months, days, n), _start(anchor, months, days, n + 1))


# The same few days are asked for again and again, too: where a billed period begins.
@lru_cache(maxsize=16_384)
def _containing(anchor: date, months: int, days: int, day: date) -> Period:
    return _period(anchor, months, days, _index_of(anchor, months, days, day))


def _index_of(anchor: date, months: int, days: int, day: date) -> int:
    if day < anchor:
        raise ValidationError("day", day, f"a day on or after the anchor, {anchor}")
    if days:
        return (day - anchor).days // days
    n = ((day.year - anchor.year) * 12 + day.month - anchor.month) // months
    # The period that starts in this very month may start after this very day.
    return n if _start(anchor, months, 0, n) <= day else n - 1


def _start(anchor: date, months: int, days: int, n: int) -> date:
    try:
        if days:
            return anchor + timedelta(days=days * n)
        year, month = divmod(anchor.year * 12 + anchor.month - 1 + months * n, 12)
        month += 1
        day = anchor.day
        if day > 28:  # noqa: PLR2004 - every month has 28 days
            leap = month == _FEBRUARY and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            day = min(day, _MONTH_DAYS[month] + leap)
        return date(year, month, day)
    except (OverflowError, ValueError):
        raise ValidationError("n", n, "a period within the years 1 to 9999") from None


@lru_cache(maxsize=16_384)
def _first_instant(day: date, zone: str) -> datetime:
    _check_day("day", day)
    rules = zone_info(zone)
    try:
        midnight = datetime(day.year, day.month, day.day, tzinfo=rules)
        # PEP 495: of two readings fold=0 is the earlier; in a gap it counts on with the old offset
        # and so comes late, while fold=1 uses the new offset and comes too early.
        instant = midnight.astimezone(UTC)
        too_early = midnight.replace(fold=1).astimezone(UTC)
        return instant if instant <= too_early else _end_of_gap(too_early, instant, rules)
    except OverflowError:
        raise ValidationError("day", day, _IN_CALENDAR) from None


def _end_of_gap(before: datetime, after: datetime, rules: ZoneInfo) -> datetime:
    # Most gaps begin at midnight, so that `after` is the answer. Some began earlier: Toronto went
    # from 23:30 to 00:30 in 1919, and that day began at 00:30, not at 01:00.
    old_offset = before.astimezone(rules).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(rules).utcoffset() == old_offset:
            before = middle
        else:
            after = middle
    return after


def _check_day(field: str, day: object) -> None:
    if type(day) is not date and (not isinstance(day, date) or isinstance(day, datetime)):
        raise ValidationError(field, day, "a date without a time of day")


def _check_instant(field: str, instant: object) -> None:
    if not isinstance(instant, datetime) or instant.utcoffset() is None:
        raise ValidationError(field, instant, "a datetime with a UTC offset")
