"""The calendar, case by case, against tables that were made with other means.

Dates are compared with a walk along `calendar.monthrange` or with ordinals; instants with a clock
that is watched hour by hour in UTC. Every section says how many cases it has at least, so that the
grid cannot shrink unseen.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise, product
from typing import TypeAlias
from zoneinfo import ZoneInfo

import pytest

from subscriptions.billing_cycles import (
    BillingCycle,
    Interval,
    Period,
    first_instant,
    local_date,
)
from subscriptions.proration import ProrationUnit, position

Case: TypeAlias = tuple[object, object, object]
"""What is asked, what the library says, what the table says."""

DAY = timedelta(days=1)
PERIODS = 40
BY_MONTHS = [(Interval.months(n), n) for n in (1, 2, 3, 6, 12)] + [(Interval.years(1), 12)]
BY_DAYS = [(Interval.days(n), n) for n in (1, 7, 10, 30, 365)] + [
    (Interval.weeks(n), 7 * n) for n in (1, 2, 4, 52)
]
# Common and leap years, and both kinds of century.
YEARS = [1899, 1999, 2000, 2023, 2024, 2096, 2099]

ZONES = {
    # Where a midnight does not exist or happens twice, …
    "Africa/Cairo": 2026,
    "America/Havana": 2026,
    "America/Santiago": 2026,
    "Asia/Beirut": 2026,
    "Atlantic/Azores": 2026,
    # … a day has 22, 23.5, 24.5 or 26 hours, …
    "Antarctica/Troll": 2026,
    "Australia/Lord_Howe": 2026,
    # … a day does not exist, …
    "Pacific/Apia": 2009,
    "Pacific/Kwajalein": 1991,
    # … clocks were put forward from half past eleven, so that a day began at half past twelve, …
    "America/Toronto": 1917,
    # … clocks were put back over midnight, at one past twelve, …
    "America/St_Johns": 2007,
    # … and where less happens.
    "America/New_York": 2026,
    "Asia/Kathmandu": 2026,
    "Europe/Berlin": 2026,
    "UTC": 2026,
}
"""Zones, each with the first of the years in which its days are looked at."""


# --- tables -------------------------------------------------------------------------------------


def late_anchors(years: list[int]) -> Iterator[date]:
    """Iterate over the days 28 to 31 of every month."""
    for year, month in product(years, range(1, 13)):
        for day in range(28, monthrange(year, month)[1] + 1):
            yield date(year, month, day)


def table_of_months(anchor: date, months: int, count: int) -> list[date]:
    """Walk month by month, and look at the anchor's day in each that starts a period."""
    starts: list[date] = []
    year, month = anchor.year, anchor.month
    while len(starts) < count:
        starts.append(date(year, month, min(anchor.day, monthrange(year, month)[1])))
        for _ in range(months):
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return starts


@cache
def midnights(zone: str) -> dict[date, datetime]:
    """Watch a clock for five years and note when it first shows each day or a later one."""
    rules, year = ZoneInfo(zone), ZONES[zone]
    now = datetime(year, 1, 1, tzinfo=UTC) - timedelta(hours=27)
    shown = now.astimezone(rules)
    table: dict[date, datetime] = {}
    day = shown.date() + DAY
    while day <= date(year + 5, 1, 1):
        hour, before = now, shown
        now += timedelta(hours=1)
        shown = now.astimezone(rules)
        if shown.date() < day and shown.utcoffset() == before.utcoffset():
            continue
        # Look at every minute: a clock may show a day, and then be put back to the day before.
        for minute in (hour + timedelta(minutes=n) for n in range(61)):
            while day <= minute.astimezone(rules).date():
                table[day] = minute
                day += DAY
    return table


def thirtieths(anchor: date, days: list[date], whole: int) -> list[int]:
    """Walk through a period, a step for each day, but none from a 30th to a 31st.

    A February ends with the steps that it lacks; a period that begins early, because its month is
    short, begins with steps below zero.
    """
    used = min(days[0].day, 30) - min(anchor.day, 30)
    table: list[int] = []
    for day, tomorrow in pairwise([*days, days[-1] + DAY]):
        table.append(sorted([0, used, whole - 1])[1])
        if tomorrow.day == 1:
            used += 31 - min(day.day, 30)
        elif tomorrow.day != 31:
            used += 1
    return table


# --- the grid -----------------------------------------------------------------------------------


def periods(anchor: date, every: Interval, table: list[date]) -> Iterator[Case]:
    cycle = BillingCycle(anchor, every)
    for n, (start, end) in enumerate(pairwise(table)):
        last = end - DAY
        found = (cycle.start(n), cycle.period(n), cycle.index_of(start), cycle.index_of(last))
        yield (anchor, every, n), found, (start, Period(start, end), n, n)


def months() -> Iterator[Case]:
    for anchor, (every, count) in product(late_anchors(YEARS), BY_MONTHS):
        yield from periods(anchor, every, table_of_months(anchor, count, PERIODS + 1))


def leap_days() -> Iterator[Case]:
    for year, years in product((1896, 2000, 2024, 2096), (1, 2, 3, 4)):
        anchor = date(year, 2, 29)
        table = [
            date(later, 2, monthrange(later, 2)[1])
            for later in range(year, year + years * PERIODS + 1, years)
        ]
        yield from periods(anchor, Interval.years(years), table)


def weeks_and_days() -> Iterator[Case]:
    for anchor, (every, count) in product(late_anchors([2023, 2024]), BY_DAYS):
        first = anchor.toordinal()
        table = [date.fromordinal(first + count * n) for n in range(PERIODS + 1)]
        yield from periods(anchor, every, table)


def used_days() -> Iterator[Case]:
    for anchor, (every, count) in product(late_anchors([2023]), BY_MONTHS):
        cycle = BillingCycle(anchor, every)
        for n, (start, end) in enumerate(pairwise(table_of_months(anchor, count, 24 // count + 1))):
            length = (end - start).days
            days = [start + k * DAY for k in range(length)]
            evened = thirtieths(anchor, days, 30 * count)
            for k, day in enumerate(days):
                found = (
                    position(cycle, day),
                    position(cycle, day, unit=ProrationUnit.THIRTIETHS),
                )
                expected = (n + Fraction(k, length), n + Fraction(evened[k], 30 * count))
                yield (anchor, every, day), found, expected


def days_of_zones() -> Iterator[Case]:
    for zone in ZONES:
        table = midnights(zone)
        tomorrows = {begins: day for day, begins in table.items()}
        for (day, begins), (_, ends) in pairwise(table.items()):
            # In a second that ends a day the clock shows it, at 23:59:59.999999 of whatever hour.
            shown = (local_date(begins, zone), local_date(ends - timedelta(microseconds=1), zone))
            found = (first_instant(day, zone), shown)
            # A day that does not exist begins and ends with the next.
            expected = (begins, (tomorrows[begins], tomorrows[begins]))
            if begins == ends:
                expected = (begins, (tomorrows[begins], day - DAY))
            yield (zone, day), found, expected


def used_seconds() -> Iterator[Case]:
    second = timedelta(seconds=1)
    for zone, year in ZONES.items():
        anchor = date(year, 1, 31)
        cycle = BillingCycle(anchor, Interval.months(1))
        table = midnights(zone)
        for n, (start, end) in enumerate(pairwise(table_of_months(anchor, 1, 48))):
            length = (table[end] - table[start]) // second
            for day in (start + k * DAY for k in range((end - start).days)):
                if table[day] == table[day + DAY]:
                    continue  # which no instant is in
                passed = (table[day] - table[start]) // second
                expected = n + Fraction(passed, length)
                later = n + Fraction(passed + 61, length)
                instant = table[day] + 61 * second
                unit = ProrationUnit.SECOND
                found = (
                    position(cycle, day, unit=unit, zone=zone),
                    position(cycle, instant, unit=unit, zone=zone),
                )
                yield (zone, day), found, (expected, later)


GRID: dict[Callable[[], Iterator[Case]], int] = {
    months: 69_600,
    leap_days: 640,
    weeks_and_days: 29_880,
    used_days: 179_826,
    days_of_zones: 27_403,
    used_seconds: 21_448,
}
"""The sections, each with the cases that it has at least."""


@pytest.mark.parametrize("section", GRID, ids=lambda section: section.__name__)
def test_the_calendar_is_that_of_the_table(section: Callable[[], Iterator[Case]]) -> None:
    cases = 0
    for what, found, expected in section():
        assert found == expected, f"{what}: {found}, not {expected}"
        cases += 1
    assert cases >= GRID[section]


def test_the_grid_has_at_least_fifty_thousand_cases() -> None:
    assert sum(GRID.values()) >= 50_000


def test_a_change_of_zone_moves_no_day_and_no_instant_is_in_two_periods_of_a_zone() -> None:
    # From Auckland to Honolulu: the dates stay, the instants move by most of a day.
    cycle = BillingCycle(date(2026, 1, 31), Interval.months(1))
    for n in range(PERIODS):
        end = cycle.period(n).end
        old, new = first_instant(end, "Pacific/Auckland"), first_instant(end, "Pacific/Honolulu")
        assert new - old in {timedelta(hours=22), timedelta(hours=23)}
        just_before = old - timedelta(microseconds=1)
        for unit in ProrationUnit:
            assert position(cycle, old, unit=unit, zone="Pacific/Auckland") == n + 1
            assert n < position(cycle, just_before, unit=unit, zone="Pacific/Auckland") < n + 1
            assert n < position(cycle, old, unit=unit, zone="Pacific/Honolulu") < n + 1
            assert position(cycle, new, unit=unit, zone="Pacific/Honolulu") == n + 1
