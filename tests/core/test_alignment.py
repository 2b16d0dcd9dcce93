"""The laws of alignment, against a walk from day to day that asks each whether it matches."""

from __future__ import annotations

from calendar import isleap, monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import partial
from itertools import count, product
from typing import Any, TypeAlias

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from subscriptions.alignment import (
    Aligned,
    Alignment,
    Calendar,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    StartDay,
    Weekday,
    align,
    shared,
)
from subscriptions.billing_cycles import BillingCycle, Interval, IntervalUnit
from subscriptions.errors import ValidationError
from subscriptions.proration import ProrationUnit, between, position

quick = settings(derandomize=True, max_examples=300, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

DAY = timedelta(days=1)
DAYS, WEEKS, MONTHS, YEARS = Interval.days, Interval.weeks, Interval.months, Interval.years
UNEVEN = [5, 7, 8, 9, 10, 11, 13, 18, 30]
"""Counts of months that neither fill a year evenly nor are made of years."""


# --- the table: what a day must be --------------------------------------------------------------


def plus_months(day: date, months: int, wanted: int) -> date:
    """Walk month by month; `wanted` is the day of the month that was asked for."""
    year, month = day.year, day.month
    for _ in range(abs(months)):
        month += 1 if months > 0 else -1
        if month in {0, 13}:
            year, month = (year + 1, 1) if month == 13 else (year - 1, 12)
    return date(year, month, min(wanted, monthrange(year, month)[1]))


def month_count(every: Interval) -> int:
    return {IntervalUnit.MONTHS: 1, IntervalUnit.YEARS: 12}.get(every.unit, 0) * every.count


def day_count(every: Interval) -> int:
    return {IntervalUnit.DAYS: 1, IntervalUnit.WEEKS: 7}.get(every.unit, 0) * every.count


def later(day: date, every: Interval, wanted: int) -> date:
    if month_count(every):
        return plus_months(day, month_count(every), wanted)
    return day + day_count(every) * DAY


def is_last_or(day: date, wanted: int) -> bool:
    return day.day == min(wanted, monthrange(day.year, day.month)[1])


def matches(alignment: Alignment, day: date, start: date, every: Interval) -> bool:
    months = month_count(every)
    match alignment:
        case StartDay():
            return day == start
        case DayOfMonth(wanted):
            return is_last_or(day, wanted)
        case DayOfWeek(weekday):
            return f"{day:%A}".lower() == weekday
        case DayOfYear(month, wanted):
            return is_last_or(day, wanted) and (day.month - month) % min(months, 12) == 0
        case Calendar() if every.unit is IntervalUnit.WEEKS:
            return f"{day:%A}" == "Monday"
        case Calendar() if not months:
            return day == start
        case Calendar() if months in {1, 2, 3, 4, 6} or months % 12 == 0:
            return day.day == 1 and day.month in range(1, 13, min(months, 12))
        case Calendar():
            passed = (day.year - start.year) * 12 + day.month - start.month
            return day.day == 1 and passed % months == 0


def wanted_day(alignment: Alignment, start: date) -> int:
    match alignment:
        case DayOfMonth(day) | DayOfYear(_, day):
            return day
        case Calendar():
            return 1
        case _:
            return start.day


def expected_end(alignment: Alignment, start: date, every: Interval, *, long: bool) -> date:
    if matches(alignment, start, start, every):
        return later(start, every, wanted_day(alignment, start))
    day = later(start, every, start.day) if long else start
    while not matches(alignment, day, start, every):
        day += DAY
    return day


def check_whole_periods(aligned: Aligned, every: Interval, wanted: int) -> None:
    """From the first end on, the periods are those that a walk from there makes."""
    cycle, end = aligned.cycle, aligned.first_end
    assert cycle.every == every
    first = cycle.index_of(end)
    for n in range(first, first + 30):
        assert cycle.start(n) == end, f"{aligned}: period {n} starts on {cycle.start(n)}"
        end = later(end, every, wanted)


stubs = st.sampled_from(["short", "long"])
starts = st.dates(date(1990, 1, 1), date(2110, 12, 31))
by_days = st.builds(DAYS, st.integers(1, 400))
by_weeks = st.builds(WEEKS, st.integers(1, 60))
by_months = st.builds(MONTHS, st.integers(1, 40))
by_years = st.builds(YEARS, st.integers(1, 6))
even_months = st.builds(MONTHS, st.sampled_from([1, 2, 3, 4, 6, 12, 24]))
intervals = by_days | by_weeks | by_months | by_years
dates_of_years = starts.map(lambda day: DayOfYear(day.month, day.day))
choices = (
    st.tuples(st.just(StartDay()), intervals)
    | st.tuples(st.just(Calendar()), intervals)
    | st.tuples(st.builds(DayOfMonth, st.integers(1, 31)), by_months | by_years)
    | st.tuples(st.builds(DayOfWeek, st.sampled_from(Weekday)), by_weeks)
    | st.tuples(dates_of_years, even_months | by_years)
)


# --- the laws -----------------------------------------------------------------------------------


@quick
@given(choices, starts, stubs)
@example((DayOfMonth(31), MONTHS(1)), date(2026, 2, 10), "short")
@example((DayOfMonth(31), MONTHS(1)), date(2026, 2, 28), "short")
@example((DayOfMonth(31), MONTHS(3)), date(2026, 2, 10), "short")
@example((DayOfMonth(31), YEARS(1)), date(2026, 2, 10), "short")
@example((DayOfMonth(30), MONTHS(12)), date(2028, 2, 10), "long")
@example((DayOfYear(2, 29), YEARS(1)), date(2026, 3, 1), "short")
@example((DayOfYear(2, 29), YEARS(4)), date(2026, 3, 1), "short")
@example((DayOfYear(2, 29), YEARS(1)), date(2099, 3, 1), "long")
@example((DayOfYear(5, 31), MONTHS(3)), date(2027, 2, 28), "short")
@example((Calendar(), MONTHS(5)), date(2026, 12, 31), "long")
def test_a_first_period_ends_on_a_day_that_matches_and_whole_ones_follow(
    choice: tuple[Alignment, Interval], start: date, stub: str
) -> None:
    (alignment, every), long = choice, stub == "long"
    aligned = align(alignment, start, every, long_stub=long)
    assert aligned.first_end == expected_end(alignment, start, every, long=long)
    check_whole_periods(aligned, every, wanted_day(alignment, start))


@quick
@given(choices, starts, stubs)
def test_the_anchor_is_never_after_the_start_nor_a_stub_too_long(
    choice: tuple[Alignment, Interval], start: date, stub: str
) -> None:
    (alignment, every), long = choice, stub == "long"
    aligned = align(alignment, start, every, long_stub=long)
    cycle = aligned.cycle
    assert cycle.anchor <= start < aligned.first_end
    assert cycle.start(cycle.index_of(aligned.first_end)) == aligned.first_end
    one = later(start, every, start.day)
    starts_with_a_period = cycle.start(cycle.index_of(start)) == start
    if starts_with_a_period:
        assert aligned.first_end == cycle.start(cycle.index_of(start) + 1)
    elif long:
        assert one <= aligned.first_end <= later(one, every, 31)
    else:
        assert aligned.first_end <= one


@quick
@given(
    choice=choices,
    start=starts,
    stub=stubs,
    minor=st.integers(-(10**7), 10**7),
    after=st.integers(0, 1500),
    unit=st.sampled_from(ProrationUnit),
)
def test_the_stub_and_what_follows_it_cost_what_the_whole_way_costs(
    *,
    choice: tuple[Alignment, Interval],
    start: date,
    stub: str,
    minor: int,
    after: int,
    unit: ProrationUnit,
) -> None:
    (alignment, every), long = choice, stub == "long"
    aligned = align(alignment, start, every, long_stub=long)
    begin = position(aligned.cycle, start, unit=unit)
    first = position(aligned.cycle, aligned.first_end, unit=unit)
    end = position(aligned.cycle, aligned.first_end + after * DAY, unit=unit)
    assert first.denominator == 1
    whole = end - (end - first) % 1
    parts = [between(minor, begin, first), int(whole - first) * minor, between(minor, whole, end)]
    assert sum(parts) == between(minor, begin, end)


def test_31_euros_from_10_january_until_the_15th_are_5() -> None:
    aligned = align(DayOfMonth(15), date(2026, 1, 10), MONTHS(1))
    assert aligned == Aligned(BillingCycle(date(2025, 12, 15), MONTHS(1)), date(2026, 1, 15))
    begin, end = (position(aligned.cycle, day) for day in (date(2026, 1, 10), aligned.first_end))
    assert end - begin == Fraction(5, 31)
    assert between(3100, begin, end) == 500


def test_a_31st_asked_for_in_february_is_kept() -> None:
    aligned = align(DayOfMonth(31), date(2026, 2, 10), MONTHS(1))
    assert aligned.cycle.anchor == date(2026, 1, 31)
    assert [str(aligned.cycle.start(n))[5:] for n in range(4)] == [
        "01-31",
        "02-28",
        "03-31",
        "04-30",
    ]
    # The month before has no 31st either, so the anchor is one before that.
    assert align(DayOfMonth(31), date(2026, 3, 10), MONTHS(1)).cycle.anchor == date(2026, 1, 31)
    on_the_28th = align(DayOfMonth(31), date(2026, 2, 28), MONTHS(1))
    assert on_the_28th == Aligned(aligned.cycle, date(2026, 3, 31))


@pytest.mark.parametrize(
    ("alignment", "every", "short", "long"),
    [
        (StartDay(), MONTHS(3), "2026-05-10", "2026-05-10"),
        (Calendar(), DAYS(10), "2026-02-20", "2026-02-20"),
        (Calendar(), WEEKS(1), "2026-02-16", "2026-02-23"),
        (Calendar(), WEEKS(2), "2026-02-16", "2026-03-02"),
        (Calendar(), MONTHS(1), "2026-03-01", "2026-04-01"),
        (Calendar(), MONTHS(2), "2026-03-01", "2026-05-01"),
        (Calendar(), MONTHS(3), "2026-04-01", "2026-07-01"),
        (Calendar(), MONTHS(5), "2026-07-01", "2026-12-01"),
        (Calendar(), MONTHS(6), "2026-07-01", "2027-01-01"),
        (Calendar(), MONTHS(12), "2027-01-01", "2028-01-01"),
        (Calendar(), MONTHS(24), "2027-01-01", "2029-01-01"),
        (Calendar(), YEARS(1), "2027-01-01", "2028-01-01"),
        (Calendar(), YEARS(2), "2027-01-01", "2029-01-01"),
        (DayOfMonth(15), MONTHS(3), "2026-02-15", "2026-05-15"),
        (DayOfMonth(15), YEARS(1), "2026-02-15", "2027-02-15"),
        (DayOfMonth(5), YEARS(1), "2026-03-05", "2027-03-05"),
        (DayOfMonth(10), MONTHS(3), "2026-05-10", "2026-05-10"),
        (DayOfMonth(30), MONTHS(6), "2026-02-28", "2026-08-30"),
        (DayOfWeek(Weekday.TUESDAY), WEEKS(1), "2026-02-17", "2026-02-17"),
        (DayOfWeek(Weekday.SUNDAY), WEEKS(2), "2026-02-15", "2026-03-01"),
        (DayOfYear(4, 6), YEARS(1), "2026-04-06", "2027-04-06"),
        (DayOfYear(4, 6), MONTHS(3), "2026-04-06", "2026-07-06"),
        (DayOfYear(4, 6), MONTHS(1), "2026-03-06", "2026-04-06"),
        (DayOfYear(2, 10), YEARS(2), "2028-02-10", "2028-02-10"),
        (DayOfYear(2, 29), YEARS(1), "2026-02-28", "2027-02-28"),
    ],
)
def test_a_first_period_from_10_february_2026(
    alignment: Alignment, every: Interval, short: str, long: str
) -> None:
    start = date(2026, 2, 10)  # a Tuesday
    assert str(align(alignment, start, every).first_end) == short
    assert str(align(alignment, start, every, long_stub=True).first_end) == long


def test_yearly_on_29_february_finds_the_leap_day_before_the_start() -> None:
    aligned = align(DayOfYear(2, 29), date(2026, 3, 1), YEARS(1))
    assert aligned == Aligned(BillingCycle(date(2024, 2, 29), YEARS(1)), date(2027, 2, 28))
    over_2100 = align(DayOfYear(2, 29), date(2103, 3, 1), YEARS(1))
    assert over_2100 == Aligned(BillingCycle(date(2096, 2, 29), YEARS(1)), date(2104, 2, 29))
    # Every second year from an odd one: no leap day ever comes.
    odd = align(DayOfYear(2, 29), date(2026, 3, 1), YEARS(2))
    assert odd == Aligned(BillingCycle(date(2025, 2, 28), YEARS(2)), date(2027, 2, 28))


def test_whatever_leap_days_an_interval_meets_its_anchor_has_one() -> None:
    for years, start_year in product(range(1, 101), range(1999, 2400, 7)):
        aligned = align(DayOfYear(2, 29), date(start_year, 3, 1), YEARS(years))
        met = (aligned.first_end.year + years * n for n in range(400))
        assert aligned.cycle.anchor.day == (29 if any(map(isleap, met)) else 28)


# --- a cycle beside another ---------------------------------------------------------------------


def first_day_in_step(
    anchor_cycle: BillingCycle, start: date, every: Interval, *, earliest: date
) -> tuple[date, int]:
    """Walk until a day from which the starts of both cycles meet; with it, the day of month."""
    theirs, anchor = anchor_cycle.every, anchor_cycle.anchor
    if month_count(theirs) and month_count(every):
        met = {
            anchor.year * 12 + anchor.month - 1 + month_count(theirs) * n
            for n in range(-2000, 2000)
        }
        for day in (earliest + n * DAY for n in count()):
            ours = day.year * 12 + day.month - 1
            rows = (ours + month_count(every) * n for n in range(month_count(theirs)))
            if is_last_or(day, anchor.day) and any(row in met for row in rows):
                return day, anchor.day
    if day_count(theirs) and day_count(every):
        for day in (earliest + n * DAY for n in count()):
            apart = (day - anchor).days
            if any(
                (apart + day_count(every) * n) % day_count(theirs) == 0
                for n in range(day_count(theirs))
            ):
                return day, day.day
    shared_day = next(end for n in count() if (end := anchor_cycle.start(n)) >= start)
    if day_count(every):
        return earliest + (shared_day - earliest).days % day_count(every) * DAY, earliest.day
    months = month_count(every)
    back = ((shared_day - earliest).days // 28 // months + 1) * months
    row = (plus_months(shared_day, n, shared_day.day) for n in range(-back, 99, months))
    return next(day for day in row if day >= earliest), shared_day.day


anchors = st.dates(date(2019, 1, 1), date(2027, 12, 31))
small = (
    st.builds(DAYS, st.integers(1, 45))
    | st.builds(WEEKS, st.integers(1, 6))
    | st.builds(MONTHS, st.integers(1, 14))
    | st.builds(YEARS, st.integers(1, 3))
)
cycles = st.builds(BillingCycle, anchors, small)


@quick
@given(cycles, anchors, small, stubs)
@example(BillingCycle(date(2026, 1, 31), MONTHS(1)), date(2026, 2, 10), YEARS(1), "short")
@example(BillingCycle(date(2026, 1, 31), YEARS(1)), date(2026, 2, 10), MONTHS(1), "short")
@example(BillingCycle(date(2026, 1, 31), MONTHS(6)), date(2026, 2, 10), MONTHS(4), "long")
@example(BillingCycle(date(2026, 5, 31), MONTHS(1)), date(2026, 2, 10), MONTHS(1), "short")
@example(BillingCycle(date(2026, 1, 31), MONTHS(1)), date(2026, 2, 10), WEEKS(1), "short")
@example(BillingCycle(date(2026, 1, 5), WEEKS(6)), date(2026, 1, 6), MONTHS(1), "short")
def test_an_item_keeps_step_with_the_cycle_that_it_shares(
    anchor_cycle: BillingCycle, start: date, every: Interval, stub: str
) -> None:
    long = stub == "long"
    aligned = shared(anchor_cycle, start, every, long_stub=long)
    end, wanted = first_day_in_step(anchor_cycle, start, every, earliest=start)
    one = later(start, every, start.day)
    if end == start:
        end = later(start, every, wanted)
    elif long:
        end, wanted = first_day_in_step(anchor_cycle, start, every, earliest=one)
    assert aligned.first_end == end
    assert aligned.cycle.anchor <= start
    check_whole_periods(aligned, every, wanted)


def test_an_item_of_the_same_interval_has_the_same_periods() -> None:
    for every in (MONTHS(1), MONTHS(3), YEARS(1), WEEKS(2), DAYS(10)):
        cycle = BillingCycle(date(2024, 1, 31), every)
        for n, ahead in product(range(12), (0, 3)):
            start = cycle.start(n) + ahead * DAY
            aligned = shared(cycle, start, every)
            assert aligned.first_end == cycle.start(n + 1)
            assert aligned.cycle.period_containing(start) == cycle.period(n)


@pytest.mark.parametrize(
    ("theirs", "every", "first_end"),
    [
        (MONTHS(1), MONTHS(1), "2026-02-28"),
        (MONTHS(1), MONTHS(3), "2026-02-28"),
        (MONTHS(1), YEARS(1), "2026-02-28"),
        (MONTHS(3), YEARS(1), "2026-04-30"),
        (YEARS(1), MONTHS(1), "2026-02-28"),
        (YEARS(1), MONTHS(3), "2026-04-30"),
        (MONTHS(6), MONTHS(4), "2026-03-31"),
        (WEEKS(1), WEEKS(2), "2026-02-14"),
        (WEEKS(2), WEEKS(1), "2026-02-14"),
        (WEEKS(1), DAYS(1), "2026-02-11"),
        (DAYS(30), DAYS(15), "2026-02-15"),
        (DAYS(15), DAYS(30), "2026-02-15"),
        (DAYS(7), DAYS(10), "2026-02-20"),
        (MONTHS(1), WEEKS(1), "2026-02-14"),
        (MONTHS(1), DAYS(90), "2026-02-28"),
        (WEEKS(4), MONTHS(1), "2026-02-28"),
        (WEEKS(6), MONTHS(1), "2026-02-14"),
    ],
)
def test_beside_a_cycle_from_saturday_31_january_2026_a_first_period_from_10_february_ends(
    theirs: Interval, every: Interval, first_end: str
) -> None:
    anchor_cycle = BillingCycle(date(2026, 1, 31), theirs)
    assert str(shared(anchor_cycle, date(2026, 2, 10), every).first_end) == first_end


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alignment", "every"),
    [
        *product([DayOfMonth(1)], [DAYS(30), WEEKS(4)]),
        *product([DayOfWeek(Weekday.MONDAY)], [DAYS(7), MONTHS(1), YEARS(1)]),
        *product([DayOfYear(1, 1)], [DAYS(365), WEEKS(52), *map(MONTHS, UNEVEN)]),
    ],
)
def test_an_alignment_that_an_interval_does_not_have_is_refused(
    alignment: Alignment, every: Interval
) -> None:
    with pytest.raises(ValidationError) as refused:
        align(alignment, date(2026, 2, 10), every)
    assert (refused.value.field, refused.value.value) == ("alignment", alignment)


@pytest.mark.parametrize("alignment", [None, "calendar", 15, DayOfMonth])
def test_an_alignment_is_one_of_the_union(alignment: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        align(alignment, date(2026, 2, 10), MONTHS(1))
    assert refused.value.field == "alignment"


@pytest.mark.parametrize("day", [0, 32, -1, True, 1.0, "1", None])
def test_a_day_of_the_month_is_1_to_31(day: Wrong) -> None:
    makes: list[Callable[[Wrong], Alignment]] = [DayOfMonth, partial(DayOfYear, 1)]
    for make in makes:
        with pytest.raises(ValidationError) as refused:
            make(day)
        assert refused.value.field == "day"


@pytest.mark.parametrize(("month", "day"), [(2, 30), (4, 31), (6, 31), (9, 31), (11, 31)])
def test_a_day_of_the_year_is_one_that_some_year_has(month: int, day: int) -> None:
    assert DayOfYear(month, day - 1).day == day - 1
    with pytest.raises(ValidationError) as refused:
        DayOfYear(month, day)
    assert refused.value.field == "day"


@pytest.mark.parametrize("month", [0, 13, True, "1", None])
def test_a_month_is_1_to_12(month: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        DayOfYear(month, 1)
    assert refused.value.field == "month"


@pytest.mark.parametrize("weekday", ["monday", 0, 6, None])
def test_a_weekday_is_a_member_and_not_its_text(weekday: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        DayOfWeek(weekday)
    assert refused.value.field == "weekday"


@pytest.mark.parametrize(
    "start", [datetime(2026, 1, 1, tzinfo=UTC), date(1700, 12, 31), "2026-01-01", None]
)
def test_a_start_is_a_day_with_centuries_before_it(start: Wrong) -> None:
    monthly = BillingCycle(date(2026, 1, 1), MONTHS(1))
    refused_by: list[Callable[[], object]] = [
        lambda: align(Calendar(), start, MONTHS(1)),
        lambda: shared(monthly, start, DAYS(1)),
    ]
    for ask in refused_by:
        with pytest.raises(ValidationError) as refused:
            ask()
        assert refused.value.field == "start"


def test_the_earliest_start_has_an_anchor_even_by_centuries() -> None:
    start = date(1701, 1, 1)
    alignments: list[Alignment] = [DayOfMonth(31), DayOfYear(2, 29)]
    for alignment, every in product(alignments, [YEARS(100), MONTHS(1200)]):
        for long in (False, True):
            aligned = align(alignment, start, every, long_stub=long)
            assert aligned.first_end == expected_end(alignment, start, every, long=long)
            assert aligned.cycle.anchor <= start


@pytest.mark.parametrize("every", ["1 month", 1, None])
def test_an_interval_is_an_interval(every: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        align(Calendar(), date(2026, 1, 1), every)
    assert refused.value.field == "every"


@pytest.mark.parametrize("every", [DAYS(31), WEEKS(5), MONTHS(1), YEARS(1)])
def test_the_calendar_ends_with_the_year_9999(every: Interval) -> None:
    with pytest.raises(ValidationError):
        align(Calendar(), date(9999, 12, 31), every)
