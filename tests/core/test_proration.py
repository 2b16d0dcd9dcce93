"""The laws of proration, against exact fractions and against clocks counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import BillingCycle, Interval, Period, first_instant, local_date
from subscriptions.errors import ValidationError
from subscriptions.money import EUR, Money, Rounding
from subscriptions.proration import (
    DEFAULT,
    Cap,
    ChangeDay,
    Credit,
    Mode,
    Proration,
    ProrationUnit,
    between,
    position,
    prorate,
    prorate_minor,
    stub,
)

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

DAY, SECOND, THIRTIETHS = ProrationUnit
ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Africa/Cairo", "Antarctica/Troll"]

minors = st.integers(-(10**9), 10**9)
days = st.dates(date(2024, 1, 1), date(2030, 12, 31))


@st.composite
def periods(draw: st.DrawFn) -> Period:
    start = draw(days)
    return Period(start, start + timedelta(days=draw(st.integers(1, 400))))


def half_away(value: Fraction) -> int:
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


YEAR_END = Period(date(2025, 12, 15), date(2026, 1, 15))
MONTHLY = BillingCycle(date(2025, 12, 15), Interval.months(1))


def test_31_euros_for_10_to_15_january_are_5_of_31() -> None:
    parts = prorate(Money.of("31.00", "EUR"), YEAR_END, date(2026, 1, 10))
    assert parts.used == Money.of("26.00", "EUR")
    assert parts.unused == Money.of("5.00", "EUR")
    assert (parts.numerator, parts.denominator, parts.unit) == (26, 31, DAY)


def test_the_first_stub_of_31_euros_from_10_january_is_5() -> None:
    part = Period(date(2026, 1, 10), date(2026, 1, 15))
    assert stub(Money.of("31.00", "EUR"), part=part, of=YEAR_END) == Money.of("5.00", "EUR")


def test_half_of_a_discounted_item_credits_half_of_what_was_charged() -> None:
    first, _ = (Money.of(10, "EUR") + Money.of(20, "EUR") - Money.of(5, "EUR")).allocate([10, 20])
    assert first == Money.of("8.33", "EUR")
    april = Period(date(2026, 4, 1), date(2026, 5, 1))
    assert str(prorate(first, april, date(2026, 4, 16)).unused) == "4.16 EUR"


@quick
@given(minors, periods(), st.integers(0, 400))
@example(1, Period(date(2026, 4, 1), date(2026, 4, 3)), 1)
@example(-1, Period(date(2026, 4, 1), date(2026, 4, 3)), 1)
def test_the_halves_always_add_up(minor: int, period: Period, offset: int) -> None:
    assume(offset <= period.days)
    amount = Money(minor, EUR)
    parts = prorate(amount, period, period.start + timedelta(days=offset))
    assert parts.used + parts.unused == amount
    assert (parts.numerator, parts.denominator) == (offset, period.days)
    assert parts.used.minor == half_away(Fraction(minor * offset, period.days))
    mirror = prorate(-amount, period, period.start + timedelta(days=offset))
    assert (mirror.used, mirror.unused) == (-parts.used, -parts.unused)


@quick
@given(minors, periods(), st.floats(0, 1), st.sampled_from(ZONES))
def test_the_halves_of_seconds_add_up_too(
    minor: int, period: Period, where: float, zone: str
) -> None:
    start, end = first_instant(period.start, zone), first_instant(period.end, zone)
    amount = Money(minor, EUR)
    parts = prorate(amount, period, start + (end - start) * where, unit=SECOND, zone=zone)
    assert parts.used + parts.unused == amount
    assert parts.denominator == (end - start) // timedelta(seconds=1)
    expected = Fraction(minor * parts.numerator, parts.denominator)
    assert parts.used.minor == half_away(expected)


@pytest.mark.parametrize("unit", ProrationUnit)
def test_both_ends_of_the_period_are_allowed(unit: ProrationUnit) -> None:
    amount = Money(100, EUR)
    whole = prorate(amount, YEAR_END, YEAR_END.start, unit=unit, cycle=MONTHLY)
    assert (whole.used.minor, whole.unused.minor) == (0, 100)
    nothing = prorate(amount, YEAR_END, YEAR_END.end, unit=unit, cycle=MONTHLY)
    assert (nothing.used.minor, nothing.unused.minor) == (100, 0)


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 29), "Europe/Berlin", 23),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 4, 24), "Africa/Cairo", 23),
        (date(2026, 3, 8), "America/Havana", 23),
        (date(2026, 11, 1), "America/Havana", 25),
        (date(2026, 4, 5), "Australia/Lord_Howe", 24.5),
        (date(2026, 10, 4), "Australia/Lord_Howe", 23.5),
        (date(2026, 3, 29), "Antarctica/Troll", 22),
        (date(2026, 10, 25), "Antarctica/Troll", 26),
        (date(2026, 6, 1), "Europe/Berlin", 24),
    ],
)
def test_a_day_counts_the_hours_that_it_has(day: date, zone: str, hours: float) -> None:
    period = Period(day, day + timedelta(days=1))
    parts = prorate(Money(1, EUR), period, day, unit=SECOND, zone=zone)
    assert parts.denominator == hours * 3600


def test_a_day_in_seconds_begins_at_its_local_midnight() -> None:
    april = Period(date(2026, 4, 1), date(2026, 5, 1))
    parts = prorate(Money(100, EUR), april, date(2026, 4, 24), unit=SECOND, zone="Africa/Cairo")
    assert (parts.numerator, parts.denominator) == (23 * 86_400, 30 * 86_400 - 3600)


def test_an_instant_counted_in_days_is_the_local_day_it_is_in() -> None:
    late = datetime(2026, 1, 9, 23, 30, tzinfo=UTC)  # 00:30 of the 10th in Berlin
    amount = Money.of("31.00", "EUR")
    assert prorate(amount, YEAR_END, late, zone="Europe/Berlin").numerator == 26
    assert prorate(amount, YEAR_END, late).numerator == 25
    elsewhere = late.astimezone(timezone(timedelta(hours=-9)))
    assert prorate(amount, YEAR_END, elsewhere, zone="Europe/Berlin").numerator == 26


def test_fractions_of_a_second_are_dropped() -> None:
    at = datetime(2025, 12, 15, 0, 0, 1, 999_999, tzinfo=UTC)
    assert prorate(Money(1, EUR), YEAR_END, at, unit=SECOND).numerator == 1


@quick
@given(minors, periods(), st.lists(st.integers(1, 399), max_size=6))
@example(100, Period(date(2026, 4, 1), date(2026, 4, 4)), [1, 2])
@example(-100, Period(date(2026, 4, 1), date(2026, 4, 4)), [1, 2])
def test_the_stubs_of_any_cutting_add_up_to_the_period(
    minor: int, period: Period, cuts: list[int]
) -> None:
    offsets = sorted({0, period.days, *[cut for cut in cuts if cut < period.days]})
    amount = Money(minor, EUR)
    parts = [
        Period(period.start + timedelta(days=a), period.start + timedelta(days=b))
        for a, b in pairwise(offsets)
    ]
    shares = [stub(amount, part=part, of=period) for part in parts]
    assert sum(shares, Money.zero("EUR")) == amount
    assert shares[-1] == prorate(amount, period, parts[-1].start).unused
    assert shares[0] == prorate(amount, period, parts[0].end).used
    for part, share in zip(parts, shares, strict=True):
        assert abs(share.minor - Fraction(minor * part.days, period.days)) <= 1


@quick
@given(minors, minors, periods(), st.integers(0, 400))
def test_a_change_and_the_change_back_on_one_day_cost_nothing(
    old: int, new: int, period: Period, offset: int
) -> None:
    assume(offset < period.days)
    at = period.start + timedelta(days=offset)
    rest = Period(at, period.end)
    credit_old = -prorate(Money(old, EUR), period, at).unused
    debit_new = prorate(Money(new, EUR), period, at).unused
    credit_new = -prorate(debit_new, rest, at).unused
    debit_old = prorate(Money(old, EUR), period, at).unused
    assert (credit_old + debit_new + credit_new + debit_old).minor == 0


def test_minor_units_are_cut_as_money_is() -> None:
    assert prorate_minor(3100, 26, 31) == 2600
    assert (prorate_minor(1, 1, 2), prorate_minor(-1, 1, 2)) == (1, -1)


@pytest.mark.parametrize("unit", ProrationUnit)
@pytest.mark.parametrize(
    "at",
    [
        date(2025, 12, 14),
        date(2026, 1, 16),
        datetime(2025, 12, 14, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 1, 16, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 1, 10),  # noqa: DTZ001 - naive on purpose
        "2026-01-10",
        None,
    ],
)
def test_a_moment_outside_the_period_is_refused(unit: ProrationUnit, at: Wrong) -> None:
    with pytest.raises(ValidationError, match=r"^at: "):
        prorate(Money(1, EUR), YEAR_END, at, unit=unit, cycle=MONTHLY)


def test_the_last_day_is_over_at_its_midnight_when_seconds_count() -> None:
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    assert prorate(Money(1, EUR), YEAR_END, noon).numerator == 31
    with pytest.raises(ValidationError):
        prorate(Money(1, EUR), YEAR_END, noon, unit=SECOND)


def test_a_unit_is_a_member_and_not_its_text() -> None:
    with pytest.raises(ValidationError) as refused:
        prorate(Money(1, EUR), YEAR_END, date(2026, 1, 10), unit="day")  # type: ignore[arg-type]
    assert refused.value.field == "unit"


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        prorate(Money(1, EUR), YEAR_END, date(2026, 1, 10), unit=SECOND, zone="Europe/Bärlin")


def test_a_day_that_a_zone_skipped_has_no_seconds_to_share() -> None:
    skipped = Period(date(2011, 12, 30), date(2011, 12, 31))
    assert prorate(Money(1, EUR), skipped, skipped.start, zone="Pacific/Apia").denominator == 1
    with pytest.raises(ValidationError):
        prorate(Money(1, EUR), skipped, skipped.start, unit=SECOND, zone="Pacific/Apia")


@pytest.mark.parametrize(
    "part",
    [
        Period(date(2025, 12, 14), date(2026, 1, 10)),
        Period(date(2026, 1, 10), date(2026, 1, 16)),
        Period(date(2025, 12, 1), date(2026, 2, 1)),
        Period(date(2026, 2, 1), date(2026, 3, 1)),
    ],
)
def test_a_stub_lies_within_its_period(part: Period) -> None:
    with pytest.raises(ValidationError) as refused:
        stub(Money(1, EUR), part=part, of=YEAR_END)
    assert refused.value.field == "part"


# --- thirtieths ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anchor", "every", "day", "used", "of"),
    [
        # From the 1st: every month costs the same by day, and February's last day is three.
        (date(2026, 1, 1), Interval.months(1), date(2026, 1, 30), 29, 30),
        (date(2026, 1, 1), Interval.months(1), date(2026, 1, 31), 29, 30),
        (date(2026, 1, 1), Interval.months(1), date(2026, 2, 28), 27, 30),
        (date(2026, 1, 15), Interval.months(1), date(2026, 2, 10), 25, 30),
        (date(2026, 1, 15), Interval.months(1), date(2026, 3, 1), 16, 30),
        # From the 31st: February's period begins on its 28th and is not used before March.
        (date(2026, 1, 31), Interval.months(1), date(2026, 2, 27), 27, 30),
        (date(2026, 1, 31), Interval.months(1), date(2026, 2, 28), 0, 30),
        (date(2026, 1, 31), Interval.months(1), date(2026, 3, 1), 1, 30),
        # The 30th counts as the 31st does, but the period is not over.
        (date(2026, 1, 31), Interval.months(1), date(2026, 3, 30), 29, 30),
        (date(2026, 1, 30), Interval.months(1), date(2026, 1, 31), 0, 30),
        (date(2026, 1, 15), Interval.months(3), date(2026, 3, 15), 60, 90),
        (date(2024, 2, 29), Interval.years(1), date(2024, 8, 29), 180, 360),
        # Days and weeks have no months.
        (date(2026, 1, 1), Interval.weeks(2), date(2026, 1, 4), 3, 14),
        (date(2026, 1, 1), Interval.days(31), date(2026, 1, 31), 30, 31),
    ],
)
def test_every_month_has_thirty_days(
    anchor: date, every: Interval, day: date, used: int, of: int
) -> None:
    cycle = BillingCycle(anchor, every)
    n = cycle.index_of(day)
    assert position(cycle, day, unit=THIRTIETHS) == n + Fraction(used, of)
    parts = prorate(Money(100, EUR), cycle.period(n), day, unit=THIRTIETHS, cycle=cycle)
    assert (parts.numerator, parts.denominator, parts.unit) == (used, of, THIRTIETHS)
    assert parts.used.minor == half_away(Fraction(100 * used, of))


def test_thirtieths_need_the_cycle_that_the_period_is_of() -> None:
    day, amount = date(2026, 1, 10), Money(1, EUR)
    others = [
        None,
        BillingCycle(date(2025, 12, 16), Interval.months(1)),
        BillingCycle(date(2025, 11, 16), Interval.months(1)),
        BillingCycle(date(2025, 12, 15), Interval.months(2)),
    ]
    for cycle in others:
        with pytest.raises(ValidationError) as refused:
            prorate(amount, YEAR_END, day, unit=THIRTIETHS, cycle=cycle)
        assert refused.value.field == "cycle"


# --- positions ----------------------------------------------------------------------------------

cycles = st.builds(
    BillingCycle,
    days,
    st.builds(Interval.months, st.integers(1, 14))
    | st.builds(Interval.days, st.integers(1, 100))
    | st.builds(Interval.weeks, st.integers(1, 60))
    | st.builds(Interval.years, st.integers(1, 4)),
)
units = st.sampled_from(ProrationUnit)
zones = st.sampled_from(ZONES)
offsets = st.integers(0, 2000)


@quick
@given(cycles, st.integers(0, 60), units, zones)
@example(BillingCycle(date(2024, 1, 31), Interval.months(1)), 1, THIRTIETHS, "UTC")
@example(BillingCycle(date(2011, 12, 30), Interval.days(1)), 0, SECOND, "Pacific/Apia")
def test_a_period_starts_at_its_number(
    cycle: BillingCycle, n: int, unit: ProrationUnit, zone: str
) -> None:
    assert position(cycle, cycle.start(n), unit=unit, zone=zone) == n
    midnight = first_instant(cycle.start(n), zone)
    if local_date(midnight, zone) == cycle.start(n):
        assert position(cycle, midnight, unit=unit, zone=zone) == n


@quick
@given(cycles, offsets, st.integers(1, 40), units, zones)
@example(BillingCycle(date(2026, 1, 31), Interval.months(1)), 58, 1, THIRTIETHS, "UTC")
@example(BillingCycle(date(2026, 1, 30), Interval.months(1)), 29, 1, THIRTIETHS, "UTC")
def test_a_later_day_is_later(
    cycle: BillingCycle, offset: int, more: int, unit: ProrationUnit, zone: str
) -> None:
    day = cycle.anchor + timedelta(days=offset)
    here = position(cycle, day, unit=unit, zone=zone)
    there = position(cycle, day + timedelta(days=more), unit=unit, zone=zone)
    assert here < there if unit is not THIRTIETHS else here <= there
    assert cycle.index_of(day) <= here < cycle.index_of(day) + 1


@quick
@given(cycles, st.integers(0, 10**8), st.integers(1, 10**6), units, zones)
def test_a_later_instant_is_never_earlier(
    cycle: BillingCycle, after: int, more: int, unit: ProrationUnit, zone: str
) -> None:
    at = first_instant(cycle.anchor, zone) + timedelta(seconds=after)
    here = position(cycle, at, unit=unit, zone=zone)
    assert position(cycle, at + timedelta(microseconds=1), unit=unit, zone=zone) >= here
    later = position(cycle, at + timedelta(seconds=more), unit=unit, zone=zone)
    assert later > here if unit is SECOND else later >= here


def test_an_instant_counted_in_days_has_the_position_of_its_local_day() -> None:
    late = datetime(2026, 1, 9, 23, 30, tzinfo=UTC)  # 00:30 of the 10th in Berlin
    assert position(MONTHLY, late, zone="Europe/Berlin") == Fraction(26, 31)
    assert position(MONTHLY, late) == Fraction(25, 31)
    berlin = position(MONTHLY, late, unit=THIRTIETHS, zone="Europe/Berlin")
    assert berlin == Fraction(25, 30)


def test_an_instant_counted_in_seconds_drops_what_is_less() -> None:
    at = datetime(2025, 12, 16, 0, 0, 1, 999_999, tzinfo=UTC)
    assert position(MONTHLY, at, unit=SECOND) == Fraction(86_401, 31 * 86_400)


def test_clocks_put_back_over_midnight_do_not_put_back_the_position() -> None:
    # At one past twelve it was one past eleven of the day before, which had ended.
    cycle = BillingCycle(date(2010, 11, 7), Interval.days(1))
    begins = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    for minutes in (0, 1, 30, 60, 61):
        at = begins + timedelta(minutes=minutes)
        found = position(cycle, at, unit=SECOND, zone="America/St_Johns")
        assert found == Fraction(minutes, 25 * 60)


def test_the_last_day_of_the_calendar_has_a_position_in_the_period_that_it_ends() -> None:
    cycle = BillingCycle(date(9999, 12, 1), Interval.days(15))
    assert position(cycle, date(9999, 12, 15), unit=SECOND) == Fraction(14, 15)
    with pytest.raises(ValidationError):
        position(cycle, datetime.max.replace(tzinfo=UTC), unit=SECOND)


@pytest.mark.parametrize("unit", ProrationUnit)
@pytest.mark.parametrize(
    "moment",
    [
        date(2025, 12, 14),
        datetime(2025, 12, 14, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2026, 1, 10),  # noqa: DTZ001 - naive on purpose
        "2026-01-10",
        None,
    ],
)
def test_a_moment_before_the_anchor_has_no_position(unit: ProrationUnit, moment: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        position(MONTHLY, moment, unit=unit)
    assert refused.value.field == "moment"


def test_a_position_is_counted_in_a_member_and_not_its_text() -> None:
    with pytest.raises(ValidationError) as refused:
        position(MONTHLY, date(2026, 1, 10), unit="day")  # type: ignore[arg-type]
    assert refused.value.field == "unit"


# --- what lies between --------------------------------------------------------------------------

moments = st.fractions(0, 100, max_denominator=400)


def test_the_way_from_10_to_15_january_costs_5_of_31() -> None:
    begin = position(MONTHLY, date(2026, 1, 10))
    assert between(3100, begin, position(MONTHLY, date(2026, 1, 15))) == 500
    assert between(3100, begin, position(MONTHLY, date(2026, 2, 15))) == 3600


@quick
@given(minors, moments, moments, moments)
@example(1, Fraction(0), Fraction(1, 2), Fraction(1))
def test_two_ways_cost_what_the_whole_way_costs(
    minor: int, a: Fraction, b: Fraction, c: Fraction
) -> None:
    assert between(minor, a, b) + between(minor, b, c) == between(minor, a, c)
    assert between(minor, b, a) == -between(minor, a, b)
    assert between(-minor, a, b) == -between(minor, a, b)
    assert abs(between(minor, a, b) - minor * (b - a)) <= 1


@quick
@given(minors, st.integers(0, 500), st.integers(0, 500), st.fractions(0, 1, max_denominator=400))
def test_whole_periods_cost_their_price_and_parts_what_prorate_says(
    minor: int, n: int, k: int, part: Fraction
) -> None:
    begin = Fraction(n)
    assert between(minor, begin, begin + k) == k * minor
    used = prorate_minor(minor, part.numerator, part.denominator)
    assert between(minor, begin, begin + part) == used
    assert between(minor, begin + part, begin + 1) == minor - used


@quick
@given(minors, cycles, st.lists(offsets, min_size=2, max_size=8), units, zones)
def test_any_sequence_of_days_that_ends_where_it_began_costs_nothing(
    minor: int, cycle: BillingCycle, after: list[int], unit: ProrationUnit, zone: str
) -> None:
    places = [
        position(cycle, cycle.anchor + timedelta(days=offset), unit=unit, zone=zone)
        for offset in [*after, after[0]]
    ]
    assert sum(between(minor, a, b) for a, b in pairwise(places)) == 0


def test_an_amount_is_not_a_fraction() -> None:
    with pytest.raises(TypeError):
        between(1.5, Fraction(0), Fraction(1, 2))  # type: ignore[arg-type]


# --- choices ------------------------------------------------------------------------------------


def test_the_default_counts_days_credits_what_is_unused_and_waits_for_the_next_invoice() -> None:
    chosen = Proration(Mode.NEXT_INVOICE, DAY, Credit.UNUSED, Cap.DEBITED, ChangeDay.NEW)
    assert chosen == DEFAULT == Proration()


def test_a_choice_is_a_member_or_its_text() -> None:
    by_text = Proration("none", "thirtieths", "none", "paid", "old")
    by_member = Proration(Mode.NONE, THIRTIETHS, Credit.NONE, Cap.PAID, ChangeDay.OLD)
    assert by_text == by_member
    kinds = {Mode, ProrationUnit, Credit, Cap, ChangeDay}
    values = (by_text.mode, by_text.unit, by_text.credit, by_text.cap, by_text.change_day)
    assert {type(value) for value in values} == kinds


@pytest.mark.parametrize("name", ["mode", "unit", "credit", "cap", "change_day"])
@pytest.mark.parametrize("value", ["later", "NEW", "", None, 1, True, [], Rounding.HALF_UP])
def test_another_choice_is_refused_by_the_name_of_its_field(name: str, value: Wrong) -> None:
    with pytest.raises(ValidationError) as refused:
        Proration(**{name: value})
    assert refused.value.field == name


def test_the_none_of_one_question_is_no_answer_to_another() -> None:
    with pytest.raises(ValidationError):
        Proration(mode=Credit.NONE)


def test_a_change_counts_from_its_day_or_from_the_day_after() -> None:
    late = datetime(2026, 1, 9, 23, 30, tzinfo=UTC)
    old = Proration(change_day="old")
    assert DEFAULT.counts_from(late) == date(2026, 1, 9)
    assert DEFAULT.counts_from(late, zone="Europe/Berlin") == date(2026, 1, 10)
    assert old.counts_from(late, zone="Europe/Berlin") == date(2026, 1, 11)
    assert old.counts_from(date(2026, 1, 31)) == date(2026, 2, 1)
    by_seconds = Proration(unit="second", change_day="old")
    assert by_seconds.counts_from(late) is late


@pytest.mark.parametrize("unit", ProrationUnit)
@pytest.mark.parametrize("at", [datetime(2026, 1, 1), "2026-01-01", None])  # noqa: DTZ001
def test_a_change_is_at_a_date_or_an_instant(unit: ProrationUnit, at: Wrong) -> None:
    with pytest.raises(ValidationError, match=r"^at: "):
        Proration(unit=unit).counts_from(at)


def test_nothing_counts_from_after_the_last_day() -> None:
    with pytest.raises(ValidationError, match=r"^at: "):
        Proration(change_day="old").counts_from(date.max)
