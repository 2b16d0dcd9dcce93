"""Alignment: from which day the periods of an item are counted, and where a first stub ends.

Decided here: which dates match an alignment, at which of them a first period ends that does not
start on one, and the anchor from which whole periods are counted ever after. Never here: what a
stub costs, which is proration; how a short month is stepped over, which is the cycle; a clock.

The anchor is never after the start, so that every day that is billed is in a period of the cycle,
and it has the day of the month that was asked for: 31 is kept as a 31st, though the stub end on 28
February.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime, timedelta
from enum import StrEnum
from math import gcd
from typing import Final, TypeAlias, assert_never

from subscriptions.billing_cycles import BillingCycle, Interval, IntervalUnit
from subscriptions.errors import ValidationError
from subscriptions.frozen import frozen


class Weekday(StrEnum):
    """A day of the week; the week begins on Monday, as in ISO 8601."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


@frozen
class StartDay:
    """Periods are counted from the day of the start; there is no stub."""


@frozen
class DayOfMonth:
    """Periods of months or years start on a day of the month, or on its last day if it is shorter.

    A first stub ends at the next such day, in whatever month it is. Raises `ValidationError` unless
    the day is 1 to 31.
    """

    day: int

    def __attrs_post_init__(self) -> None:
        _check_number("day", self.day, _LONGEST_MONTH)


@frozen
class DayOfWeek:
    """Periods of weeks start on a weekday. Raises `ValidationError` unless it is a `Weekday`."""

    weekday: Weekday

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.weekday, Weekday):
            raise ValidationError("weekday", self.weekday, "a Weekday")


@frozen
class DayOfYear:
    """Periods of years, or of months that fill a year evenly, start on a month and day.

    Quarters that start on 15 February start on the 15th of May, August and November too. The 29th
    of February is its last day in common years. Raises `ValidationError` unless some year has the
    day.
    """

    month: int
    day: int

    def __attrs_post_init__(self) -> None:
        _check_number("month", self.month, _YEAR)
        _check_number("day", self.day, monthrange(_LEAP_YEAR, self.month)[1])


@frozen
class Calendar:
    """Periods are those of the calendar.

    Months begin on the 1st: quarters in January, April, July and October, half-years in January and
    July, and whatever fills a year evenly in January; other counts of months are counted from the
    month of the start. Years begin on 1 January, weeks on Monday. Days have no calendar and are
    counted from the start.
    """


Alignment: TypeAlias = StartDay | DayOfMonth | DayOfWeek | DayOfYear | Calendar
"""From which day periods are counted."""


@frozen
class Aligned:
    """The cycle of an item, and the day at which its first period ends.

    Law: the anchor is on or before the start, `first_end` is after it, and from `first_end` on
    every period is a whole one of the cycle. There is a stub unless a period of the cycle starts
    with the item.
    """

    cycle: BillingCycle
    first_end: date

    def stub_end(self, start: date) -> date | None:
        """Return where the first period ends, if the cycle's own would end elsewhere; else None."""
        whole = self.cycle.period_containing(start)
        return None if whole.end == self.first_end else self.first_end


def align(
    alignment: Alignment, start: date, every: Interval, *, long_stub: bool = False
) -> Aligned:
    """Return the cycle of an item that starts on a day, and where its first period ends.

    A start that matches the alignment makes a whole first period. Any other makes a stub, which
    ends at the next matching day and is never longer than one interval; with `long_stub`, at the
    first matching day that is at least one interval after the start.

    A matching day is for `DayOfMonth` that day of any month, even if a quarter or a year is billed;
    for `DayOfWeek` that weekday; for the others a boundary of the calendar or of the year's parts,
    and where an interval is longer than a year, the day in any year.

    Raises `ValidationError` for an alignment that the interval does not have, for a datetime, and
    where the periods would leave the calendar.

    >>> aligned = align(DayOfMonth(31), date(2026, 2, 10), Interval.months(1))
    >>> str(aligned.cycle.anchor), str(aligned.first_end), str(aligned.cycle.start(2))
    ('2026-01-31', '2026-02-28', '2026-03-31')
    >>> str(align(Calendar(), date(2026, 2, 10), Interval.months(3)).first_end)
    '2026-04-01'
    >>> str(align(Calendar(), date(2026, 2, 10), Interval.months(3), long_stub=True).first_end)
    '2026-07-01'
    """
    if not isinstance(alignment, Alignment):
        raise ValidationError("alignment", alignment, "an Alignment")
    _check(start, every)
    match alignment:
        case StartDay():
            matching = BillingCycle(start, every)
        case Calendar():
            matching = _calendar(start, every)
        case DayOfMonth(day=day) if every.step_months:
            matching = BillingCycle(_NEW_YEAR.replace(day=day), Interval.months(1))
        case DayOfWeek(weekday=weekday) if every.unit is IntervalUnit.WEEKS:
            monday_first = list(Weekday).index(weekday)
            matching = BillingCycle(_A_MONDAY + timedelta(days=monday_first), Interval.weeks(1))
        case DayOfYear(month=month, day=day) if (step := _part_of_year(every)) is not None:
            matching = BillingCycle(date(_LEAP_YEAR, month, day), step)
        case DayOfMonth() | DayOfWeek() | DayOfYear():
            raise ValidationError(
                "alignment", alignment, f"an alignment that periods of {every} have"
            )
        case other:
            assert_never(other)
    return _aligned(matching, start, every, long_stub=long_stub)


def shared(
    anchor_cycle: BillingCycle, start: date, every: Interval, *, long_stub: bool = False
) -> Aligned:
    """Return the cycle of an item that starts on a day and keeps step with another cycle.

    - Months and years share the day of the month. Beside a monthly item a yearly one starts its
      first whole year at the next monthly boundary; beside a yearly one the months are those of
      which every twelfth starts with the year.
    - Weeks and days likewise share the weekday or the phase: two weeks beside one start at the
      next of the weeks, single days beside anything at once.
    - A month has no fixed number of days. Where one of the two has months and the other has not,
      a period of the item starts at the other cycle's next boundary, and is counted from there.

    Law: two cycles of one kind have starts in common again and again, and the stub ends at the
    first day from which that can be. It is never longer than one interval, but for `long_stub`,
    which is that of `align`.

    A start before the anchor is counted back from it. Raises `ValidationError` as `align` does.

    >>> monthly = BillingCycle(date(2026, 1, 31), Interval.months(1))
    >>> str(shared(monthly, date(2026, 2, 10), Interval.years(1)).first_end)
    '2026-02-28'
    >>> quarterly = BillingCycle(date(2026, 1, 31), Interval.months(3))
    >>> str(shared(quarterly, date(2026, 2, 10), Interval.years(1)).first_end)
    '2026-04-30'
    """
    _check(start, every)
    theirs, through = anchor_cycle.every, anchor_cycle.anchor
    if theirs.step_months and every.step_months:
        step = Interval.months(gcd(theirs.step_months, every.step_months))
    elif theirs.step_days and every.step_days:
        step = Interval.days(gcd(theirs.step_days, every.step_days))
    else:
        step, through = every, _next_start(anchor_cycle, start)
    matching = BillingCycle(_near(start, through, through.day, step), step)
    return _aligned(matching, start, every, long_stub=long_stub)


_YEAR: Final = 12
_LONGEST_MONTH: Final = 31
_LEAP_YEAR: Final = 4
"""The first one: whatever is counted from it has begun before every start."""
_NEW_YEAR: Final = date(_LEAP_YEAR, 1, 1)
_A_MONDAY: Final = date(1, 1, 1)
_FIRST_YEAR: Final = 1701
"""From it on, seventeen intervals of at most a century lead back to a year of the calendar."""


def _calendar(start: date, every: Interval) -> BillingCycle:
    if every.unit is IntervalUnit.DAYS:
        return BillingCycle(start, every)
    if every.unit is IntervalUnit.WEEKS:
        return BillingCycle(_A_MONDAY, Interval.weeks(1))
    if (step := _part_of_year(every)) is not None:
        return BillingCycle(_NEW_YEAR, step)
    return BillingCycle(start.replace(day=1), every)


def _part_of_year(every: Interval) -> Interval | None:
    """Return how far apart the dates are that a month and day stand for, if they come each year."""
    months = every.step_months
    if not months or (_YEAR % months and months % _YEAR):
        return None
    return Interval.months(min(months, _YEAR))


def _aligned(matching: BillingCycle, start: date, every: Interval, *, long_stub: bool) -> Aligned:
    # The starts of `matching` are the dates that match, and its anchor has the day they ask for.
    first = _next_start(matching, start)
    is_whole = first == start
    if long_stub and not is_whole:
        first = _next_start(matching, BillingCycle(start, every).start(1))
    cycle = BillingCycle(_near(start, first, matching.anchor.day, every), every)
    return Aligned(cycle, cycle.period_containing(start).end if is_whole else first)


def _next_start(cycle: BillingCycle, day: date) -> date:
    if day <= cycle.anchor:
        return cycle.anchor
    return cycle.start(cycle.index_of(day - timedelta(days=1)) + 1)


def _near(start: date, boundary: date, day: int, every: Interval) -> date:
    """Return an anchor on or before the start: intervals from a boundary, on a day of the month."""
    if every.step_days:
        return start - timedelta(days=(start - boundary).days % every.step_days)
    months = every.step_months
    index = start.year * _YEAR + start.month - 1
    nearest = index - (index - boundary.year * _YEAR - boundary.month + 1) % months
    # A cycle on the 31st with a boundary in February is counted from January; one that meets only
    # Februaries from the 29th of a leap year. A century whose leap days an interval of 25 or 75
    # years meets comes every sixteen intervals, anything else sooner; the nearest may be too late.
    dates = [_in_month(nearest - back * months, day) for back in range(17)]
    return max((each for each in dates if each <= start), key=lambda each: (each.day, each))


def _in_month(index: int, day: int) -> date:
    year, month = index // _YEAR, index % _YEAR + 1
    return date(year, month, min(day, monthrange(year, month)[1]))


def _check(start: object, every: object) -> None:
    if not isinstance(start, date) or isinstance(start, datetime) or start.year < _FIRST_YEAR:
        raise ValidationError(
            "start", start, f"a date without a time of day, from {_FIRST_YEAR} on"
        )
    if not isinstance(every, Interval):
        raise ValidationError("every", every, "an Interval")


def _check_number(name: str, value: object, most: int) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ValidationError(name, value, f"a whole number, 1 to {most}")
