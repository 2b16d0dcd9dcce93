"""The laws of proration, against exact fractions and against clocks counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from subscriptions.billing_cycles import Period, first_instant
from subscriptions.errors import ValidationError
from subscriptions.money import EUR, Money
from subscriptions.proration import ProrationUnit, prorate, prorate_minor, stub

quick = settings(derandomize=True, max_examples=200, deadline=None, database=None)

# What somebody may pass who runs no type checker.
Wrong: TypeAlias = Any

DAY, SECOND = ProrationUnit.DAY, ProrationUnit.SECOND
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
    whole = prorate(amount, YEAR_END, YEAR_END.start, unit=unit)
    assert (whole.used.minor, whole.unused.minor) == (0, 100)
    nothing = prorate(amount, YEAR_END, YEAR_END.end, unit=unit)
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
    with pytest.raises(ValidationError):
        prorate(Money(1, EUR), YEAR_END, at, unit=unit)


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
