"""The laws of periods, against dateutil and a clock on the wall; the grid is beside it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import (
    BillingCycle,
    Interval,
    IntervalUnit,
    Period,
    first_instant,
    local_date,
    zone_info,
)
from subscriptions.errors import ValidationError

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

days = st.dates(date(1990, 1, 1), date(2100, 12, 31))
intervals = (
    st.builds(Interval.days, st.integers(1, 400))
    | st.builds(Interval.weeks, st.integers(1, 60))
    | st.builds(Interval.months, st.integers(1, 40))
    | st.builds(Interval.years, st.integers(1, 10))
)
cycles = st.builds(BillingCycle, days, intervals)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOT_A_DAY = [NOON, datetime.min, "2026-01-31", 20260131, None]  # noqa: DTZ901


# --- periods ------------------------------------------------------------------------------------


def test_a_period_has_its_start_and_not_its_end() -> None:
    january = Period(date(2024, 1, 1), date(2024, 2, 1))
    assert january.days == 31
    assert date(2024, 1, 1) in january
    assert date(2024, 1, 31) in january
    assert date(2024, 2, 1) not in january
    assert date(2023, 12, 31) not in january


@pytest.mark.parametrize("end", [date(2024, 1, 1), date(2023, 12, 31)])
def test_a_period_is_never_empty(end: date) -> None:
    with pytest.raises(ValidationError) as refused:
        Period(date(2024, 1, 1), end)
    assert refused.value.field == "end"


@pytest.mark.parametrize("bad", NOT_A_DAY)
def test_a_datetime_is_not_a_day(bad: Wrong) -> None:
    day = date(2024, 1, 1)
    cycle = BillingCycle(day, Interval.months(1))
    refused: list[Callable[[], object]] = [
        lambda: Period(bad, date(2030, 1, 1)),
        lambda: Period(day, bad),
        lambda: bad in Period(day, date(2030, 1, 1)),
        lambda: Period(day, date(2030, 1, 1)).split_at(bad),
        lambda: BillingCycle(bad, Interval.months(1)),
        lambda: cycle.index_of(bad),
        lambda: cycle.period_containing(bad),
        lambda: cycle.periods(until=bad),
        lambda: first_instant(bad, "UTC"),
    ]
    for ask in refused:
        with pytest.raises(ValidationError):
            ask()


def test_a_subclass_of_date_that_is_no_datetime_is_a_day() -> None:
    class FrozenDate(date):
        """What clock-freezing test libraries put in the place of `date`."""

    assert FrozenDate(2024, 1, 5) in Period(FrozenDate(2024, 1, 1), date(2024, 2, 1))


@quick
@given(days, st.integers(2, 400), st.integers(1, 399))
def test_a_period_is_cut_in_two_that_touch(start: date, length: int, at: int) -> None:
    assume(at < length)
    period = Period(start, start + timedelta(days=length))
    first, second = period.split_at(start + timedelta(days=at))
    assert (first.start, first.end, second.end) == (period.start, second.start, period.end)
    assert first.days + second.days == period.days


@pytest.mark.parametrize("day", [date(2024, 1, 1), date(2024, 2, 1), date(2023, 1, 1)])
def test_a_cut_leaves_no_empty_period(day: date) -> None:
    with pytest.raises(ValidationError):
        Period(date(2024, 1, 1), date(2024, 2, 1)).split_at(day)


def test_periods_are_written_sorted_and_pickled() -> None:
    january, february = (Period(date(2024, m, 1), date(2024, m + 1, 1)) for m in (1, 2))
    assert str(january) == "2024-01-01/2024-02-01"
    assert repr(january) == "Period(2024-01-01, 2024-02-01)"
    assert sorted([february, january]) == [january, february]
    assert pickle.loads(pickle.dumps(january)) == january  # noqa: S301


# --- intervals ----------------------------------------------------------------------------------


def test_an_interval_says_its_unit_and_count() -> None:
    assert Interval.months(3) == Interval(IntervalUnit.MONTHS, 3)
    assert Interval.months(12) != Interval.years(1)
    texts = [str(i) for i in (Interval.days(1), Interval.weeks(2), Interval.years(1))]
    assert texts == ["1 day", "2 weeks", "1 year"]
    assert eval(repr(Interval.weeks(2)), {"Interval": Interval}) == Interval.weeks(2)  # noqa: S307
    assert pickle.loads(pickle.dumps(Interval.weeks(2))) == Interval.weeks(2)  # noqa: S301


@pytest.mark.parametrize("make", [Interval.days, Interval.weeks, Interval.months, Interval.years])
@pytest.mark.parametrize("count", [0, -1, 1.0, True, "1", None, 36_526])
def test_an_interval_is_at_least_one_and_at_most_a_century(
    make: Callable[[int], Interval], count: Wrong
) -> None:
    with pytest.raises(ValidationError) as refused:
        make(count)
    assert refused.value.field == "count"


@pytest.mark.parametrize("unit", ["months", None, 1])
def test_a_unit_is_a_member_and_not_its_text(unit: Wrong) -> None:
    with pytest.raises(ValidationError):
        Interval(unit, 1)
    with pytest.raises(ValidationError):
        BillingCycle(date(2024, 1, 1), unit)


# --- cycles -------------------------------------------------------------------------------------


@quick
@given(cycles, st.integers(0, 300))
@example(BillingCycle(date(2024, 1, 31), Interval.months(1)), 1)
@example(BillingCycle(date(2024, 2, 29), Interval.years(1)), 4)
@example(BillingCycle(date(2024, 2, 29), Interval.years(1)), 76)
@example(BillingCycle(date(2023, 8, 31), Interval.months(6)), 1)
def test_a_start_is_the_anchor_plus_n_intervals(cycle: BillingCycle, n: int) -> None:
    unit, count = cycle.every.unit.value, cycle.every.count
    delta = relativedelta(**{unit: n * count})  # type: ignore[arg-type]
    assert cycle.start(n) == cycle.anchor + delta
    assert cycle.period(n).start == cycle.start(n)


@quick
@given(cycles, st.integers(0, 300))
def test_periods_touch_and_rise(cycle: BillingCycle, n: int) -> None:
    assert cycle.period(n).end == cycle.period(n + 1).start
    assert cycle.start(n) < cycle.start(n + 1)


@quick
@given(cycles, st.integers(0, 20_000))
@example(BillingCycle(date(2024, 1, 31), Interval.months(1)), 29)
@example(BillingCycle(date(2024, 1, 31), Interval.months(1)), 28)
def test_every_day_is_in_exactly_one_period(cycle: BillingCycle, after: int) -> None:
    day = cycle.anchor + timedelta(days=after)
    n = cycle.index_of(day)
    assert day in cycle.period(n)
    assert cycle.period_containing(day) == cycle.period(n)


def test_31_january_comes_back_after_every_short_month() -> None:
    cycle = BillingCycle(anchor=date(2024, 1, 31), every=Interval.months(1))
    assert cycle.period(0) == Period(date(2024, 1, 31), date(2024, 2, 29))
    assert cycle.period(1) == Period(date(2024, 2, 29), date(2024, 3, 31))
    starts = [str(cycle.start(n))[5:] for n in range(12, 16)]
    assert starts == ["01-31", "02-28", "03-31", "04-30"]


def test_29_february_comes_back_in_leap_years_only() -> None:
    cycle = BillingCycle(date(2096, 2, 29), Interval.years(1))
    assert [cycle.start(n).day for n in range(9)] == [29, 28, 28, 28, 28, 28, 28, 28, 29]


@quick
@given(cycles, days, st.integers(0, 5))
def test_the_periods_until_a_day_are_those_that_start_before_it(
    cycle: BillingCycle, until: date, first: int
) -> None:
    assume((until - cycle.anchor).days < 4000)
    expected: list[Period] = []
    n = first
    while cycle.start(n) < until:
        expected.append(cycle.period(n))
        n += 1
    assert list(cycle.periods(until=until, first=first)) == expected


def test_the_period_before_the_anchor_ends_at_it() -> None:
    monthly = BillingCycle(date(2026, 1, 15), Interval.months(1))
    assert monthly.period_before_anchor() == Period(date(2025, 12, 15), date(2026, 1, 15))
    weekly = BillingCycle(date(2026, 3, 1), Interval.weeks(1))
    assert weekly.period_before_anchor() == Period(date(2026, 2, 22), date(2026, 3, 1))
    late = BillingCycle(date(2026, 3, 31), Interval.months(1))
    assert late.period_before_anchor() == Period(date(2026, 2, 28), date(2026, 3, 31))


def test_a_period_that_is_asked_for_again_is_the_same_object() -> None:
    make = [BillingCycle(date(2024, 5, 31), Interval.months(1)).period(7) for _ in range(2)]
    assert make[0] is make[1]


@pytest.mark.parametrize("n", [-1, 1.0, True, "1", None])
def test_periods_are_counted_from_zero(n: Wrong) -> None:
    cycle = BillingCycle(date(2024, 1, 31), Interval.months(1))
    refused: list[Callable[[], object]] = [
        lambda: cycle.period(n),
        lambda: cycle.start(n),
        lambda: cycle.periods(until=date(2025, 1, 1), first=n),
    ]
    for ask in refused:
        with pytest.raises(ValidationError):
            ask()


def test_nothing_was_billed_before_the_anchor() -> None:
    cycle = BillingCycle(date(2024, 1, 31), Interval.months(1))
    with pytest.raises(ValidationError):
        cycle.index_of(date(2024, 1, 30))
    assert list(cycle.periods(until=date(2024, 1, 31))) == []
    assert list(cycle.periods(until=date(2000, 1, 1))) == []


@pytest.mark.parametrize(
    "every", [Interval.days(1), Interval.weeks(1), Interval.months(1), Interval.years(1)]
)
def test_the_calendar_ends_with_the_year_9999(every: Interval) -> None:
    cycle = BillingCycle(date(9998, 12, 31), every)
    assert cycle.start(1) > cycle.anchor
    before = BillingCycle(date.min, every)
    for ask in (
        lambda: cycle.period(366),
        lambda: cycle.start(10**9),
        lambda: cycle.start(10**30),
        lambda: cycle.period_containing(date.max),
        before.period_before_anchor,
    ):
        with pytest.raises(ValidationError):
            ask()


# --- zones --------------------------------------------------------------------------------------

FIXTURE = [
    # zone, day, the instant at which it begins: where midnight does not exist …
    ("Africa/Cairo", date(2026, 4, 24), "2026-04-23T22:00"),
    ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00"),
    ("America/Santiago", date(2026, 9, 6), "2026-09-06T04:00"),
    ("Asia/Beirut", date(2026, 3, 29), "2026-03-28T22:00"),
    ("Atlantic/Azores", date(2026, 3, 29), "2026-03-29T01:00"),
    # … where it happens twice …
    ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00"),
    ("Atlantic/Azores", date(2026, 10, 25), "2026-10-25T00:00"),
    # … where the whole day does not exist, and its neighbours …
    ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T10:00"),
    ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00"),
    ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00"),
    ("Pacific/Kwajalein", date(1993, 8, 21), "1993-08-21T12:00"),
    ("Pacific/Kwajalein", date(1993, 8, 22), "1993-08-21T12:00"),
    # … where the gap began before midnight …
    ("America/Toronto", date(1919, 3, 31), "1919-03-31T04:30"),
    # … and where nothing is special.
    ("Europe/Berlin", date(2026, 3, 29), "2026-03-28T23:00"),
    ("Asia/Kathmandu", date(2026, 1, 1), "2025-12-31T18:15"),
    ("UTC", date(2026, 1, 1), "2026-01-01T00:00"),
]


@pytest.mark.parametrize(("zone", "day", "begins"), FIXTURE)
def test_a_day_begins_at_its_local_midnight(zone: str, day: date, begins: str) -> None:
    instant = first_instant(day, zone)
    assert instant == datetime.fromisoformat(begins + "+00:00")
    assert instant.tzinfo is UTC
    assert instant == by_the_wall_clock(day, zone)


def by_the_wall_clock(day: date, zone: str) -> datetime:
    """Watch a clock on a wall, minute by minute, until it first shows the day or a later one."""
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=27)
    while instant.astimezone(ZoneInfo(zone)).date() < day:
        instant += timedelta(minutes=1)
    return instant


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Antarctica/Troll", date(2026, 3, 29), 22),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Europe/Berlin", date(2026, 6, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Antarctica/Troll", date(2026, 10, 25), 26),
        ("Pacific/Apia", date(2011, 12, 30), 0),
    ],
)
def test_days_have_the_lengths_that_occur(zone: str, day: date, hours: float) -> None:
    tomorrow = day + timedelta(days=1)
    assert first_instant(tomorrow, zone) - first_instant(day, zone) == timedelta(hours=hours)


@quick
@given(
    st.sampled_from(sorted(available_timezones())), st.dates(date(1900, 1, 2), date(2037, 12, 31))
)
@example("America/St_Johns", date(2010, 11, 7))
@example("Africa/Casablanca", date(2026, 2, 15))
def test_before_its_first_instant_no_clock_shows_the_day(zone: str, day: date) -> None:
    begins = first_instant(day, zone)
    rules = ZoneInfo(zone)
    assert begins.astimezone(rules).date() >= day
    for quarters in range(1, 100):
        earlier = begins - timedelta(minutes=15 * quarters) + timedelta(minutes=15, seconds=-1)
        assert earlier.astimezone(rules).date() < day


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        (
            datetime(2026, 1, 31, 22, 59, 59, 999_999, tzinfo=UTC),
            "Europe/Berlin",
            date(2026, 1, 31),
        ),
        (datetime(2026, 1, 31, 23, 0, tzinfo=UTC), "Europe/Berlin", date(2026, 2, 1)),
        (datetime(2026, 1, 31, 23, 0, tzinfo=UTC), "America/New_York", date(2026, 1, 31)),
        (datetime(2026, 2, 1, 0, 0, tzinfo=ZoneInfo("Asia/Tokyo")), "UTC", date(2026, 1, 31)),
    ],
)
def test_an_instant_is_in_the_day_of_the_zone(instant: datetime, zone: str, day: date) -> None:
    assert local_date(instant, zone) == day


@pytest.mark.parametrize("zone", ["", "Europe", "Europe/Bärlin", "../etc", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    for ask in (
        lambda: zone_info(zone),
        lambda: first_instant(date(2026, 1, 1), zone),
        lambda: local_date(NOON, zone),
    ):
        with pytest.raises(ValidationError) as refused:
            ask()
        assert refused.value.field == "zone"


@pytest.mark.parametrize("zone", [None, 3])
def test_a_zone_is_a_text(zone: Wrong) -> None:
    with pytest.raises(ValidationError):
        zone_info(zone)


@pytest.mark.parametrize("instant", [datetime(2026, 1, 1), date(2026, 1, 1), "now", None])  # noqa: DTZ001
def test_an_instant_without_an_offset_is_in_no_day(instant: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        local_date(instant, "UTC")
    assert refused.value.field == "instant"


def test_the_ends_of_the_calendar_are_refused() -> None:
    with pytest.raises(ValidationError):
        first_instant(date.min, "Asia/Tokyo")
    with pytest.raises(ValidationError):
        local_date(datetime.max.replace(tzinfo=UTC), "Asia/Tokyo")
